"""Fixtures for all tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from tests.support.commands import Command, Result

# A busy machine is no error: timing is never asserted. Where many build, the same examples come each time.
settings.register_profile("safelight", deadline=None)
settings.register_profile("safelight-ci", deadline=None, derandomize=True, database=None, print_blob=True)
settings.load_profile("safelight-ci" if os.environ.get("CI") else "safelight")

# Astropy warns of a directory that is named and missing, when it is first imported; warnings are errors here.
for _name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME"):
    if _name in os.environ and not Path(os.environ[_name]).is_dir():
        del os.environ[_name]

_EXPLAINED_LINES = 80
_EXPLAINED_CHARACTERS = 400
SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real frames beside the checkout; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real frames are absent: there is no folder ../shared/data beside the checkout")
    return SHARED_DATA


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """Call a command's main function with arguments; gives exit code, stdout and stderr."""

    def run(command: Command, *arguments: object) -> Result:
        try:
            code = command([str(argument) for argument in arguments])
        except SystemExit as exit_:  # argparse's --help
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return run


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a runner."""
    running = subprocess.Popen(["sleep", "600"])
    yield running
    running.kill()
    running.wait()


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare() -> Generator[None, list[list[str] | None], list[list[str] | None]]:
    """Two FITS files that differ are told apart by their first lines: under CI, pytest cuts nothing by itself."""
    explanations = yield
    return [lines and [_clipped(line) for line in lines[:_EXPLAINED_LINES]] for lines in explanations]


def _clipped(line: str) -> str:
    return line if len(line) <= _EXPLAINED_CHARACTERS else f"{line[:_EXPLAINED_CHARACTERS]} … {len(line)} characters"
