"""Pixels that are not finite numbers."""

from __future__ import annotations

from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage

__all__ = ["mask_not_finite"]


def mask_not_finite(image: FloatImage, variance: FloatImage, mask: MaskImage, bits: int) -> int:
    """Set `bits` where image or variance is NaN or infinite; returns the number of such pixels. Arrays [y, x]."""
    return int(_mask(image, variance, mask, bits))


@compiled
def _mask(image: FloatImage, variance: FloatImage, mask: MaskImage, bits: int) -> int:
    height, width = image.shape
    count = 0
    for y in range(height):
        for x in range(width):
            # Finite numbers times zero are zero; NaN and infinity are not.
            if image[y, x] * 0.0 + variance[y, x] * 0.0 != 0.0:
                mask[y, x] |= bits
                count += 1
    return count
