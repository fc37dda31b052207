"""Which of the other tools are installed, and how they are run."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PROGRAMS", "PeerError", "RunResult", "presence", "program", "run_program", "spent_by_children"]

#: Package in Debian: names under which its program may be installed.
PROGRAMS = {
    "source-extractor": ("source-extractor", "sex"),
    "scamp": ("scamp",),
    "psfex": ("psfex",),
    "astrometry.net": ("solve-field",),
}


class PeerError(Exception):
    """A peer ended with an error or without its product."""


@dataclass(frozen=True)
class RunResult:
    """Seconds of the processor that a peer took, and what it printed."""

    seconds: float
    output: str


def program(package: str) -> str | None:
    """The path of a package's program, None where it is not installed."""
    return next((path for name in PROGRAMS[package] if (path := shutil.which(name))), None)


def presence() -> list[str]:
    """A line about each peer: its version, or that it is absent."""
    lines = []
    for package in PROGRAMS:
        path = program(package)
        if path is None:
            lines.append(f"{package}: absent, left out (Debian: apt-get install {package})")
        else:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            lines.append(f"{package}: {(said.stdout + said.stderr).strip().splitlines()[0]}")
    return lines


def run_program(package: str, arguments: Sequence[str | Path], folder: Path, timeout_s: float = 300.0) -> RunResult:
    """Run a package's program in `folder`, one thread.

    Raises `PeerError` when it ends with an error or not within the time.
    """
    path = program(package)
    if path is None:
        raise PeerError(f"{package} is not installed")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    before = spent_by_children()
    try:
        done = subprocess.run(
            [path, *map(str, arguments)],
            cwd=folder,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise PeerError(f"{package} took longer than {timeout_s:.0f} s") from error
    seconds = spent_by_children() - before
    output = done.stdout + done.stderr
    if done.returncode:
        raise PeerError(f"{package} ended with {done.returncode}: {output.strip()[-300:]}")
    return RunResult(seconds, output)


def spent_by_children() -> float:
    """Seconds of the processor of all programs that were run and have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
