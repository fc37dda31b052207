"""Linearity, LSST's type "Squared"."""

from __future__ import annotations

from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["linearize"]


def linearize(image: FloatImage, coefficient: float) -> None:
    """image += coefficient · image² in place, for the pixels [y, x] of one amplifier, in ADU above the bias."""
    if coefficient != 0.0:
        _linearize(image, coefficient)


@compiled
def _linearize(image: FloatImage, coefficient: float) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            value = image[y, x]
            image[y, x] = value + coefficient * value * value
