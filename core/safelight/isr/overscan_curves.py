"""Smooth curves through the row levels of an overscan: splines through bins and polynomials through rows.

Source: LSST Gen2 overscan correction. A spline goes through the means of the rows of equal bins; beyond the outer bins
it goes on as a straight line, where Gen2's goes on as its last cubic. A polynomial is fitted to the rows themselves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.isr.config import CurveType

__all__ = ["fit_curve"]

FloatArray = NDArray[np.float64]

_POLYNOMIALS: frozenset[CurveType] = frozenset(("POLY", "CHEB", "LEG"))


def fit_curve(levels: FloatArray, good: NDArray[np.bool_], kind: CurveType, order: int) -> FloatArray:
    """The curve of `kind` through the `levels` (n,) of the `good` rows, at every row (n,).

    `order` is the degree of a polynomial and the number of bins of a spline. With too few rows or bins the order is
    lowered as far as they carry; one usable bin gives a constant.
    """
    n = len(levels)
    position = 2.0 * np.arange(n) / n - 1.0
    if kind in _POLYNOMIALS:
        return _polynomial(position, levels, good, order)
    where, means = _bin_means(position, levels, good, order)
    return _spline(where, means, position, kind)


def _polynomial(position: FloatArray, levels: FloatArray, good: NDArray[np.bool_], degree: int) -> FloatArray:
    """POLY, CHEB and LEG span the same polynomials, so the best fit is the same: the best conditioned one is made."""
    from numpy.polynomial import chebyshev

    determined = min(degree, int(good.sum()) - 1)
    coefficients = chebyshev.chebfit(position[good], levels[good], determined)
    return np.asarray(chebyshev.chebval(position, coefficients), dtype=np.float64)


def _bin_means(
    position: FloatArray, levels: FloatArray, good: NDArray[np.bool_], bins: int
) -> tuple[FloatArray, FloatArray]:
    """Mean position and level of the good rows of each bin that has any."""
    n = len(levels)
    number = np.minimum((np.arange(n) * bins) // n, bins - 1)[good]
    count = np.bincount(number, minlength=bins)
    filled = count > 0
    where = np.bincount(number, position[good], bins)[filled] / count[filled]
    means = np.bincount(number, levels[good], bins)[filled] / count[filled]
    return where, means


def _spline(where: FloatArray, means: FloatArray, position: FloatArray, kind: CurveType) -> FloatArray:
    from scipy.interpolate import Akima1DInterpolator, CubicSpline

    if len(means) < 2:
        return np.full(len(position), means[0])
    if kind == "AKIMA_SPLINE":
        spline = Akima1DInterpolator(where, means)
    else:
        spline = CubicSpline(where, means, bc_type="natural" if kind == "NATURAL_SPLINE" else "not-a-knot")
    inside = np.clip(position, where[0], where[-1])
    return np.asarray(spline(inside) + spline(inside, 1) * (position - inside), dtype=np.float64)
