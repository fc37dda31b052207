"""A tour through every screen by keys, and a PNG picture at each stop."""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path

from rich.segment import Segment
from textual.pilot import Pilot

from safelight.commands.shell import Parser
from safelight.errors import ProcessingError, UsageError
from safelight_tui.app import SafelightApp
from safelight_tui.screenshots.drawing import FONT_HINT, Artist, find_font
from safelight_tui.screenshots.live import RERUN, live_run
from safelight_tui.screenshots.stops import STOPS, Stop

__all__ = ["STOPS", "Stop", "cells_of", "main", "text_of", "visit"]

PATIENCE_S, LIVE_PATIENCE_S = 90.0, 600.0
"""How long a screen may take to show what a stop waits for, and how long a run may take to come that far."""


def cells_of(app: SafelightApp) -> list[list[Segment]]:
    """The cells of the screen in view, a list of segments a row."""
    screen = app.screen
    return [list(strip) for strip in screen._compositor.render_strips(screen.size)]


def text_of(app: SafelightApp) -> str:
    """The characters of the screen in view."""
    return "\n".join("".join(segment.text for segment in row).rstrip() for row in cells_of(app))


async def _until(pilot: Pilot[None], app: SafelightApp, pattern: str, stop: Stop) -> None:
    """Wait until nothing is being read and what matches `pattern` can be read."""
    end = time.monotonic() + (LIVE_PATIENCE_S if stop.live else PATIENCE_S)
    calm = 0
    while calm < 3:
        await pilot.pause()
        # Without a repository nothing is followed, so only the jobs count.
        reading = app.busy if stop.opened else app.jobs.busy
        calm = calm + 1 if not reading and re.search(pattern, text_of(app)) else 0
        if time.monotonic() > end:
            shown = text_of(app)
            raise ProcessingError("NOT_SHOWN", f"{stop.name}: {pattern!r} was never shown; the screen is:\n{shown}")
        await asyncio.sleep(0.05)


async def _walk(pilot: Pilot[None], app: SafelightApp, stop: Stop, words: Mapping[str, str]) -> None:
    from textual.keys import _character_to_key

    for step in stop.steps:
        kind, _, text = step.partition(":")
        if kind == "text" and text:
            await pilot.press(*(_character_to_key(character) for character in text.format_map(words)))
        elif kind == "wait" and text:
            await _until(pilot, app, re.escape(text), stop)
        elif kind == "match" and text:
            await _until(pilot, app, text, stop)
        else:
            await pilot.press(step if len(step) > 1 else _character_to_key(step))
        await _until(pilot, app, "", stop)
    await asyncio.sleep(0.2)  # what settles a moment after the cursor does
    await _until(pilot, app, re.escape(stop.expects), stop)


async def visit(stop: Stop, root: Path, rerun: str, words: Mapping[str, str]) -> list[list[Segment]]:
    """Start the application, walk to a stop, and return the cells of its screen.

    Raises
    ------
    ProcessingError
        NOT_SHOWN: what the stop waits for never came.
    """
    with tempfile.TemporaryDirectory() as folder:
        app = SafelightApp(root if stop.opened else None, state_file=Path(folder) / "state.json")
        app.remembered.of(root).rerun = RERUN if stop.live else rerun
        app.remembered.opened(root)
        app.theme = stop.theme
        async with app.run_test(size=stop.size) as pilot:
            await _until(pilot, app, "", stop)
            await _walk(pilot, app, stop, words)
            return cells_of(app)


def _save(artist: Artist, cells: Sequence[Sequence[Segment]], stop: Stop, folder: Path) -> int:
    picture = artist.draw(cells, stop.size[0])
    path = folder / f"{stop.name}.png"
    # A palette: pictures of text have few colours, and the file is a quarter of the size.
    picture.quantize(colors=256, method=0).save(path, optimize=True)
    return path.stat().st_size


def _parser() -> Parser:
    parser = Parser(
        prog="python -m safelight_tui.screenshots",
        description="Draw every screen of the application, driven by keys on a real rerun, into PNG files.\n"
        f"Needs Pillow (pip install 'safelight[screenshots]') and the font DejaVu Sans Mono:\n{FONT_HINT}.",
        example="python -m safelight_tui.screenshots DATA --rerun night",
    )
    parser.add_argument("repository", metavar="DATA", type=Path)
    parser.add_argument("--rerun", metavar="NAME", required=True, help="the rerun that is shown")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("screenshots"), help="where to (screenshots)")
    parser.add_argument(
        "--ccd", metavar="ID", default="visit=903334 ccd=16", help="data ID of the CCD whose pixels are shown"
    )
    parser.add_argument(
        "--whole", metavar="ID", default="visit=904020 ccd=50", help="data ID of a CCD whose visit is shown as a mosaic"
    )
    parser.add_argument(
        "--live",
        metavar="ID",
        default="visit=904020",
        help="data IDs of the run that is shown at work",
    )
    parser.add_argument("--only", metavar="NAME", action="append", help="only this picture; may be repeated")
    parser.add_argument("--font", metavar="FILE", type=Path, help="a monospace TrueType font")
    return parser


def main(arguments: Sequence[str]) -> int:
    """Make the pictures; returns the exit code.

    Raises
    ------
    ConfigurationError
        NO_FONT, NO_PILLOW.
    UsageError
        BAD_OPTION: a picture that there is not; RERUN_EXISTS.
    ProcessingError
        NOT_SHOWN.
    """
    options = _parser().parse_args(arguments)
    names = [stop.name for stop in STOPS]
    for name in options.only or ():
        if name not in names:
            raise UsageError("BAD_OPTION", f"There is no picture {name!r}.", f"They are {', '.join(names)}.")
    artist = Artist(find_font(options.font))
    options.out.mkdir(parents=True, exist_ok=True)
    root = options.repository.absolute()
    total = 0
    for stop in STOPS:
        if options.only and stop.name not in options.only:
            continue
        with live_run(root, options.live) if stop.live else nullcontext():
            cells = asyncio.run(visit(stop, root, options.rerun, {"ccd": options.ccd, "whole": options.whole}))
        size = _save(artist, cells, stop, options.out)
        total += size
        print(f"{options.out / stop.name}.png {size / 1000:.0f} kB")
    print(f"{total / 1000:.0f} kB in all")
    return 0
