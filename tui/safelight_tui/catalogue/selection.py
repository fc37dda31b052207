"""What a filter has left, in the order the user wants: windows of it, and where a row has gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight_tui.catalogue.bitset import Bitset

__all__ = ["Selection", "sort_order"]


def sort_order(keys: NDArray[np.generic], *, reverse: bool = False) -> NDArray[np.int64]:
    """Row numbers in the order of `keys`; equal keys stay in row order and NaN stays last, reversed or not."""
    if not reverse:
        return np.argsort(keys, kind="stable")
    # Read backwards, sorted, and read backwards again: descending, with equal keys in row order.
    order = (len(keys) - 1 - np.argsort(keys[::-1], kind="stable"))[::-1]
    missing = np.count_nonzero(np.isnan(keys)) if keys.dtype.kind == "f" else 0
    return np.concatenate([order[missing:], order[:missing]]) if missing else order


class Selection:
    """Rows of a catalogue that a filter leaves.

    Parameters
    ----------
    rows : Bitset
        The rows.
    order : (N,) int, optional
        All rows of the catalogue in the order wanted (`sort_order`); row order otherwise. Without it a window costs
        microseconds whatever the size; with it the chosen rows are picked from it once.
    """

    def __init__(self, rows: Bitset, order: NDArray[np.integer] | None = None) -> None:
        self.bits = rows
        self._ordered: NDArray[np.integer] | None = None
        self._positions: NDArray[np.integer] | None = None
        if order is not None:
            if len(order) != rows.size:
                raise ValueError(f"an order of {len(order)} rows does not sort a catalogue of {rows.size}")
            self._ordered = order[rows.mask()[order]]

    def __len__(self) -> int:
        return len(self.bits) if self._ordered is None else len(self._ordered)

    def window(self, start: int, stop: int) -> NDArray[np.integer]:
        """Rows at the places `start` .. `stop` - 1; fewer at the end."""
        if self._ordered is None:
            return self.bits.select(start, stop - start)
        return self._ordered[max(start, 0) : max(stop, 0)]

    def place_of(self, row: int) -> int | None:
        """Where `row` stands; None if it is not selected. The cursor stays on its row when the filter changes."""
        if row not in self.bits:
            return None
        if self._ordered is None:
            return self.bits.rank(row)
        return int(np.flatnonzero(self._ordered == row)[0])
