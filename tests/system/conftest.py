"""A simulated night, made once, and cheap copies of its repository for tests that spoil them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest


class Result(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[[Sequence[str] | None], int]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Call a command's main function with arguments; gives exit code, stdout and stderr."""

    def run(command: Command, *arguments: object) -> Result:
        code = command([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def tiny_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two simulated HSC frames, visit 903334 CCDs 16 and 100, with all that belongs to them. Not to be changed."""
    from safelight.simulate import simulate_night, spec_from_options

    root = tmp_path_factory.mktemp("night") / "DATA"
    simulate_night(root, spec_from_options(preset="tiny"), processes=2)
    return root


@pytest.fixture
def repository(tiny_night: Path, tmp_path: Path) -> Path:
    """A copy of the night: large files are links to the originals, so replace them, never write into them."""
    root = tmp_path / "DATA"
    shutil.copytree(tiny_night, root, copy_function=_link)
    return root


def _link(source: str, target: str) -> str:
    if source.endswith(".fits"):
        os.link(source, target)
    else:
        shutil.copy2(source, target)
    return target
