"""Making a post-ISR exposure fit to measure: finite everywhere, its sky taken off, its noise known."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.background import (
    IGNORED_PLANES,
    CellStatistics,
    cell_statistics,
    estimate_background,
)
from safelight.characterize.config import BackgroundConfig
from safelight.errors import ProcessingError
from safelight.exposure import BackgroundModel, Exposure

__all__ = ["make_finite", "masked_fraction", "photon_slope", "sky_variance_cells", "subtract_background"]

#: Smallest frame that holds a star and some sky, pixels.
_SMALLEST = 48


def make_finite(exposure: Exposure) -> int:
    """Mask pixels whose image or variance is not a usable number (UNMASKEDNAN, NO_DATA) and return how many.

    The pixels get the median of the others, and every pixel's variance becomes positive, so that nothing later has to
    ask. Raises `ProcessingError` ``FRAME_TOO_SMALL`` or ``NO_USABLE_PIXELS``.
    """
    if min(exposure.shape) < _SMALLEST:
        height, width = exposure.shape
        raise ProcessingError(
            "FRAME_TOO_SMALL",
            f"The frame has {width} x {height} pixels; {_SMALLEST} x {_SMALLEST} are the least that can be measured.",
        )
    image, variance, planes = exposure.image, exposure.variance, exposure.planes
    useless = planes.bits("BAD", "SAT", "NO_DATA", "UNMASKEDNAN")
    # A sum is finite exactly when all its terms are (overflow aside): one fast pass for the usual case.
    suspect = not (np.isfinite(image.sum()) and np.isfinite(variance.sum()) and float(variance.min()) > 0)
    broken = np.zeros(0, dtype=np.int64)
    if suspect:
        broken = np.flatnonzero(~(np.isfinite(image) & np.isfinite(variance) & (variance > 0)))
    step = max(1, int(np.sqrt(image.size / 100_000)))
    part = np.s_[::step, ::step]
    good = (exposure.mask[part] & useless) == 0
    if suspect:
        good &= np.isfinite(image[part]) & np.isfinite(variance[part]) & (variance[part] > 0)
    if not good.any():
        raise ProcessingError(
            "NO_USABLE_PIXELS",
            "Every pixel is bad, saturated, without data or not a number.",
            "Look at the raw frame and the master calibrations: one that is all NaN spoils every pixel.",
        )
    if len(broken):
        image.reshape(-1)[broken] = np.median(image[part][good])
        variance.reshape(-1)[broken] = np.median(variance[part][good])
        exposure.mask.reshape(-1)[broken] |= np.int32(planes.bits("UNMASKEDNAN"))
    return len(broken)


def masked_fraction(exposure: Exposure, *names: str) -> float:
    """Share of the pixels that have any of the named planes set."""
    bits = np.int32(exposure.planes.bits(*names))
    rows = 256  # a strip at a time, instead of a scratch plane
    count = sum(np.count_nonzero(exposure.mask[y : y + rows] & bits) for y in range(0, exposure.shape[0], rows))
    return float(count / exposure.mask.size)


def subtract_background(exposure: Exposure, config: BackgroundConfig, *, crowded: bool) -> BackgroundModel:
    """Estimate the sky and take it off; see `safelight.characterize.background.estimate_background`."""
    model = estimate_background(exposure, config, crowded=crowded)
    model.add_to(exposure.image, -1.0)
    return model


def sky_variance_cells(exposure: Exposure, config: BackgroundConfig) -> CellStatistics:
    """Clipped mean of the variance plane in the cells of the background mesh, sources left out."""
    return cell_statistics(exposure.variance, exposure.mask, exposure.planes.bits(*IGNORED_PLANES), config)


def photon_slope(
    exposure: Exposure, x: NDArray[np.int64], y: NDArray[np.int64], sky_variance: NDArray[np.float64]
) -> float:
    """Variance per ADU of source light (1 / gain), from the variance plane at the peak pixels (n,) of bright stars.

    The plane is a straight line of the image, so single pixels give it exactly; the gains of the exposure serve where
    there are no stars, 1 where nothing is known.
    """
    light = exposure.image[y, x].astype(np.float64)
    excess = exposure.variance[y, x] - sky_variance
    bright = light > 3 * np.sqrt(np.maximum(sky_variance, 0.0))
    if bright.any():
        slope = float(np.median(excess[bright] / light[bright]))
        if slope > 0:
            return slope
    gains = np.array([g for g in exposure.gains if np.isfinite(g) and g > 0])
    return float(np.mean(1.0 / gains)) if len(gains) else 1.0
