"""An image in memory with what is drawn on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from safelight_tui.pixels.overlay import Label, Marks, MaskLayer, Over, characters_over, compass_over
from safelight_tui.pixels.scaling import Limits, limits_of, sample_of, zscale
from safelight_tui.pixels.view import View

__all__ = ["Picture"]


@dataclass(eq=False)
class Picture:
    """An image with what is drawn on it.

    Parameters
    ----------
    pixels : (rows, columns) float
        Image; NaN for no value.
    title : str
        E.g. "calexp 903986 16".
    marks : sequence of Marks
    layer : MaskLayer, optional
    labels : sequence of Label
    limits : (low, high), optional
        Shown as darkest and brightest; zscale's when left out.
    cd : (2, 2) float, optional
        World coordinates (towards east, towards north) per pixel along x and y; the compass is drawn from it.
    """

    pixels: NDArray[np.floating]
    title: str = ""
    marks: Sequence[Marks] = ()
    layer: MaskLayer | None = None
    labels: Sequence[Label] = ()
    limits: tuple[float, float] | None = None
    cd: NDArray[np.float64] | None = None
    sample: NDArray[np.float64] = field(init=False, repr=False)
    _limited: Limits = field(init=False, repr=False, default=Limits.ZSCALE)

    def __post_init__(self) -> None:
        if self.pixels.ndim != 2 or not self.pixels.size:
            raise ValueError(f"an image has rows and columns, not the shape {self.pixels.shape}")
        self.sample = sample_of(self.pixels)
        if self.limits is None:
            self.limits = zscale(self.sample)
        else:
            self._limited = Limits.MANUAL

    def value(self, x: int, y: int) -> float:
        """The pixel's value; NaN outside."""
        rows, columns = self.pixels.shape
        return float(self.pixels[y, x]) if 0 <= x < columns and 0 <= y < rows else math.nan

    def limit(self, kind: Limits, manual: tuple[float, float] | None) -> None:
        """Choose the limits anew, where they are not of this kind already."""
        if kind is Limits.MANUAL:
            self.limits = manual if manual is not None else self.limits
        elif kind is not self._limited:
            self.limits = limits_of(kind, self.pixels)
        self._limited = kind

    def characters(self, view: View, *, compass: bool) -> dict[int, dict[int, tuple[str, str]]]:
        """What is drawn on it, by row and column of cells: (character, tone)."""
        over: Over = characters_over(view, self.marks, self.layer, self.labels)
        if compass and self.cd is not None:
            over |= compass_over(view, self.cd)
        rows: dict[int, dict[int, tuple[str, str]]] = {}
        for (column, row), what in over.items():
            rows.setdefault(row, {})[column] = what
        return rows
