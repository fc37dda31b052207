"""Robust weighted fits of the low-degree correction, and the cross-validation that chooses its degree.

Every star carries its own errors; a scatter common to all is added, raised until the residuals agree with it (the
turbulence of a short exposure, the true errors of a catalogue that states none). Weights are limited by a floor of that
scatter; the covariance is of the scatter that was found, not of the floor. Clipping is symmetric: Gen2 compared signed
residuals and so rejected positive ones only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtrit

from safelight.calibrate.corrected_wcs import PolynomialCorrection, monomials
from safelight.calibrate.plane import FloatArray

__all__ = [
    "FitData",
    "PolynomialFit",
    "clip_limit",
    "common_scatter",
    "cross_validate",
    "fit_polynomial",
    "n_parameters",
    "robust_scale",
]

SIMILARITY = 0  # "degree" of the four-parameter model: shift, rotation, scale
MAD_EFFICIENCY = 0.37  # of a scale from the median absolute deviation, against that from the squares
ASSUMED_COUNTS = 4.0  # an assumed scatter is worth so many residuals: known to a third


@dataclass(frozen=True, slots=True)
class FitData:
    """Matched stars in the reference plane; arrays of one length, arcsec."""

    xi: FloatArray  # source, through the first WCS and the alignment
    eta: FloatArray
    dxi: FloatArray  # reference minus source
    deta: FloatArray
    xi_variance: FloatArray  # arcsec², source and reference together
    eta_variance: FloatArray
    assumed: float = 0.0  # arcsec per axis, what is thought beforehand of the scatter beyond these; 0: nothing
    shared: float = (
        0.0  # arcsec per axis, the error that neighbours have in common: it limits weights, nothing shows it
    )

    def __len__(self) -> int:
        return len(self.xi)

    def take(self, keep: NDArray[np.bool_]) -> FitData:
        """The stars selected by a boolean array."""
        xi, eta, dxi, deta, xi_variance, eta_variance = (
            values[keep] for values in (self.xi, self.eta, self.dxi, self.deta, self.xi_variance, self.eta_variance)
        )
        return FitData(xi, eta, dxi, deta, xi_variance, eta_variance, self.assumed, self.shared)


@dataclass(frozen=True, slots=True)
class PolynomialFit:
    """A fitted correction; `covariance` follows from the stars' errors and `scatter`, arcsec², of all parameters."""

    degree: int  # 0: similarity
    radius: float
    parameters: FloatArray
    covariance: FloatArray
    scatter: float  # arcsec per axis beyond the stars' own errors; 0 where these explain the residuals
    used: NDArray[np.bool_]  # False: clipped
    floor: float = 0.0  # arcsec per axis, the least scatter in its weights

    @property
    def correction(self) -> PolynomialCorrection:
        """The polynomial that adds to plane positions."""
        if self.degree == SIMILARITY:
            a, b, c, d = self.parameters  # terms of degree 1 in the order 1, v, u
            return PolynomialCorrection(1, self.radius, np.array([[a, -d, c], [b, c, d]]))
        return PolynomialCorrection(self.degree, self.radius, self.parameters.reshape(2, -1))

    def residuals(self, data: FitData) -> FloatArray:
        """(n, 2): reference minus corrected source, arcsec."""
        dxi, deta = self.correction.at(data.xi, data.eta)
        return np.column_stack([data.dxi - dxi, data.deta - deta])

    def variance_at(self, xi: FloatArray, eta: FloatArray) -> FloatArray:
        """(n, 2): formal variance of the correction in either axis at plane positions, arcsec²."""
        design = _design(self.degree, np.ravel(xi) / self.radius, np.ravel(eta) / self.radius)
        variance = np.einsum("ij,jk,ik->i", design, self.covariance, design)
        return np.column_stack(np.split(variance, 2))

    def star_variance(self, data: FitData) -> FloatArray:
        """(n, 2): variance of each star about the true solution: its own errors and the common scatter, arcsec²."""
        return np.column_stack([data.xi_variance, data.eta_variance]) + self.scatter**2


