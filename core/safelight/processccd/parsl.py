"""Running CCDs on a cluster through Parsl (extra ``safelight[parsl]``).

The configuration of Parsl is the site's business: ``SAFELIGHT_PARSL_CONFIG=module:name`` names a `parsl.Config` or a
function that returns one. Without it, Parsl runs threads on this machine, which tries out the path but gains nothing.
Stages and log records do not travel while a CCD is worked on; they come with its outcome.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from importlib import import_module
from typing import Any

from safelight.errors import UsageError
from safelight.processccd.executor import Control, Job, Observer, TaskSpec, failed_outcome
from safelight.processccd.outcome import CcdOutcome

__all__ = ["CONFIG_VARIABLE", "ParslExecutor", "run_remotely"]

CONFIG_VARIABLE = "SAFELIGHT_PARSL_CONFIG"
_POLL_S = 0.5

Said = list[tuple[Any, ...]]
_tasks: dict[str, Any] = {}


class _Recorder:
    """Keeps what a task reports until its outcome travels back."""

    def __init__(self) -> None:
        self.said: Said = []

    def stage(self, name: str) -> None:
        self.said.append(("stage", name))

    def log(self, level: int, component: str, message: str) -> None:
        self.said.append(("log", level, component, message))


def run_remotely(run: str, spec: TaskSpec, job: Any) -> tuple[CcdOutcome, Said]:
    """Do one job wherever Parsl put it; the task is built once per process and run."""
    from safelight.processccd.runtime import limit_threads

    limit_threads()
    if run not in _tasks:
        _tasks.clear()
        _tasks[run] = spec.build()
    recorder = _Recorder()
    outcome = _tasks[run](job, recorder)
    return outcome, recorder.said


class ParslExecutor:
    """Submits jobs to Parsl, at most `ahead` at a time beyond those that are done."""

    def __init__(self, spec: TaskSpec, ahead: int, *, timeout_s: float | None = None) -> None:
        self._spec = spec
        self._ahead = max(ahead, 1)
        self._timeout_s = timeout_s if timeout_s and timeout_s > 0 else None

    def run(self, jobs: Sequence[Job], observer: Observer, control: Control) -> None:
        """Run all jobs; on abort or timeout, jobs in hand are given up (Parsl cannot stop them)."""
        submit, clean_up = _start_parsl()
        run = f"{os.getpid()}-{time.time_ns()}"
        deadline = time.monotonic() + self._timeout_s if self._timeout_s else None
        waiting = list(reversed(jobs))
        running: dict[Future[Any], Job] = {}
        try:
            while (waiting and not control.stop) or running:
                while waiting and len(running) < self._ahead and not (control.stop or control.pause):
                    job = waiting.pop()
                    running[submit(run, self._spec, job)] = job
                    observer.started(job, 0)
                if control.abort:
                    return
                if deadline is not None and time.monotonic() > deadline:
                    _time_out([*running.values(), *waiting], observer)
                    return
                if not running:
                    time.sleep(_POLL_S)  # paused
                    continue
                done, _ = wait(running, timeout=_POLL_S, return_when=FIRST_COMPLETED)
                for future in done:
                    _deliver(running.pop(future), future, observer)
        finally:
            clean_up()


def _deliver(job: Job, future: Future[tuple[CcdOutcome, Said]], observer: Observer) -> None:
    error = future.exception()
    if error is not None:
        observer.finished(job, failed_outcome(job, "", "REMOTE_ERROR", f"{type(error).__name__}: {error}"))
        return
    outcome, said = future.result()
    for kind, *rest in said:
        (observer.stage if kind == "stage" else observer.log)(job, *rest)
    observer.finished(job, outcome)


def _time_out(jobs: list[Job], observer: Observer) -> None:
    for job in jobs:
        observer.finished(job, failed_outcome(job, "", "TIMEOUT", "The time limit was reached before it was done."))


def _start_parsl() -> tuple[Callable[..., Future[Any]], Callable[[], None]]:
    try:
        parsl: Any = import_module("parsl")
    except ModuleNotFoundError as error:
        raise UsageError(
            "NO_PARSL", "--executor parsl needs the package parsl.", "Install it: pip install safelight[parsl]"
        ) from error
    parsl.load(_configuration(parsl))

    def clean_up() -> None:
        parsl.dfk().cleanup()
        parsl.clear()  # or it would refuse to be loaded for a second round of jobs

    return parsl.python_app(run_remotely), clean_up


def _configuration(parsl: Any) -> Any:
    named = os.environ.get(CONFIG_VARIABLE)
    if not named:
        return parsl.Config(executors=[import_module("parsl.executors").ThreadPoolExecutor(max_threads=1)])
    module, _, name = named.partition(":")
    try:
        found = getattr(import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise UsageError(
            "BAD_PARSL_CONFIG",
            f"{CONFIG_VARIABLE}={named} cannot be loaded: {error}.",
            "Write module:name of a parsl.Config or of a function that returns one.",
        ) from error
    return found() if callable(found) and not isinstance(found, parsl.Config) else found
