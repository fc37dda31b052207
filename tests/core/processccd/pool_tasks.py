"""Tasks for the executors' tests; imported by worker processes by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from safelight.processccd.executor import Reporter
from safelight.processccd.outcome import CcdOutcome


@dataclass(frozen=True)
class SmallJob:
    key: str
    data_id: dict[str, Any] = field(default_factory=dict)


def build(context: str) -> Callable[[Any, Reporter], CcdOutcome]:
    def task(job: SmallJob, reporter: Reporter) -> CcdOutcome:
        reporter.stage("read")
        reporter.log(20, "test", f"{context} {job.key}")
        wish = job.data_id.get("wish")
        if wish == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if wish == "raise":
            raise ValueError("not a number")
        if wish == "print":
            print("noise on stdout")
        if wish == "sleep":
            time.sleep(60)
        if wish == "pids":
            return CcdOutcome(job.key, {"pid": os.getpid(), "threads": os.environ["OMP_NUM_THREADS"]}, "done")
        return CcdOutcome(job.key, job.data_id, "done")

    return task


def broken(context: str) -> Callable[[Any, Reporter], CcdOutcome]:
    raise RuntimeError("cannot be built")


def stillborn(context: str) -> Callable[[Any, Reporter], CcdOutcome]:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError
