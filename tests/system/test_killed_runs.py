"""Runs that are killed, interrupted or starved leave whole files, and the same line completes them."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from safelight.butler import DatasetLedger
from safelight.processccd.ledger import OutcomeLedger

SCRIPTS = Path(sys.executable).parent
MOMENTS = 10
_TEMPORARY = re.compile(r"\..+\.tmp-")


def run(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [str(SCRIPTS / str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload, no-any-return]


def start(*arguments: object) -> subprocess.Popen[bytes]:
    command = [str(SCRIPTS / str(arguments[0])), *map(str, arguments[1:])]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file() and not _TEMPORARY.match(path.name))


def assert_whole(rerun: Path) -> None:
    """Every FITS file reads to its end and every text file parses."""
    import yaml
    from astropy.io import fits

    for path in files(rerun):
        if path.suffix == ".fits":
            with fits.open(path, memmap=False, lazy_load_hdus=False) as hdus:
                hdus.verify("exception")
                end = hdus[-1].fileinfo()["datLoc"] + hdus[-1].fileinfo()["datSpan"]
            assert path.stat().st_size == end, path
        elif path.suffix == ".yaml" and path.name != "repositoryCfg.yaml":
            assert yaml.safe_load(path.read_text()), path


def outputs(rerun: Path) -> set[str]:
    return {str(path.relative_to(rerun)) for path in rerun.glob("0*/**/*") if path.is_file()}


@pytest.fixture(scope="module")
def first_seconds(tiny_night: Path) -> float:
    """How long an undisturbed run takes here; also fills the compile caches."""
    assert run("processCcd.py", tiny_night, "--rerun", "warm", "--id", "-j", 2).returncode == 0
    began = time.monotonic()
    assert run("processCcd.py", tiny_night, "--rerun", "undisturbed", "--id", "-j", 2).returncode == 0
    return time.monotonic() - began


@pytest.mark.parametrize("moment", range(MOMENTS))
def test_a_killed_run_leaves_whole_files_and_the_same_line_does_what_is_missing(
    tiny_night: Path, first_seconds: float, moment: int
) -> None:
    delay = random.Random(f"moment {moment}").uniform(0.15, first_seconds)
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
    finished = {path for path, status in _statuses(tiny_night, rerun.name).items() if status.startswith("done")}

    resumed = run(*line)
    assert resumed.returncode == 0, resumed.stderr
    assert resumed.stderr.count("skipped (") == len(finished), "only what was missing is done"
    assert_whole(rerun)
    assert outputs(rerun) == outputs(tiny_night / "rerun" / "undisturbed")
    assert not [path for path in rerun.rglob(".*") if _TEMPORARY.match(path.name)], "no temporary file is left"
    assert DatasetLedger(rerun).verify() == []
    assert _statuses(tiny_night, rerun.name) == {"16": "done", "100": "done"}


def _statuses(root: Path, rerun: str) -> dict[str, str]:
    with OutcomeLedger(root / "rerun" / rerun) as ledger:
        return {str(ccd.data_id["ccd"]): ccd.status for ccd in ledger.ccds()}


def test_ctrl_c_finishes_the_ccds_in_hand_and_exits_with_130(tiny_night: Path, first_seconds: float) -> None:
    process = start("processCcd.py", tiny_night, "--rerun", "interrupted", "--id", "-j", 1)
    _wait_for_stage(tiny_night / "rerun" / "interrupted")
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(60) == 130
    assert _statuses(tiny_night, "interrupted") == {"16": "done"}


@pytest.mark.parametrize("processes", [1, 2])
def test_ctrl_c_twice_ends_at_once_and_leaves_nothing_half_written(
    tiny_night: Path, first_seconds: float, processes: int
) -> None:
    name = f"interrupted-twice-{processes}"
    process = start("processCcd.py", tiny_night, "--rerun", name, "--id", "-j", processes)
    _wait_for_stage(tiny_night / "rerun" / name)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.3)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(20) == 130
    assert_whole(tiny_night / "rerun" / name)
    journal = next((tiny_night / "rerun" / name / ".safelight" / "journal").iterdir())
    ends = [json.loads(line) for line in journal.read_text().splitlines()]
    assert ends[-1]["event"] == "run-finished"
    assert ends[-1]["exit_code"] == 130


def _wait_for_stage(rerun: Path, stage: str = "characterize") -> None:
    """Until some CCD has come to a stage."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for journal in (rerun / ".safelight" / "journal").glob("*.jsonl"):
            if f'"stage":"{stage}"' in journal.read_text():
                return
        time.sleep(0.02)
    raise AssertionError(f"no CCD came to {stage}")


def test_two_runs_do_not_work_in_one_rerun(tiny_night: Path, first_seconds: float) -> None:
    line = ("processCcd.py", tiny_night, "--rerun", "busy", "--id", "-j", 2)
    process = start(*line)
    _wait_for_stage(tiny_night / "rerun" / "busy", "read")
    second = run(*line)
    assert second.returncode == 5
    assert f"process {process.pid}" in second.stderr
    assert process.wait(60) == 0
