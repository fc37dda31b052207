"""CCDs in their real places, on a grid of columns and rows that a terminal can draw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["PlaneCell", "grid_positions", "neighbour", "place_cells"]


@dataclass(frozen=True, slots=True)
class PlaneCell:
    """A CCD on the grid.

    Parameters
    ----------
    key : int
        Its number in data IDs.
    label : str
        What is written on it, at most three characters.
    column : float
        From the left, in widths of a CCD; whole or half.
    row : int
        From the top.
    planned : bool
        False for focus and guide CCDs: shown, never processed.
    """

    key: int
    label: str
    column: float
    row: int
    planned: bool = True


def _pitch(places: NDArray[np.float64], size: float) -> float:
    """Distance between neighbouring columns (or rows): the median step between groups of equal places."""
    ordered = np.unique(places)
    steps = np.diff(ordered)
    groups = np.split(ordered, np.flatnonzero(steps > 0.25 * size) + 1)
    centres = np.array([group.mean() for group in groups])
    return float(np.median(np.diff(centres))) if len(centres) > 1 else size


def grid_positions(
    x_mm: ArrayLike, y_mm: ArrayLike, rotated: ArrayLike, width_mm: float, height_mm: float
) -> list[tuple[float, int]]:
    """(column, row) of each CCD: x to the right, y up, as the camera's coordinates have them.

    Parameters
    ----------
    x_mm, y_mm : (N,) float
        Centres in the focal plane, mm.
    rotated : (N,) bool
        CCDs turned by a quarter; they do not define the grid and may stand half a column off.
    width_mm, height_mm : float
        Size of a CCD that is not rotated, mm.

    Returns
    -------
    list of (float, int)
        Columns are multiples of one half and begin at 0; rows begin at 0 at the top. No two CCDs share a place.
    """
    x, y = np.asarray(x_mm, np.float64), np.asarray(y_mm, np.float64)
    upright = ~np.asarray(rotated, np.bool_)
    if not len(x):
        return []
    if not upright.any():
        upright = np.ones(len(x), np.bool_)
    columns = np.round(2 * (x - x.min()) / _pitch(x[upright], width_mm)) / 2
    rows = np.round((y.max() - y) / _pitch(y[upright], height_mm)).astype(int)
    taken: set[tuple[float, int]] = set()
    places: list[tuple[float, int]] = []
    for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
        while any((column + offset, row) in taken for offset in (-0.5, 0.0, 0.5)):
            column += 0.5  # a camera that is no grid: what would overlap is put beside
        taken.add((column, row))
        places.append((column, row))
    return places


def place_cells(
    keys: Sequence[int], places: Iterable[tuple[float, int]], not_planned: Iterable[int] = ()
) -> list[PlaneCell]:
    """Cells with three-digit labels."""
    digits = max(2, len(str(max(keys, default=0))))
    excluded = frozenset(not_planned)
    return [
        PlaneCell(key, f"{key:0{digits}d}", column, row, key not in excluded)
        for key, (column, row) in zip(keys, places, strict=True)
    ]


def neighbour(cells: Sequence[PlaneCell], current: PlaneCell, columns: int, rows: int) -> PlaneCell:
    """The nearest CCD in a direction, straight ones before slanting ones; the current one at the edge.

    Parameters
    ----------
    columns, rows : int
        The direction: (1, 0) is to the right, (0, 1) down.
    """
    best, cost = current, np.inf
    for cell in cells:
        right, down = cell.column - current.column, cell.row - current.row
        along = right * columns + down * rows
        across = abs(right * rows) + abs(down * columns)
        if along >= 0.5 and (price := along + 3 * across) < cost:
            best, cost = cell, price
    return best
