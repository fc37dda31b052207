"""A small repository made of its registries, one ledger and one journal, and an application on it."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.support.gen2 import TUTORIAL, Frame, make_files, make_registry
from tests.support.terminal import PATIENCE_S
from textual.events import Paste
from textual.keys import _character_to_key
from textual.pilot import Pilot

from safelight.butler.butler import Butler
from safelight.butler.datasets import CcdRecord, DatasetLedger
from safelight.caveats import Caveat
from safelight.processccd import events
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight.processes import process_mark
from safelight_tui.app import SafelightApp
from safelight_tui.state import save_state
from safelight_tui.widgets.line_input import LineInput

FRAMES = [
    Frame(visit, ccd, *TUTORIAL[visit][:2], 533)
    for visit, ccds in {
        903334: (16, 22, 23, 100),
        903336: (17, 24),
        903344: (0, 5, 11),
        903986: (16, 22, 23, 100),
        903988: (16, 17, 23, 24),
        904014: (1, 6, 12),
    }.items()
    for ccd in ccds
]


def data_id(visit: int, ccd: int) -> dict[str, Any]:
    frame = next(frame for frame in FRAMES if (frame.visit, frame.ccd) == (visit, ccd))
    return {
        "field": frame.field,
        "dateObs": frame.date,
        "pointing": frame.pointing,
        "filter": frame.filter,
        "visit": visit,
        "ccd": ccd,
        "taiObs": frame.date,
        "expTime": 30.0,
    }


def make_calibrations(root: Path) -> None:
    (root / "CALIB").mkdir()
    connection = sqlite3.connect(root / "CALIB" / "calibRegistry.sqlite3")
    with connection:
        for kind in ("bias", "flat"):
            connection.execute(
                f"CREATE TABLE {kind} (id integer primary key autoincrement, filter text, ccd int, validStart text,"
                " calibDate text, validEnd text)"
            )
            for ccd in (16, 17):
                connection.execute(
                    f"INSERT INTO {kind} (filter, ccd, validStart, calibDate, validEnd) VALUES (?, ?, ?, ?, ?)",
                    ["HSC-I" if kind == "flat" else "NONE", ccd, "2013-05-07", "2013-11-03", "2014-05-02"],
                )
    connection.close()
    (root / "ref_cats" / "ps1").mkdir(parents=True)
    (root / "ref_cats" / "ps1" / "189584.fits").write_bytes(b"")


def make_rerun(root: Path, name: str = "first") -> Path:
    output = Butler(root, rerun=name).create_output()
    ledger = DatasetLedger(output)
    outcomes: list[tuple[int, int, dict[str, Any]]] = [
        (903986, 16, {"status": "done", "metrics": {"fwhm_arcsec": 0.71, "zeropoint_mag": 27.1}}),
        (903988, 16, {"status": "done-with-caveats", "caveats": [Caveat("FEW_STARS", "Only 9 stars.")],
                      "metrics": {"fwhm_arcsec": 1.2, "zeropoint_mag": None}}),
        (903986, 100, {"status": "failed", "step": "isr", "code": "NO_FLAT", "message": "No flat HSC-I.",
                       "hint": "Build one."}),
    ]  # fmt: skip
    for visit, ccd, outcome in outcomes:
        stamp = "2026-01-01T00:00:00.000Z"
        ledger.record_ccd(CcdRecord(data_id(visit, ccd), run_id="run-1", started=stamp, finished=stamp, **outcome))
    ledger.close()
    return output


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = make_registry(tmp_path / "DATA", FRAMES)
    make_calibrations(root)
    make_rerun(root)
    return root


@pytest.fixture
def add_rerun() -> Callable[..., Path]:
    """Make one more rerun like the first: ``add_rerun(root, "second")``."""
    return make_rerun


@pytest.fixture
def with_files(repository: Path) -> Path:
    """The repository with an empty file for each raw frame: it fails as soon as it is read."""
    make_files(repository, FRAMES)
    return repository


class Journal:
    """A run that the test writes event by event."""

    def __init__(
        self, rerun: Path, ccds: list[tuple[int, int]], *, pid: int, run: str = "20260101T000000.000Z-1"
    ) -> None:
        import platform

        self.writer = JournalWriter(journal_folder(rerun) / f"{run}.jsonl")
        planned = [
            {"key": f"visit={v} ccd={c}", "data_id": data_id(v, c), "action": "run", "code": "NEW", "reason": "new",
             "state": "absent"}
            for v, c in ccds
        ]  # fmt: skip
        self.write(
            events.RunStarted,
            run=run,
            command_line=["processCcd.py", "DATA"],
            repository="DATA",
            rerun=str(rerun),
            host=platform.node(),
            pid=pid,
            process=process_mark(pid),
            processes=1,
            ccds=planned,
        )

    def write(self, kind: type[events.Event], **fields: Any) -> None:
        self.writer.write(kind(**{"time": time.time(), **fields}))

    def close(self) -> None:
        self.writer.close()


@pytest.fixture
def begin_run(repository: Path) -> Callable[..., Journal]:
    return lambda ccds, pid, **rest: Journal(repository / "rerun" / "first", ccds, pid=pid, **rest)


@pytest.fixture
def begin(begin_run: Callable[..., Journal]) -> Iterator[Callable[..., Journal]]:
    """`begin_run` with its journals closed in the end."""
    journals: list[Journal] = []

    def begin_(*arguments: Any, **rest: Any) -> Journal:
        journals.append(begin_run(*arguments, **rest))
        return journals[-1]

    yield begin_
    for journal in journals:
        journal.close()


_WATCHED: dict[str, Any] = {"root": None, "thread": None, "seen": []}


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    root = _WATCHED["root"]
    if root is None or threading.get_ident() != _WATCHED["thread"]:
        return
    if event in ("open", "sqlite3.connect", "os.listdir", "os.scandir") and root in str(arguments[0]):
        _WATCHED["seen"].append((event, arguments))


@pytest.fixture
def watch_loop(repository: Path) -> Iterator[list[Any]]:
    """What the event loop's thread opens in the repository (an audit hook stays for good, but sleeps)."""
    if "hooked" not in _WATCHED:
        sys.addaudithook(_watch)
        _WATCHED["hooked"] = True
    _WATCHED.update(root=str(repository), thread=threading.get_ident(), seen=[])
    (repository / "registry.sqlite3").open("rb").close()
    assert _WATCHED["seen"], "the hook does not see"
    _WATCHED["seen"].clear()
    yield _WATCHED["seen"]
    _WATCHED["root"] = None


