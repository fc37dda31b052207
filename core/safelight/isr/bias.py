"""Bias: the fixed pattern of the read-out."""

from __future__ import annotations

from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["subtract_bias"]


def subtract_bias(image: FloatImage, bias: FloatImage) -> None:
    """Subtract `bias` (ADU) from `image` in place; [y, x] of one shape."""
    _subtract(image, bias)


@compiled
def _subtract(image: FloatImage, bias: FloatImage) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            image[y, x] -= bias[y, x]
