"""The WCS of a CCD with too few stars of its own, from its neighbours: predicted, corrected by what stars there are.

The camera model of the visit says where the CCD looks to a small fraction of a pixel or so. Stars found within that
error correct it (shift, rotation and scale, each with the model's error as prior), and they are asked first whether
they agree at all: a CCD whose stars are not where the model puts them is not solved.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.acceptance import log10_binomial_tail
from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.astrometry import Astrometry, brightness, reference_errors
from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs, plane_of
from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.linear import fit_similarity
from safelight.calibrate.matching import PatternMatch
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.polynomial_fit import PolynomialFit
from safelight.calibrate.quality import WcsQuality
from safelight.calibrate.selection import SourceList, select_sources
from safelight.calibrate.visit_wcs import CameraModel
from safelight.calibrate.wcs_fit import MatchedStars, WcsSolution
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure.wcs import TanSipWcs, angular_separation, render_tan_sip
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["solve_from_visit"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

SEARCH_SIGMA = 4.0  # a star is looked for within so many errors of its place …
SEARCH_PIXELS = (1.0, 5.0)  # … but at least and at most so many pixels from it
COUNTED = 20  # brightest sources, and references, of which a share must be found …
DEPTHS = (5, COUNTED, 80, 320)  # … or of so many more than chance brings
DECADES_TRIED = 1.0  # eight tries
AGREEING_SHARE = 0.4  # of either list that must be found
CHANCE = -3.0  # log10 of the probability that so many are found by chance: below, they confirm the model
REJECT_SIGMA = 5.0  # stars farther from the corrected WCS than this are no part of it
GRID = (8, 16)


@dataclass(frozen=True, slots=True)
class _Scene:
    """Sources and references in the plane about the predicted centre of the CCD, arcsec."""

    predicted: CorrectedWcs
    xi: FloatArray
    eta: FloatArray
    ref_xi: FloatArray
    ref_eta: FloatArray
    source_variance: FloatArray  # (n, 2)
    reference_variance: FloatArray  # (m, 2)
    visible: IntArray  # references in the frame, brightest first
    usable: IntArray  # sources that may be fitted, brightest first
    pixel_scale: float
    half_diagonal: float
    area: float


def solve_from_visit(
    src: Table,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    model: CameraModel,
    config: CalibrateConfig,
) -> Astrometry:
    """The WCS of a CCD by the camera model of its visit.

    Parameters
    ----------
    src
        The source table.
    shape
        (height, width) of the CCD, pixels.
    first
        The CCD's first WCS, of the same kind as those that the model was fitted to.
    catalog
        Reference stars.
    model
        Fitted to the other CCDs.
    config
        Step configuration.

    Raises
    ------
    ProcessingError
        ``VISIT_TOO_UNCERTAIN`` where the model says too little of this CCD's place;
        ``WCS_AGAINST_VISIT`` where the CCD's own stars are not where the model puts them.
    """
    height, width = shape
    sources = select_sources(src, width, height, config.astrometry.minSnr)
    error = model.error_arcsec(first.wcs, width, height)
    scene = _scene(sources, shape, first, catalog, model, config)
    least, most = (pixels * scene.pixel_scale for pixels in SEARCH_PIXELS)
    if SEARCH_SIGMA * error > most:
        raise ProcessingError(
            "VISIT_TOO_UNCERTAIN",
            f"The visit's other CCDs predict the WCS to {error:.2f} arcsec only.",
            "Solve more CCDs of the visit, nearer to this one.",
        )
    radius = max(SEARCH_SIGMA * error, least)
    source, reference = _associate(scene, radius)
    witnesses = _agreement(scene, source, reference, radius)
    stars, fit = _fit(scene, source, reference, error, config)
    wcs = CorrectedWcs(scene.predicted, scene.predicted.plane, Alignment(), scene.predicted.plane, fit.correction)
    solution = WcsSolution(wcs, fit, stars, scene.pixel_scale)
    quality = _quality(solution, shape, catalog, config)
    rendered = render_tan_sip(wcs, width, height, config.astrometry.wcsFitter.renderTolerance)
    match = PatternMatch(Alignment(), len(source), radius, 0.0, witnesses.log10_chance, "visit")
    caveats = [_caveat(quality, model, error, witnesses)]
    metrics = _metrics(solution, quality, first, shape)
    metadata = _metadata(solution, quality, model, error, witnesses, rendered, len(catalog))
    return Astrometry(rendered, solution, match, quality, sources, metrics, caveats, metadata)


def _scene(
    sources: SourceList,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    model: CameraModel,
    config: CalibrateConfig,
) -> _Scene:
    height, width = shape
    by_model = model.wcs(first.wcs)
    plane = plane_of(by_model, width, height)
    predicted = CorrectedWcs(by_model, plane, Alignment(), plane)
    xi, eta = predicted.pixel_to_plane(sources.x, sources.y)
    ref_xi, ref_eta = plane.project(catalog.ra_deg, catalog.dec_deg)
    corner_x, corner_y = predicted.pixel_to_plane(np.array([0.0, width - 1.0]), np.array([0.0, height - 1.0]))
    half = float(np.hypot(corner_x[1] - corner_x[0], corner_y[1] - corner_y[0])) / 2.0
    scale = 2.0 * half / math.hypot(width - 1, height - 1)
    near = np.flatnonzero(np.hypot(ref_xi, ref_eta) < 1.1 * half)
    x, y = by_model.sky_to_pixel(catalog.ra_deg[near], catalog.dec_deg[near])
    inside = near[(x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)]
    light = brightness(catalog)
    errors = reference_errors(catalog, config.astromRefObjLoader)
    pixel_variance = (sources.x_error**2 + sources.y_error**2) / 2.0 * scale**2
    point_like = sources.fit & ~sources.extended
    return _Scene(
        predicted=predicted,
        xi=xi,
        eta=eta,
        ref_xi=ref_xi,
        ref_eta=ref_eta,
        source_variance=np.column_stack([pixel_variance, pixel_variance]),
        reference_variance=np.column_stack([errors[0] ** 2, errors[1] ** 2]),
        visible=inside[np.argsort(-light[inside], kind="stable")],
        usable=np.flatnonzero(point_like if point_like.any() else sources.fit),
        pixel_scale=scale,
        half_diagonal=half,
        area=width * height * scale**2,
    )


def _associate(scene: _Scene, radius: float) -> tuple[IntArray, IntArray]:
    source, reference, _ = mutual_nearest(
        scene.xi[scene.usable], scene.eta[scene.usable], scene.ref_xi, scene.ref_eta, radius
    )
    return scene.usable[source], reference


@dataclass(frozen=True, slots=True)
class _Witnesses:
    """What the CCD's own stars say of the model."""

    asked: int  # the brightest sources, or the brightest references in the frame
    found: int  # of these
    log10_chance: float  # that so many are found by chance
    plenty: bool  # a share that is expected of a right WCS was found

    @property
    def confirm(self) -> bool:
        """Whether chance hardly brings so many."""
        return self.log10_chance <= CHANCE


