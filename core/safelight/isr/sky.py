"""Quick statistics of a frame, from every fourth pixel of every fourth row: enough for a level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safelight.exposure import FloatImage, MaskImage

__all__ = ["Flatness", "clipped_level", "flatness", "median_level"]

_STEP = 4


@dataclass(frozen=True, slots=True)
class Flatness:
    """How flat the sky is over a grid of cells; LSST Gen2's FLATNESS_PP and FLATNESS_RMS."""

    peak_to_peak: float  # largest less smallest cell, relative to the median cell
    rms: float
    columns: int  # cells along x
    rows: int
    mesh: int  # nominal side of a cell, pixels


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


def flatness(image: FloatImage, mask: MaskImage, bad_bits: int, mesh: int = 256) -> Flatness:
    """Clipped means of cells of about `mesh` pixels, each relative to the frame's median; NaN where no cell has any."""
    height, width = image.shape
    columns, rows = max((width + mesh // 2) // mesh, 1), max((height + mesh // 2) // mesh, 1)
    median, sigma = clipped_level(image, mask, bad_bits)
    x, y = np.linspace(0, width, columns + 1).astype(int), np.linspace(0, height, rows + 1).astype(int)
    cells = [(slice(y[j], y[j + 1]), slice(x[i], x[i + 1])) for j in range(rows) for i in range(columns)]
    levels = np.array([_clipped_mean(_sample(image[cell], mask[cell], bad_bits), sigma) for cell in cells])
    known = levels[np.isfinite(levels)]
    if not known.size or not median:
        return Flatness(float("nan"), float("nan"), columns, rows, mesh)
    relative = (known - median) / median
    return Flatness(float(np.ptp(relative)), float(relative.std()), columns, rows, mesh)


def _clipped_mean(sample: FloatImage, sigma: float) -> float:
    """Mean of what lies within 3 standard deviations of the median, then of the mean; `sigma` is the first guess."""
    if not sample.size:
        return float("nan")
    centre = float(np.median(sample))
    for _ in range(3):
        kept = sample[np.abs(sample - np.float32(centre)) <= np.float32(3.0 * sigma)]
        if not kept.size:
            return centre
        centre, sigma = float(kept.mean(dtype=np.float64)), float(kept.std(dtype=np.float64))
    return centre


def _sample(image: FloatImage, mask: MaskImage, bad_bits: int) -> FloatImage:
    pixels, flags = image[::_STEP, ::_STEP], mask[::_STEP, ::_STEP]
    result: FloatImage = pixels[(flags & np.int32(bad_bits) == 0) & np.isfinite(pixels)]
    return result
