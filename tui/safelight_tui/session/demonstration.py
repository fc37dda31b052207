"""The demonstration: made by a process of its own, which goes on when the application is left.

Its log lies beside the repository that it makes. While the process lives it holds a lock on that log, so that any
application, also one started later, can tell that it is at work and what it does.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

__all__ = ["DemoState", "begin", "demo_path", "look"]

_MAKE = """\
import sys
from safelight.commands.main import main
code = 2
try:
    code = main(["demo", sys.argv[1]])
finally:
    print(f"\\n{sys.argv[2]}{code}", flush=True)
"""
_ENDED = "demo ended with exit code "
_PROGRESS = ("simulating ", "processCcd INFO: ")
"""How lines begin that tell how far it is; others are warnings of libraries and tables."""

_TAIL = 20_000


@dataclass(frozen=True, slots=True)
class DemoState:
    """What is known of the demonstration.

    Parameters
    ----------
    made : bool
        Whether there is a repository.
    at_work : bool
        Whether a process is making it.
    says : str
        How far it is, or the last thing it said; empty without a log.
    exit_code : int, optional
        Of the process that ended last: 0, 1 (a CCD failed, and all others are there) or another; None without one, or
        when it was killed.
    """

    made: bool
    at_work: bool
    says: str
    exit_code: int | None


def demo_path() -> Path:
    """Where ``safelight demo`` makes its repository."""
    from platformdirs import user_data_path

    return user_data_path("safelight") / "demo"


def _log_of(path: Path) -> Path:
    return path.with_name(path.name + ".log")


def begin(path: Path) -> DemoState:
    """Start making the demonstration, unless that is going on: in a job's thread.

    Raises
    ------
    OSError
        The directory above cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with _log_of(path).open("ab") as log:
        if not _locked(log):
            return look(path)
        log.truncate(0)
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _MAKE, str(path), _ENDED],
            stdin=subprocess.DEVNULL,
            stdout=log,  # with the lock, which lasts until the last process that has it ends
            stderr=log,
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    _let_go(process)
    return look(path)


def _locked(log: BinaryIO) -> bool:
    """Whether the lock is ours now; one who only looks has it for a moment."""
    for _ in range(20):
        try:
            fcntl.flock(log, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def _let_go(process: subprocess.Popen[bytes]) -> None:
    """Nobody waits for it, so Python must not complain that it was forgotten."""
    process.returncode = 0


def look(path: Path) -> DemoState:
    """How the demonstration stands: in a job's thread."""
    from safelight.butler.repository import is_repository

    made = is_repository(path)
    try:
        with _log_of(path).open("rb") as log:
            try:
                fcntl.flock(log, fcntl.LOCK_SH | fcntl.LOCK_NB)
                at_work = False
            except BlockingIOError:
                at_work = True
            log.seek(max(0, os.fstat(log.fileno()).st_size - _TAIL))
            lines = [line.strip() for line in log.read().decode(errors="replace").replace("\r", "\n").splitlines()]
    except FileNotFoundError:
        return DemoState(made, False, "", None)
    lines = [line for line in lines if line]
    code = None
    if lines and lines[-1].startswith(_ENDED):
        code = int(lines.pop().removeprefix(_ENDED))
    told = [line for line in lines if line.startswith(_PROGRESS)] if at_work else lines
    return DemoState(made, at_work, told[-1].removeprefix(_PROGRESS[1]) if told else "", code)
