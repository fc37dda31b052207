"""Saturation trails: long saturated runs are wider than the level says, for charge has leaked sideways.

Source: LSST Gen2 (widenSaturationTrails), with its numbers for HSC.
"""

from __future__ import annotations

import numpy as np

from safelight.compiled import compiled
from safelight.exposure import MaskImage

__all__ = ["widen_trails"]


def widen_trails(mask: MaskImage, bits: int) -> None:
    """Widen each horizontal run of `bits` on both sides: runs of 6-7 pixels by 1, 8-9 by 3, longer ones by 4."""
    _widen(mask, bits)


@compiled
def _growth(length: int) -> int:
    if length >= 10:
        return 4
    if length >= 8:
        return 3
    return 1 if length >= 6 else 0


@compiled
def _widen(mask: MaskImage, bits: int) -> None:
    height, width = mask.shape
    starts, ends = np.empty(width, np.int32), np.empty(width, np.int32)
    for y in range(height):
        count, x = 0, 0
        while x < width:
            if mask[y, x] & bits == 0:
                x += 1
                continue
            start = x
            while x < width and mask[y, x] & bits:
                x += 1
            if x - start >= 6:
                starts[count], ends[count] = start, x
                count += 1
        for k in range(count):
            reach = _growth(ends[k] - starts[k])
            for x in range(max(0, starts[k] - reach), starts[k]):
                mask[y, x] |= bits
            for x in range(ends[k], min(width, ends[k] + reach)):
                mask[y, x] |= bits