def _agreement(scene: _Scene, source: IntArray, reference: IntArray, radius: float) -> _Witnesses:
    """Ask both lists: a shallow frame lacks most references, a deep one has most stars unknown, some are full of junk.

    Raises `ProcessingError` WCS_AGAINST_VISIT.
    """
    lists = ((scene.usable, source, len(scene.visible)), (scene.visible, reference, len(scene.usable)))
    asked = [_ask(listed, np.asarray(found), others / scene.area, radius) for listed, found, others in lists]
    by_sources, by_references = asked
    best = min(asked, key=lambda witnesses: witnesses.log10_chance)
    testable = by_sources.asked and by_references.asked
    if testable and not best.confirm and not (by_sources.plenty or by_references.plenty):
        raise ProcessingError(
            "WCS_AGAINST_VISIT",
            f"Only {by_sources.found} of its {by_sources.asked} brightest sources and {by_references.found} of "
            f"{by_references.asked} brightest reference stars are where the visit's other CCDs put them (within "
            f"{radius:.2f} arcsec).",
            "Look at the image: clouds, a trailed or wrongly named CCD, or a catalogue with a gap?",
        )
    return best


def _ask(listed: IntArray, found: IntArray, density: float, radius: float) -> _Witnesses:
    """How many of a list, brightest first, have a counterpart; the number asked is where that says most."""
    chance = 1.0 - math.exp(-density * math.pi * radius**2)
    hits = np.isin(listed, found)
    tails = [log10_binomial_tail(int(hits[:n].sum()), len(hits[:n]), chance) for n in DEPTHS]
    n = min(len(listed), COUNTED)
    k = int(hits[:n].sum())
    plenty = k >= n * (AGREEING_SHARE + (1.0 - AGREEING_SHARE) * chance)
    return _Witnesses(n, k, min(tails) + DECADES_TRIED, plenty)


