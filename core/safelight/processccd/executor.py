"""Ways to run CCDs: in this process, in a pool of processes (`pool`), or on a cluster (`parsl`).

An executor takes jobs and tells an observer what happens to them. All observer calls come in the process, and for the
inline executor and the pool in the thread, that called `run`: the observer is the one writer of ledger and journal.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Protocol

from safelight.processccd.outcome import CcdOutcome, Failure

__all__ = ["Control", "Executor", "InlineExecutor", "Job", "Observer", "Reporter", "TaskSpec", "failed_outcome"]


class Job(Protocol):
    """What an executor has to know of a job."""

    @property
    def key(self) -> str:
        """Unique in a run."""
        ...

    @property
    def data_id(self) -> dict[str, Any]:
        """For people and the journal."""
        ...


class Reporter(Protocol):
    """What a task may say while it works."""

    def stage(self, name: str) -> None:
        """The next stage begins."""
        ...

    def log(self, level: int, component: str, message: str) -> None:
        """One log record."""
        ...


Task = Callable[[Any, Reporter], CcdOutcome]

#: How soon an executor that does nothing sees that a pause is over, seconds.
PAUSE_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """How a process that starts from nothing gets its task: ``module:function`` and the context to call it with.

    The function is called once per process with `context` (which must pickle) and returns the task.
    """

    factory: str
    context: Any

    def build(self) -> Task:
        """The task, in this process."""
        module, _, name = self.factory.partition(":")
        task: Task = getattr(import_module(module), name)(self.context)
        return task


class Observer(Protocol):
    """Who is told."""

    def started(self, job: Job, worker: int) -> None:
        """Process `worker` takes up a job."""
        ...

    def stage(self, job: Job, name: str) -> None:
        """A job enters a stage."""
        ...

    def log(self, job: Job, level: int, component: str, message: str) -> None:
        """A log record of a job."""
        ...

    def finished(self, job: Job, outcome: CcdOutcome) -> None:
        """A job is over."""
        ...


@dataclass(slots=True)
class Control:
    """Wishes of the person at the keyboard, looked at between messages."""

    stop: bool = False  # begin nothing new
    abort: bool = False  # end what runs
    pause: bool = False  # begin nothing new until this is taken back
    inline: bool = False  # a task runs in this very process: only an exception can end it


class Executor(Protocol):
    """Runs jobs; those that were not begun when `control` said stop are not reported at all."""

    def run(self, jobs: Sequence[Job], observer: Observer, control: Control) -> None:
        """Run all jobs; returns when the last is over."""
        ...


def failed_outcome(job: Job, step: str, code: str, message: str, hint: str = "", trace: str = "") -> CcdOutcome:
    """The outcome of a job whose task could not say it itself."""
    return CcdOutcome(job.key, job.data_id, "failed", failure=Failure(step, code, message, hint), traceback=trace)


class InlineExecutor:
    """One CCD after the other in this very process."""

    def __init__(self, spec: TaskSpec, *, raise_errors: bool = False) -> None:
        self._spec = spec
        self._raise_errors = raise_errors

    def run(self, jobs: Sequence[Job], observer: Observer, control: Control) -> None:
        """Run all jobs here; an interrupt that the task lets through ends the run."""
        task = self._spec.build()
        for job in jobs:
            while control.pause and not control.stop:
                time.sleep(PAUSE_POLL_S)
            if control.stop:
                return
            observer.started(job, os.getpid())
            control.inline = True
            try:
                outcome = task(job, _Inline(job, observer))
            except Exception as error:  # a task reports its own failures; this is a fault in the task itself
                if self._raise_errors:
                    raise
                outcome = failed_outcome(
                    job, "", "INTERNAL_ERROR", f"{type(error).__name__}: {error}", trace=traceback.format_exc()
                )
            finally:
                control.inline = False
            outcome.worker = os.getpid()
            observer.finished(job, outcome)


class _Inline:
    def __init__(self, job: Job, observer: Observer) -> None:
        self._job = job
        self._observer = observer

    def stage(self, name: str) -> None:
        self._observer.stage(self._job, name)

    def log(self, level: int, component: str, message: str) -> None:
        self._observer.log(self._job, level, component, message)


class ForwardingHandler(logging.Handler):
    """Hands the records of Python's logging to a reporter, so that they reach the journal and the CCD's log.

    Only those of the thread it was made in: another thread of the process may be at work on another CCD.
    """

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter
        self._thread = threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        """Forward one record; a traceback that it carries goes with it."""
        if record.thread != self._thread:
            return
        message = record.getMessage()
        if record.exc_info:
            message += "\n" + "".join(traceback.format_exception(*record.exc_info))
        self._reporter.log(record.levelno, record.name, message)
