"""Whether the process of a run still lives."""

from __future__ import annotations

import os
import platform
import time
from functools import cache
from pathlib import Path

__all__ = ["is_alive"]

_SILENCE_S = 60.0


def is_alive(host: str, pid: int, started: float, last_event: float) -> bool:
    """Whether the process `pid` of a run that began at `started` lives.

    On this host the process is looked for; one that is younger than the run is another that got its number. On other
    hosts the run counts as alive for a minute after its last event (it sends heartbeats more often).
    """
    if host != platform.node():
        return time.time() - last_event < _SILENCE_S
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    born = _birth(pid)
    return born is None or born <= started + 2.0


def _birth(pid: int) -> float | None:
    """Unix time at which a process began; 0 < it; None where the system does not tell, infinity for a dead one."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] in "ZX":  # ended, and not yet fetched by its parent
        return float("inf")
    boot = _boot_time()
    return None if boot is None else boot + int(fields[19]) / os.sysconf("SC_CLK_TCK")


@cache
def _boot_time() -> float | None:
    try:
        lines = Path("/proc/stat").read_text().splitlines()
    except OSError:
        return None
    return next((float(line.split()[1]) for line in lines if line.startswith("btime ")), None)
