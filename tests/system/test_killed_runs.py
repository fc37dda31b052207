"""Runs that are killed leave whole files, and the same line completes them."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from tests.support.runs import TEMPORARY, assert_whole, outputs, run, start, statuses

from safelight.butler import DatasetLedger

PARTS = 5
MOMENTS = [*range(PARTS), *(pytest.param(moment, marks=pytest.mark.slow) for moment in range(PARTS, 6 * PARTS))]


@pytest.fixture(scope="module")
def first_seconds(tiny_night: Path) -> float:
    """How long an undisturbed run takes here; also fills the compile caches."""
    assert run("processCcd.py", tiny_night, "--rerun", "compiled", "--id", "-j", 2).returncode == 0
    began = time.monotonic()
    assert run("processCcd.py", tiny_night, "--rerun", "undisturbed", "--id", "-j", 2).returncode == 0
    return time.monotonic() - began


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_killed_run_leaves_whole_files_and_the_same_line_does_what_is_missing(
    tiny_night: Path, first_seconds: float, moment: int
) -> None:
    within = (moment % PARTS + random.Random(f"moment {moment}").random()) / PARTS  # each part of a run has its turn
    delay = 0.15 + within * (first_seconds - 0.15)
    line = ("processCcd.py", tiny_night, "--rerun", f"killed{moment}", "--id", "-j", 2)
    rerun = tiny_night / "rerun" / f"killed{moment}"
    process = start(*line)
    time.sleep(delay)
    if moment % 2:
        os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()  # the parent alone: its workers must follow it
    process.wait()
    time.sleep(0.1)
    assert_whole(rerun)
    finished = {path for path, status in statuses(tiny_night, rerun.name).items() if status.startswith("done")}

    resumed = run(*line)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("skipped (") == len(finished), "only what was missing is done"
    assert_whole(rerun)
    assert outputs(rerun) == outputs(tiny_night / "rerun" / "undisturbed")
    assert not [path for path in rerun.rglob(".*") if TEMPORARY.match(path.name)], "no temporary file is left"
    assert DatasetLedger(rerun).verify() == []
    assert statuses(tiny_night, rerun.name) == {"16": "done", "100": "done"}
