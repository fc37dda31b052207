"""The astrometric half of the step: select, match, fit, judge, render."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from safelight.calibrate.config import AstrometricLoaderConfig, CalibrateConfig
from safelight.calibrate.departure import judge_departure, measure_departure
from safelight.calibrate.first_wcs import FirstWcs, search_range
from safelight.calibrate.matching import PatternMatch, PatternSearch, match_pattern
from safelight.calibrate.mirrored import refuse_if_mirrored
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.quality import WcsQuality, judge_wcs
from safelight.calibrate.repeating import repeating
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

__all__ = ["Astrometry", "brightness", "reference_errors", "solve_astrometry"]

UNKNOWN_POSITION_ERROR_MAS = 10.0
LEAST_POSITION_ERROR_MAS = 0.3


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
        ``TOO_FEW_STARS``, ``WCS_NO_MATCH``, ``WCS_MIRRORED``, ``WCS_UNSUPPORTED``, ``SOURCES_INCOMPLETE``.
    """
    height, width = shape
    astrometry = config.astrometry
    sources = select_sources(src, width, height, astrometry.minSnr)
    looked = np.argsort(repeating(sources.x, sources.y), kind="stable")
    p, q = first.plane.project(*first.wcs.pixel_to_sky(sources.x[looked], sources.y[looked]))
    xi, eta = first.plane.project(catalog.ra_deg, catalog.dec_deg)
    order = np.argsort(-brightness(catalog), kind="stable")
    order = order[np.isfinite(xi[order]) & np.isfinite(eta[order])]
    limits = search_range(first, astrometry, instrument)
    modelled = first.origin == "camera model"
    search = PatternSearch(
        corners=first.corners,
        pixel_scale=first.pixel_scale,
        max_offset=limits.pointing_uncertainty_arcsec,
        max_rotation_deg=limits.rotation_uncertainty_deg,
        max_scale_error=limits.scale_uncertainty,
        any_rotation=astrometry.matcher.anyRotation and not modelled,
        parities=1 if modelled or (limits.parity_known and first.origin == "pointing") else 2,
    )
    try:
        match = match_pattern(p, q, xi[order], eta[order], search, astrometry.matcher)
    except ProcessingError as error:
        if modelled and error.code == "WCS_NO_MATCH":
            refuse_if_mirrored(first, sources, xi[order], eta[order], shape, search, astrometry.matcher)
        raise
    fitter = astrometry.wcsFitter
    max_order = fitter.maxOrder if first.origin == "pointing" else fitter.maxModelOrder
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
        max_order,
        systematic,
    )
    quality, caveats = judge_wcs(solution, sources, shape, systematic, astrometry)
    departure = measure_departure(solution, first, shape)
    caveats += judge_departure(departure, first.origin, limits.scale_uncertainty, astrometry.quality)
    if first.origin == "header" and solution.wcs.alignment.mirrored:
        caveats.append(
            Caveat("WCS_MIRRORED", "The frame is mirrored against its header's WCS; the fitted WCS is right about it.")
        )
    wcs = render_tan_sip(solution.wcs, width, height, fitter.renderTolerance)
    caveats += _rendering(wcs, solution.pixel_scale, fitter.renderTolerance)
    metrics = wcs_metrics(solution, quality, first, shape, solution.wcs.alignment.rotation_deg)
    metadata = _metadata(solution, match, quality, first, wcs, len(catalog))
    metadata |= {"scaleError": departure.scale_error, "bendPixels": departure.bend_pixels}
    return Astrometry(wcs, solution, match, quality, sources, metrics, caveats, metadata)


def _rendering(wcs: TanSipWcs, pixel_scale: float, tolerance_mas: float) -> list[Caveat]:
    """Whether TAN-SIP holds the fit: a caveat where not to the tolerance, a failure where not to a tenth of a pixel."""
    if wcs.max_error_mas <= tolerance_mas:
        return []
    sentence = f"The TAN-SIP form of the fitted WCS is {wcs.max_error_mas:.2g} mas off at worst."
    if wcs.max_error_mas > 100.0 * pixel_scale:
        raise ProcessingError("WCS_UNSUPPORTED", sentence, "Is the first WCS, or the degree of the correction, absurd?")
    return [Caveat("WCS_RENDERED_COARSELY", sentence)]


def reference_errors(catalog: ReferenceCatalog, loader: AstrometricLoaderConfig) -> tuple[FloatArray, FloatArray]:
    """Position errors of the references in either axis, arcsec, with the configured floor."""
    errors = []
    for stated in (catalog.ra_error_mas, catalog.dec_error_mas):
        known = np.isfinite(stated) & (stated > 0)
        if loader.positionErrorFloor is not None:
            error = np.where(known, np.maximum(stated, loader.positionErrorFloor), loader.positionErrorFloor)
        else:
            error = np.where(known, np.maximum(stated, LEAST_POSITION_ERROR_MAS), UNKNOWN_POSITION_ERROR_MAS)
        errors.append(np.maximum(error, 1e-3) / 1000.0)
    return errors[0], errors[1]


def brightness(catalog: ReferenceCatalog) -> FloatArray:
    """Flux of each star in its brightest band, nJy, for ranking; 0 where it has none."""
    if not catalog.flux_njy:
        return np.zeros(len(catalog))
    fluxes = np.stack([np.nan_to_num(flux, nan=0.0) for flux in catalog.flux_njy.values()])
    return np.asarray(fluxes.max(axis=0), dtype=np.float64)


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
