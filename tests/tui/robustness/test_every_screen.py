"""Every screen and dialog in a pseudo-terminal: what its cells show, and what the event loop's thread does not do."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safelight_tui.state import Remembered, save_state

Start = Callable[..., Any]
RED = re.compile("[0-9a-f]{2}0000")

# Whatever the thread of the event loop opens, lists or asks about below the repository is written down with its stack.
PROGRAM = """
import asyncio, os, sys, traceback
root, told, arguments, looking = {root!r}, {told!r}, {arguments!r}, True

def tell(event, place):
    global looking
    if looking and asyncio._get_running_loop() is not None and isinstance(place, (str, bytes, os.PathLike)):
        path = os.fsdecode(place)
        if path.startswith(root):
            looking = False
            with open(told, "a") as file:
                file.write(event + " " + path + "\\n" + "".join(traceback.format_stack(limit=12)) + "\\n")
            looking = True

events = {{"open", "sqlite3.connect", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.link"}}
sys.addaudithook(lambda event, values: tell(event, values[0]) if event in events and values else None)

def watched(name):
    inner = getattr(os, name)
    def watched(place, *rest, **more):
        tell(name, place)
        return inner(place, *rest, **more)
    setattr(os, name, watched)

for name in ("stat", "lstat", "access", "statvfs"):  # these tell no audit hook
    watched(name)
async def probe():
    os.stat(root); os.listdir(root); open(os.path.join(root, "registry.sqlite3")).close()

if not arguments:
    sys.exit(asyncio.run(probe()))
from safelight.commands.main import main
sys.exit(main(arguments))
"""

# Keys, and a text that shows that they have had their effect.
WALK: list[tuple[bytes, str]] = [
    (b"", "4 of 4"),
    (b"l", ""),
    (b"\t", ""),
    (b"lll", "first"),
    (b"T", "DATA"),
    (b"T", "raw"),
    (b"\tljk", ""),
    (b"\t", ""),
    (b"/", "Enter keep"),
    (b"filter=r | !caveat fwhm_arcsec<9", ""),
    (b"\x15", ""),
    (b"vist=1", "key"),
    (b"\x07", "4 of 4"),
    (b"t", ""),
    (b"\x07", "4 of 4"),
    (b" vjv>s<A", ""),
    (b"yY", "clipboard"),
    (b"w", "Wrote"),
    (b"A\x10", "Search all actions"),
    (b"theme", ""),
    (b"\x07", "4 of 4"),
    (b"?", "Browse"),
    (b"\x07", "4 of 4"),
    (b":", ""),
    (b"nonsense\r", "There is no action"),
    (b"p", "RUN"),
    (b"jklG", ""),
    (b"o", ""),
    (b"e", ""),
    (b"\x07", "RUN"),
    (b"r", ""),
    (b"\x07", "RUN"),
    (b"?", ""),
    (b"\x07", "RUN"),
    (b"Yw", "Wrote"),
    (b"x", ""),
    (b"\x07", "RUN"),
    (b"3", "second"),
    (b"jkm", ""),
    (b"\x07", "process"),
    (b"o", ""),
    (b"\x07", "process"),
    (b"P", ""),
    (b"4", "line 3"),
    (b"\tkG/", ""),
    (b"WARN\r", ""),
    (b"?", ""),
    (b"\x07", "run.log"),
    (b"1G", "visit=636343260"),
    (b"i", "calexp"),
    (b"O", "sources"),
    (b"\x07", "calexp"),
    (b"r", "FWHM"),
    (b"a", "flux"),
    (b"lchmjkegz", ""),
    (b"v", ""),
    (b"\x1b[C\x1b[B", ""),
    (b"v", ""),
    (b"xTCCTTTN", ""),
    (b")(0", ""),
    (b"d", ""),
    (b"\x07", "calexp"),
    (b"B", ""),
    (b"B", ""),
    (b">", ""),
    (b"<", ""),
    (b"w", "save"),
    (b"\x15{out}/picture.png\r", "picture.png"),
    (b"w", "save"),
    (b"\x15{out}/regions.reg\r", "regions.reg"),
    (b"D", "SAMP"),
    (b"?", ""),
    (b"\x07", "calexp"),
    (b"6", "3 of 3"),
    (b"j+", "marked good"),
    (b";", ""),
    (b"a comment\r", "comment on"),
    (b"u", "Taken back"),
    (b"-", "marked bad"),
    (b"mmmm", ""),
    (b"t", ""),
    (b"t", "3 of 3"),
    (b"w", ""),
    (b"M", ""),
    (b"d", "second"),
    (b"r?", ""),
    (b"\x07", ""),
]

SHORT: list[tuple[bytes, str]] = [
    (b"", "4 of 4"),
    (b"A", ""),
    (b"y", "clipboard"),
    (b"A\x10", "Search all actions"),
    (b"\x07", "4 of 4"),
    (b"?", "Browse"),
    (b"\x07", "4 of 4"),
    (b":", ""),
    (b"nonsense\r", "There is no action"),
    (b"p", "RUN"),
    (b"3", "second"),
    (b"4", "line 3"),
    (b"1g", "visit=636343260"),
    (b"i", "x 80 y 60"),
    (b"r", "FWHM"),
    (b"6", "3 of 3"),
    (b"+", "marked good"),
    (b"m", ""),
    (b"d", "second"),
]


def settle(terminal: Any, quiet: float = 0.15) -> None:
    """Wait until nothing has come for a moment."""
    length = -1
    while len(terminal.output) != length:
        length = len(terminal.output)
        terminal.read(quiet)


def walk(terminal: Any, out: Path, check: Callable[[Any], None], steps: list[tuple[bytes, str]] = WALK) -> None:
    """Go through every screen; look at every one of them."""
    for keys, text in steps:
        for piece in re.findall(rb"\x1b\[.|\x15.*\r|[a-zA-Z0-9=|<>! _.]{4,}\r?|.", keys, re.DOTALL):
            terminal.send(piece.replace(b"{out}", bytes(out)))
        if text:
            terminal.wait_for_text(text, 30)
        else:
            settle(terminal)
        check(terminal)


@pytest.fixture
def opened(start_terminal: Start, everything: Path, tmp_path: Path) -> Start:
    """``opened("theme", TERM=...)``: the program on the repository that has everything, in a folder of its own."""

    def start(theme: str = "auto", columns: int = 120, rows: int = 40, **environment: str) -> Any:
        homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CONFIG", "DATA")}
        save_state(tmp_path / "STATE" / "safelight" / "application.json", Remembered(theme))
        source = PROGRAM.format(root=str(everything), told=str(tmp_path / "told"), arguments=[str(everything)])
        hub = {"SAMP_HUB": f"std-lockurl:{(tmp_path / 'none').as_uri()}", "HOME": str(tmp_path)}
        folder = f"import os; os.chdir({str(tmp_path)!r})\n"
        return start_terminal(folder + source, columns, rows, **homes, **hub, **environment)

    return start


@pytest.mark.parametrize("steps", [SHORT, pytest.param(WALK, marks=pytest.mark.slow)], ids=["short", "whole"])
def test_no_screen_has_another_hue_than_red_and_none_makes_the_event_loop_touch_the_repository(
    opened: Start, tmp_path: Path, steps: list[tuple[bytes, str]]
) -> None:
    wrong: set[str] = set()

    def look(terminal: Any) -> None:
        for y, row in enumerate(terminal.cells.display):
            for x in range(terminal.cells.columns):
                cell = terminal.cells.buffer[y][x]
                if not (RED.fullmatch(cell.fg) and RED.fullmatch(cell.bg)):
                    wrong.add(f"{cell.data!r} {cell.fg} on {cell.bg} in {row.strip()!r}")

    terminal = opened("safelight", COLORTERM="truecolor")
    walk(terminal, tmp_path, look, steps)
    assert sorted(wrong) == []
    colours = re.findall(rb"[34]8;2;(\d+;\d+;\d+)", bytes(terminal.output))
    assert len(colours) > 1000
    assert {colour for colour in colours if not colour.endswith(b";0;0")} == set()
    assert (
        re.findall(rb"\x1b\[(?:[\d;]*;)?(?:3[0-79]|4[0-79]|9[0-7]|10[0-7]|[34]8;5;\d+)m", bytes(terminal.output)) == []
    )
    told = tmp_path / "told"
    assert not told.exists(), told.read_text()
    copied = [
        base64.standard_b64decode(text).decode() for text in re.findall(rb"\x1b\]52;c;([^\x07]*)\x07", terminal.output)
    ]
    assert copied[0] == "visit=636343260^636343320^636343380^636343440 ccd=0"
    assert all(line.startswith("processCcd.py ") for line in copied[1:])
    assert steps is SHORT or ((tmp_path / "picture.png").is_file() and (tmp_path / "regions.reg").is_file())
    assert b"Traceback" not in terminal.output
    terminal.send(b"\x07q1q")
    assert terminal.status() == 0


@pytest.mark.parametrize(
    ("theme", "environment"),
    [
        ("auto", {"TERM": "xterm-16color", "LANG": "C", "LC_ALL": "C"}),
        ("safelight", {"TERM": "linux"}),
        pytest.param("auto", {"TERM": "screen", "NO_COLOR": "1"}, marks=pytest.mark.slow),
    ],
    ids=["16 colours in ASCII", "red in 16 colours", "no colour"],
)
def test_no_text_has_the_colour_of_what_is_behind_it(
    opened: Start, tmp_path: Path, theme: str, environment: dict[str, str]
) -> None:
    hidden: set[str] = set()

    def look(terminal: Any) -> None:
        if theme == "safelight" and any("┌" in line or "Search" in line for line in terminal.screen):
            return  # what lies behind a dialog is darkened, and 16 colours have no darker red
        for y, row in enumerate(terminal.cells.display):
            for x in range(terminal.cells.columns):
                cell = terminal.cells.buffer[y][x]
                front, back = (cell.fg, cell.bg)
                if cell.data.isalnum() and (front == back != "default" or (front, back) == ("black", "default")):
                    hidden.add(f"{cell.data!r} {front} on {back} in {row.strip()!r}")
                if "NO_COLOR" in environment and (front, back) != ("default", "default"):
                    hidden.add(f"a colour: {cell.data!r} {front} on {back} in {row.strip()!r}")
        if environment.get("LANG") == "C":
            assert "".join(terminal.screen).isascii()

    terminal = opened(theme, **environment)
    walk(terminal, tmp_path, look, SHORT)
    assert sorted(hidden) == []
    terminal.send(b"\x07q1q")
    assert terminal.status() == 0


def test_the_watch_over_the_event_loop_sees(start_terminal: Start, everything: Path, tmp_path: Path) -> None:
    start_terminal(PROGRAM.format(root=str(everything), told=str(tmp_path / "told"), arguments=[])).status()
    told = [
        line.split()[0] for line in (tmp_path / "told").read_text().splitlines() if not line.startswith(" ") and line
    ]
    assert told == ["stat", "os.listdir", "open"]
