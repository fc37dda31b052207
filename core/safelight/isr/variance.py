"""Variance of raw pixels: photon noise and read noise.

LSST Gen2 uses image/gain + read noise² as it stands, which is zero or negative where noise makes a dark pixel negative
enough. Here the photon term of a negative pixel is zero and the read noise is never below the rounding error of whole
ADU (1/12 ADU²), so that a variance is always positive.
"""

from __future__ import annotations

from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["add_variance", "set_variance"]

_QUANTISATION_VARIANCE = 1.0 / 12.0


def set_variance(variance: FloatImage, image: FloatImage, gain: float, read_noise: float) -> None:
    """Overwrite `variance` (ADU²) of one amplifier with max(image, 0)/gain + read_noise².

    `image` in ADU above the bias, `gain` in e-/ADU, `read_noise` in ADU; arrays [y, x] of one shape.
    """
    _set(variance, image, 1.0 / gain, max(read_noise**2, _QUANTISATION_VARIANCE))


def add_variance(variance: FloatImage, master: FloatImage, factor: float = 1.0) -> None:
    """Add `factor` times the variance of a master frame, where that is finite and positive."""
    _add(variance, master, factor)


@compiled
def _set(variance: FloatImage, image: FloatImage, inverse_gain: float, floor: float) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            value = image[y, x]
            # A comparison that is false for NaN keeps it visible in the variance.
            variance[y, x] = floor if value < 0 else value * inverse_gain + floor


@compiled
def _add(variance: FloatImage, master: FloatImage, factor: float) -> None:
    height, width = variance.shape
    for y in range(height):
        for x in range(width):
            value = master[y, x]
            if value > 0 and value < 1e30:
                variance[y, x] += factor * value
