"""The step: from measured sources to an exposure with a WCS and a zeropoint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.astrometry import Astrometry, solve_astrometry
from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.first_wcs import FirstWcs, start_of
from safelight.calibrate.local_calibration import set_coordinates, set_local_photometry, set_local_scales
from safelight.calibrate.matches import full_matches, match_table
from safelight.calibrate.photometry import solve_photometry
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.result import METRICS, CalibrateResult
from safelight.calibrate.support import judge_support, measure_support
from safelight.calibrate.verdict import refuse_if_contradicted
from safelight.calibrate.visit_attempt import solve_again
from safelight.calibrate.visit_photometry import own_or_visits_zeropoint
from safelight.calibrate.visit_prior import VisitPrior
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, SkyWcs
from safelight.exposure.wcs import angular_separation, render_tan_sip
from safelight.instruments.model import Instrument
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.exposure import Workspace

__all__ = ["run"]

FLAGS = (
    "calib_astrometry_used",
    "calib_astrometry_reserved",
    "calib_photometry_used",
    "calib_photometry_reserved",
)


@dataclass(slots=True)
class _Pairs:
    """Associated rows of src and of the astrometric catalogue, and their distance on the sky in radians."""

    source: NDArray[np.int64]
    reference: NDArray[np.int64]
    distance: FloatArray


def run(
    exposure: Exposure,
    src: Table,
    astrometry: ReferenceCatalog,
    photometry: ReferenceCatalog | None,
    config: CalibrateConfig,
    instrument: Instrument,
    *,
    wcs_origin: str,
    workspace: Workspace | None = None,
    progress: Callable[[str], None] | None = None,
    visit: VisitPrior | None = None,
) -> CalibrateResult:
    """Give an exposure its WCS and zeropoint.

    Parameters
    ----------
    exposure
        Characterised; its `wcs` (may be None) is where the search begins. Changed in place: `wcs` becomes a TAN-SIP, in
        ADU the pixels stay as they are, `photo_calib` is set.
    src
        Sources in pixels. Changed in place: coordinates, `calib_*` flags, local calibration columns.
    astrometry, photometry
        Reference stars around the frame (`reference_circle`), at the epoch of the exposure.
    config, instrument
        Step configuration and camera.
    wcs_origin
        Where `exposure.wcs` came from: "camera model", "header", "pointing" or "".
    workspace
        Accepted as every step does; this step needs no image-sized scratch arrays.
    progress
        Called with "wcs" and "zeropoint" as these begin.
    visit
        What the visit's other CCDs lead to expect of one that could not be calibrated alone.

    Raises
    ------
    ProcessingError
        ``NO_POINTING``, ``TOO_FEW_STARS``, ``WCS_NO_MATCH``, ``WCS_AMBIGUOUS``, ``WCS_MIRRORED``,
        ``WCS_UNSUPPORTED``, ``WCS_CONTRADICTED``, ``WCS_AGAINST_VISIT``, ``VISIT_NO_BETTER`` and, of the zeropoint,
        ``NO_PHOTOMETRIC_CATALOG``, ``TOO_FEW_PHOTOMETRIC_STARS``, ``NO_REFERENCE_BAND``, ``NO_COLOR_TERM``, unless
        `requireAstrometry` or `requirePhotoCal` make them caveats.
    """
    report = progress or (lambda stage: None)
    metrics = dict.fromkeys(METRICS, float("nan"))
    caveats: list[Caveat] = []
    metadata: dict[str, Any] = {}
    for name in FLAGS:
        src[name] = np.zeros(len(src), dtype=np.bool_)

    report("wcs")
    first, solved = _astrometry(exposure, src, astrometry, config, instrument, wcs_origin, caveats, visit)
    pairs = _Pairs(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    if solved is not None:
        exposure.wcs = solved.wcs
        metrics |= solved.metrics
        caveats += solved.caveats
        metadata["astrometry"] = solved.metadata
        pairs = _pairs(solved, astrometry)
        stars = solved.solution.stars
        src["calib_astrometry_used"][pairs.source[stars.used]] = True
        src["calib_astrometry_reserved"][pairs.source[stars.reserved]] = True
    elif first is not None:
        height, width = exposure.shape
        exposure.wcs = render_tan_sip(first.wcs, width, height, config.astrometry.wcsFitter.renderTolerance)
    if exposure.wcs is not None:
        set_coordinates(src, exposure.wcs)
        if config.doEvalLocCalibration:
            set_local_scales(src, exposure.wcs, instrument.pixel_scale_arcsec)

    report("zeropoint")
    if config.doPhotoCal:
        trusted = solved.wcs if solved is not None else (exposure.wcs if not config.doAstrometry else None)
        scale = first.pixel_scale if first is not None else float("nan")
        _photometry(exposure, src, trusted, scale, photometry, config, instrument, metrics, caveats, metadata, visit)

    epoch = exposure.visit_info.mjd_mid_tai if exposure.visit_info is not None else float("nan")
    filter_name = exposure.band or exposure.filter_name
    matches = match_table(src, pairs.source, astrometry, pairs.reference, pairs.distance, filter_name, epoch)
    rows = (
        pairs
        if config.doWriteMatchesDenormalized
        else _Pairs(pairs.source[:0], pairs.reference[:0], pairs.distance[:0])
    )
    full = full_matches(src, rows.source, astrometry, rows.reference, rows.distance)
    full.meta.update(matches.meta)
    return CalibrateResult(exposure, src, matches, full, metrics, caveats, metadata)


def _astrometry(
    exposure: Exposure,
    src: Table,
    catalog: ReferenceCatalog,
    config: CalibrateConfig,
    instrument: Instrument,
    wcs_origin: str,
    caveats: list[Caveat],
    visit: VisitPrior | None,
) -> tuple[FirstWcs | None, Astrometry | None]:
    """The first WCS and the solution; None for what is not required and was not to be had."""
    first: FirstWcs | None = None
    try:
        first = start_of(exposure, wcs_origin, config.astrometry, instrument)
        if not config.doAstrometry:
            caveats.append(
                Caveat("NO_ASTROMETRY", f"The WCS is the {first.origin}'s, tested with no star: doAstrometry=False.")
            )
            return first, None
        if visit is not None and visit.model is not None:
            detector = exposure.detector_id
            solved = solve_again(src, exposure.shape, first, catalog, visit, config, instrument, detector)
        else:
            solved = solve_astrometry(src, exposure.shape, first, catalog, config, instrument)
        return first, _confronted(solved, catalog, exposure, config)
    except ProcessingError as error:
        if config.requireAstrometry and config.doAstrometry:
            raise
        caveats.append(Caveat("NO_ASTROMETRY", f"The WCS was not fitted: {error.message} [{error.code}]"))
        return first, None


def _confronted(
    solved: Astrometry, catalog: ReferenceCatalog, exposure: Exposure, config: CalibrateConfig
) -> Astrometry:
    """The solution with what bright stars and references say of it; see `refuse_if_contradicted`."""
    support = measure_support(solved.solution, solved.sources, catalog, exposure, config.astrometry)
    caveats = [*solved.caveats, *judge_support(support, config.astrometry)]
    refuse_if_contradicted(caveats)
    return replace(solved, caveats=caveats, metadata=solved.metadata | support.metadata)


def _pairs(solved: Astrometry, catalog: ReferenceCatalog) -> _Pairs:
    stars = solved.solution.stars
    x, y = solved.sources.x[stars.source], solved.sources.y[stars.source]
    ra, dec = solved.wcs.pixel_to_sky(x, y)
    degrees = angular_separation(ra, dec, catalog.ra_deg[stars.reference], catalog.dec_deg[stars.reference])
    return _Pairs(solved.sources.row[stars.source], stars.reference, np.radians(degrees))


def _photometry(
    exposure: Exposure,
    src: Table,
    wcs: SkyWcs | None,
    pixel_scale: float,
    catalog: ReferenceCatalog | None,
    config: CalibrateConfig,
    instrument: Instrument,
    metrics: dict[str, float],
    caveats: list[Caveat],
    metadata: dict[str, Any],
    visit: VisitPrior | None,
) -> None:
    """Fit the zeropoint and fill in what it gives; a failure that is not required to succeed becomes a caveat."""
    try:
        if wcs is None:
            raise ProcessingError(
                "NO_WCS", "Without a fitted WCS no star can be identified for the zeropoint.", "See the WCS."
            )
        if catalog is None:
            raise ProcessingError(
                "NO_PHOTOMETRIC_CATALOG",
                "There is no photometric reference catalogue for the zeropoint.",
                "Ingest one, name it (photoRefObjLoader.ref_dataset_name), or set calibrate.doPhotoCal=False.",
            )
        own = partial(solve_photometry, src, exposure, wcs, pixel_scale, catalog, config, instrument)
        solved = own() if visit is None else own_or_visits_zeropoint(exposure, visit, own, config.photoCal.fewStars)
    except ProcessingError as error:
        if config.requirePhotoCal:
            raise
        caveats.append(Caveat("NO_ZEROPOINT", f"There is no zeropoint: {error.message} [{error.code}]"))
        return
    exposure.photo_calib = solved.photo_calib
    metrics |= solved.metrics
    caveats += solved.caveats
    metadata["photoCal"] = solved.metadata
    src["calib_photometry_used"][solved.used_rows] = True
    src["calib_photometry_reserved"][solved.reserved_rows] = True
    if config.doEvalLocCalibration:
        set_local_photometry(src, solved.photo_calib)
