"""A persistent pool of worker processes.

Workers are spawned (a new interpreter, never a fork), keep their buffers and master calibrations from one CCD to the
next, and each speaks with the parent over a socket of its own. One that dies, say for want of memory, fails only the
CCD that it had in hand, and is replaced.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from safelight.errors import SafelightError
from safelight.processccd.executor import Control, Job, Observer, TaskSpec, failed_outcome
from safelight.processccd.runtime import THREAD_VARIABLES

__all__ = ["ProcessPool"]

_SOURCE_ROOT = Path(__file__).resolve().parents[2]
_POLL_S = 0.25  # how soon an interrupt is noticed
_MAX_STILLBORN = 3


class _Worker:
    """The parent's end of one worker process."""

    def __init__(self, spec: TaskSpec) -> None:
        self.connection: Connection[Any, Any]
        self.connection, theirs = Pipe()
        environment = dict(os.environ)
        for name in THREAD_VARIABLES:
            environment.setdefault(name, "1")
        paths = [str(_SOURCE_ROOT), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        arguments = [sys.executable, "-P", "-m", "safelight.processccd.worker", str(theirs.fileno()), str(os.getpid())]
        # An interrupt in the moment before the child ignores it would end the child.
        previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self.process = subprocess.Popen(
                arguments, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
        theirs.close()
        self.job: Job | None = None
        self.stage = ""
        self.ready = False
        self.send(spec)

    def send(self, message: Any) -> None:
        # If it has died, the next read of its socket finds out and says why.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send(message)

    def take(self, job: Job) -> None:
        self.job, self.stage = job, ""
        self.send(job)

    def end(self, grace_s: float = 5.0) -> int:
        """Close the socket, on which an idle worker leaves; kill one that does not. Its exit status."""
        self.connection.close()
        try:
            return self.process.wait(grace_s)
        except subprocess.TimeoutExpired:
            return self.kill()

    def kill(self) -> int:
        self.process.kill()
        self.connection.close()
        return self.process.wait()


class ProcessPool:
    """Runs jobs in `processes` workers; `timeout_s` bounds the whole run (None: no bound)."""

    def __init__(self, spec: TaskSpec, processes: int, *, timeout_s: float | None = None) -> None:
        self._spec = spec
        self._processes = processes
        self._timeout_s = timeout_s if timeout_s and timeout_s > 0 else None
        self._workers: list[_Worker] = []
        self._stillborn = 0

    def run(self, jobs: Sequence[Job], observer: Observer, control: Control) -> None:
        """Run all jobs; on abort or timeout the workers are killed and their CCDs reported as such."""
        queue = deque(jobs)
        deadline = time.monotonic() + self._timeout_s if self._timeout_s else None
        try:
            self._workers = [_Worker(self._spec) for _ in range(min(self._processes, len(jobs)))]
            while queue or any(worker.job for worker in self._workers):
                if control.abort:
                    self._drop(observer, "CANCELLED", "the run was cancelled")
                    return
                if control.stop:
                    queue.clear()
                if deadline is not None and time.monotonic() > deadline:
                    self._time_out(queue, observer)
                    return
                if not control.pause:
                    self._hand_out(queue, observer)
                self._listen(queue, observer)
        finally:
            for worker in self._workers:
                worker.connection.close()  # all at once first, so that they leave together
            for worker in self._workers:
                worker.kill() if worker.job else worker.end()
            self._workers = []

    def _hand_out(self, queue: deque[Job], observer: Observer) -> None:
        for worker in self._workers:
            if worker.ready and worker.job is None and queue:
                job = queue.popleft()
                worker.take(job)
                observer.started(job, worker.process.pid)

    def _listen(self, queue: deque[Job], observer: Observer) -> None:
        by_connection = {worker.connection: worker for worker in self._workers}
        for connection in wait(list(by_connection), timeout=_POLL_S):
            worker = by_connection[connection]  # type: ignore[index]
            try:
                message = worker.connection.recv()
            except (EOFError, ConnectionResetError):
                self._bury(worker, queue, observer)
                continue
            self._understand(worker, message, observer)

    def _understand(self, worker: _Worker, message: tuple[Any, ...], observer: Observer) -> None:
        kind = message[0]
        if kind == "ready":
            worker.ready = True
            self._stillborn = 0
        elif kind == "broken":
            raise SafelightError(
                "WORKER_BROKEN", f"A worker process cannot start:\n{message[1].rstrip()}", "Check the installation."
            )
        elif worker.job is not None and kind == "stage":
            worker.stage = message[1]
            observer.stage(worker.job, message[1])
        elif worker.job is not None and kind == "log":
            observer.log(worker.job, *message[1:])
        elif worker.job is not None and kind == "done":
            job, worker.job = worker.job, None
            observer.finished(job, message[1])

    def _bury(self, worker: _Worker, queue: deque[Job], observer: Observer) -> None:
        """A worker has died: its CCD has failed, and another worker takes its place while there is work."""
        self._workers.remove(worker)
        status = worker.end()
        if worker.job is not None:
            how, hint = _cause_of_death(status)
            observer.finished(
                worker.job,
                failed_outcome(
                    worker.job, worker.stage, "WORKER_DIED", f"The worker process {worker.process.pid} {how}.", hint
                ),
            )
        elif not worker.ready:
            self._stillborn += 1
            if self._stillborn >= _MAX_STILLBORN:
                how, hint = _cause_of_death(status)
                raise SafelightError("WORKER_BROKEN", f"Worker processes die at once: the last one {how}.", hint)
        if queue:
            self._workers.append(_Worker(self._spec))

    def _drop(self, observer: Observer, code: str, reason: str) -> None:
        for worker in self._workers:
            worker.kill()
            if worker.job is not None:
                job, worker.job = worker.job, None
                outcome = failed_outcome(job, worker.stage, code, f"It was interrupted: {reason}.")
                if code == "CANCELLED":
                    outcome.status, outcome.failure = "cancelled", None
                observer.finished(job, outcome)

    def _time_out(self, queue: deque[Job], observer: Observer) -> None:
        reason = f"the time limit of {self._timeout_s:g} s was reached"
        self._drop(observer, "TIMEOUT", reason)
        for job in queue:
            observer.finished(job, failed_outcome(job, "", "TIMEOUT", f"It was not begun: {reason}."))


def _cause_of_death(status: int) -> tuple[str, str]:
    if status == -signal.SIGKILL:
        return "was killed", "Often for want of memory: use fewer processes (-j) or a machine with more memory."
    if status < 0:
        return f"died of {signal.Signals(-status).name}", "A crash in compiled code; see the log of the CCD."
    return f"ended with status {status}", "See the log of the CCD."
