"""A simulated night, made once for all workers, cheap copies of it for tests that spoil them, and the program."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.links import linked_copy
from tests.support.terminal import Terminal

PROGRAM = Path(sys.executable).with_name("safelight")


@pytest.fixture(scope="session")
def simulated_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated HSC frames, visit 903334 CCDs 16 and 100: of all workers, so nothing may be written there."""
    from safelight.simulate import simulate_night, spec_from_options

    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the directory above is that of the run; alone, it is of many runs
        base = base.parent
    root, made = base / "simulated-night" / "DATA", base / "simulated-night.made"
    with (base / "simulated-night.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            simulate_night(root, spec_from_options(preset="tiny"), processes=2)
            made.touch()
    return root


@pytest.fixture(scope="session")
def tiny_night(simulated_night: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The night of this worker, to which reruns of many names are added. Its own files are not to be changed."""
    return linked_copy(simulated_night, tmp_path_factory.mktemp("night") / "DATA")


@pytest.fixture
def repository(simulated_night: Path, tmp_path: Path) -> Path:
    """A copy of the night as it was simulated."""
    return linked_copy(simulated_night, tmp_path / "DATA")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start the program: ``start("DATA", columns=80)``; what it remembers stays in the test's directory."""
    started: list[Terminal] = []

    def start_(*arguments: str | Path, columns: int = 120, rows: int = 40, **environment: str) -> Terminal:
        homes = {f"XDG_{name.upper()}_HOME": str(tmp_path / name) for name in ("state", "config", "data")}
        command = [str(PROGRAM), *map(str, arguments)]
        started.append(Terminal(command, columns, rows, **homes, **environment))
        return started[-1]

    yield start_
    for terminal in started:
        terminal.end()
