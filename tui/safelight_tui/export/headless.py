"""``safelight image`` without a screen: half blocks on the standard output, a PNG file, a DS9 region file."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style

from safelight_tui.export.png import Look, picture_png
from safelight_tui.export.regions import region_text
from safelight_tui.pixels.half_blocks import half_block_line, ramp_line
from safelight_tui.pixels.overlay import Marks, characters_over
from safelight_tui.pixels.scaling import sample_of, to_levels, zscale
from safelight_tui.pixels.view import View, sampled
from safelight_tui.terminal.charset import shows_unicode

if TYPE_CHECKING:
    from safelight.processccd.viewing import CcdPixels, Positions

__all__ = ["Request", "carry_out", "marks_of"]

_SIGNS = {"sources": ("o", "source"), "matches": ("x", "match"), "reference stars": ("*", "reference")}


def marks_of(positions: Sequence[Positions]) -> list[Marks]:
    """Positions with the character and the tone each kind is drawn with."""
    return [Marks(one.name, *_SIGNS.get(one.name, ("o", "source")), one.x, one.y) for one in positions]


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    look: Look
    output: Path | None = None  # .png or .reg; None: the terminal
    columns: int | None = None
    longest: int = 2048


def carry_out(pixels: CcdPixels, positions: Sequence[Positions], request: Request, out: TextIO | None = None) -> str:
    """Write or print; returns a sentence about what was done."""
    if request.output is None:
        print_image(pixels.image, marks_of(positions), request, out or sys.stdout)
        low, high = request.look.limits or zscale(sample_of(pixels.image))
        return f"{pixels.name}: {low:.5g} to {high:.5g} ADU, {request.look.stretch.value}; {pixels.origin}"
    from safelight.butler.atomic import write_bytes, write_text

    if request.output.suffix == ".reg":
        # A raw file on disk is not assembled: only the sky says where things are in it.
        write_text(request.output, region_text(positions, pixels.wcs if pixels.kind == "raw" else None))
        return f"{sum(len(one.x) for one in positions)} regions written to {request.output}"
    comment = f"{pixels.name}; {pixels.origin}"
    png = picture_png(pixels.image, request.look, marks_of(positions), longest=request.longest, comment=comment)
    write_bytes(request.output, png)
    return f"{pixels.name} written to {request.output}"


def print_image(image: NDArray[np.floating], marks: Sequence[Marks], request: Request, out: TextIO) -> None:
    """Half blocks where there are colours and UTF-8, else a ramp of ASCII."""
    console = Console(file=out, highlight=False)
    width = request.columns or (console.width if out.isatty() else 80)
    rows, columns = image.shape
    height = max(2, 2 * round(rows * width / columns / 2))
    if request.columns is None and out.isatty() and height > 2 * (console.height - 2):
        height = 2 * max(4, console.height - 2)  # all of it on one screen
        width = max(4, round(columns * height / rows))
    view = View.fit((rows, columns), width, height)
    look = request.look
    sample = sample_of(image)
    low, high = look.limits or zscale(sample)
    levels = to_levels(sampled(image, view), low, high, look.stretch, sample)
    over: dict[int, dict[int, tuple[str, Style]]] = {}
    for (column, row), (character, _) in characters_over(view, marks).items():
        over.setdefault(row, {})[column] = (character, Style(bold=True, color="red"))
    blocks = console.color_system is not None and shows_unicode(os.environ) and not console.no_color
    for row in range(height // 2):
        top, bottom = levels[2 * row], levels[2 * row + 1]
        if blocks:
            strip = half_block_line(
                top, bottom, look.colours, red_only=look.red_only, outside=Color.parse("black"), over=over.get(row)
            )
        else:
            strip = ramp_line(top, bottom, Style(), over=over.get(row))
        console.print(Segments([*strip, Segment("\n")]), end="", soft_wrap=True)
