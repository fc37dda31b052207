"""An observer's whole session with the built program in a pseudo-terminal, and sessions that are cut short."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from astropy.io import fits
from tests.support.links import linked_copy

SCRIPTS = Path(sys.executable).parent
SLOW_S = 120.0  # for what has to be computed, on a busy machine
LEFT = b"\x1b[?1049l"
Start = Callable[..., Any]

IN_PROGRAM = """
import sys
from pathlib import Path
from safelight_tui.runs.request import RunRequest
from safelight_tui.runs.worker import RunWorker

said = []
request = RunRequest(Path(sys.argv[1]), "here", id_text="visit=903988 ccd=16", in_process=True)
worker = RunWorker(request, said.append)
worker.start()
worker.join(300)
assert [type(message).__name__ for message in said] == ["Began", "Ended"], said
assert said[-1].phase == "done", said
"""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """CCD 16 of two of the tutorial's visits in HSC-I, and rows of frames in HSC-R that have no file."""
    from safelight.simulate import simulate_night, spec_from_options

    root = tmp_path_factory.mktemp("session") / "DATA"
    simulate_night(root, spec_from_options(preset="tutorial", visits=(903986, 903988), ccds=(16,)), processes=2)
    with sqlite3.connect(root / "registry.sqlite3") as connection:
        for ccd in (16, 22, 23, 100):
            connection.execute(
                "INSERT INTO raw (field, visit, ccd, pointing, filter, dateObs, taiObs, expTime) "
                "VALUES ('STRIPE82L', 903334, ?, 533, 'HSC-R', '2013-06-17', '2013-06-17', 30.0)",
                (ccd,),
            )
    connection.close()
    # Kernels that have just been compiled round the last bit unlike those from the cache: compile them beforehand.
    assert process_ccd(root, "compile", "--id", "visit=903986", "ccd=16").returncode == 0
    shutil.rmtree(root / "rerun")
    return root


@pytest.fixture
def data(night: Path, tmp_path: Path) -> Path:
    """A copy, in a directory whose name has a blank."""
    return linked_copy(night, tmp_path / "my DATA")