def n_parameters(degree: int) -> int:
    """Parameters of both axes together."""
    return 4 if degree == SIMILARITY else (degree + 1) * (degree + 2)


def robust_scale(pulls: FloatArray) -> float:
    """Standard deviation of a sample of mean 0 from its median absolute value; NaN for an empty one."""
    return float(np.median(np.abs(pulls)) / 0.674490) if pulls.size else float("nan")


def clip_limit(n_sigma: float, freedom: int) -> float:
    """The limit of `n_sigma` for a scatter that was itself estimated from `freedom` numbers: Student's t of its chance.

    Without it few stars clip each other: 3 sigma are 3.0 for many stars, 4.9 for seven.
    """
    return float(stdtrit(max(freedom, 1), ndtr(n_sigma)))


def fit_polynomial(
    data: FitData,
    degree: int,
    radius: float,
    *,
    scatter_floor: float,
    clip_sigma: float,
    rounds: int,
    scatter: float | None = None,
    start: FloatArray | None = None,
) -> PolynomialFit:
    """Fit a correction of total degree `degree` (0: similarity) to matched stars.

    Parameters
    ----------
    data
        The stars.
    degree
        Of the polynomial in the plane.
    radius
        Length by which plane positions are scaled, arcsec.
    scatter_floor
        Least common scatter per axis, arcsec, in weights and clipping: no star counts for more than it allows.
    clip_sigma
        Stars farther off in either axis, in units of their total error, are left out.
    rounds
        At most so many rounds of clipping.
    scatter
        The common scatter, where it is known already (arcsec); None: from the residuals, and from what is assumed of it
        where stars are few.
    start
        Parameters that decide the first clipping; None: from a fit in which outliers weigh little.
    """
    design = _design(degree, data.xi / radius, data.eta / radius)
    target = np.concatenate([data.dxi, data.deta])
    variance = np.concatenate([data.xi_variance, data.eta_variance])
    n = len(data)
    limit = clip_limit(clip_sigma, 2 * n - design.shape[1])
    common = data.assumed if scatter is None else scatter
    used: NDArray[np.bool_] = np.zeros(n, dtype=np.bool_)
    if start is None:
        start = _damped_start(design, target, variance, max(common, scatter_floor))
    residual = target - design @ start
    for _ in range(rounds):
        if scatter is None:
            both = np.concatenate([used, used]) if used.any() else slice(None)
            common = _scatter_found(residual[both], variance[both], design.shape[1], data.assumed)
        weighed = variance + max(common, scatter_floor) ** 2
        pulls = np.abs(residual) / np.sqrt(weighed)
        keep = np.maximum(pulls[:n], pulls[n:]) < limit
        if 2 * keep.sum() < max(design.shape[1] + 2, n):  # clipping more than half is no longer clipping outliers
            keep = np.ones(n, dtype=np.bool_)
        parameters, covariance = _solve(design, target, weighed + data.shared**2, keep, variance + common**2)
        residual = target - design @ parameters
        if np.array_equal(keep, used):
            break
        used = keep
    return PolynomialFit(degree, radius, parameters, covariance, common, keep, scatter_floor)


def cross_validate(
    data: FitData, fit: PolynomialFit, folds: NDArray[np.int64], *, clip_sigma: float, rounds: int
) -> FloatArray:
    """(n, 2) residuals, arcsec, of each star from a fit without its fold, degree and scatter as in `fit`.

    Stars that a fold's own fit would clip do not enter it; every star has a residual. NaN where the other folds hold
    too few stars for the model.
    """
    result = np.full((len(data), 2), np.nan)
    for fold in np.unique(folds):
        out = folds == fold
        if 2 * int((~out).sum()) < n_parameters(fit.degree):
            continue
        partial = fit_polynomial(
            data.take(~out),
            fit.degree,
            fit.radius,
            scatter_floor=fit.floor,
            clip_sigma=clip_sigma,
            rounds=rounds,
            scatter=fit.scatter,
            start=fit.parameters,
        )
        result[out] = partial.residuals(data.take(out))
    return result


