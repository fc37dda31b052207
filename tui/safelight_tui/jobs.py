"""Work that must not stand in the event loop: a few daemon threads and a queue.

Textual's own thread workers belong to an executor that Python waits for at exit; a read of a dead network disk would
keep the application from ending. These threads are daemons, and a job that nobody waits for any more is dropped.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from textual.message import Message

from safelight.errors import SafelightError

__all__ = ["Job", "JobEnded", "Jobs"]

LOG = logging.getLogger("safelight.tui")

Then = Callable[[Any], None]
Failed = Callable[[SafelightError], None]


@dataclass(eq=False)
class Job:
    """One call in a thread. `cancelled` is set when its result is not wanted any more: long jobs look at it."""

    work: Callable[[Job], Any]
    then: Then | None = None
    failed: Failed | None = None
    group: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)
    result: Any = None
    error: SafelightError | None = None


class JobEnded(Message):
    """A job is done; the application calls its `then` or `failed` in the event loop."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.job = job


class Jobs:
    """Runs jobs; `post` hands a message to the application from any thread.

    Parameters
    ----------
    post : callable
        ``App.post_message``.
    threads : int
        How many jobs go on at once.
    """

    def __init__(self, post: Callable[[Message], object], threads: int = 3) -> None:
        self._post = post
        self._queue: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._groups: dict[str, Job] = {}
        self._wanted = threads
        self._threads: list[threading.Thread] = []
        self._pending = 0
        self._lock = threading.Lock()

    @property
    def busy(self) -> bool:
        """Whether any job is waiting, at work, or not yet taken note of."""
        return self._pending > 0

    def start(
        self,
        work: Callable[[Job], Any],
        then: Then | None = None,
        *,
        failed: Failed | None = None,
        group: str = "",
    ) -> Job:
        """Do `work(job)` in a thread, then `then(result)` in the event loop; to be called in the event loop.

        Parameters
        ----------
        failed : callable, optional
            Called with the error instead; without it the application shows the error's sentence.
        group : str
            A later job of the same group takes the place of an earlier one, whose result is dropped.
        """
        job = Job(work, then, failed, group)
        if group:
            before = self._groups.get(group)
            if before is not None:
                before.cancelled.set()
            self._groups[group] = job
        with self._lock:
            self._pending += 1
        if len(self._threads) < self._wanted:
            thread = threading.Thread(target=self._work, name=f"job-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        self._queue.put(job)
        return job

    def settle(self, job: Job) -> None:
        """Take note of an ended job, in the event loop: call what waits for it."""
        with self._lock:
            self._pending -= 1
        if self._groups.get(job.group) is job:
            del self._groups[job.group]
        if job.cancelled.is_set():
            return
        if job.error is not None:
            if job.failed is not None:
                job.failed(job.error)
        elif job.then is not None:
            job.then(job.result)

    def _work(self) -> None:
        while True:
            job = self._queue.get()
            if not job.cancelled.is_set():
                self._do(job)
            self._post(JobEnded(job))

    @staticmethod
    def _do(job: Job) -> None:
        try:
            job.result = job.work(job)
        except SafelightError as error:
            job.error = error
        except OSError as error:
            job.error = SafelightError("SYSTEM", f"{error.filename or ''} {error.strerror or error}".strip() + ".")
        except Exception as error:  # the application must live on; the log has the traceback
            LOG.exception("a job failed")
            job.error = SafelightError("INTERNAL", f"{type(error).__name__}: {error}", "The log has more.")