def process_ccd(root: Path, rerun: str, *words: str) -> subprocess.CompletedProcess[str]:
    line = [str(SCRIPTS / "processCcd.py"), str(root), "--rerun", rerun, *words]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def tree_of(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every entry with size, time and, unless it is large, content."""
    found = {}
    for path in root.rglob("*"):
        status = path.stat()
        content = path.read_bytes() if path.is_file() and status.st_size < 1_000_000 else b""
        found[str(path)] = (status.st_size, status.st_mtime_ns, content)
    return found


def pixels_and_rows(rerun: Path) -> dict[str, list[bytes]]:
    """The data of every FITS file, by its place; headers tell of the run and differ."""
    found = {}
    for path in sorted(rerun.rglob("*.fits*")):
        with fits.open(path) as hdus:
            found[str(path.relative_to(rerun))] = [hdu.data.tobytes() for hdu in hdus if hdu.data is not None]
    return found


def events(root: Path, rerun: str = "default", run: int = 0) -> list[dict[str, Any]]:
    """What the journal of a run says so far."""
    journals = sorted((root / "rerun" / rerun / ".safelight" / "journal").glob("*.jsonl"))
    if len(journals) <= run:
        return []
    text = journals[run].read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def told(root: Path, kind: str, run: int = 0) -> list[dict[str, Any]]:
    return [event for event in events(root, run=run) if event["event"] == kind]


def wait_until(condition: Callable[[], object], terminal: Any = None, seconds: float = SLOW_S) -> None:
    """Wait, reading what the terminal shows meanwhile."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came to that"
        if terminal is not None:
            terminal.read(0.05)
        else:
            time.sleep(0.05)


def shown(terminal: Any, pattern: str, seconds: float = SLOW_S) -> None:
    """Wait until a regular expression matches a line of the screen."""
    terminal.wait_for(lambda t: any(re.search(pattern, line) for line in t.screen), seconds)


def select(terminal: Any) -> None:
    """Type the filter of the tutorial and see its two rows."""
    shown(terminal, r"\b6 of 6")
    terminal.send(b"/")
    shown(terminal, "Enter keep")
    terminal.send(b"filter=HSC-I ccd=16")
    shown(terminal, r"\b2 of 6")
    terminal.send(b"\r")
    terminal.wait_for(lambda t: not any("Enter keep" in line for line in t.screen))


def launch(terminal: Any, processes: bytes) -> None:
    """Plan the selection, and start it."""
    terminal.send(b"p")
    shown(terminal, "rerun default .*RUN 2 SKIP 0 BLOCKED 0")
    terminal.send(b"x")
    shown(terminal, r"Run this\?")
    terminal.send(b"\x15" + processes)
    shown(terminal, rf"processes -j {processes.decode()}\b")
    terminal.send(b"\r")


def test_an_observers_session_from_the_filter_to_the_metrics_gives_what_the_command_gives(
    start: Start, data: Path
) -> None:
    before = tree_of(data)
    terminal = start(data)
    select(terminal)
    text = "\n".join(terminal.screen)
    assert "903986  16 HSC-I" in text
    assert "903988  16 HSC-I" in text
    assert "903334" not in text
    terminal.send(b"p")
    shown(terminal, "rerun default .*RUN 2 SKIP 0 BLOCKED 0")
    words = " ".join(" ".join(terminal.screen).split())
    assert re.search(r"\$ processCcd.py '\S+/my DATA' --rerun default --id filter=HSC-I ccd=16 -j 2", words)
    assert tree_of(data) == before, "a dry run writes nothing"

    launch(terminal, b"2")
    shown(terminal, "rerun default   done   2/2 D2")
    terminal.send(b"L")
    shown(terminal, "default   done, .*visit-90398[68]-ccd-16.log")
    shown(terminal, "INFO  processCcd: done in")
    terminal.send(b"3")
    shown(terminal, "rerun default   done")
    terminal.send(b"i")
    shown(terminal, "calexp")
    terminal.send(b"6")
    shown(terminal, "fwhm")
    shown(terminal, r"90398[68] +16 ")
    terminal.send(b"1")
    shown(terminal, r"\b2 of 6")
    terminal.send(b"q")
    assert terminal.status() == 0
    assert LEFT in bytes(terminal.output)[-400:]
    assert b"Traceback" not in terminal.output

    (begun,) = told(data, "run-started")
    assert begun["command_line"][2:] == ["--rerun", "default", "--id", "filter=HSC-I", "ccd=16", "-j", "2"]
    # The other ways to run, each in a process of its own, as in life; one of the two CCDs is enough.
    assert process_ccd(data, "hand", "--id", "visit=903988", "ccd=16").returncode == 0
    here = subprocess.run([sys.executable, "-c", IN_PROGRAM, data], capture_output=True, text=True, check=False)
    assert here.returncode == 0, here.stderr
    detached, by_hand, in_program = (pixels_and_rows(data / "rerun" / name) for name in ("default", "hand", "here"))
    assert set(by_hand) == set(in_program)
    assert len(by_hand) >= 5
    assert {name for name in by_hand if "903988" in name} == {name for name in detached if "903988" in name}
    # name by name: a comparison of megabytes of bytes that differ would take pytest minutes to tell
    assert [name for name in by_hand if not by_hand[name] == in_program[name] == detached[name]] == []


def test_a_run_in_the_program_is_cancelled_when_the_program_is_told_to_end(start: Start, data: Path) -> None:
    terminal = start(data)
    select(terminal)
    terminal.send(b"p")
    shown(terminal, "RUN 2 SKIP 0 BLOCKED 0")
    terminal.send(b"t")
    shown(terminal, r"Run this\?")
    terminal.send(b"\r")

    def told_here(kind: str) -> list[dict[str, Any]]:
        reruns = [path.name for path in (data / "rerun").glob("scratch/*")]
        return [event for name in reruns for event in events(data, f"scratch/{name}") if event["event"] == kind]

    wait_until(lambda: told_here("stage"), terminal)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
    assert b"Traceback" not in terminal.output
    (finished,) = told_here("run-finished")
    assert (finished["exit_code"], finished["counts"]) == (130, {"cancelled": 1})
    assert [event["status"] for event in told_here("ccd-finished")] == ["cancelled"]


def test_runs_outlive_the_application_and_a_killed_runner_is_resumed(start: Start, data: Path) -> None:
    terminal = start(data)
    select(terminal)
    launch(terminal, b"1")
    wait_until(lambda: told(data, "ccd-finished") and len(told(data, "ccd-started")) == 2, terminal)
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.status() == -signal.SIGKILL

    terminal = start(data)  # the next start shows the run that goes on
    shown(terminal, r"\b2 of 6")
    terminal.send(b"3")
    shown(terminal, "rerun default   running   1/2 D1")
    (begun,) = told(data, "run-started")
    os.kill(begun["pid"], signal.SIGKILL)
    shown(terminal, "rerun default   DIED .*x resumes")
    assert told(data, "run-finished") == []
    first = told(data, "ccd-finished")[0]["ccd"]
    before = {path: path.stat().st_mtime_ns for path in (data / "rerun" / "default").rglob("CORR-*.fits")}
    assert len(before) == 1

    terminal.send(b"x")
    shown(terminal, r"Rerun default: run 1, skip 1, blocked 0")
    terminal.send(b"\r")
    wait_until(lambda: told(data, "ccd-started", run=1), terminal)
    os.kill(terminal.pid, signal.SIGKILL)
    assert terminal.status() == -signal.SIGKILL
    wait_until(lambda: told(data, "run-finished", run=1))  # on its own

    (finished,) = told(data, "run-finished", run=1)
    assert finished["exit_code"] == 0
    ends = {event["ccd"]: event["status"] for event in told(data, "ccd-finished", run=1)}
    assert ends[first] == "skipped"
    assert sorted(ends.values()) == ["done", "skipped"]
    after = {path: path.stat().st_mtime_ns for path in (data / "rerun" / "default").rglob("CORR-*.fits")}
    assert len(after) == 2
    assert before.items() <= after.items(), "what was done is not done again"
    terminal = start(data)
    shown(terminal, r"\b2 of 6")
    terminal.send(b"3")
    shown(terminal, "rerun default   done   2/2 D1 S1")
    terminal.send(b"1")
    shown(terminal, r"\b2 of 6")
    terminal.send(b"q")
    assert terminal.status() == 0
