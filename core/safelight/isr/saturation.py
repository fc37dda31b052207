"""Saturation and suspect levels: pixels of the raw frame whose value cannot be trusted.

Both levels are in raw ADU, bias and overscan pedestal included, and are inclusive (>=), as in LSST Gen2.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import MaskImage

__all__ = ["grow_saturation", "mask_at_or_above"]


def mask_at_or_above(raw: NDArray[Any], level: float, mask: MaskImage, bits: int) -> int:
    """Set `bits` in `mask` where `raw` >= `level` (ADU); both arrays are [y, x] of one shape.

    A level that is NaN masks nothing. Returns the number of pixels at or above the level.
    """
    return 0 if math.isnan(level) else int(_mask_at_or_above(raw, level, mask, bits))


def grow_saturation(mask: MaskImage, bits: int, radius: int) -> None:
    """Extend `bits` to all pixels within `radius` steps along rows and columns (a diamond) of a pixel that has them."""
    if radius > 0:
        _grow(mask, bits, radius)


@compiled
def _mask_at_or_above(raw: NDArray[Any], level: float, mask: MaskImage, bits: int) -> int:
    count = 0
    height, width = raw.shape
    for y in range(height):
        for x in range(width):
            if raw[y, x] >= level:
                mask[y, x] |= bits
                count += 1
    return count


@compiled
def _grow(mask: MaskImage, bits: int, radius: int) -> None:
    height, width = mask.shape
    count = 0
    for y in range(height):
        for x in range(width):
            if mask[y, x] & bits:
                count += 1
    # Positions first: growing while scanning would grow the growth.
    ys, xs = np.empty(count, np.int32), np.empty(count, np.int32)
    k = 0
    for y in range(height):
        for x in range(width):
            if mask[y, x] & bits:
                ys[k], xs[k] = y, x
                k += 1
    for k in range(count):
        for dy in range(-radius, radius + 1):
            y = ys[k] + dy
            if y < 0 or y >= height:
                continue
            reach = radius - abs(dy)
            for x in range(max(0, xs[k] - reach), min(width, xs[k] + reach + 1)):
                mask[y, x] |= bits
