"""From pixel values to levels of brightness: limits, stretches, quantisation. Images are float arrays ``[y, x]``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight_tui.pixels.choices import Choice

__all__ = [
    "LEVELS",
    "OUTSIDE",
    "Limits",
    "Stretch",
    "limits_between",
    "limits_holding",
    "limits_of",
    "sample_of",
    "to_levels",
    "zscale",
]

LEVELS = 24
"""Levels of brightness: as many as the grey ramp of a terminal of 256 colours has."""

OUTSIDE = 255
"""The level that stands for no pixel: outside the image, or not a number."""


class Stretch(Choice):
    """How the range between the limits is spread over the levels."""

    LINEAR = "linear"
    LOG = "log"
    SQRT = "sqrt"
    ASINH = "asinh"
    HISTOGRAM = "histogram"


class Limits(Choice):
    """How the values shown as darkest and brightest are chosen."""

    ZSCALE = "zscale"
    PERCENT_99_5 = "99.5 %"
    PERCENT_99 = "99 %"
    PERCENT_95 = "95 %"
    ALL = "min max"
    MANUAL = "manual"

    @property
    def following(self) -> Limits:
        """The next one that needs no numbers, round and round."""
        choices = [one for one in Limits if one is not Limits.MANUAL]
        return choices[(choices.index(self) + 1) % len(choices)] if self in choices else choices[0]


_PERCENT = {Limits.PERCENT_99_5: 99.5, Limits.PERCENT_99: 99.0, Limits.PERCENT_95: 95.0, Limits.ALL: 100.0}
_SAMPLE_OF_PERCENTILES = 40_000


def limits_of(kind: Limits, image: NDArray[np.floating]) -> tuple[float, float]:
    """Limits of an image; (0, 1) for one without a number.

    Raises
    ------
    ValueError
        For `Limits.MANUAL`, which only the user knows.
    """
    if kind is Limits.MANUAL:
        raise ValueError("manual limits are the user's")
    if kind is Limits.ZSCALE:
        return zscale(sample_of(image))
    return limits_holding(image, _PERCENT[kind])


def limits_holding(image: NDArray[np.floating], percent: float) -> tuple[float, float]:
    """Limits that hold the middle `percent` of an image's pixels, by a sample of them; of all pixels for 100."""
    if percent >= 100.0:
        finite = image[np.isfinite(image)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)
    return limits_between(sample_of(image, _SAMPLE_OF_PERCENTILES), percent)


def sample_of(image: NDArray[np.floating], count: int = 2500) -> NDArray[np.float64]:
    """About `count` finite pixels from a regular grid over the image: enough for limits, and quick at any size."""
    height, width = image.shape
    step = max(1, int((height * width / count) ** 0.5))
    sample = image[step // 2 :: step, step // 2 :: step].astype(np.float64).ravel()
    return sample[np.isfinite(sample)]


def zscale(sample: NDArray[np.floating], contrast: float = 0.25) -> tuple[float, float]:
    """Limits that show the sky and faint things, as IRAF's ``zscale``.

    A line is fitted through the sorted pixels; what departs from it (objects, defects) is rejected with its neighbours
    and the fit repeated. The limits are the line's values at both ends, its slope made steeper by the contrast.

    Parameters
    ----------
    sample : (N,) float
        Finite pixel values.
    contrast : float
        Larger is fainter: the slope is divided by it.

    Returns
    -------
    tuple of float
        (low, high); (0, 1) for no pixels.
    """
    values = np.sort(sample.astype(np.float64))
    count = len(values)
    if not count:
        return 0.0, 1.0
    low, high = float(values[0]), float(values[-1])
    least = max(5, count // 2)
    slope = _robust_slope(values, least)
    if slope is None:
        return low, high
    middle, median = (count - 1) // 2, float(np.median(values))
    steep = slope / contrast
    return max(low, median - (middle - 1) * steep), min(high, median + (count - middle) * steep)


def _robust_slope(values: NDArray[np.float64], least: int) -> float | None:
    """Slope of the line through sorted values after rejection; None if too few are left."""
    count = len(values)
    grown = np.ones(max(1, count // 100))
    place = np.arange(count, dtype=np.float64)
    good, left, before, slope = np.ones(count, np.bool_), count, count + 1, 0.0
    for _ in range(5):
        if left >= before or left < least:
            break
        x, y = place[good], values[good]
        deviations = x - x.mean()
        spread = float(deviations @ deviations)
        slope = float(deviations @ y) / spread if spread else 0.0
        residuals = values - (y.mean() + slope * (place - x.mean()))
        rejected = ~good | (np.abs(residuals) > 2.5 * residuals[good].std())
        good = np.convolve(rejected, grown, mode="same") < 0.5
        before, left = left, int(np.count_nonzero(good))
    return slope if left >= least else None


def limits_between(sample: NDArray[np.floating], percent: float) -> tuple[float, float]:
    """Limits that hold the middle `percent` of the pixels; 100 for all."""
    if not len(sample):
        return 0.0, 1.0
    edge = (100.0 - percent) / 2
    low, high = np.percentile(sample, [edge, 100.0 - edge])
    return float(low), float(high)


def stretched(
    values: NDArray[np.floating],
    low: float,
    high: float,
    stretch: Stretch,
    sample: NDArray[np.floating] | None = None,
) -> NDArray[np.float32]:
    """Values spread over 0 .. 1; NaN stays NaN.

    Parameters
    ----------
    sample : (N,) float, optional
        The pixels whose histogram `Stretch.HISTOGRAM` makes flat; the values themselves if left out.
    """
    span = high - low if high > low else 1.0
    part = np.clip((values.astype(np.float32) - np.float32(low)) / np.float32(span), 0.0, 1.0)
    if stretch is Stretch.LOG:
        part = np.log1p(1000.0 * part) / np.float32(np.log(1001.0))
    elif stretch is Stretch.SQRT:
        part = np.sqrt(part)
    elif stretch is Stretch.ASINH:
        part = np.arcsinh(10.0 * part) / np.float32(np.arcsinh(10.0))
    elif stretch is Stretch.HISTOGRAM:
        part = _flat_histogram(values, low, high, values if sample is None else sample)
    result: NDArray[np.float32] = part.astype(np.float32)
    return result


def _flat_histogram(
    values: NDArray[np.floating], low: float, high: float, sample: NDArray[np.floating]
) -> NDArray[np.floating]:
    inside = np.sort(np.clip(sample[np.isfinite(sample)], low, high))
    if not len(inside):
        return np.zeros_like(values)
    return np.where(~np.isnan(values), np.searchsorted(inside, values, side="right") / len(inside), np.nan)


def to_levels(
    values: NDArray[np.floating],
    low: float,
    high: float,
    stretch: Stretch = Stretch.LINEAR,
    sample: NDArray[np.floating] | None = None,
) -> NDArray[np.uint8]:
    """Levels 0 .. `LEVELS` - 1 of the values; `OUTSIDE` where there is none."""
    part = stretched(values, low, high, stretch, sample)
    missing = np.isnan(part)
    levels = (np.where(missing, 0.0, part) * np.float32(LEVELS - 1) + np.float32(0.5)).astype(np.uint8)
    levels[missing] = OUTSIDE
    return levels
