"""Levels as characters: two to a cell with half blocks, or one to a cell with a ramp of ASCII."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from safelight_tui.pixels.contrast import style_over
from safelight_tui.pixels.palette import Colours, colour_table
from safelight_tui.pixels.scaling import LEVELS, OUTSIDE

__all__ = ["RAMP", "half_block_line", "ramp_line"]

RAMP = " .,:;-~=+ix*oa%#8@"
"""Characters from dark to bright, by the ink they spend."""


@lru_cache(maxsize=4 * (LEVELS + 1) ** 2)
def _style(top: int, bottom: int, colours: Colours, red_only: bool, outside: Color) -> Style:
    table = colour_table(colours, red_only=red_only)

    def colour(level: int) -> Color:
        return outside if level == OUTSIDE else Color.from_rgb(*map(int, table[level]))

    return Style(color=colour(top), bgcolor=colour(bottom))


def half_block_line(
    top: NDArray[np.uint8],
    bottom: NDArray[np.uint8],
    colours: Colours,
    *,
    red_only: bool,
    outside: Color,
    over: Mapping[int, tuple[str, Style]] | None = None,
) -> Strip:
    """One line of cells from two lines of levels.

    Parameters
    ----------
    top, bottom : (W,) uint8
        Levels of the upper and the lower halves.
    outside : rich Color
        Shown where there is no pixel.
    over : mapping of int to (str, Style), optional
        Characters that stand on the image, by column: on the lower half's colour, made to be read there.
    """
    width = len(top)
    pairs = top.astype(np.int32) * 256 + bottom
    breaks = np.flatnonzero(np.diff(pairs)) + 1
    cuts = set(breaks.tolist())
    for column in over or ():
        cuts.update((column, column + 1))
    places = sorted({0, width} | {cut for cut in cuts if 0 < cut < width})
    segments = []
    for start, stop in pairwise(places):
        upper, lower = int(top[start]), int(bottom[start])
        if over and start in over:
            character, style = over[start]
            behind = _style(lower, lower, colours, red_only, outside).bgcolor
            assert behind is not None
            segments.append(Segment(character, style_over(behind, style, red_only=red_only)))
        elif upper == lower:
            segments.append(Segment(" " * (stop - start), _style(lower, lower, colours, red_only, outside)))
        else:
            segments.append(Segment("▀" * (stop - start), _style(upper, lower, colours, red_only, outside)))
    return Strip(segments, width)


def ramp_line(
    top: NDArray[np.uint8],
    bottom: NDArray[np.uint8],
    style: Style,
    *,
    inverted: bool = False,
    over: Mapping[int, tuple[str, Style]] | None = None,
) -> Strip:
    """One line of cells for terminals without colours or half blocks: the brighter of the two halves as a character."""
    upper, lower = np.where(top == OUTSIDE, 0, top).astype(int), np.where(bottom == OUTSIDE, 0, bottom).astype(int)
    brighter = np.maximum(upper, lower)
    if inverted:
        brighter = LEVELS - 1 - brighter
    nothing = (top == OUTSIDE) & (bottom == OUTSIDE)
    inks = brighter * (len(RAMP) - 1) // (LEVELS - 1)
    text = [" " if empty else RAMP[ink] for ink, empty in zip(inks.tolist(), nothing.tolist(), strict=True)]
    if not over:
        return Strip([Segment("".join(text), style)], len(text))
    segments = [Segment(character, style) for character in text]
    for column, (character, laid_over) in over.items():
        if 0 <= column < len(segments):
            segments[column] = Segment(character, style + laid_over)
    return Strip(Segment.simplify(segments), len(text))
