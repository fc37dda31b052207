"""Honesty: whether stated errors are the true ones, on CCDs whose catalogues the simulator drew with stated errors.

Every CCD has its own stars, pointing, PSF, noise, and its own draw of the catalogues' errors. PS1's drawn positions
carry an offset that all stars share, as the real ones do; Gaia's do not. A pull is a deviation over its stated error;
honest errors have pulls of unit width.
"""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.rows import Row
from tests.benchmarks.accuracy.simulated import DATES, Ccd, Observatory

from safelight import calibrate
from safelight.calibrate import reference_circle
from safelight.processccd.runtime import limit_threads
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
from safelight.simulate.spec import NightSpec, VisitSpec

__all__ = ["CcdPulls", "drawn_catalogs", "measure_pulls", "night", "pulls_of", "rows_of"]

Floats = NDArray[np.float64]

#: CCDs of the campaign in turn, and the seeings: the middle, both halves of the field, the edge and its turned CCDs.
CCDS = (49, 100, 23, 103, 58, 101, 77, 102)
SEEINGS = (0.5, 0.6, 0.7, 0.85, 1.0)
_MARGIN_DEG = 0.02


@dataclass(frozen=True)
class CcdPulls:
    """What one CCD says."""

    name: str
    seeing_arcsec: float
    reserved: Floats  # (n,) pulls of both axes: distance to the catalogue over centroid, catalogue and WCS errors
    wcs_claim_mas: float  # wcs_error_mas
    wcs_true_mas: float  # rms over the CCD, both axes together
    zeropoint_error_mag: float  # fitted minus true
    zeropoint_claim_mag: float
    photometric: Floats  # (n,) pulls of the reserved stars' magnitudes
    photometric_rms_mag: float  # of the reserved stars
    photometric_expected_mag: float  # rms of their photon and catalogue errors
    centroids: Floats  # (n,) pulls of true stars, both axes
    fluxes: Floats  # (n,) pulls of PSF fluxes of true stars about their median


def night(number: int, seed: int) -> NightSpec:
    """`number` visits of one CCD each."""
    visits = []
    for k in range(number):
        name = ("HSC-R", "HSC-I")[k // len(CCDS) % 2]
        visits.append(
            VisitSpec(
                907000 + 2 * k, name, (CCDS[k % len(CCDS)],), *DATES[name], 20.0 + 1.7 * k, 3.0, 90.0 * (k % 4),
                seeing_arcsec=SEEINGS[k % len(SEEINGS)],
            )
        )  # fmt: skip
    return NightSpec("honesty", tuple(visits), (), seed=seed)


def drawn_catalogs(ccd: Ccd, astrometry: str) -> tuple[ReferenceCatalog, ReferenceCatalog]:
    """The catalogues for positions (by name) and magnitudes (PS1), errors drawn for this CCD alone."""
    night, visit, config = ccd.night, ccd.truth.visit, ccd.config.calibrate
    margin = ccd.instrument.pointing_uncertainty_arcsec / 3600.0 + _MARGIN_DEG
    sources = reference_sources(SyntheticSky(night.seed), [sky_circle(ccd.wcs, margin)])
    draw = night.seed + 1000 * visit.visit + ccd.truth.ccd
    raw = ccd.raw
    circle = reference_circle(
        raw.wcs, raw.wcs_origin, raw.detector.width, raw.detector.height, config.astrometry,
        config.astromRefObjLoader, ccd.instrument, raw.detector.id, raw.visit_info,
    )  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="safelight-refcats-") as folder:
        loaded = {}
        for name, make in ((PS1_NAME, ps1_catalog), (GAIA_NAME, gaia_catalog)):
            table = make(sources, draw)
            common = catalog_traits(name).systematic_floor_mas
            add_common_errors(table, draw, position_mas=common, magnitude=config.photoCal.systematicFloor)
            write_shards(table, folder, name)
            loaded[name] = load_reference_catalog(Path(folder) / name, *circle, raw.visit_info.mjd_mid_tai)
    return loaded[astrometry], loaded[PS1_NAME]


def pulls_of(ccd: Ccd, astrometry: str = GAIA_NAME) -> CcdPulls:
    """Calibrate a CCD and compare what is claimed with what is true."""
    found = ccd.characterized
    positions, magnitudes = drawn_catalogs(ccd, astrometry)
    src = found.src.copy()
    result = calibrate.run(
        replace(found.exposure), src, positions, magnitudes, ccd.config.calibrate, ccd.instrument,
        wcs_origin=ccd.raw.wcs_origin,
    )  # fmt: skip
    metrics = result.metrics
    per_second = metrics["zeropoint_mag"] - ccd.truth.photometry.zeropoint_mag
    photometric, rms, expected = _photometric(ccd, src, magnitudes, result)
    centroids, fluxes = _true_stars(ccd, src)
    return CcdPulls(
        name=ccd.name,
        seeing_arcsec=ccd.truth.visit.seeing_arcsec,
        reserved=_reserved(src, positions, result, metrics["wcs_error_mas"]),
        wcs_claim_mas=metrics["wcs_error_mas"],
        wcs_true_mas=_wcs_rms(ccd, result.exposure.wcs),
        zeropoint_error_mag=per_second,
        zeropoint_claim_mag=metrics["zeropoint_error_mag"],
        photometric=photometric,
        photometric_rms_mag=rms,
        photometric_expected_mag=expected,
        centroids=centroids,
        fluxes=fluxes,
    )