def _fit(
    scene: _Scene, source: IntArray, reference: IntArray, error: float, config: CalibrateConfig
) -> tuple[MatchedStars, PolynomialFit]:
    """The correction by the stars, with the model's error as prior; one star after the other is left out and judged."""
    target = np.column_stack([scene.ref_xi[reference] - scene.xi[source], scene.ref_eta[reference] - scene.eta[source]])
    scatter = config.astrometry.wcsFitter.scatterFloor / 1000.0
    variance = scene.source_variance[source] + scene.reference_variance[reference] + scatter**2
    position = np.column_stack([scene.xi[source], scene.eta[source]])
    radius = scene.half_diagonal
    used = np.ones(len(source), dtype=np.bool_)
    while True:
        parameters, covariance = _posterior(position[used], target[used], variance[used], radius, error)
        fit = PolynomialFit(0, radius, parameters, covariance, scatter, used.copy())
        left_out = _left_out(position, target, variance, used, radius, error)
        pull = np.abs(left_out[0]) / np.sqrt(left_out[1])
        worst = int(np.argmax(np.where(used, pull.max(axis=1), 0.0))) if used.any() else -1
        if worst < 0 or not used[worst] or pull[worst].max() <= REJECT_SIGMA:
            break
        used[worst] = False
    dxi, deta = fit.correction.at(position[:, 0], position[:, 1])
    everyone = np.ones(len(source), dtype=np.bool_)
    nobody = np.zeros(len(source), dtype=np.bool_)
    residual = target - np.column_stack([dxi, deta])
    stars = MatchedStars(
        source,
        reference,
        everyone,
        nobody,
        used,
        position,
        residual,
        variance,
        np.where(used[:, None], left_out[0], np.nan),
    )
    return stars, fit


def _design(position: FloatArray, radius: float) -> FloatArray:
    """(n, 2, 4): shift, rotation and scale, terms as in `PolynomialFit` of degree 0."""
    u, v = position.T / radius
    zero, one = np.zeros_like(u), np.ones_like(u)
    return np.stack([np.column_stack([one, zero, u, -v]), np.column_stack([zero, one, v, u])], axis=1)


def _posterior(
    position: FloatArray, target: FloatArray, variance: FloatArray, radius: float, error: float
) -> tuple[FloatArray, FloatArray]:
    """Parameters and covariance; each parameter moves the CCD's outline by the model's error per axis, a priori."""
    design = _design(position, radius)
    weighted = design / variance[:, :, None]
    # `error` is of both axes; a shift makes most of it, rotation and scale a part that grows towards the corners
    prior = np.diag(np.array([1.0, 1.0, 2.0, 2.0]) / (error**2 / 2.0))
    covariance = np.linalg.inv(prior + np.einsum("nap,naq->pq", weighted, design))
    return covariance @ np.einsum("nap,na->p", weighted, target), covariance


def _left_out(
    position: FloatArray, target: FloatArray, variance: FloatArray, used: BoolArray, radius: float, error: float
) -> tuple[FloatArray, FloatArray]:
    """Residuals (n, 2) of each star from the correction by the others, and their variance."""
    residual, expected = np.zeros_like(target), np.ones_like(target)
    design = _design(position, radius)
    for k in range(len(target)):
        others = used.copy()
        others[k] = False
        parameters, covariance = _posterior(position[others], target[others], variance[others], radius, error)
        residual[k] = target[k] - design[k] @ parameters
        expected[k] = variance[k] + np.einsum("ap,pq,aq->a", design[k], covariance, design[k])
    return residual, expected


