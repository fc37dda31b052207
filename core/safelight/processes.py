"""Whether a process of this host lives, and which one it is: numbers of processes are given out again."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["process_lives", "process_mark"]


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


def process_lives(pid: int, mark: str = "") -> bool:
    """Whether the process with this number lives; with a `mark` of `process_mark`, whether it is still that one."""
    if pid <= 0:  # to the system, the name of a group
        return False
    if mark:
        return process_mark(pid) == mark
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # it is another user's
        return True
    return True
