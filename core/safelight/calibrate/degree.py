"""How far the correction of a WCS may bend: the lowest degree that cross-validation cannot tell from the best."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.config import WcsFitterConfig
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.polynomial_fit import FitData, PolynomialFit, cross_validate, fit_polynomial, n_parameters
from safelight.calibrate.reserve import assign_folds

__all__ = ["choose_degree", "fit_up_to", "within_the_catalog"]

AFFINE_ALWAYS = 15  # with so many stars a similarity is no longer tried: refraction stretches one axis
MANY_STARS = 150  # five folds do
OBSERVED_NUMBERS_PER_PARAMETER = 2.0  # an affine map (6) takes 6 stars, degree 2 (12) 12, degree 3 (20) 20


def fit_up_to(highest: int, data: FitData, radius: float, config: WcsFitterConfig, max_order: int) -> PolynomialFit:
    """The fit of degree `highest`, or of the next lower that the stars support; see `choose_degree`."""
    degrees = _degrees(len(data), config, max_order)
    return _fit(data, max((d for d in degrees if d <= highest), default=degrees[0]), radius, config)


def choose_degree(
    data: FitData, ids: NDArray[np.int64], radius: float, config: WcsFitterConfig, max_order: int, systematic: float
) -> tuple[PolynomialFit, FloatArray]:
    """The fit of the lowest degree whose cross-validation is within a standard error of the best, and its residuals.

    One that differs from the best by no more than the catalogue's common errors do, too.

    Parameters
    ----------
    data
        Stars to fit.
    ids
        Of their references: they decide the folds.
    radius
        Of the frame in the plane of the fit, arcsec.
    config, max_order
        Configuration, and the highest degree tried.
    systematic
        Rms per axis of the error that neighbouring reference stars have in common, arcsec.

    Returns
    -------
    The fit, and (n, 2) residuals in arcsec, each from a fit without its star.
    """
    folds = assign_folds(ids, config.numFolds if len(ids) < MANY_STARS else min(config.numFolds, 5))
    fits = [_fit(data, degree, radius, config) for degree in _degrees(len(data), config, max_order)]
    crossed = [cross_validate(data, fit, folds, clip_sigma=config.rejSigma, rounds=config.numRejIter) for fit in fits]
    if len(fits) == 1:
        return fits[0], crossed[0]
    losses = _losses(data, fits, crossed, config)
    best = int(np.argmin([loss.mean() for loss in losses]))
    for k in range(best):
        excess = losses[k] - losses[best]
        if excess.mean() <= excess.std() / np.sqrt(len(excess)) or (
            fits[k].degree > 0 and within_the_catalog(fits[k], fits[best], data, systematic)
        ):
            return fits[k], crossed[k]
    return fits[best], crossed[best]


def _fit(data: FitData, degree: int, radius: float, config: WcsFitterConfig) -> PolynomialFit:
    return fit_polynomial(
        data,
        degree,
        radius,
        scatter_floor=config.scatterFloor / 1000.0,
        clip_sigma=config.rejSigma,
        rounds=config.numRejIter,
    )


def _losses(
    data: FitData, fits: list[PolynomialFit], crossed: list[FloatArray], config: WcsFitterConfig
) -> list[FloatArray]:
    """Squared pulls of the cross-validated residuals, limited as the fit clips, for each degree."""
    # one yardstick for all degrees: the smallest scatter that any of them reached
    scatter = max(min(fit.scatter for fit in fits), config.scatterFloor / 1000.0)
    variance = np.column_stack([data.xi_variance, data.eta_variance]) + scatter**2
    most = 2.0 * config.rejSigma**2
    losses = [np.minimum((residual**2 / variance).sum(axis=1), most) for residual in crossed]
    return [np.where(np.isfinite(loss), loss, most) for loss in losses]


def within_the_catalog(lower: PolynomialFit, higher: PolynomialFit, data: FitData, systematic: float) -> bool:
    """Whether two corrections differ over the stars by no more than noise and the catalogue's common errors make them.

    `systematic` is the rms of these per axis, arcsec; where there are none, noise is for cross-validation to judge. The
    difference of nested least-squares fits has the difference of their variances.
    """
    if systematic <= 0:
        return False
    one, other = (np.stack(fit.correction.at(data.xi, data.eta)) for fit in (lower, higher))
    noise = float(np.mean(higher.variance_at(data.xi, data.eta) - lower.variance_at(data.xi, data.eta)))
    return float(np.mean((one - other) ** 2)) <= systematic**2 + max(noise, 0.0)


def _degrees(n_stars: int, config: WcsFitterConfig, max_order: int) -> list[int]:
    """Degrees that leave at least as many observed numbers over as there are parameters; 0 is the similarity."""
    if config.order:
        return [config.order]
    lowest = 0 if n_stars < AFFINE_ALWAYS else 1
    enough = [d for d in range(max_order + 1) if 2 * n_stars >= OBSERVED_NUMBERS_PER_PARAMETER * n_parameters(d)]
    return [d for d in enough if d >= lowest] or [0]
