"""The WCS of a CCD with too few stars of its own, from its neighbours: predicted, corrected by what stars there are.

The camera model of the visit says where the CCD looks to a small fraction of a pixel or so. Stars found within that
error correct it (`visit_fit`), and they are asked first whether they agree at all (`visit_witnesses`): a CCD whose
stars are not where the model puts them is not solved.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from safelight.calibrate.astrometry import Astrometry
from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs
from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.linear import fit_similarity
from safelight.calibrate.pattern import PatternMatch
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.quality import WcsQuality
from safelight.calibrate.selection import select_sources
from safelight.calibrate.visit_fit import correct_prediction
from safelight.calibrate.visit_wcs import CameraModel
from safelight.calibrate.visit_witnesses import Witnesses, ask_witnesses, associate, look_at
from safelight.calibrate.wcs_fit import WcsSolution
from safelight.calibrate.wcs_metrics import wcs_metrics
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure.wcs import render_tan_sip
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["SEARCH_PIXELS", "SEARCH_SIGMA", "rotation_from", "solve_from_visit"]

SEARCH_SIGMA = 4.0  # a star is looked for within so many errors of its place …
SEARCH_PIXELS = (1.0, 5.0)  # … but at least and at most so many pixels from it
GRID = (8, 16)


def solve_from_visit(
    src: Table,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    model: CameraModel,
    config: CalibrateConfig,
) -> Astrometry:
    """The WCS of a CCD by the camera model of its visit; arguments as of `solve_astrometry`.

    Parameters
    ----------
    first
        Of the same kind as those that the model was fitted to.
    model
        Fitted to the other CCDs.

    Raises
    ------
    ProcessingError
        ``VISIT_TOO_UNCERTAIN`` where the model says too little of this CCD's place;
        ``WCS_AGAINST_VISIT`` where the CCD's own stars are not where the model puts them.
    """
    height, width = shape
    sources = select_sources(src, width, height, config.astrometry.minSnr)
    error = model.error_arcsec(first.wcs, width, height)
    scene = look_at(sources, shape, model.wcs(first.wcs), catalog, config.astromRefObjLoader)
    least, most = (pixels * scene.pixel_scale for pixels in SEARCH_PIXELS)
    if SEARCH_SIGMA * error > most:
        raise ProcessingError(
            "VISIT_TOO_UNCERTAIN",
            f"The visit's other CCDs predict the WCS to {error:.2f} arcsec only.",
            "Solve more CCDs of the visit, nearer to this one.",
        )
    radius = max(SEARCH_SIGMA * error, least)
    source, reference = associate(scene, radius)
    witnesses = ask_witnesses(scene, source, reference, radius)
    fitter = config.astrometry.wcsFitter
    stars, fit = correct_prediction(scene, source, reference, error, fitter.scatterFloor / 1000.0)
    wcs = CorrectedWcs(scene.predicted, scene.predicted.plane, Alignment(), scene.predicted.plane, fit.correction)
    solution = WcsSolution(wcs, fit, stars, scene.pixel_scale)
    quality = _quality(solution, shape, catalog, config)
    rendered = render_tan_sip(wcs, width, height, fitter.renderTolerance)
    match = PatternMatch(Alignment(), len(source), radius, 0.0, witnesses.log10_chance, "visit")
    caveats = [_caveat(quality, model, error, witnesses)]
    metrics = wcs_metrics(solution, quality, first, shape, rotation_from(first, wcs, shape))
    metadata = _metadata(solution, model, error, witnesses)
    metadata |= {"referencesLoaded": len(catalog), "sipErrorMas": rendered.max_error_mas}
    return Astrometry(rendered, solution, match, quality, sources, metrics, caveats, metadata)


def rotation_from(first: FirstWcs, wcs: CorrectedWcs, shape: tuple[int, int]) -> float:
    """By how many degrees `wcs` is turned against `first`, over a CCD of `shape` (height, width) pixels."""
    x, y = (at.ravel() for at in _grid(shape))
    similarity, _ = fit_similarity(*first.plane.project(*first.wcs.pixel_to_sky(x, y)), *wcs.pixel_to_plane(x, y))
    return similarity.rotation_deg


def _grid(shape: tuple[int, int]) -> tuple[FloatArray, FloatArray]:
    return np.meshgrid(np.linspace(0, shape[1] - 1, GRID[0]), np.linspace(0, shape[0] - 1, GRID[1]))


def _quality(
    solution: WcsSolution, shape: tuple[int, int], catalog: ReferenceCatalog, config: CalibrateConfig
) -> WcsQuality:
    stars = solution.stars
    residual, unfitted = stars.residual[stars.used], stars.cross_validated[stars.used]
    n = int(stars.used.sum())
    rms = 1000.0 * float(np.sqrt((residual**2).sum(axis=1).mean())) if n else math.nan
    median = 1000.0 * float(np.median(np.hypot(*unfitted.T))) if n else math.nan
    crossed = float(np.sqrt((unfitted**2).sum(axis=1).mean())) / solution.pixel_scale if n else math.nan
    on_sky = solution.wcs.first.pixel_to_sky(*_grid(shape))
    variance = solution.fit.variance_at(*solution.wcs.first_plane.project(*on_sky))
    floor = config.astromRefObjLoader.systematicFloor
    floor = catalog.systematic_floor_mas if floor is None else floor
    error = float(np.sqrt(1e6 * np.mean(variance.sum(axis=1)) + 2.0 * floor**2))
    return WcsQuality(n, 0, rms, median, crossed, error, 1.0)


def _caveat(quality: WcsQuality, model: CameraModel, error: float, witnesses: Witnesses) -> Caveat:
    neighbours = (
        f"The WCS comes from {model.n_ccds} other CCDs of the visit, which predict it to {1000.0 * error:.0f} mas; "
    )
    if not quality.n_matches:
        said = "no star of its own tests it."
    elif witnesses.confirm:
        said = (
            f"{_stars(quality.n_matches)} (median {quality.reserved_median_mas:.2g} mas, each left out in turn) and "
            f"with them its error is {quality.error_mas:.2g} mas."
        )
    else:
        said = f"{_stars(quality.n_matches)}, no more than chance may bring: that is no test."
    return Caveat("WCS_FROM_VISIT", neighbours + said)


def _stars(n: int) -> str:
    return f"{n} of its own stars agree" if n > 1 else "one star of its own agrees"


def _metadata(solution: WcsSolution, model: CameraModel, error: float, witnesses: Witnesses) -> dict[str, Any]:
    used = solution.stars.used
    return {
        "firstWcsOrigin": "visit",
        "matcher": "visit",
        "visitCcds": model.n_ccds,
        "visitModelDegree": model.degree,
        "visitScatterMas": 1000.0 * model.scatter,
        "visitErrorMas": 1000.0 * error,
        "starsAsked": witnesses.asked,
        "starsFound": witnesses.found,
        "fitted": int(used.sum()),
        "clipped": int((~used).sum()),
        "pixelScaleArcsec": solution.pixel_scale,
    }
