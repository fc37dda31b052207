"""Overscan: the electronic pedestal of an amplifier, row by row, from the pixels read after the last real column.

Source: LSST Gen2 overscan correction (AKIMA_SPLINE is HSC's), with a mend: the width of a row's distribution is never
taken below the quantisation noise of whole ADU.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.isr.config import FitType
from safelight.isr.overscan_curves import fit_curve

__all__ = ["OverscanFit", "fit_overscan", "overscan_noise"]

_CLIP_SIGMA = 3.0
#: Standard deviation of rounding to whole ADU.
_QUANTISATION = 1.0 / np.sqrt(12.0)
_IQR_TO_SIGMA = 0.741301


@dataclass(frozen=True, slots=True)
class OverscanFit:
    """The pedestal of one amplifier."""

    rows: NDArray[np.float32]  # (n,) ADU, to be subtracted from each row
    level: float  # ADU, median of `rows`
    sigma: float  # ADU, clipped standard deviation of `rows`; 0 for one constant level
    extrapolated_below: int  # rows at the beginning without any usable overscan pixel
    extrapolated_above: int  # likewise at the end


def fit_overscan(
    pixels: NDArray[Any], saturation: float, fit_type: FitType, *, order: int = 30, max_deviation: float = 1000.0
) -> OverscanFit:
    """The pedestal along the rows of an overscan box.

    Parameters
    ----------
    pixels : (n rows, n columns) raw ADU
    saturation : raw ADU; pixels at or above it, or farther than `max_deviation` from the box's median, are ignored
    fit_type : MEAN, MEANCLIP (3 sigma, three rounds) or MEDIAN give one level; MEDIAN_PER_ROW one a row; AKIMA_SPLINE
        (Akima 1970, J. ACM 17, 589), CUBIC_SPLINE and NATURAL_SPLINE a curve through the clipped row means averaged
        in `order` bins; POLY, CHEB and LEG a polynomial of degree `order` through the clipped row means
    """
    values = np.ascontiguousarray(pixels, dtype=np.float32)
    usable = np.isfinite(values) & (values < saturation if np.isfinite(saturation) else True)
    if usable.any():
        usable &= np.abs(values - np.median(values[usable])) <= max_deviation
    if not usable.any():
        usable[:] = True
    if fit_type == "MEAN" or fit_type == "MEANCLIP" or fit_type == "MEDIAN":
        level = _constant(values[usable], fit_type)
        return OverscanFit(np.full(len(values), level, np.float32), level, 0.0, 0, 0)
    means, empty = _row_levels(values, usable, fit_type == "MEDIAN_PER_ROW")
    if fit_type == "MEDIAN_PER_ROW":
        rows = np.interp(np.arange(len(means)), np.flatnonzero(~empty), means[~empty])
    else:
        rows = fit_curve(means, ~empty, fit_type, order)
    below, above = _empty_ends(empty)
    return OverscanFit(rows.astype(np.float32), float(np.median(rows)), _clipped_sigma(rows), below, above)


def overscan_noise(pixels: NDArray[Any], rows: NDArray[np.float32]) -> float:
    """Read noise in ADU: the clipped standard deviation of overscan `pixels` [y, x] about the pedestal of their `rows`.

    Never less than the rounding error of whole ADU.
    """
    residuals = np.ravel(np.asarray(pixels, dtype=np.float64) - rows[:, None])
    residuals = residuals[np.isfinite(residuals)]
    return max(_clipped_sigma(residuals), float(_QUANTISATION)) if residuals.size else float("nan")


def _constant(values: NDArray[np.float32], fit_type: FitType) -> float:
    if fit_type == "MEDIAN":
        return float(np.median(values))
    sample = values.astype(np.float64)
    if fit_type == "MEANCLIP":
        centre, sigma = float(np.median(sample)), max(_iqr_sigma(sample), float(_QUANTISATION))
        for _ in range(3):
            kept = sample[np.abs(sample - centre) <= _CLIP_SIGMA * sigma]
            centre, sigma = float(kept.mean()), max(float(kept.std()), float(_QUANTISATION))
        return centre
    return float(sample.mean())


def _iqr_sigma(sample: NDArray[np.float64]) -> float:
    lower, upper = np.percentile(sample, [25.0, 75.0])
    return float(_IQR_TO_SIGMA * (upper - lower))


def _clipped_sigma(values: NDArray[np.float64]) -> float:
    centre, sigma = np.median(values), _iqr_sigma(values)
    kept = values
    for _ in range(3):
        kept = values[np.abs(values - centre) <= _CLIP_SIGMA * sigma]
        if kept.size < 2:
            return 0.0
        centre, sigma = kept.mean(), kept.std(ddof=1)
    return float(sigma)


def _row_levels(
    values: NDArray[np.float32], usable: NDArray[np.bool_], median: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Level of every row, and which rows have no usable pixel (their level is the plain mean)."""
    levels, empty = np.empty(len(values)), np.empty(len(values), np.bool_)
    _clip_rows(values, usable, median, levels, empty)
    if empty.all():
        empty[:] = False
    return levels, empty


def _empty_ends(empty: NDArray[np.bool_]) -> tuple[int, int]:
    full = np.flatnonzero(~empty)
    return int(full[0]), int(len(empty) - 1 - full[-1])


@compiled
def _clip_rows(
    values: NDArray[np.float32],
    usable: NDArray[np.bool_],
    median: bool,
    levels: NDArray[np.float64],
    empty: NDArray[np.bool_],
) -> None:
    n_rows, n_columns = values.shape
    for y in range(n_rows):
        row = np.sort(values[y])
        sigma = max(_IQR_TO_SIGMA * (_quantile(row, 0.75) - _quantile(row, 0.25)), _QUANTISATION)
        centre = _quantile(row, 0.5)
        total, count, everything = 0.0, 0, 0.0
        for x in range(n_columns):
            everything += values[y, x]
            if usable[y, x] and abs(values[y, x] - centre) <= _CLIP_SIGMA * sigma:
                total += values[y, x]
                count += 1
        empty[y] = count == 0
        if count == 0:
            levels[y] = everything / n_columns
        else:
            levels[y] = centre if median else total / count


@compiled
def _quantile(ordered: NDArray[np.float32], fraction: float) -> float:
    place = fraction * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return float(ordered[below] + (place - below) * (ordered[above] - ordered[below]))
