"""Runs that are asked to stop, and a second run in a busy rerun."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest
from tests.support.runs import assert_whole, run, start, statuses, wait_for_stage


@pytest.fixture(scope="module")
def warm_night(tiny_night: Path) -> Path:
    """The night, with the kernels in their cache: a step that compiles is not soon interrupted."""
    assert run("processCcd.py", tiny_night, "--rerun", "warm", "--id", "ccd=16").returncode == 0
    return tiny_night


def test_ctrl_c_finishes_the_ccds_in_hand_and_exits_with_130(warm_night: Path) -> None:
    process = start("processCcd.py", warm_night, "--rerun", "interrupted", "--id", "-j", 1)
    wait_for_stage(warm_night / "rerun" / "interrupted")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    assert statuses(warm_night, "interrupted") == {"16": "done"}


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_twice_ends_at_once_and_leaves_nothing_half_written(warm_night: Path, processes: int) -> None:
    name = f"interrupted-twice-{processes}"
    process = start("processCcd.py", warm_night, "--rerun", name, "--id", "-j", processes)
    wait_for_stage(warm_night / "rerun" / name)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    assert_whole(warm_night / "rerun" / name)
    journal = next((warm_night / "rerun" / name / ".safelight" / "journal").iterdir())
    ends = [json.loads(line) for line in journal.read_text().splitlines()]
    assert ends[-1]["event"] == "run-finished"
    assert ends[-1]["exit_code"] == 130


def test_two_runs_do_not_work_in_one_rerun(warm_night: Path) -> None:
    line = ("processCcd.py", warm_night, "--rerun", "busy", "--id", "-j", 2)
    process = start(*line)
    wait_for_stage(warm_night / "rerun" / "busy", "read")
    second = run(*line)
    assert second.returncode == 5
    assert f"process {process.pid}" in second.stderr
    assert process.wait(60) == 0
