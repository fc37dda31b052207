"""The runs that this application has started and still attends to."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safelight_tui.runs.worker import RunWorker

__all__ = ["Workers"]


class Workers:
    """Threads of runs, from their start to their end."""

    def __init__(self) -> None:
        self._workers: list[RunWorker] = []

    def add(self, worker: RunWorker) -> None:
        """Attend to a run."""
        self._workers.append(worker)

    def discard(self, worker: RunWorker) -> None:
        """The run is over, or never began."""
        self._workers = [other for other in self._workers if other is not worker]

    @property
    def in_program(self) -> list[RunWorker]:
        """Runs that work in this very program, and would end with it."""
        return [worker for worker in self._workers if worker.request.in_process and worker.is_alive()]

    def end(self, within: float) -> None:
        """Cancel the runs that work in this program, which is about to end, and wait until they have said so.

        A run that does not come to the end of its stage in that time ends with the program, as if it were killed: its
        journal has no end, and it can be resumed.

        Parameters
        ----------
        within : float
            Seconds to wait at the most.
        """
        last = time.monotonic() + within
        workers = self.in_program
        for worker in workers:
            worker.cancel(now=True)
        for worker in workers:
            worker.join(max(0.0, last - time.monotonic()))

    def leave(self) -> None:
        """Stop following detached runs, which go on."""
        for worker in self._workers:
            worker.leave()
