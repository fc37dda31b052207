"""Whether a run still works, told from its heartbeat and, on its own host, from its process.

A process id alone proves nothing: it may have been given to another process since, or belong to another host or
container. So a run also notes when its process began, and a fresh heartbeat counts for more than a missing process.
"""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Literal

__all__ = ["HEARTBEAT_S", "SILENT_S", "Life", "life_of", "process_mark"]

#: How often a run says that it lives, seconds.
HEARTBEAT_S = 1.5
#: Without a heartbeat for this long, a run's process is looked at; on another host the run is called silent.
SILENT_S = 3.5
#: Without a heartbeat for this long, a run on another host is taken for dead.
DEAD_S = 60.0

Life = Literal["live", "silent", "dead"]


def process_mark(pid: int) -> str:
    """The boot and the time in it at which a process began (Linux); empty where the system does not say."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        # The command's name, in parentheses, may hold blanks and parentheses of its own.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    state, began = fields[0], fields[19]
    return "" if state in "ZX" else f"{boot[:8]}:{began}"


def life_of(host: str, pid: int, mark: str, age_s: float) -> Life:
    """Whether a run that has not finished lives.

    Parameters
    ----------
    host, pid, mark :
        Of the runner's process, as its journal says (`mark` of `process_mark`, or empty).
    age_s : float
        Seconds since its last event.
    """
    if age_s < SILENT_S:
        return "live"
    if host == platform.node():
        return "silent" if _exists(pid, mark) else "dead"
    return "dead" if age_s > DEAD_S else "silent"


def _exists(pid: int, mark: str) -> bool:
    if mark:
        return process_mark(pid) == mark
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
