"""How long each stage of a CCD took, and what it cost the machine."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

__all__ = ["StageClock", "resource_usage"]

_USAGE: dict[str, Callable[[resource.struct_rusage], float]] = {
    "CpuTime": lambda u: u.ru_utime + u.ru_stime,
    "UserTime": lambda u: u.ru_utime,
    "SystemTime": lambda u: u.ru_stime,
    "MaxResidentSetSize": lambda u: u.ru_maxrss * 1024,
    "MinorPageFaults": lambda u: u.ru_minflt,
    "MajorPageFaults": lambda u: u.ru_majflt,
    "BlockInputs": lambda u: u.ru_inblock,
    "BlockOutputs": lambda u: u.ru_oublock,
    "VoluntaryContextSwitches": lambda u: u.ru_nvcsw,
    "InvoluntaryContextSwitches": lambda u: u.ru_nivcsw,
}


def resource_usage(moment: str) -> dict[str, Any]:
    """The keys that LSST Gen2's timed methods record, for `moment` "Start" or "End": times in s, memory in bytes."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
    return {f"run{moment}Utc": now} | {f"run{moment}{name}": read(usage) for name, read in _USAGE.items()}


class StageClock:
    """Called with the name of each stage as it begins; the stage before it ends there.

    Parameters
    ----------
    announce : callable
        Told the stage's name.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._began = time.perf_counter()
        self.stage = ""
        self.seconds: dict[str, float] = {}
        self.usage: dict[str, dict[str, Any]] = {}

    def __call__(self, stage: str) -> None:
        """Begin a stage."""
        if stage == self.stage:
            return
        self.stop()
        self.stage, self._began = stage, time.perf_counter()
        self.usage.setdefault(stage, {}).update(resource_usage("Start"))
        self._announce(stage)

    def stop(self) -> None:
        """End the present stage; its name stays known, as the place of a failure."""
        if self.stage:
            spent = time.perf_counter() - self._began
            self.seconds[self.stage] = self.seconds.get(self.stage, 0.0) + spent
            self.usage[self.stage].update(resource_usage("End"))
            self._began = time.perf_counter()

    def total(self, *stages: str) -> float:
        """Seconds spent in these stages together."""
        return sum(self.seconds.get(stage, 0.0) for stage in stages)