def _column(table: Any, name: str) -> Floats:
    return np.asarray(table[name], dtype=np.float64)


def _nearest(src: Any, rows: NDArray[np.int64], catalog: ReferenceCatalog, radius_arcsec: float) -> tuple[Any, Any]:
    """Those of `rows` of `src` (with coordinates) that have a star of the catalogue within the radius, and the star."""
    from scipy.spatial import cKDTree

    def vectors(ra: Floats, dec: Floats) -> Floats:
        return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])

    tree = cKDTree(vectors(np.radians(catalog.ra_deg), np.radians(catalog.dec_deg)))
    at = vectors(_column(src, "coord_ra")[rows], _column(src, "coord_dec")[rows])
    distance, star = tree.query(at)
    near = distance < np.radians(radius_arcsec / 3600.0)
    return rows[near], star[near]


def _reserved(src: Any, catalog: ReferenceCatalog, result: Any, claim_mas: float) -> Floats:
    rows, star = _nearest(src, np.flatnonzero(src["calib_astrometry_reserved"]), catalog, 1.0)
    ra, dec = np.degrees(_column(src, "coord_ra")[rows]), np.degrees(_column(src, "coord_dec")[rows])
    east = (ra - catalog.ra_deg[star]) * np.cos(np.radians(dec)) * 3.6e6
    north = (dec - catalog.dec_deg[star]) * 3.6e6
    scale = 1000.0 * np.sqrt(np.abs(np.linalg.det(_jacobian(result.exposure.wcs, src, rows))))
    own = scale * np.hypot(_column(src, "base_SdssCentroid_xErr"), _column(src, "base_SdssCentroid_yErr"))[rows]
    fitted = claim_mas / np.sqrt(2.0)
    pulls = []
    for offset, stated in ((east, catalog.ra_error_mas), (north, catalog.dec_error_mas)):
        pulls.append(offset / np.sqrt(own**2 / 2.0 + stated[star] ** 2 + fitted**2))
    return np.concatenate(pulls)


def _jacobian(wcs: Any, src: Any, rows: NDArray[np.int64]) -> Floats:
    """(n, 2, 2) arcsec a pixel at sources, by differences."""
    x, y = _column(src, "base_SdssCentroid_x")[rows], _column(src, "base_SdssCentroid_y")[rows]
    columns = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        ra1, dec1 = wcs.pixel_to_sky(x - dx, y - dy)
        ra2, dec2 = wcs.pixel_to_sky(x + dx, y + dy)
        columns.append(np.stack([(ra2 - ra1) * np.cos(np.radians(dec1)), dec2 - dec1], axis=-1) * 3600.0)
    return np.stack(columns, axis=-1)


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


def _photometric(ccd: Ccd, src: Any, catalog: ReferenceCatalog, result: Any) -> tuple[Floats, float, float]:
    """Pulls of the magnitudes of the stars kept out of the zeropoint, their rms, and that of their own errors."""
    from safelight.calibrate.color_terms import apply_color_term, find_color_term

    exposure = result.exposure
    term = find_color_term(ccd.instrument.color_terms, catalog.name, exposure.filter_name, exposure.band)
    if term is None:
        raise LookupError(f"there is no colour term for {exposure.filter_name}")
    magnitude, error = apply_color_term(catalog, term)
    rows, star = _nearest(src, np.flatnonzero(src["calib_photometry_reserved"]), catalog, 0.25)
    flux, flux_error = (_column(src, f"base_PsfFlux_instFlux{suffix}")[rows] for suffix in ("", "Err"))
    measured = exposure.photo_calib.zeropoint_mag - 2.5 * np.log10(flux)
    difference = measured - magnitude[star]
    expected = np.hypot(1.0857 * flux_error / flux, error[star])
    # a variable star or a blend of the catalogue is no error of ours: 5 sigma
    kept = np.abs(difference) < 5.0 * np.hypot(expected, 0.005)
    difference, expected = difference[kept], expected[kept]
    pulls = difference / np.hypot(expected, exposure.photo_calib.zeropoint_error_mag)
    return pulls, float(np.sqrt(np.mean(difference**2))), float(np.sqrt(np.mean(expected**2)))


def _true_stars(ccd: Ccd, src: Any) -> tuple[Floats, Floats]:
    """Pulls of centroids and PSF fluxes of stars of more than 20 sigma without neighbours."""
    stars, isolation = ccd.stars, ccd.isolation()
    rows, star = match_stars(ccd, src)
    signal = (_column(src, "base_PsfFlux_instFlux") / _column(src, "base_PsfFlux_instFluxErr"))[rows]
    alone = (signal > 20.0) & (isolation[star] * signal < 0.3 * stars["flux"][star])
    rows, star = rows[alone], star[alone]
    pulls = [
        (_column(src, f"base_SdssCentroid_{axis}")[rows] - stars[axis][star])
        / _column(src, f"base_SdssCentroid_{axis}Err")[rows]
        for axis in "xy"
    ]
    flux, error = (_column(src, f"base_PsfFlux_instFlux{suffix}")[rows] for suffix in ("", "Err"))
    ratio = flux / stars["flux"][star]
    return np.concatenate(pulls), (ratio - np.median(ratio)) * stars["flux"][star] / error