def _design(degree: int, u: FloatArray, v: FloatArray) -> FloatArray:
    """(2n, parameters): first all stars' xi, then their eta."""
    n = len(u)
    if degree == SIMILARITY:
        design = np.zeros((2 * n, 4))
        design[:n, 0] = design[n:, 1] = 1.0
        design[:n, 2], design[n:, 2] = u, v
        design[:n, 3], design[n:, 3] = -v, u
        return design
    terms = np.column_stack([u**i * v**j for i, j in monomials(degree)])
    design = np.zeros((2 * n, 2 * terms.shape[1]))
    design[:n, : terms.shape[1]] = design[n:, terms.shape[1] :] = terms
    return design


def _solve(
    design: FloatArray,
    target: FloatArray,
    weighed: FloatArray,
    used: NDArray[np.bool_],
    variance: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Least squares over the used stars with weights 1/`weighed`, and its covariance where variances are `variance`."""
    both = np.concatenate([used, used])
    weighted = design[both] / weighed[both, None]
    normal = weighted.T @ design[both]
    # columns differ by orders of magnitude for a star list that covers a corner only: solve in units of the diagonal
    unit = 1.0 / np.sqrt(np.maximum(np.diag(normal), 1e-300))
    scaled = normal * np.outer(unit, unit)
    try:
        inverse = np.linalg.inv(scaled)
    except np.linalg.LinAlgError:
        inverse = np.linalg.pinv(scaled, hermitian=True)
    inverse = inverse * np.outer(unit, unit)
    parameters = inverse @ (weighted.T @ target[both])
    if variance is None:
        return parameters, inverse
    return parameters, inverse @ (weighted.T @ (weighted * variance[both, None])) @ inverse


def _scatter_found(residual: FloatArray, variance: FloatArray, n_parameters: int, assumed: float) -> float:
    """The common scatter of a fit's residuals, drawn towards the assumed one as far as few residuals say little."""
    freedom = max(1.0 - n_parameters / len(residual), 0.1)
    found = common_scatter(residual, variance, 0.0, freedom)
    if assumed == 0.0:
        return found
    counts = MAD_EFFICIENCY * freedom * len(residual)
    # a scale: its logarithm is averaged
    ratio = max(found / assumed, 0.1)
    return float(assumed * ratio ** (counts / (counts + ASSUMED_COUNTS)))


def _damped_start(design: FloatArray, target: FloatArray, variance: FloatArray, common: float) -> FloatArray:
    """Parameters of a fit in which outliers weigh little and no star's tiny stated error counts much."""
    everyone = np.ones(len(target) // 2, dtype=np.bool_)
    wide = robust_scale(target - np.median(target)) ** 2
    parameters, _ = _solve(design, target, variance + common**2 + wide, everyone)
    for _ in range(3):
        residual = target - design @ parameters
        width = max(robust_scale(residual), common, 1e-6)
        parameters, _ = _solve(design, target, (variance + common**2) * (1.0 + (residual / (2 * width)) ** 2), everyone)
    return parameters


def common_scatter(residual: FloatArray, variance: FloatArray, floor: float, freedom: float) -> float:
    """The scatter that makes the robust scale of the pulls sqrt(freedom), at least `floor`; by bisection in log."""
    goal = float(np.sqrt(freedom))

    def scale(scatter: float) -> float:
        return robust_scale(residual / np.sqrt(variance + scatter**2))

    if scale(floor) <= goal:
        return floor
    low, high = max(floor, 1e-7), max(10.0 * robust_scale(residual), 2e-7)
    for _ in range(18):
        middle = float(np.sqrt(low * high))
        low, high = (middle, high) if scale(middle) > goal else (low, middle)
    return float(np.sqrt(low * high))
