"""Dots, lines and words on a field of characters: eight braille dots to a cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight_tui.terminal.text import fit

__all__ = ["Canvas", "PlotLine"]

PlotLine = list[tuple[str, str]]
"""One line of a plot: pieces of text, each with the name of its tone (empty: plain)."""

_DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]], np.uint8)


class Canvas:
    """A field of `width` x `height` cells, that is 2 `width` x 4 `height` dots, counted from the top left.

    Tones are those of the widget that shows the plot; a cell has the tone drawn on it last.
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bits = np.zeros((height, width), np.uint8)
        self._tones = np.full((height, width), "", dtype=object)
        self._words: dict[tuple[int, int], str] = {}

    @property
    def dots(self) -> tuple[int, int]:
        """Dots across and down."""
        return 2 * self.width, 4 * self.height

    def dot(self, x: NDArray[np.floating], y: NDArray[np.floating], tone: str = "") -> int:
        """Set dots at rounded positions; returns how many fell outside."""
        column, row, outside = self._inside(x, y)
        np.bitwise_or.at(self._bits, (row // 4, column // 2), _DOTS[row % 4, column % 2])
        self._tones[row // 4, column // 2] = tone
        return outside

    def line(self, x0: float, y0: float, x1: float, y1: float, tone: str = "") -> None:
        """Set the dots between two positions, which may lie outside."""
        if not np.isfinite([x0, y0, x1, y1]).all():
            return
        across, down = self.dots
        cut = _clipped(x0, y0, x1, y1, across - 1, down - 1)
        if cut is not None:
            x0, y0, x1, y1 = cut
            count = int(max(abs(x1 - x0), abs(y1 - y0))) + 1
            self.dot(np.linspace(x0, x1, count), np.linspace(y0, y1, count), tone)

    def character(self, column: int, row: int, character: str, tone: str = "") -> None:
        """Put a character into a cell, over its dots; nothing outside."""
        if 0 <= column < self.width and 0 <= row < self.height:
            self._words[row, column] = character
            self._tones[row, column] = tone

    def characters(self, x: NDArray[np.floating], y: NDArray[np.floating], character: str, tone: str = "") -> int:
        """Put a character into the cells of dot positions; returns how many fell outside."""
        column, row, outside = self._inside(x, y)
        for cell_column, cell_row in np.unique(np.stack([column // 2, row // 4], axis=1), axis=0).tolist():
            self.character(cell_column, cell_row, character, tone)
        return outside

    def _inside(
        self, x: NDArray[np.floating], y: NDArray[np.floating]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Dots of the positions on the canvas, and how many of the others are numbers."""
        known = np.isfinite(x) & np.isfinite(y)
        x, y = np.round(x[known]), np.round(y[known])
        across, down = self.dots
        inside = (x >= 0) & (x < across) & (y >= 0) & (y < down)
        return x[inside].astype(np.int64), y[inside].astype(np.int64), int(np.count_nonzero(~inside))

    def word(self, column: int, row: int, text: str, tone: str = "") -> None:
        """Write text from a cell to the right."""
        for offset, character in enumerate(text):
            self.character(column + offset, row, character, tone)

    def lines(self) -> list[PlotLine]:
        """The field as text, neighbours of one tone together."""
        return [self._line(row) for row in range(self.height)]

    def _line(self, row: int) -> PlotLine:
        pieces: PlotLine = []
        for column, (bits, tone) in enumerate(zip(self._bits[row].tolist(), self._tones[row].tolist(), strict=True)):
            character = self._words.get((row, column)) or (chr(0x2800 + bits) if bits else " ")
            if pieces and pieces[-1][1] == tone:
                pieces[-1] = (pieces[-1][0] + character, tone)
            else:
                pieces.append((character, tone))
        return pieces


def _clipped(
    x0: float, y0: float, x1: float, y1: float, right: float, bottom: float
) -> tuple[float, float, float, float] | None:
    """The part of a line within 0 .. right, 0 .. bottom (Liang and Barsky 1984); None if there is none."""
    enter, leave = 0.0, 1.0
    dx, dy = x1 - x0, y1 - y0
    for step, room in ((-dx, x0), (dx, right - x0), (-dy, y0), (dy, bottom - y0)):
        if abs(step) < 1e-6:  # of a dot
            if room < 0:
                return None
        elif step < 0:
            enter = max(enter, room / step)
        else:
            leave = min(leave, room / step)
    if enter > leave:
        return None
    return x0 + enter * dx, y0 + enter * dy, x0 + leave * dx, y0 + leave * dy


def centred(text: str, width: int, tone: str = "") -> PlotLine:
    """A line with text in its middle."""
    return [(fit(text[:width].center(width), width), tone)]
