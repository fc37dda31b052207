"""Honesty: whether stated errors are the true ones, on one CCD whose catalogues the simulator drew with stated errors.

The CCD has its own stars, pointing, PSF, noise, and its own draw of the catalogues' errors, those included that all
stars of a catalogue share: 0.2 mas of Gaia's positions, 3 mas of PS1's, 2 mmag of each band's zeropoint. PS1's stars
have moved besides, which it does not say. A pull is a deviation over its stated error; honest errors have pulls of unit
width.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.reservedstars import ReservedMagnitudes, column, position_pulls, reserved_magnitudes
from tests.benchmarks.accuracy.simulated import Ccd

from safelight import calibrate
from safelight.calibrate import CalibrateResult, reference_circle
from safelight.calibrate.reserve import hash_fraction
from safelight.refcats import ReferenceCatalog
from safelight.refcats.ingest import write_shards
from safelight.refcats.load import load_reference_catalog
from safelight.refcats.traits import catalog_traits
from safelight.simulate.frame import sky_circle
from safelight.simulate.populations import SyntheticSky
from safelight.simulate.references import (
    GAIA_NAME,
    PS1_NAME,
    add_common_errors,
    gaia_catalog,
    ps1_catalog,
    reference_sources,
)

__all__ = ["CASES", "CcdPulls", "WcsPulls", "drawn_catalogs", "pulls_of"]

Floats = NDArray[np.float64]

#: Title: the catalogue for the positions, and how many of its stars are left on the CCD (0: all).
CASES: Mapping[str, tuple[str, int]] = {
    "Gaia": (GAIA_NAME, 0),
    "PS1": (PS1_NAME, 0),
    "Gaia, few stars": (GAIA_NAME, 45),
    "PS1, few stars": (PS1_NAME, 60),
}
_MARGIN_DEG = 0.02


@dataclass(frozen=True)
class WcsPulls:
    """One CCD with one catalogue."""

    reserved: Floats  # (n,) pulls of both axes: distance to the catalogue over centroid, catalogue and WCS errors
    claim_mas: float  # wcs_error_mas
    true_mas: float  # rms over the CCD, both axes together
    matches: int


@dataclass(frozen=True)
class CcdPulls:
    """What one CCD says."""

    name: str
    ccd: int
    seeing_arcsec: float
    wcs: Mapping[str, WcsPulls]  # by case
    zeropoint_error_mag: float  # fitted minus true
    zeropoint_claim_mag: float
    magnitudes: ReservedMagnitudes
    centroids: Floats  # (n,) pulls of true stars, both axes
    fluxes: Floats  # (n,) pulls of PSF fluxes of true stars about their median


def drawn_catalogs(ccd: Ccd) -> dict[str, ReferenceCatalog]:
    """Both catalogues by name, errors drawn for this CCD alone."""
    night, visit, config = ccd.night, ccd.truth.visit, ccd.config.calibrate
    margin = ccd.instrument.pointing_uncertainty_arcsec / 3600.0 + _MARGIN_DEG
    sources = reference_sources(SyntheticSky(night.seed), [sky_circle(ccd.wcs, margin)])
    draw = night.seed + 1000 * visit.visit + ccd.truth.ccd
    raw = ccd.raw
    circle = reference_circle(
        raw.wcs, raw.wcs_origin, raw.detector.width, raw.detector.height, config.astrometry,
        config.astromRefObjLoader, ccd.instrument, raw.detector.id, raw.visit_info,
    )  # fmt: skip
    tables = {PS1_NAME: ps1_catalog(sources, draw, offset_mas=(0.0, 0.0)), GAIA_NAME: gaia_catalog(sources, draw)}
    with tempfile.TemporaryDirectory(prefix="safelight-refcats-") as folder:
        loaded = {}
        for name, table in tables.items():
            common = catalog_traits(name).systematic_floor_mas
            add_common_errors(table, draw, position_mas=common, magnitude=config.photoCal.systematicFloor)
            write_shards(table, folder, name)
            loaded[name] = load_reference_catalog(Path(folder) / name, *circle, raw.visit_info.mjd_mid_tai)
    return loaded


def pulls_of(ccd: Ccd) -> CcdPulls:
    """Calibrate a CCD with each case's catalogue and compare what is claimed with what is true.

    Raises `ProcessingError` where a calibration fails.
    """
    catalogs = drawn_catalogs(ccd)
    wcs = {}
    for title, (name, number) in CASES.items():
        catalog = _thinned(ccd, catalogs[name], number) if number else catalogs[name]
        src = ccd.characterized.src.copy()
        result = calibrate.run(
            replace(ccd.characterized.exposure), src, catalog, catalogs[PS1_NAME], ccd.config.calibrate, ccd.instrument,
            wcs_origin=ccd.raw.wcs_origin,
        )  # fmt: skip
        wcs[title] = _wcs_pulls(ccd, src, catalog, result)
        if title == "Gaia":
            photometry = src, result
    src, result = photometry
    exposure = result.exposure
    assert exposure.photo_calib is not None
    centroids, fluxes = _true_stars(ccd, src)
    return CcdPulls(
        name=ccd.name,
        ccd=ccd.truth.ccd,
        seeing_arcsec=ccd.truth.visit.seeing_arcsec,
        wcs=wcs,
        zeropoint_error_mag=result.metrics["zeropoint_mag"] - ccd.truth.photometry.zeropoint_mag,
        zeropoint_claim_mag=result.metrics["zeropoint_error_mag"],
        magnitudes=reserved_magnitudes(
            src, catalogs[PS1_NAME], ccd.instrument, exposure.filter_name, exposure.band,
            exposure.photo_calib.zeropoint_mag,
        ),
        centroids=centroids,
        fluxes=fluxes,
    )  # fmt: skip


def _thinned(ccd: Ccd, catalog: ReferenceCatalog, number: int) -> ReferenceCatalog:
    """The catalogue with as large a share of its stars as leaves `number` of them on the CCD."""
    x, y = ccd.wcs.sky_to_pixel(catalog.ra_deg, catalog.dec_deg)
    detector = ccd.wcs.detector
    inside = int(np.sum((x > 0) & (x < detector.width) & (y > 0) & (y < detector.height)))
    # another hash than that of the stars kept out of the fit, which goes by the id as it is
    kept = hash_fraction(~catalog.id) < number / max(inside, 1)
    columns: dict[str, Any] = {}
    for one in fields(catalog):
        value = getattr(catalog, one.name)
        if isinstance(value, dict):
            columns[one.name] = {band: flux[kept] for band, flux in value.items()}
        elif one.name == "rows" or isinstance(value, np.ndarray):
            columns[one.name] = value[kept]
    return replace(catalog, **columns)


def _wcs_pulls(ccd: Ccd, src: Any, catalog: ReferenceCatalog, result: CalibrateResult) -> WcsPulls:
    claim, wcs = result.metrics["wcs_error_mas"], result.exposure.wcs
    fitted = math.sqrt(max(claim**2 / 2.0 - catalog.systematic_floor_mas**2, 0.0))
    scatter = result.metadata["astrometry"]["scatterMas"]
    pulls = position_pulls(src, catalog, wcs, scatter, fitted)
    return WcsPulls(pulls, claim, _wcs_rms(ccd, wcs), int(result.metrics["wcs_matches"]))


def _wcs_rms(ccd: Ccd, wcs: Any) -> float:
    detector = ccd.wcs.detector
    x, y = (
        grid.ravel()
        for grid in np.meshgrid(np.linspace(0, detector.width - 1, 32), np.linspace(0, detector.height - 1, 64))
    )
    ra, dec = wcs.pixel_to_sky(x, y)
    true_ra, true_dec = ccd.wcs.pixel_to_sky(x, y)
    east = ((ra - true_ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(true_dec))
    return float(3.6e6 * np.sqrt(np.mean(east**2 + (dec - true_dec) ** 2)))


def _true_stars(ccd: Ccd, src: Any) -> tuple[Floats, Floats]:
    """Pulls of centroids and PSF fluxes of stars of more than 20 sigma without neighbours."""
    stars, isolation = ccd.stars, ccd.isolation()
    rows, star = match_stars(ccd, src)
    signal = (column(src, "base_PsfFlux_instFlux") / column(src, "base_PsfFlux_instFluxErr"))[rows]
    alone = (signal > 20.0) & (isolation[star] * signal < 0.3 * stars["flux"][star])
    rows, star = rows[alone], star[alone]
    pulls = [
        (column(src, f"base_SdssCentroid_{axis}")[rows] - stars[axis][star])
        / column(src, f"base_SdssCentroid_{axis}Err")[rows]
        for axis in "xy"
    ]
    flux, error = (column(src, f"base_PsfFlux_instFlux{suffix}")[rows] for suffix in ("", "Err"))
    ratio = flux / stars["flux"][star]
    return np.concatenate(pulls), (ratio - np.median(ratio)) * stars["flux"][star] / error


def match_stars(ccd: Ccd, src: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of undamaged single sources, and the true stars within a pixel of them."""
    from scipy.spatial import cKDTree

    good = (np.asarray(src["deblend_nChild"]) == 0) & ~np.asarray(src["base_PsfFlux_flag"])
    good &= ~np.asarray(src["base_SdssCentroid_flag"])
    for name in ("saturated", "edge", "interpolated", "bad", "cr"):
        good &= ~np.asarray(src[f"base_PixelFlags_flag_{name}"])
    x, y = column(src, "base_SdssCentroid_x"), column(src, "base_SdssCentroid_y")
    height, width = ccd.exposure.shape
    good &= (x > 30) & (x < width - 30) & (y > 30) & (y < height - 30)
    rows = np.flatnonzero(good)
    distance, star = cKDTree(np.column_stack([ccd.stars["x"], ccd.stars["y"]])).query(np.column_stack([x, y])[rows])
    near = distance < 1.0
    return rows[near], star[near]
