"""The one thread of each run that this application starts: it works until the run ends.

By default it starts a detached runner and follows its journal; the run outlives the thread and the application. A run
"in process" (``try this CCD``) is done here, in this very thread: instrument signature, WCS and zeropoint between
looks at the requests that pause and cancel it. Both go through the same plan, runner and journal, and write the same.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from textual.message import Message

from safelight.errors import SafelightError
from safelight.processccd.executor import Control
from safelight_tui.runs.request import RunRequest

if TYPE_CHECKING:
    from safelight.processccd.detached import DetachedRun
    from safelight.processccd.logout import LogoutSafety

__all__ = ["RunWorker"]

LOG = logging.getLogger("safelight.tui")

_POLL_S = 0.2


class RunWorker(threading.Thread):
    """Runs one request. A daemon: it holds up nobody's exit.

    Parameters
    ----------
    request : RunRequest
    post : callable
        Takes the messages below, from this thread.
    safety : LogoutSafety, optional
        How a detached run is spared at logout.
    """

    class Began(Message):
        """The run has a journal: the feed shows it from now on."""

        def __init__(self, worker: RunWorker, run: str) -> None:
            super().__init__()
            self.worker, self.run = worker, run

    class Refused(Message):
        """The run ended before it began."""

        def __init__(self, worker: RunWorker, reason: str) -> None:
            super().__init__()
            self.worker, self.reason = worker, reason

    class Ended(Message):
        """The run is over; `phase` says how: done, failed, cancelled or dead."""

        def __init__(self, worker: RunWorker, run: str, phase: str) -> None:
            super().__init__()
            self.worker, self.run, self.phase = worker, run, phase

    def __init__(
        self,
        request: RunRequest,
        post: Callable[[Message], object],
        *,
        safety: LogoutSafety | None = None,
    ) -> None:
        super().__init__(name=f"run {request.rerun}", daemon=True)
        self.request = request
        self._post = post
        self._safety = safety
        self._detach = threading.Event()
        self._control = Control()

    def cancel(self, *, now: bool) -> None:
        """End a run in this thread after the CCD at work or, with `now`, at its next stage."""
        self._control.stop = True
        self._control.abort = self._control.abort or now

    def leave(self) -> None:
        """Stop following a detached run, which goes on."""
        self._detach.set()

    def run(self) -> None:
        """Work until the run is over."""
        try:
            if self.request.in_process:
                self._run_here()
            else:
                self._run_detached()
        except SafelightError as error:
            self._post(self.Refused(self, error.message + (f" {error.hint}" if error.hint else "")))
        except Exception as error:  # the application must live on; the log has the traceback
            LOG.exception("a run could not be started")
            self._post(self.Refused(self, f"{type(error).__name__}: {error}."))

    # --- detached ---------------------------------------------------------------------------------------------------

    def _run_detached(self) -> None:
        from safelight.processccd.detached import start

        started = start(self.request.output, self.request.words(), nice=self.request.nice, safety=self._safety)
        try:
            while not started.journal.is_file():
                refused = started.refused()
                if refused is not None:
                    self._post(self.Refused(self, refused))
                    return
                if self._detach.wait(_POLL_S):
                    return
            self._post(self.Began(self, started.run))
            self._follow(started)
        finally:
            started.let_go()

    def _follow(self, started: DetachedRun) -> None:
        while not self._detach.wait(_POLL_S):
            if started.process.poll() is not None:
                self._post(self.Ended(self, started.run, _how_it_ended(started.output, started.journal)))
                return

    # --- in this thread ---------------------------------------------------------------------------------------------

    def _run_here(self) -> None:
        import logging as levels

        from safelight.commands.taskrun import prepare, select
        from safelight.processccd.events import Event, RunStarted
        from safelight.processccd.session import RunSettings, run_plan

        options = self.request.options()
        options.processes = 1
        task = prepare(options)
        rows = select(task, LOG.warning)
        settings = RunSettings(["processCcd.py", *self.request.words()], log_levels={"": levels.INFO})

        def listen(event: Event) -> None:
            if isinstance(event, RunStarted):
                self._post(self.Began(self, event.run))

        summary = run_plan(
            task.butler, lambda: task.plan(rows), task.config, task.layers, settings, listen, self._control
        )
        phase = {0: "done", 130: "cancelled"}.get(summary.exit_code, "failed")
        self._post(self.Ended(self, summary.run, phase))


def _how_it_ended(output: Path, journal: Path) -> str:
    from safelight.processccd.runlist import overview

    found = overview(output, journal)
    if found is None or found.exit_code is None:
        return "dead"
    return found.phase