def _quality(
    solution: WcsSolution, shape: tuple[int, int], catalog: ReferenceCatalog, config: CalibrateConfig
) -> WcsQuality:
    stars = solution.stars
    residual, unfitted = stars.residual[stars.used], stars.cross_validated[stars.used]
    n = int(stars.used.sum())
    rms = 1000.0 * float(np.sqrt((residual**2).sum(axis=1).mean())) if n else math.nan
    median = 1000.0 * float(np.median(np.hypot(*unfitted.T))) if n else math.nan
    crossed = float(np.sqrt((unfitted**2).sum(axis=1).mean())) / solution.pixel_scale if n else math.nan
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, GRID[0]), np.linspace(0, shape[0] - 1, GRID[1]))
    variance = solution.fit.variance_at(*solution.wcs.first_plane.project(*solution.wcs.first.pixel_to_sky(x, y)))
    floor = config.astromRefObjLoader.systematicFloor
    floor = catalog.systematic_floor_mas if floor is None else floor
    error = float(np.median(np.hypot(1000.0 * np.sqrt(variance.sum(axis=1)), math.sqrt(2.0) * floor)))
    return WcsQuality(n, 0, rms, median, crossed, error, 1.0)


def _caveat(quality: WcsQuality, model: CameraModel, error: float, witnesses: _Witnesses) -> Caveat:
    neighbours = (
        f"The WCS comes from {model.n_ccds} other CCDs of the visit, which predict it to {1000.0 * error:.0f} mas; "
    )
    if not quality.n_matches:
        said = "no star of its own tests it."
    elif witnesses.confirm:
        said = (
            f"{_stars(quality.n_matches)} (median {quality.reserved_median_mas:.0f} mas, each left out in turn) and "
            f"with them its error is {quality.error_mas:.0f} mas."
        )
    else:
        said = f"{_stars(quality.n_matches)}, no more than chance may bring: that is no test."
    return Caveat("WCS_FROM_VISIT", neighbours + said)


def _stars(n: int) -> str:
    return f"{n} of its own stars agree" if n > 1 else "one star of its own agrees"


def _metrics(solution: WcsSolution, quality: WcsQuality, first: FirstWcs, shape: tuple[int, int]) -> dict[str, float]:
    height, width = shape
    ra, dec = solution.wcs.pixel_to_sky(np.array([(width - 1) / 2]), np.array([(height - 1) / 2]))
    offset = angular_separation(ra, dec, first.plane.ra_deg, first.plane.dec_deg)
    x, y = np.meshgrid(np.linspace(0, width - 1, GRID[0]), np.linspace(0, height - 1, GRID[1]))
    p, q = first.plane.project(*first.wcs.pixel_to_sky(x.ravel(), y.ravel()))
    similarity, _ = fit_similarity(p, q, *solution.wcs.pixel_to_plane(x.ravel(), y.ravel()))
    return {
        "wcs_matches": float(quality.n_matches),
        "wcs_rms_mas": quality.rms_mas,
        "wcs_reserved_median_mas": quality.reserved_median_mas,
        "wcs_error_mas": quality.error_mas,
        "wcs_offset_arcsec": float(offset[0]) * 3600.0,
        "wcs_rotation_deg": similarity.rotation_deg,
        "wcs_cv_rms_px": quality.cv_rms_px,
        "n_associated": float(len(solution.stars.source)),
    }


def _metadata(
    solution: WcsSolution,
    quality: WcsQuality,
    model: CameraModel,
    error: float,
    witnesses: _Witnesses,
    rendered: TanSipWcs,
    n_references: int,
) -> dict[str, Any]:
    return {
        "firstWcsOrigin": "visit",
        "referencesLoaded": n_references,
        "matcher": "visit",
        "visitCcds": model.n_ccds,
        "visitModelDegree": model.degree,
        "visitScatterMas": 1000.0 * model.scatter,
        "visitErrorMas": 1000.0 * error,
        "starsAsked": witnesses.asked,
        "starsFound": witnesses.found,
        "fitted": quality.n_matches,
        "clipped": int((~solution.stars.used).sum()),
        "pixelScaleArcsec": solution.pixel_scale,
        "sipErrorMas": rendered.max_error_mas,
    }
