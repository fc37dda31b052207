"""From an accepted pattern to the fitted WCS: associate, fit, associate again, with stars reserved from the start.

The correction is a polynomial in the tangent plane about the CCD's centre, on top of the first WCS. Its degree is the
lowest that cross-validation cannot tell from the best.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.config import AstrometryConfig, WcsFitterConfig
from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs, PolynomialCorrection
from safelight.calibrate.pattern import PatternMatch
from safelight.calibrate.plane import FloatArray, TangentPlane
from safelight.calibrate.polynomial_fit import FitData, PolynomialFit, cross_validate, fit_polynomial, n_parameters
from safelight.calibrate.reserve import assign_folds, reserved
from safelight.calibrate.selection import SourceList
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.refcats import ReferenceCatalog

__all__ = ["MatchedStars", "WcsSolution", "fit_wcs", "within_the_catalog"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

FIRST_RADIUS_PIXELS = 3.0
SHRINK = 0.6  # of the distance within which sources and references are associated, from round to round
LEAST_SHARE = 0.3  # of the pattern's pairs must still be pairs in the end
AFFINE_ALWAYS = 15  # with so many stars a similarity is no longer tried: refraction stretches one axis
POINT_SOURCES_ENOUGH = 30  # with so many point sources extended ones stay out of the fit
MANY_STARS = 150  # five folds do
OBSERVED_NUMBERS_PER_PARAMETER = 2.0  # an affine map (6) takes 6 stars, degree 2 (12) 12, degree 3 (20) 20
LEAST_ERROR = 1e-6  # arcsec, of a reference star whose error is all assumed


@dataclass(frozen=True, slots=True)
class MatchedStars:
    """Associated pairs; `source` and `reference` are positions in the source list and the catalogue."""

    source: IntArray
    reference: IntArray
    eligible: BoolArray  # good enough for a fit
    reserved: BoolArray  # eligible and kept out of the fit, to judge it
    used: BoolArray  # entered the fit and was not clipped
    position: FloatArray  # (n, 2) arcsec, source in the plane before the polynomial
    residual: FloatArray  # (n, 2) arcsec along xi and eta, reference minus source
    variance: FloatArray  # (n, 2) arcsec², of each star about the true solution
    cross_validated: FloatArray  # (n, 2) arcsec, from fits without the star; NaN for stars outside the fit


@dataclass(frozen=True, slots=True)
class WcsSolution:
    """The fitted WCS and what it rests on."""

    wcs: CorrectedWcs
    fit: PolynomialFit
    stars: MatchedStars
    pixel_scale: float  # arcsec/pixel at the centre


def fit_wcs(
    first: SkyWcs,
    first_plane: TangentPlane,
    match: PatternMatch,
    sources: SourceList,
    catalog: ReferenceCatalog,
    reference_errors: tuple[FloatArray, FloatArray],
    shape: tuple[int, int],
    config: AstrometryConfig,
    max_order: int,
    systematic_mas: float = 0.0,
) -> WcsSolution:
    """Fit the correction to `first`.

    Parameters
    ----------
    first, first_plane
        The first WCS and the tangent plane about its image of the frame's centre.
    match
        The accepted pattern; it takes `first_plane` to the references' plane about the same point.
    sources
        Sources of the CCD.
    catalog
        Reference stars.
    reference_errors
        Errors of the reference stars in ra·cos(dec) and dec, arcsec, floors applied. What of them the catalogue does
        not state (`assumed_error_mas`) is looked for in the residuals.
    shape
        (height, width) of the CCD in pixels.
    config
        Astrometry configuration.
    max_order
        Highest degree tried.
    systematic_mas
        Error per axis that neighbouring reference stars have in common. A bend no larger is the catalogue's, not the
        camera's: it does not earn a higher degree.

    Raises
    ------
    ProcessingError
        ``TOO_FEW_STARS`` where fewer than ``matcher.minMatchedPairs`` stars can be fitted, ``WCS_UNSUPPORTED`` where
        the fit loses most of the pattern's stars.
    """
    p, q = first_plane.project(*first.pixel_to_sky(sources.x, sources.y))
    assumed = catalog.assumed_error_mas / 1000.0
    reference_errors = _stated(reference_errors[0], assumed), _stated(reference_errors[1], assumed)
    jacobian = _jacobian(first, first_plane, shape)
    # the pattern's map was fitted to every matched star: only the similarity in it, which the fit can undo, stays
    alignment, plane, guess = _similar(*_recentre(match.alignment, first_plane), None)
    pixel_scale = float(np.sqrt(abs(np.linalg.det(alignment.matrix @ jacobian))))
    reach = max(FIRST_RADIUS_PIXELS * pixel_scale, 4.0 * match.rms, match.tolerance)
    previous: PolynomialFit | None = None
    remaining, rough, bent = config.wcsFitter.numIter - 1, 1, False
    while True:
        local = alignment.matrix @ jacobian
        pixel_scale = float(np.sqrt(abs(np.linalg.det(local))))
        source_variance = np.column_stack([sources.x_error**2, sources.y_error**2]) @ (local**2).T
        xi, eta = alignment.apply(p, q)
        ref_xi, ref_eta = plane.project(catalog.ra_deg, catalog.dec_deg)
        if previous is None or bent:
            tolerance: FloatArray | float = reach
        else:
            tolerance = _tolerance(sources, source_variance, reference_errors, previous.scatter, pixel_scale, config)
        dxi, deta = guess.at(xi, eta)
        source, reference, _ = mutual_nearest(xi + dxi, eta + deta, ref_xi, ref_eta, tolerance)
        data = FitData(
            xi[source],
            eta[source],
            ref_xi[reference] - xi[source],
            ref_eta[reference] - eta[source],
            source_variance[source, 0] + reference_errors[0][reference] ** 2,
            source_variance[source, 1] + reference_errors[1][reference] ** 2,
            assumed,
            systematic_mas / 1000.0,
        )
        eligible = _eligible(sources, source)
        kept_out = _kept_out(catalog.id[reference], eligible, config.wcsFitter)
        taken = eligible & ~kept_out
        least = max(config.matcher.minMatchedPairs, 3)
        if int(taken.sum()) < least:
            raise _too_few(int(eligible.sum()), len(source), least)
        radius = 0.5 * pixel_scale * float(np.hypot(*shape))
        # the first rounds only bring sources and references together: a low degree serves
        fit, crossed = _choose_degree(
            data.take(taken),
            catalog.id[reference][taken],
            radius,
            config,
            max_order,
            rough if bent or remaining >= 2 else None,
            systematic_mas,
        )
        if remaining == 0:
            _refuse_if_lost(len(source), match)
            wcs = CorrectedWcs(first, first_plane, alignment, plane, fit.correction)
            stars = _matched_stars(source, reference, data, fit, eligible, kept_out, crossed)
            return WcsSolution(wcs, fit, stars, pixel_scale)
        previous = fit
        alignment, plane, guess = _similar(*_recentre(_absorbed(alignment, fit), plane), fit)
        # where the first WCS lacks the camera's distortion, the stars are still far from the polynomial of low degree
        reach = min(SHRINK * reach, 4.0 * fit.scatter)
        bent = reach > config.matcher.matchRadiusPix * pixel_scale and rough < max_order
        if bent:
            rough += 1
        else:
            remaining, rough = remaining - 1, max(rough, 2)


def _jacobian(first: SkyWcs, plane: TangentPlane, shape: tuple[int, int]) -> FloatArray:
    """d(xi, eta)/d(x, y) of the first WCS at the frame's centre, arcsec/pixel."""
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    step = 8.0
    xi, eta = plane.project(
        *first.pixel_to_sky(np.array([x - step, x + step, x, x]), np.array([y, y, y - step, y + step]))
    )
    return np.array([[xi[1] - xi[0], xi[3] - xi[2]], [eta[1] - eta[0], eta[3] - eta[2]]]) / (2 * step)


