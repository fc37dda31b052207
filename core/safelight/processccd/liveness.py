"""Whether a run still works, told from its heartbeat and, on its own host, from its process.

A process id alone proves nothing: it may have been given to another process since, or belong to another host or
container. So a run also notes when its process began, and a fresh heartbeat counts for more than a missing process.
"""

from __future__ import annotations

import platform
from typing import Literal

from safelight.processes import process_lives

__all__ = ["HEARTBEAT_S", "SILENT_S", "Life", "life_of"]

#: How often a run says that it lives, seconds.
HEARTBEAT_S = 1.5
#: Without a heartbeat for this long, a run's process is looked at; on another host the run is called silent.
SILENT_S = 3.5
#: Without a heartbeat for this long, a run on another host is taken for dead.
DEAD_S = 60.0

Life = Literal["live", "silent", "dead"]


def life_of(host: str, pid: int, mark: str, age_s: float) -> Life:
    """Whether a run that has not finished lives.

    Parameters
    ----------
    host, pid, mark :
        Of the runner's process, as its journal says (`mark` of `processes.process_mark`, or empty).
    age_s : float
        Seconds since its last event.
    """
    if age_s < SILENT_S:
        return "live"
    if host == platform.node():
        return "silent" if process_lives(pid, mark) else "dead"
    return "dead" if age_s > DEAD_S else "silent"
