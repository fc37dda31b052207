"""The astrometric half of the step: select, match, fit, judge, render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.departure import judge_departure, measure_departure
from safelight.calibrate.first_wcs import FirstWcs, search_range
from safelight.calibrate.frame_match import match_frame
from safelight.calibrate.pattern import PatternMatch
from safelight.calibrate.quality import WcsQuality, judge_wcs
from safelight.calibrate.reference_stars import reference_errors
from safelight.calibrate.selection import SourceList, select_sources
from safelight.calibrate.wcs_fit import WcsSolution, fit_wcs
from safelight.calibrate.wcs_metrics import wcs_metrics
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure.wcs import TanSipWcs, render_tan_sip
from safelight.instruments.model import Instrument
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Astrometry", "solve_astrometry"]


@dataclass(frozen=True, slots=True)
class Astrometry:
    """A solved CCD."""

    wcs: TanSipWcs
    solution: WcsSolution
    match: PatternMatch
    quality: WcsQuality
    sources: SourceList
    metrics: dict[str, float]
    caveats: list[Caveat]
    metadata: dict[str, Any]


def solve_astrometry(
    src: Table,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    config: CalibrateConfig,
    instrument: Instrument,
) -> Astrometry:
    """Match the sources of a CCD to reference stars and fit its WCS.

    Parameters
    ----------
    src
        The source table.
    shape
        (height, width) of the CCD, pixels.
    first
        The WCS to start from.
    catalog
        Reference stars, loaded out to the pointing uncertainty.
    config, instrument
        Step configuration and camera.

    Raises
    ------
    ProcessingError
        ``TOO_FEW_STARS``, ``WCS_NO_MATCH``, ``WCS_AMBIGUOUS``, ``WCS_MIRRORED``, ``WCS_UNSUPPORTED``,
        ``SOURCES_INCOMPLETE``.
    """
    height, width = shape
    astrometry, fitter = config.astrometry, config.astrometry.wcsFitter
    limits = search_range(first, astrometry, instrument)
    sources = select_sources(src, width, height, astrometry.minSnr)
    match = match_frame(sources, shape, first, catalog, limits, astrometry.matcher)
    systematic = config.astromRefObjLoader.systematicFloor
    systematic = catalog.systematic_floor_mas if systematic is None else systematic
    solution = fit_wcs(
        first.wcs,
        first.plane,
        match,
        sources,
        catalog,
        reference_errors(catalog, config.astromRefObjLoader),
        shape,
        astrometry,
        fitter.maxModelOrder if first.origin == "camera model" else fitter.maxOrder,
        systematic,
    )
    quality, caveats = judge_wcs(solution, sources, shape, systematic, astrometry)
    departure = measure_departure(solution, first, shape)
    caveats += judge_departure(departure, first.origin, limits.scale_uncertainty, astrometry.quality)
    caveats += _handedness(solution, first)
    wcs = render_tan_sip(solution.wcs, width, height, fitter.renderTolerance)
    caveats += _rendering(wcs, solution.pixel_scale, fitter.renderTolerance)
    metrics = wcs_metrics(solution, quality, first, shape, solution.wcs.alignment.rotation_deg)
    metadata = _metadata(solution, match, quality, first, wcs, len(catalog))
    metadata |= {"scaleError": departure.scale_error, "bendPixels": departure.bend_pixels}
    return Astrometry(wcs, solution, match, quality, sources, metrics, caveats, metadata)


def _handedness(solution: WcsSolution, first: FirstWcs) -> list[Caveat]:
    """A header may be wrong about it and the fit right; a camera model is not (see `mirrored`)."""
    if first.origin != "header" or not solution.wcs.alignment.mirrored:
        return []
    return [Caveat("WCS_MIRRORED", "The frame is mirrored against its header's WCS; the fitted WCS is right about it.")]


def _rendering(wcs: TanSipWcs, pixel_scale: float, tolerance_mas: float) -> list[Caveat]:
    """Whether TAN-SIP holds the fit: a caveat where not to the tolerance, a failure where not to a tenth of a pixel."""
    if wcs.max_error_mas <= tolerance_mas:
        return []
    sentence = f"The TAN-SIP form of the fitted WCS is {wcs.max_error_mas:.2g} mas off at worst."
    if wcs.max_error_mas > 100.0 * pixel_scale:
        raise ProcessingError("WCS_UNSUPPORTED", sentence, "Is the first WCS, or the degree of the correction, absurd?")
    return [Caveat("WCS_RENDERED_COARSELY", sentence)]


def _metadata(
    solution: WcsSolution,
    match: PatternMatch,
    quality: WcsQuality,
    first: FirstWcs,
    wcs: TanSipWcs,
    n_references: int,
) -> dict[str, Any]:
    stars = solution.stars
    return {
        "firstWcsOrigin": first.origin,
        "referencesLoaded": n_references,
        "matcher": match.method,
        "matcherPairs": match.n_matched,
        "matcherLog10FalseMatches": round(match.log10_false, 2),
        "mirrored": solution.wcs.alignment.mirrored,
        "scaleRatio": solution.wcs.alignment.scale,
        "correctionDegree": solution.fit.degree,
        "scatterMas": 1000.0 * solution.fit.scatter,
        "fitted": quality.n_matches,
        "clipped": int((stars.eligible & ~stars.reserved & ~stars.used).sum()),
        "reserved": quality.n_reserved,
        "associatedNotFitted": int((~stars.eligible).sum()),
        "pullScale": quality.pull_scale,
        "pixelScaleArcsec": solution.pixel_scale,
        "sipErrorMas": wcs.max_error_mas,
    }