def match_stars(ccd: Ccd, src: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of undamaged single sources, and the true stars within a pixel of them."""
    from scipy.spatial import cKDTree

    good = (np.asarray(src["deblend_nChild"]) == 0) & ~np.asarray(src["base_PsfFlux_flag"])
    for name in ("saturated", "edge", "interpolated", "bad", "cr"):
        good &= ~np.asarray(src[f"base_PixelFlags_flag_{name}"])
    x, y = _column(src, "base_SdssCentroid_x"), _column(src, "base_SdssCentroid_y")
    height, width = ccd.exposure.shape
    good &= (x > 30) & (x < width - 30) & (y > 30) & (y < height - 30)
    rows = np.flatnonzero(good)
    distance, star = cKDTree(np.column_stack([ccd.stars["x"], ccd.stars["y"]])).query(np.column_stack([x, y])[rows])
    near = distance < 1.0
    return rows[near], star[near]


def width(values: Floats) -> float:
    """Half of the interval that holds the middle 68.3 % of values."""
    if len(values) < 2:
        return float("nan")
    low, high = np.percentile(values, (15.866, 84.134))
    return float(high - low) / 2.0


def rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


def _of_camera_ccd(spec: NightSpec, ccd: int) -> list[CcdPulls]:
    """The pulls of all visits of one CCD of the camera, filter by filter: its masters are made once."""
    observatory = Observatory(spec)
    visits = sorted((visit for visit in spec.visits if ccd in visit.ccds), key=lambda visit: visit.filter)
    return [pulls_of(observatory.ccd(visit, ccd)) for visit in visits]


def campaign(number: int, seed: int, processes: int, log: Callable[[str], None]) -> list[CcdPulls]:
    """The pulls of `number` CCDs."""
    spec = night(number, seed)
    ccds = tuple(dict.fromkeys(visit.ccds[0] for visit in spec.visits))
    measured: list[CcdPulls] = []
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=limit_threads) as pool:
        for found in pool.map(partial(_of_camera_ccd, spec), ccds):
            measured += found
            log(f"pulls: {len(measured)} of {number} CCDs")
    return measured


def rows_of(measured: Sequence[CcdPulls]) -> list[Row]:
    """The table of a campaign."""
    number = len(measured)
    together = {
        "reserved stars, positions": np.concatenate([one.reserved for one in measured]),
        "reserved stars, magnitudes": np.concatenate([one.photometric for one in measured]),
        "true stars, centroids": np.concatenate([one.centroids for one in measured]),
        "true stars, PSF fluxes": np.concatenate([one.fluxes for one in measured]),
    }
    rows = [_unit_row(name, width(values), len(values)) for name, values in together.items()]
    zeropoint = np.array([one.zeropoint_error_mag / one.zeropoint_claim_mag for one in measured])
    rows.append(_unit_row("zeropoint", rms(zeropoint), number, note="rms"))
    claims = np.array([one.wcs_claim_mas for one in measured])
    truths = np.array([one.wcs_true_mas for one in measured])
    rows.append(_unit_row("WCS: true over claimed", rms(truths / claims), number, note="rms over the CCDs"))
    rows.append(Row("pulls", "WCS: claimed", "Safelight", "mas", float(np.median(claims)), n=number))
    rows.append(Row("pulls", "WCS: true rms", "Safelight", "mas", float(np.median(truths)), n=number))
    bias = 1000.0 * np.array([one.zeropoint_error_mag for one in measured])
    excess = 1000.0 * np.array([one.photometric_rms_mag - one.photometric_expected_mag for one in measured])
    rows.append(_mmag("zeropoint bias", bias, "|median| <= 2", 2.0))
    rows.append(_mmag("rms of reserved stars over photon and catalogue noise", excess, "<= 3", 3.0))
    return rows


def _unit_row(name: str, value: float, number: int, note: str = "") -> Row:
    return Row("pulls", name, "Safelight", "", value, n=number, demand="0.8 to 1.2", met=0.8 <= value <= 1.2, note=note)


def _mmag(name: str, values: Floats, demand: str, limit: float) -> Row:
    median, worst = float(np.median(values)), float(values[np.argmax(np.abs(values))])
    tail = float(np.percentile(np.abs(values), 90))
    return Row("pulls", name, "Safelight", "mmag", median, tail, worst, len(values), demand, abs(median) <= limit)


def measure_pulls(number: int, seed: int, processes: int, log: Callable[[str], None]) -> list[Row]:
    """Simulate, process and judge `number` CCDs; nothing is kept."""
    return rows_of(campaign(number, seed, processes, log))
