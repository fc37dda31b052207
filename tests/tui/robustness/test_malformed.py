"""Data that is broken or hostile: a sentence on the screen, never a traceback, never a broken screen."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.gen2 import Frame, make_registry

START = "import sys; from safelight.commands.main import main; sys.exit(main({arguments!r}))"
Start = Callable[..., Any]


def make(root: Path, fields: tuple[str, ...] = ("STRIPE82L",)) -> Path:
    """A repository whose registry knows two frames of each field; there are no files."""
    frames = (
        Frame(903986 + 2 * number, ccd, "HSC-I", "2013-11-02", 671, field)
        for number, field in enumerate(fields)
        for ccd in (16, 22)
    )
    return make_registry(root, frames)


@pytest.fixture
def open_(start_terminal: Start, tmp_path: Path) -> Start:
    """Start the program on a repository in a pseudo-terminal."""

    def start(root: Path, columns: int = 100, rows: int = 30, **environment: str) -> Any:
        homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CONFIG", "DATA")}
        return start_terminal(START.format(arguments=[str(root)]), columns, rows, **homes, **environment)

    return start


def leave(terminal: Any) -> None:
    """Quit, and see that no traceback was ever sent."""
    terminal.send(b"q")
    terminal.send(b"q")
    assert terminal.status() == 0
    assert b"Traceback" not in terminal.output


def test_names_that_look_like_markup_are_shown_as_they_are(open_: Start, tmp_path: Path) -> None:
    terminal = open_(make(tmp_path / "DATA", ("[bold]x", "[/]")))
    terminal.wait_for_text("4 of 4")
    terminal.wait_for_text("[bold]x")
    terminal.wait_for_text("[/]")
    leave(terminal)


def test_a_repository_without_frames_says_so(open_: Start, tmp_path: Path) -> None:
    terminal = open_(make(tmp_path / "DATA", ()))
    terminal.wait_for_text("no raw frame yet")
    terminal.send(b"p")
    leave(terminal)


def test_a_broken_file_is_said_in_a_sentence(open_: Start, tmp_path: Path) -> None:
    root = make(tmp_path / "DATA")
    raw = root / "STRIPE82L" / "2013-11-02" / "00671" / "HSC-I" / "HSC-0903986-016.fits"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"SIMPLE  = \x1b[2J\x00\xff" * 500)
    terminal = open_(root)
    terminal.wait_for_text("2 of 2")
    terminal.send(b"g")
    terminal.wait_for_text("visit=903986 ccd=16")  # the cursor is there before the image is asked for
    terminal.send(b"i")
    terminal.wait_for(lambda t: any("FITS" in line or "fits" in line for line in t.screen))
    terminal.send(b"1")
    leave(terminal)


def test_a_repository_that_loses_its_registry_while_open_is_still_shown(open_: Start, tmp_path: Path) -> None:
    root = make(tmp_path / "DATA")
    terminal = open_(root)
    terminal.wait_for_text("2 of 2")
    (root / "registry.sqlite3").unlink()
    terminal.send(b"p")
    terminal.wait_for(lambda t: any("registry" in line.lower() for line in t.screen))
    terminal.send(b"1")
    terminal.wait_for_text("903986")
    leave(terminal)


def test_control_characters_in_the_registry_do_not_reach_the_terminal(open_: Start, tmp_path: Path) -> None:
    terminal = open_(make(tmp_path / "DATA", ("a\x1b]0;gotcha\x07b",)))
    terminal.wait_for_text("2 of 2")
    assert b"\x1b]0;gotcha" not in terminal.output
    leave(terminal)


def test_one_row_too_few_says_what_is_needed_and_a_resize_brings_the_screen_back(open_: Start, tmp_path: Path) -> None:
    terminal = open_(make(tmp_path / "DATA"), columns=79, rows=23)
    terminal.wait_for_text("80x24")
    terminal.resize(80, 24)
    terminal.wait_for_text("903986")
    for columns, rows in ((120, 40), (60, 20), (100, 30)):
        terminal.resize(columns, rows)
        terminal.wait_for_text("80x24" if columns < 80 else "903986")
    leave(terminal)


def test_a_metric_that_is_not_a_number_is_shown(open_: Start, tmp_path: Path) -> None:
    root = make(tmp_path / "DATA")
    from safelight.butler.butler import Butler
    from safelight.butler.datasets import CcdRecord, DatasetLedger

    output = Butler(root, rerun="first").create_output()
    ledger = DatasetLedger(output)
    row = {"visit": 903986, "ccd": 16, "field": "STRIPE82L", "filter": "HSC-I", "dateObs": "2013-11-02"}
    stamp = "2026-01-01T00:00:00.000Z"
    record = CcdRecord(row, run_id="run-1", started=stamp, finished=stamp, status="done", metrics={"fwhm_arcsec": 0.7})
    ledger.record_ccd(record)
    ledger.close()
    _spoil_metrics(output)
    terminal = open_(root)
    terminal.wait_for_text("2 of 2")
    terminal.send(b"6")
    terminal.wait_for_text("1 of 1")
    terminal.send(b"mmm1")
    terminal.wait_for_text("2 of 2")
    leave(terminal)


def _spoil_metrics(output: Path) -> None:
    """Put a NaN into the ledger, as another program might."""
    connection = sqlite3.connect(output / ".safelight" / "datasets.sqlite3")
    with connection:
        changed = connection.execute(
            "UPDATE ccd SET metrics = ?", (json.dumps({"fwhm_arcsec": float("nan")}),)
        ).rowcount
    connection.close()
    assert changed == 1


def test_a_log_line_of_a_megabyte_is_shown_and_moved_through(open_: Start, tmp_path: Path) -> None:
    root = make(tmp_path / "DATA")
    rerun = root / "rerun" / "first"
    from safelight.butler.butler import Butler
    from safelight.processccd import events
    from safelight.processccd.journal import JournalWriter, journal_folder
    from safelight.processccd.logs import log_folder

    Butler(root, rerun="first").create_output()
    run = "20260101T000000.000Z-1"
    journal = JournalWriter(journal_folder(rerun) / f"{run}.jsonl")
    journal.write(
        events.RunStarted(
            time=1.0, run=run, command_line=["processCcd.py"], repository="DATA", rerun=str(rerun), host="elsewhere",
            pid=1, processes=1, ccds=[],
        )
    )  # fmt: skip
    journal.close()
    folder = log_folder(rerun, run)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.log").write_bytes(b"first line\n" + b"x[b]\x1b[2J\xff" * 100_000 + b"\nlast line\n")
    terminal = open_(root)
    terminal.wait_for_text("2 of 2")
    terminal.send(b"4")
    terminal.wait_for_text("x[b]")
    terminal.wait_for_text("last line")
    assert b"x[b]\x1b[2J" not in terminal.output
    terminal.send(b"1")
    terminal.wait_for_text("2 of 2")
    leave(terminal)


@pytest.mark.parametrize(("begin", "end"), [(b"\x1b[200~", b"\x1b[201~"), (b"", b"")], ids=["bracketed", "raw"])
def test_pasted_lines_and_sequences_run_nothing_wherever_they_go(
    open_: Start, everything: Path, tmp_path: Path, begin: bytes, end: bytes
) -> None:
    def runs() -> list[Path]:
        return sorted((everything / "rerun").glob("*/.safelight/journal/*"))

    before = runs()
    pasted = b"ccd=0\r\nx\r\n\x1b[31mx\r\x1b]0;gotcha\x07\rx\r\ntouch gotcha\r\n"
    terminal = open_(everything, columns=120, rows=40)
    terminal.wait_for_text("4 of 4")
    for place, text in ((b"/", "Enter keep"), (b":", ":"), (b"6;", "comment on"), (b"2re", "")):
        terminal.send(place)
        if text:
            terminal.wait_for_text(text)
        terminal.send(begin + pasted + end)
        for _ in range(4):
            terminal.read(0.1)
        terminal.send(b"\x07\x07")
        for _ in range(2):
            terminal.read(0.1)
        terminal.send(b"1")
        terminal.wait_for_text("of 4")
    assert runs() == before
    assert not list(tmp_path.rglob("gotcha"))
    assert b"Traceback" not in terminal.output
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM


def test_what_is_taken_away_or_spoiled_under_an_open_application_is_said_and_comes_back(
    open_: Start, make_everything: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = make_everything(tmp_path)
    registry = root / "registry.sqlite3"
    terminal = open_(root, columns=120, rows=40)
    terminal.wait_for_text("4 of 4").wait_for_text("rerun/second")

    content = registry.read_bytes()
    registry.unlink()
    terminal.wait_for_text("registry.sqlite3")  # a word: sentences wrap
    registry.write_bytes(b"this is no database\x1b[2J" * 400)
    terminal.wait_for_text("database")
    assert any("636343260" in line for line in terminal.screen)
    registry.write_bytes(content)
    terminal.wait_for_text("can be read again")
    terminal.wait_for_text("4 of 4")

    journal = next((root / "rerun" / "second" / ".safelight" / "journal").glob("*.jsonl"))
    with journal.open("ab") as file:
        file.write(
            b'{"event": "stage", "time": "never", "ccd": [1]}\n{"event": "nonsense"}\n\xff\x00[bold]\x1b[2J\n{"eve'
        )
    for keys, text in ((b"3", "second"), (b"4", "line 3"), (b"6", "3 of 3"), (b"1", "4 of 4")):
        terminal.send(keys)
        terminal.wait_for_text(text)

    shutil.rmtree(root / "rerun" / "second")
    terminal.wait_for(lambda t: not any("rerun/second" in line for line in t.screen) and "4 of 4" in "".join(t.screen))
    for keys, text in ((b"6", "first"), (b"3", "first"), (b"4", "first"), (b"1", "4 of 4")):
        terminal.send(keys)
        terminal.wait_for_text(text)
    assert b"Traceback" not in terminal.output
    assert b"\x1b[2J" not in terminal.output
    leave(terminal)


def test_a_truncated_ledger_and_frames_cut_short_are_said_in_sentences(
    open_: Start, make_everything: Callable[[Path], Path], tmp_path: Path
) -> None:
    root = make_everything(tmp_path)
    ledger = root / "rerun" / "second" / ".safelight" / "datasets.sqlite3"
    ledger.write_bytes(ledger.read_bytes()[:5000])
    for path in (root / "rerun" / "first").rglob("*.fits"):
        path.write_bytes(path.read_bytes()[:4000])
    terminal = open_(root, columns=120, rows=40)
    terminal.wait_for_text("4 of 4")
    for keys, text in ((b"6", "second"), (b"1g", "4 of 4"), (b"i", "truncated"), (b"1", "4 of 4")):
        terminal.send(keys)
        terminal.wait_for_text(text)
    assert b"Traceback" not in terminal.output
    leave(terminal)
