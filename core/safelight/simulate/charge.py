"""What the charge of bright stars does: full wells spill along the columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled

__all__ = ["bleed"]


@compiled
def bleed(electrons: NDArray[np.float32], full_well: NDArray[np.float32]) -> None:
    """Cut every pixel at its column's full well, in place; half of the excess moves up the column, half down.

    `electrons` is [y, x]; `full_well` has one value, in electrons, for each column. Charge that reaches an end of
    the column is lost.
    """
    height, width = electrons.shape
    downward = np.zeros(height, dtype=np.float64)
    for x in range(width):
        well = float(full_well[x])
        moving, spilled = 0.0, False
        for y in range(height):
            value = float(electrons[y, x])
            if value > well:
                moving += 0.5 * (value - well)
                downward[y] = 0.5 * (value - well)
                electrons[y, x] = well
                spilled = True
            elif moving > 0.0:
                taken = min(moving, well - value)
                electrons[y, x] = value + taken
                moving -= taken
        if not spilled:
            continue
        moving = 0.0
        for y in range(height - 1, -1, -1):
            moving += downward[y]
            downward[y] = 0.0
            if moving > 0.0:
                taken = min(moving, well - float(electrons[y, x]))
                electrons[y, x] += taken
                moving -= taken
