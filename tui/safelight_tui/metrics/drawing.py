"""What the plots of triage have in common: a function from room to lines, titles, and plots that only say something."""

from __future__ import annotations

import textwrap
from collections.abc import Callable

from safelight_tui.metrics.residuals import Residuals
from safelight_tui.plots import PlotLine
from safelight_tui.terminal.text import fit, printable

__all__ = ["Draw", "sentence", "title_of"]

Draw = Callable[[int, int], list[PlotLine]]
"""(width, height) in characters -> exactly so many lines of so many characters."""


def sentence(text: str) -> Draw:
    """A plot that only says something."""

    def draw(width: int, height: int) -> list[PlotLine]:
        words = textwrap.wrap(printable(text), max(10, width - 2))[: max(height, 1)]
        first = (height - len(words)) // 2
        rows = (words[row - first] if 0 <= row - first < len(words) else "" for row in range(height))
        return [[(fit(words_.center(width), width), "dim")] for words_ in rows]

    return draw


def title_of(residuals: Residuals) -> str:
    """The CCD, e.g. ``903986 16``."""
    data_id = residuals.data_id
    return " ".join(str(data_id[key]) for key in ("visit", "ccd") if key in data_id)
