"""What is drawn on an image: positions of sources and stars, and mask planes, each by its own character."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight_tui.pixels.view import View, sampled_bits

__all__ = ["Marks", "MaskLayer", "characters_over"]


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
    shown : mapping of str to str
        The planes drawn, each with its letter; where several are set the first counts.
    """

    mask: NDArray[np.integer]
    planes: Mapping[str, int]
    shown: Mapping[str, str]

    def names_at(self, x: int, y: int) -> list[str]:
        """Planes set in one pixel."""
        bits = int(self.mask[y, x])
        return [name for name, bit in self.planes.items() if bits >> bit & 1]


def characters_over(
    view: View, marks: Sequence[Marks] = (), layer: MaskLayer | None = None
) -> dict[tuple[int, int], tuple[str, str]]:
    """Characters by (column, row of cells): (character, tone). Marks hide mask planes, later marks earlier ones."""
    over: dict[tuple[int, int], tuple[str, str]] = {}
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
    return over


def _add_planes(over: dict[tuple[int, int], tuple[str, str]], view: View, layer: MaskLayer) -> None:
    bits = sampled_bits(layer.mask, view)
    if len(bits) % 2:
        bits = np.concatenate([bits, np.zeros_like(bits[:1])])
    bits = bits[::2] | bits[1::2]
    for name, letter in reversed(list(layer.shown.items())):
        if name in layer.planes:
            rows, columns = np.nonzero(bits >> layer.planes[name] & 1)
            over.update(((column, row), (letter, "mask")) for column, row in zip(columns.tolist(), rows.tolist()))