def _recentre(alignment: Alignment, plane: TangentPlane) -> tuple[Alignment, TangentPlane]:
    """Move the tangent point to the image of the frame's centre, so that a pointing error bends nothing."""
    ra, dec = plane.deproject(alignment.shift[:1], alignment.shift[1:])
    new = TangentPlane(float(ra[0]), float(dec[0]))
    around = alignment.shift[:, None] + np.array([[-1.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.0]])
    xi, eta = new.project(*plane.deproject(*around))
    turn = np.array([[xi[1] - xi[0], xi[3] - xi[2]], [eta[1] - eta[0], eta[3] - eta[2]]]) / 2.0
    return Alignment(turn @ alignment.matrix, np.zeros(2)), new


def _absorbed(alignment: Alignment, fit: PolynomialFit) -> Alignment:
    """The alignment with the fit's constant and linear terms taken in."""
    correction = fit.correction
    constant, by_eta, by_xi = (
        correction.coefficients[:, 0],
        correction.coefficients[:, 1] / correction.radius,
        correction.coefficients[:, correction.degree + 1] / correction.radius,
    )
    linear = np.eye(2) + np.column_stack([by_xi, by_eta])
    return Alignment(linear @ alignment.matrix, linear @ alignment.shift + constant)


def _similar(
    alignment: Alignment, plane: TangentPlane, fit: PolynomialFit | None
) -> tuple[Alignment, TangentPlane, PolynomialCorrection]:
    """The nearest similarity in place of the alignment, and what must be added to it for the next association.

    Shear and the higher terms of the last fit may find the stars, but the next fit does not build on them: it, and
    each fold of its cross-validation, determines anew all that the stars determine.
    """
    similar = alignment.similarity
    shear = alignment.matrix @ np.linalg.inv(similar.matrix) - np.eye(2)
    if fit is None:
        return similar, plane, PolynomialCorrection(1, 1.0, np.array([[0.0, *shear[0, ::-1]], [0.0, *shear[1, ::-1]]]))
    correction = fit.correction
    coefficients = correction.coefficients.copy()
    coefficients[:, 0] = 0.0
    coefficients[:, 1] = shear[:, 1] * correction.radius
    coefficients[:, correction.degree + 1] = shear[:, 0] * correction.radius
    return similar, plane, PolynomialCorrection(correction.degree, correction.radius, coefficients)