class Screen:
    """Helpers for an application under a pilot."""

    def __init__(self, pilot: Pilot[None]) -> None:
        self.pilot = pilot
        assert isinstance(pilot.app, SafelightApp)
        self.app = pilot.app

    async def settle(self, condition: Callable[[], bool] = lambda: True, seconds: float = PATIENCE_S) -> None:
        """Wait until nothing is being read and `condition` holds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            await self.pilot.pause()
            if not self.app.busy and condition():
                await self.pilot.pause()
                return
            await asyncio.sleep(0.01)
        raise AssertionError("never came; the screen is:\n" + self.picture)

    async def shows(self, *texts: str) -> None:
        """Wait until all of these can be read."""
        await self.settle(lambda: all(text in self.picture for text in texts))

    @property
    def picture(self) -> str:
        """The cells of the screen as text."""
        screen = self.app.screen
        strips = screen._compositor.render_strips(screen.size)
        return "\n".join("".join(segment.text for segment in strip).rstrip() for strip in strips)

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.settle()

    async def type(self, text: str) -> None:
        """Put text into the input in focus: key by key costs 50 ms a key, so it comes as a paste."""
        focused = self.app.focused
        assert isinstance(focused, LineInput)
        focused.post_message(Paste(text))
        await self.settle()

    async def enter(self, text: str, *, at: str) -> None:
        """Open an input by its key, put text into it, and press Enter."""
        await self.press(at)
        await self.type(text)
        await self.press("enter")

    async def type_keys(self, text: str) -> None:
        """Type text key by key."""
        await self.press(*(_character_to_key(character) for character in text))


Opened = Callable[..., AbstractAsyncContextManager[Screen]]


@pytest.fixture
def opened(tmp_path: Path) -> Opened:
    """``async with opened(root, at="6") as screen``: an application that has read everything, and a key was pressed."""

    @asynccontextmanager
    async def open_(
        root: Path | None, size: tuple[int, int] = (120, 40), at: str = "", **rest: Any
    ) -> AsyncIterator[Screen]:
        app = SafelightApp(root, state_file=tmp_path / "state.json", **rest)
        async with app.run_test(size=size, notifications=True) as pilot:
            screen = Screen(pilot)
            if root is not None:
                await screen.settle(lambda: len(app.screen_stack) > 0)
            if at:
                await screen.press(at)
            yield screen
        save_state(app.state_file, app.remembered)  # as the program does when the terminal is back

    return open_
