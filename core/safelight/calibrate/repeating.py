"""Sources that repeat at one spacing: hot pixels in a grid, amplifier ghosts, images of a telescope that jumped.

Stars do not. Such sources are not left out of anything, they are only looked at last in the search for the pattern.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from safelight.calibrate.plane import FloatArray

__all__ = ["repeating"]

BRIGHTEST = 600  # sources that can show a spacing
REACH_PIXELS = 300.0  # longest spacing looked for
CELL_PIXELS = 2.0
LEAST_SHARE = 0.15  # of the brightest sources that must have a partner at the spacing
MANY_SIGMA = 8.0  # and so many standard deviations above the mean number of pairs in a cell


def repeating(x: FloatArray, y: FloatArray) -> NDArray[np.bool_]:
    """True for sources (pixels, brightest first) that have a partner at a spacing that far too many share."""
    found = np.zeros(len(x), dtype=np.bool_)
    places = np.column_stack([x, y])
    head = places[:BRIGHTEST]
    pairs = cKDTree(head).query_pairs(REACH_PIXELS, output_type="ndarray")
    if not len(pairs):
        return found
    steps = head[pairs[:, 1]] - head[pairs[:, 0]]
    steps *= np.where(steps[:, :1] < -CELL_PIXELS / 2, -1.0, 1.0)  # either end may come first
    cells, numbers = np.unique(np.rint(steps / CELL_PIXELS).astype(np.int64), axis=0, return_counts=True)
    expected = len(pairs) / (np.pi * (REACH_PIXELS / CELL_PIXELS) ** 2 / 2.0)
    least = max(LEAST_SHARE * len(head), expected + MANY_SIGMA * np.sqrt(max(expected, 1.0)))
    tree = cKDTree(places)
    for cell in cells[numbers >= least]:
        for step in (cell * CELL_PIXELS, -cell * CELL_PIXELS):
            distance, _ = tree.query(places + step, distance_upper_bound=CELL_PIXELS)
            found |= np.isfinite(distance)
    return found
