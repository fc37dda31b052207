"""What is drawn on an image: positions of sources and stars, and mask planes, each by its own character."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight_tui.pixels.view import View, sampled_bits

__all__ = ["Label", "Marks", "MaskLayer", "characters_over", "compass_over", "cursor_over"]

Over = dict[tuple[int, int], tuple[str, str]]
"""Characters by (column, row of cells): (character, tone)."""


_COMPASS = 7
"""Screen pixels of an arm of the compass."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Positions marked with one character.

    Parameters
    ----------
    name : str
        E.g. "sources", "matches", "reference stars".
    character : str
    tone : str
        Name of the component class it is coloured with.
    x, y : (N,) float
        Image pixels.
    """

    name: str
    character: str
    tone: str
    x: NDArray[np.floating]
    y: NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class MaskLayer:
    """Mask planes of an image.

    Parameters
    ----------
    mask : (rows, columns) int
    planes : mapping of str to int
        Bit number of each plane.
    shown : mapping of str to (str, str)
        The planes drawn, each with its letter and its tone; where several are set the first counts.
    """

    mask: NDArray[np.integer]
    planes: Mapping[str, int]
    shown: Mapping[str, tuple[str, str]]

    def names_at(self, x: int, y: int) -> list[str]:
        """Planes set in one pixel."""
        bits = int(self.mask[y, x])
        return [name for name, bit in self.planes.items() if bits >> bit & 1]


@dataclass(frozen=True, slots=True)
class Label:
    """A word in the middle of which an image position lies, e.g. the number of a CCD in a mosaic."""

    x: float
    y: float
    text: str


def characters_over(
    view: View, marks: Sequence[Marks] = (), layer: MaskLayer | None = None, labels: Sequence[Label] = ()
) -> Over:
    """What is drawn on an image. Marks hide mask planes, later marks earlier ones, labels both."""
    over: Over = {}
    if layer is not None and layer.shown:
        _add_planes(over, view, layer)
    for one in marks:
        matrix = view.orientation.matrix
        dx, dy = np.asarray(one.x, np.float64) - view.x, np.asarray(one.y, np.float64) - view.y
        right = (matrix[0, 0] * dx + matrix[1, 0] * dy) * view.zoom + view.width / 2
        down = view.height / 2 - (matrix[0, 1] * dx + matrix[1, 1] * dy) * view.zoom
        seen = (right >= 0) & (right < view.width) & (down >= 0) & (down < view.height)
        cells = np.stack([np.floor(right[seen]), np.floor(down[seen] / 2)], axis=1).astype(int)
        for column, row in np.unique(cells, axis=0).tolist():
            over[column, row] = (one.character, one.tone)
    for label in labels:
        column, row = _cell(view, label.x, label.y)
        for place, character in enumerate(label.text, start=column - (len(label.text) - 1) // 2):
            over[place, row] = (character, "label")
    return over


def _cell(view: View, x: float, y: float) -> tuple[int, int]:
    column, row = view.to_screen(x, y)
    return math.floor(column + 0.5), math.floor(row + 0.5) // 2


def cursor_over(view: View, x: float, y: float) -> Over:
    """A cross on a pixel with four arms around it that leave its neighbours free."""
    column, row = _cell(view, x, y)
    arms = {(column - 2, row): "-", (column + 2, row): "-", (column, row - 2): "|", (column, row + 2): "|"}
    return {place: (character, "arm") for place, character in arms.items()} | {(column, row): ("+", "cursor")}


def compass_over(view: View, cd: NDArray[np.floating]) -> Over:
    """Arms towards north and east in the upper right corner.

    Parameters
    ----------
    cd : (2, 2) float
        World coordinates (towards east, towards north) per pixel along x and y.
    """
    steps = np.linalg.inv(cd)  # columns: image steps towards east and north
    over: Over = {}
    middle_column, middle_row = view.width - _COMPASS - 3, _COMPASS + 2  # in screen pixels
    for column, name in enumerate("EN"):
        right, up = view.orientation.matrix.T @ steps[:, column]
        length = float(np.hypot(right, up))
        for part in (1, 2, 3):
            place = part / 3 * _COMPASS / length
            at = (round(middle_column + right * place), round(middle_row - up * place) // 2)
            over[at] = (name if part == 3 else "·", "compass")
    over[middle_column, middle_row // 2] = ("+", "compass")
    return over


def _add_planes(over: Over, view: View, layer: MaskLayer) -> None:
    bits = sampled_bits(layer.mask, view)
    if len(bits) % 2:
        bits = np.concatenate([bits, np.zeros_like(bits[:1])])
    bits = bits[::2] | bits[1::2]
    for name, what in reversed(list(layer.shown.items())):
        if name in layer.planes:
            rows, columns = np.nonzero(bits >> layer.planes[name] & 1)
            over.update(((column, row), what) for column, row in zip(columns.tolist(), rows.tolist(), strict=True))
