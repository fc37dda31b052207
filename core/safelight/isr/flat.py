"""Flat field: the response of every pixel relative to the others."""

from __future__ import annotations

import numpy as np

from safelight.compiled import compiled
from safelight.exposure import FloatImage
from safelight.isr.config import FlatScaling

__all__ = ["divide_flat", "flat_level"]


def divide_flat(
    image: FloatImage, variance: FloatImage, flat: FloatImage, flat_variance: FloatImage | None = None
) -> None:
    """image /= flat in place, and the variance by the rule of quotients: V/f² + I² V_f/f⁴ (I before the division).

    Arrays [y, x] of one shape. Where the flat is not positive the image becomes NaN, to be masked as such: such a pixel
    has seen no light.
    """
    if flat_variance is None:
        _divide(image, variance, flat)
    else:
        _divide_noisy(image, variance, flat, flat_variance)


def flat_level(flat: FloatImage, scaling: FlatScaling, stated: float) -> float:
    """The level that `flat` [y, x] is divided by before it divides: `stated` (USER), or its own MEAN or MEDIAN.

    Pixels that have seen no light do not count.
    """
    if scaling == "USER":
        return stated
    lit = flat[flat > 0]  # a comparison that is false for NaN
    return float(np.mean(lit, dtype=np.float64) if scaling == "MEAN" else np.median(lit))


@compiled
def _divide(image: FloatImage, variance: FloatImage, flat: FloatImage) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            response = flat[y, x]
            inverse = np.float32(1.0) / response if response > 0 else np.float32(np.nan)
            image[y, x] *= inverse
            variance[y, x] *= inverse * inverse


@compiled
def _divide_noisy(image: FloatImage, variance: FloatImage, flat: FloatImage, flat_variance: FloatImage) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            response = flat[y, x]
            inverse = np.float32(1.0) / response if response > 0 else np.float32(np.nan)
            quotient = image[y, x] * inverse
            noise = flat_variance[y, x]
            noise = noise if noise > 0 else np.float32(0.0)
            image[y, x] = quotient
            variance[y, x] = (variance[y, x] + quotient * quotient * noise) * inverse * inverse