def _stated(error: FloatArray, assumed: float) -> FloatArray:
    """Errors without the part of them that is assumed."""
    return np.asarray(np.sqrt(np.maximum(error**2 - assumed**2, LEAST_ERROR**2)), dtype=np.float64)


def _tolerance(
    sources: SourceList,
    source_variance: FloatArray,
    reference_errors: tuple[FloatArray, FloatArray],
    scatter: float,
    pixel_scale: float,
    config: AstrometryConfig,
) -> FloatArray:
    """How far from each source its reference star may lie, arcsec: from the errors, between 0.5 pixel and the limit."""
    typical = float(np.median(reference_errors[0] ** 2 + reference_errors[1] ** 2))
    sigma = np.sqrt(source_variance.sum(axis=1) + typical + 2.0 * scatter**2)
    limit = config.matcher.matchRadiusPix * pixel_scale
    tolerance = np.clip(config.matcher.matchDistanceSigma * sigma, min(0.5 * pixel_scale, limit), limit)
    saturated = config.matcher.saturatedRadiusPix * pixel_scale
    return np.asarray(np.where(sources.saturated, saturated, tolerance), dtype=np.float64)


def _eligible(sources: SourceList, source: IntArray) -> BoolArray:
    eligible = sources.fit[source]
    point_like = eligible & ~sources.extended[source]
    return point_like if int(point_like.sum()) >= POINT_SOURCES_ENOUGH else eligible


def _kept_out(ids: IntArray, eligible: BoolArray, config: WcsFitterConfig) -> BoolArray:
    """Stars that judge the fit: a share by the hash of their id, none where matches are few."""
    if int(eligible.sum()) < config.minReserveMatches:
        return np.zeros(len(ids), dtype=np.bool_)
    return eligible & reserved(ids, config.reserveFraction)


def _too_few(eligible: int, matched: int, least: int) -> ProcessingError:
    return ProcessingError(
        "TOO_FEW_STARS",
        f"Only {eligible} of {matched} matched stars may be fitted (unsaturated, clean, bright enough); "
        f"a WCS needs at least {least}.",
        "Use a deeper reference catalogue, or lower calibrate.astrometry.minSnr or .matcher.minMatchedPairs.",
    )


