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
from safelight.calibrate.corrected_wcs import CorrectedWcs
from safelight.calibrate.degree import choose_degree, fit_up_to
from safelight.calibrate.fit_place import Place, first_place, next_place, plane_jacobian
from safelight.calibrate.pattern import PatternMatch
from safelight.calibrate.plane import FloatArray, TangentPlane
from safelight.calibrate.polynomial_fit import FitData, PolynomialFit
from safelight.calibrate.reserve import reserved
from safelight.calibrate.selection import SourceList
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.refcats import ReferenceCatalog

__all__ = ["MatchedStars", "WcsSolution", "fit_wcs"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

FIRST_RADIUS_PIXELS = 3.0
SHRINK = 0.6  # of the distance within which sources and references are associated, from round to round
LEAST_SHARE = 0.3  # of the pattern's pairs must still be pairs in the end
POINT_SOURCES_ENOUGH = 30  # with so many point sources extended ones stay out of the fit
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
    assumed = catalog.assumed_error_mas / 1000.0
    stated = _stated(reference_errors[0], assumed), _stated(reference_errors[1], assumed)
    task = _Task(
        *first_plane.project(*first.pixel_to_sky(sources.x, sources.y)),
        plane_jacobian(first, first_plane, shape), sources, catalog, stated, assumed, systematic_mas / 1000.0, config,
    )  # fmt: skip
    # the pattern's map was fitted to every matched star: only the similarity in it, which the fit can undo, stays
    place = first_place(match.alignment, first_plane)
    reach = max(FIRST_RADIUS_PIXELS * task.pixel_scale(place), 4.0 * match.rms, match.tolerance)
    scatter: float | None = None
    remaining, rough, bent = config.wcsFitter.numIter - 1, 1, False
    while True:
        pixel_scale = task.pixel_scale(place)
        pairs = task.associate(place, reach, None if bent else scatter)
        task.require_enough(pairs)
        radius = 0.5 * pixel_scale * float(np.hypot(*shape))
        data, fitter = pairs.data.take(pairs.taken), config.wcsFitter
        if bent or remaining >= 2:  # these rounds only bring sources and references together: a low degree serves
            fit = fit_up_to(rough, data, radius, fitter, max_order)
        else:
            ids = catalog.id[pairs.reference][pairs.taken]
            fit, crossed = choose_degree(data, ids, radius, fitter, max_order, task.systematic)
            if remaining == 0:
                _refuse_if_lost(len(pairs.source), match)
                wcs = CorrectedWcs(first, first_plane, place.alignment, place.plane, fit.correction)
                return WcsSolution(wcs, fit, _matched_stars(pairs, fit, crossed), pixel_scale)
        scatter = fit.scatter
        place = next_place(place, fit)
        # where the first WCS lacks the camera's distortion, the stars are still far from the polynomial of low degree
        reach = min(SHRINK * reach, 4.0 * scatter)
        bent = reach > config.matcher.matchRadiusPix * pixel_scale and rough < max_order
        if bent:
            rough += 1
        else:
            remaining, rough = remaining - 1, max(rough, 2)


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Sources and references that a round has brought together."""

    source: IntArray
    reference: IntArray
    data: FitData
    eligible: BoolArray
    kept_out: BoolArray

    @property
    def taken(self) -> BoolArray:
        """Those that are fitted."""
        return self.eligible & ~self.kept_out


@dataclass(frozen=True, slots=True)
class _Task:
    """What stays the same from round to round; lengths in arcsec."""

    p: FloatArray  # sources in the first WCS's plane
    q: FloatArray
    jacobian: FloatArray  # of that plane by pixels
    sources: SourceList
    catalog: ReferenceCatalog
    stated: tuple[FloatArray, FloatArray]  # errors of the references in either axis
    assumed: float  # what of them is not stated
    systematic: float
    config: AstrometryConfig

    def pixel_scale(self, place: Place) -> float:
        """Arcsec per pixel at the centre."""
        return float(np.sqrt(abs(np.linalg.det(place.alignment.matrix @ self.jacobian))))

    def associate(self, place: Place, reach: float, scatter: float | None) -> _Pairs:
        """Mutual nearest neighbours within `reach`, or, once a fit's scatter is known, within what errors allow."""
        local = place.alignment.matrix @ self.jacobian
        variance = np.column_stack([self.sources.x_error**2, self.sources.y_error**2]) @ (local**2).T
        xi, eta = place.alignment.apply(self.p, self.q)
        ref_xi, ref_eta = place.plane.project(self.catalog.ra_deg, self.catalog.dec_deg)
        tolerance: FloatArray | float = reach
        if scatter is not None:
            tolerance = _tolerance(self.sources, variance, self.stated, scatter, self.pixel_scale(place), self.config)
        dxi, deta = place.guess.at(xi, eta)
        source, reference, _ = mutual_nearest(xi + dxi, eta + deta, ref_xi, ref_eta, tolerance)
        data = FitData(
            xi[source],
            eta[source],
            ref_xi[reference] - xi[source],
            ref_eta[reference] - eta[source],
            variance[source, 0] + self.stated[0][reference] ** 2,
            variance[source, 1] + self.stated[1][reference] ** 2,
            self.assumed,
            self.systematic,
        )
        eligible = _eligible(self.sources, source)
        kept_out = _kept_out(self.catalog.id[reference], eligible, self.config.wcsFitter)
        return _Pairs(source, reference, data, eligible, kept_out)

    def require_enough(self, pairs: _Pairs) -> None:
        """Raise ``TOO_FEW_STARS`` where the pairs do not suffice for a fit."""
        least = max(self.config.matcher.minMatchedPairs, 3)
        if int(pairs.taken.sum()) < least:
            raise _too_few(int(pairs.eligible.sum()), len(pairs.source), least)


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


def _matched_stars(pairs: _Pairs, fit: PolynomialFit, crossed: FloatArray) -> MatchedStars:
    n, taken, data = len(pairs.source), pairs.taken, pairs.data
    used = np.zeros(n, dtype=np.bool_)
    used[np.flatnonzero(taken)[fit.used]] = True
    cross_validated = np.full((n, 2), np.nan)
    cross_validated[taken] = crossed
    position = np.column_stack([data.xi, data.eta])
    return MatchedStars(
        pairs.source, pairs.reference, pairs.eligible, pairs.kept_out, used, position, fit.residuals(data),
        fit.star_variance(data), cross_validated,
    )  # fmt: skip
