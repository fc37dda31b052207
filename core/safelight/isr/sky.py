"""Quick statistics of a frame, from every fourth pixel of every fourth row: enough for a level."""

from __future__ import annotations

import numpy as np

from safelight.exposure import FloatImage, MaskImage

__all__ = ["clipped_level", "median_level"]

_STEP = 4


def median_level(image: FloatImage, mask: MaskImage, bad_bits: int) -> float:
    """Median of the sampled pixels that have none of `bad_bits` and are finite; 0 where there is none."""
    sample = _sample(image, mask, bad_bits)
    return float(np.median(sample)) if sample.size else 0.0


def clipped_level(image: FloatImage, mask: MaskImage, bad_bits: int, rounds: int = 3) -> tuple[float, float]:
    """Median and standard deviation of the sampled good pixels, clipped at 3 sigma; NaN where there is none."""
    sample = _sample(image, mask, bad_bits).astype(np.float64)
    if not sample.size:
        return float("nan"), float("nan")
    median = float(np.median(sample))
    lower, upper = np.percentile(sample, [25.0, 75.0])
    centre, sigma = median, 0.741301 * float(upper - lower)
    for _ in range(rounds):
        sample = sample[np.abs(sample - centre) <= 3.0 * sigma]
        if sample.size < 2:
            return median, 0.0
        centre, sigma = float(sample.mean()), float(sample.std())
    return median, sigma


def _sample(image: FloatImage, mask: MaskImage, bad_bits: int) -> FloatImage:
    pixels, flags = image[::_STEP, ::_STEP], mask[::_STEP, ::_STEP]
    result: FloatImage = pixels[(flags & np.int32(bad_bits) == 0) & np.isfinite(pixels)]
    return result