def _refuse_if_lost(n_associated: int, match: PatternMatch) -> None:
    """Few of the pattern's stars left means that the fit has wandered off it, whatever those few say."""
    if n_associated < LEAST_SHARE * match.n_matched:
        raise ProcessingError(
            "WCS_UNSUPPORTED",
            f"Only {n_associated} stars are near their references after the fit; the pattern that was found had "
            f"{match.n_matched}.",
            "Does the first WCS bend otherwise than the camera does? A higher calibrate.astrometry.wcsFitter.maxOrder "
            "or .matcher.matchRadiusPix may follow it.",
        )


def _choose_degree(
    data: FitData,
    ids: IntArray,
    radius: float,
    config: AstrometryConfig,
    max_order: int,
    rough: int | None,
    systematic_mas: float,
) -> tuple[PolynomialFit, FloatArray]:
    """The fit of the lowest degree whose cross-validation is within a standard error of the best, and its residuals.

    One that differs from the best by no more than the catalogue's common errors do, too. With a degree in `rough`, the
    fit of that degree, as far as the stars support it, without cross-validation.
    """
    fitter = config.wcsFitter
    folds = assign_folds(ids, fitter.numFolds if len(ids) < MANY_STARS else min(fitter.numFolds, 5))
    degrees = [fitter.order] if fitter.order else _supported_degrees(len(data), max_order)
    if rough is not None:
        degrees = [max((d for d in degrees if d <= rough), default=degrees[0])]
    fits, crossed = [], []
    for degree in degrees:
        fit = fit_polynomial(
            data,
            degree,
            radius,
            scatter_floor=fitter.scatterFloor / 1000.0,
            clip_sigma=fitter.rejSigma,
            rounds=fitter.numRejIter,
        )
        fits.append(fit)
        if rough is not None:
            return fit, np.full((len(data), 2), np.nan)
        crossed.append(cross_validate(data, fit, folds, clip_sigma=fitter.rejSigma, rounds=fitter.numRejIter))
    if len(fits) == 1:
        return fits[0], crossed[0]
    # one yardstick for all degrees: the smallest scatter that any of them reached
    scatter = max(min(fit.scatter for fit in fits), fitter.scatterFloor / 1000.0)
    variance = np.column_stack([data.xi_variance, data.eta_variance]) + scatter**2
    losses = [np.minimum((residual**2 / variance).sum(axis=1), 2.0 * fitter.rejSigma**2) for residual in crossed]
    losses = [np.where(np.isfinite(loss), loss, 2.0 * fitter.rejSigma**2) for loss in losses]
    best = int(np.argmin([loss.mean() for loss in losses]))
    for k in range(best):
        excess = losses[k] - losses[best]
        if excess.mean() <= excess.std() / np.sqrt(len(excess)) or (
            fits[k].degree > 0 and within_the_catalog(fits[k], fits[best], data, systematic_mas / 1000.0)
        ):
            return fits[k], crossed[k]
    return fits[best], crossed[best]


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


def _supported_degrees(n_stars: int, max_order: int) -> list[int]:
    """Degrees that leave at least as many observed numbers over as there are parameters; 0 is the similarity."""
    lowest = 0 if n_stars < AFFINE_ALWAYS else 1
    enough = [d for d in range(max_order + 1) if 2 * n_stars >= OBSERVED_NUMBERS_PER_PARAMETER * n_parameters(d)]
    return [d for d in enough if d >= lowest] or [0]


def _matched_stars(
    source: IntArray,
    reference: IntArray,
    data: FitData,
    fit: PolynomialFit,
    eligible: BoolArray,
    kept_out: BoolArray,
    crossed: FloatArray,
) -> MatchedStars:
    taken = eligible & ~kept_out
    used = np.zeros(len(source), dtype=np.bool_)
    used[np.flatnonzero(taken)[fit.used]] = True
    cross_validated = np.full((len(source), 2), np.nan)
    cross_validated[taken] = crossed
    position = np.column_stack([data.xi, data.eta])
    residual, variance = fit.residuals(data), fit.star_variance(data)
    return MatchedStars(source, reference, eligible, kept_out, used, position, residual, variance, cross_validated)
