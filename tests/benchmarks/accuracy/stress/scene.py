"""The lists of a case: the sources measured on the frame and the reference catalogue, with the truth."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray
from tests.benchmarks.accuracy.stress import patterns
from tests.benchmarks.accuracy.stress.cases import Case

from safelight.exposure import VisitInfo
from safelight.instruments import Instrument, load_instrument
from safelight.refcats import ReferenceCatalog
from safelight.refcats.ingest import write_shards
from safelight.refcats.load import load_reference_catalog
from safelight.simulate.optics import Pointing, TrueWcs

__all__ = ["HEIGHT", "WIDTH", "Scene", "make_scene"]

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 2048, 4176
FRAME_ARCSEC2 = WIDTH * HEIGHT * 0.168**2
RADIUS_DEG = 0.40  # of sky around the claimed place of the CCD that the catalogue covers
SLOPE = 0.3  # d log N / d mag
SECONDS, MJD = 30.0, 56450.0
MOST_PER_FRAME = 6000.0  # references on the area of a frame


@dataclass
class Scene:
    """What the calibration is given, and what is true."""

    src: Table
    catalog: ReferenceCatalog
    visit: VisitInfo  # with the header's wrong pointing
    truth: TrueWcs
    mirrored: bool
    findable: int  # reference stars in the frame, in the catalogue, and detected unsaturated
    solvable: bool  # whether the frame shows the claimed sky, and once

    def true_sky(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """The true ICRS degrees of pixels of the frame as it is given."""
        return self.truth.pixel_to_sky(WIDTH - 1.0 - x if self.mirrored else x, y)


@lru_cache(maxsize=1)
def hsc() -> Instrument:
    return load_instrument("hsc")


@dataclass
class _Stars:
    ra: Floats  # degrees at the epoch of the exposure
    dec: Floats
    magnitude: Floats  # relative to the frame's limit: detectable below 0
    motion: Floats  # (2, n) mas a year


def make_scene(case: Case) -> Scene:
    """Everything of a case."""
    rng = case.generator
    truth = TrueWcs.of(hsc(), case.ccd, Pointing(case.ra_deg, case.dec_deg, case.rotator_deg, case.scale))
    claimed = _claimed(case)
    visit = VisitInfo(SECONDS, SECONDS, MJD, claimed.ra_deg, claimed.dec_deg, claimed.rotator_deg)
    centre = _centre(TrueWcs.of(hsc(), case.ccd, claimed))
    stars = _stars(case, rng, centre)
    in_catalog = _in_catalog(case, rng, stars)
    x, y, flux, star = _detections(case, rng, truth, stars)
    if case.hostile:
        x, y, flux, star = patterns.on_frame(case.hostile, rng, x, y, flux, star, WIDTH, HEIGHT)
    ra, dec = stars.ra[in_catalog], stars.dec[in_catalog]
    magnitude = stars.magnitude[in_catalog] + rng.normal(0, case.color_scatter, len(ra))
    motion, ids = stars.motion[:, in_catalog], np.flatnonzero(in_catalog)
    if case.hostile:
        ra, dec, magnitude, kept = patterns.in_catalog(case.hostile, rng, ra, dec, magnitude, centre)
        motion = np.concatenate([motion[:, kept], np.zeros((2, len(ra) - int(kept.sum())))], axis=1)
        ids = np.concatenate([ids[kept], np.full(len(ra) - int(kept.sum()), -1)])
    catalog = _catalog(case, rng, ra, dec, magnitude, motion, centre)
    solvable = case.hostile not in patterns.NOTHING_TO_FIND | patterns.AMBIGUOUS
    src = _table(rng, x, y, flux)
    measurable = (star >= 0) & ~np.asarray(src["base_PixelFlags_flag_saturated"])
    findable = len(np.intersect1d(star[measurable], ids[ids >= 0])) if solvable else 0
    if case.mirrored:
        src["base_SdssCentroid_x"] = WIDTH - 1.0 - src["base_SdssCentroid_x"]
    return Scene(src, catalog, visit, truth, case.mirrored, findable, solvable)


def _claimed(case: Case) -> Pointing:
    shift = (
        case.offset_arcsec
        / 3600.0
        * np.array([math.cos(case.offset_direction_rad), math.sin(case.offset_direction_rad)])
    )
    return Pointing(
        (case.ra_deg + shift[0] / math.cos(math.radians(case.dec_deg))) % 360.0,
        case.dec_deg + shift[1],
        (case.rotator_deg + case.rotation_deg) % 360.0,
    )


def _centre(wcs: TrueWcs) -> tuple[float, float]:
    ra, dec = wcs.pixel_to_sky(np.array([(WIDTH - 1) / 2]), np.array([(HEIGHT - 1) / 2]))
    return float(ra[0]), float(dec[0])


def _around(rng: np.random.Generator, n: int, centre: tuple[float, float], radius_deg: float) -> tuple[Floats, Floats]:
    """Uniform places in a circle on the sky."""
    radius, angle = radius_deg * np.sqrt(rng.uniform(size=n)), rng.uniform(0, 2 * np.pi, n)
    dec = centre[1] + radius * np.sin(angle)
    return (centre[0] + radius * np.cos(angle) / np.cos(np.radians(dec))) % 360.0, dec


def _stars(case: Case, rng: np.random.Generator, centre: tuple[float, float]) -> _Stars:
    """Stars down to the deeper of frame and catalogue, a fifth of them in loose clumps."""
    area = np.pi * (RADIUS_DEG * 3600.0) ** 2 / FRAME_ARCSEC2
    deepest = min(max(10**case.depth, 1.0) * case.stars, max(MOST_PER_FRAME, case.stars))
    n = int(deepest * area)
    ra, dec = _around(rng, n, centre, RADIUS_DEG)
    clumped = np.flatnonzero(rng.uniform(size=n) < 0.2)
    seeds = rng.integers(0, n, len(clumped))
    spread = rng.normal(0, 15.0 / 3600.0, (2, len(clumped)))
    ra[clumped] = (ra[seeds] + spread[0] / np.cos(np.radians(dec[seeds]))) % 360.0
    dec[clumped] = dec[seeds] + spread[1]
    limit = math.log10(deepest / case.stars) / SLOPE
    magnitude = limit + np.log10(rng.uniform(size=n)) / SLOPE
    motion = rng.normal(0, 60.0 if case.years else 0.0, (2, n))
    return _Stars(ra, dec, magnitude, motion)


def _in_catalog(case: Case, rng: np.random.Generator, stars: _Stars) -> NDArray[np.bool_]:
    listed = stars.magnitude + rng.normal(0, 0.1, len(stars.ra)) < case.depth / SLOPE
    return listed & (rng.uniform(size=len(stars.ra)) >= case.missing)


def _detections(
    case: Case, rng: np.random.Generator, truth: TrueWcs, stars: _Stars
) -> tuple[Floats, Floats, Floats, NDArray[np.int64]]:
    """Places, fluxes in units of the limit's, and which star each is (-1: none)."""
    x, y = truth.sky_to_pixel(stars.ra, stars.dec)
    seen = (x > 0) & (x < WIDTH - 1) & (y > 0) & (y < HEIGHT - 1) & (stars.magnitude < 0)
    seen &= rng.uniform(size=len(x)) < 0.95
    star = np.flatnonzero(seen)
    flux = 10 ** (-0.4 * stars.magnitude[star])
    n = int(case.spurious * max(len(star), 20))
    junk = 10 ** (-0.4 * np.log10(rng.uniform(size=n)) / SLOPE)
    return (
        np.append(x[star], rng.uniform(0, WIDTH - 1, n)),
        np.append(y[star], rng.uniform(0, HEIGHT - 1, n)),
        np.append(flux, junk),
        np.append(star, np.full(n, -1)),
    )


def _table(rng: np.random.Generator, x: Floats, y: Floats, flux: Floats) -> Table:
    """Sources as they are measured: the faintest at 20 sigma, the brightest 2 % saturated."""
    n = len(x)
    snr = 20.0 * np.maximum(flux, 1.0) ** 0.7
    error = np.hypot(2.0 / snr, 0.005)
    saturated = flux > np.quantile(flux, 0.98) if n > 20 else np.zeros(n, dtype=bool)
    seen = np.where(saturated, 0.5, error)
    return Table(
        {
            "id": np.arange(n, dtype=np.int64) + 1,
            "parent": np.zeros(n, dtype=np.int64),
            "deblend_nChild": np.zeros(n, dtype=np.int32),
            "base_SdssCentroid_x": x + seen * rng.normal(size=n),
            "base_SdssCentroid_y": y + seen * rng.normal(size=n),
            "base_SdssCentroid_xErr": error.astype(np.float32),
            "base_SdssCentroid_yErr": error.astype(np.float32),
            "base_PsfFlux_instFlux": 1000.0 * flux,
            "base_PsfFlux_instFluxErr": 1000.0 * flux / snr,
            "base_PixelFlags_flag_saturated": saturated,
            "base_ClassificationExtendedness_value": np.zeros(n),
        }
    )


def _catalog(
    case: Case,
    rng: np.random.Generator,
    ra: Floats,
    dec: Floats,
    magnitude: Floats,
    motion: Floats,
    centre: tuple[float, float],
) -> ReferenceCatalog:
    """The reference catalogue with its errors; with motions it goes through shards and the loader."""
    n = len(ra)
    cos_dec = np.cos(np.radians(dec))
    error = case.error_mas / 3.6e6
    ra = (ra + error * rng.normal(size=n) / cos_dec) % 360.0
    dec = dec + error * rng.normal(size=n)
    flux = 10 ** (-0.4 * magnitude) * 1000.0
    if case.years:
        return _moving(case, ra, dec, flux, motion, centre)
    return ReferenceCatalog(
        name="stress",
        id=np.arange(n, dtype=np.int64) + 1000,
        ra_deg=ra,
        dec_deg=dec,
        ra_error_mas=np.full(n, case.error_mas),
        dec_error_mas=np.full(n, case.error_mas),
        flux_njy={"r": flux},
        flux_error_njy={"r": 0.02 * flux},
        centre_ra_deg=centre[0],
        centre_dec_deg=centre[1],
        radius_deg=RADIUS_DEG,
    )


def _moving(
    case: Case, ra: Floats, dec: Floats, flux: Floats, motion: Floats, centre: tuple[float, float]
) -> ReferenceCatalog:
    """Stars brought back by their motions to the catalogue's epoch, written as Gaia's shards are, and loaded."""
    n = len(ra)
    mas = math.radians(1.0 / 3.6e6)
    columns = {
        "id": np.arange(n, dtype=np.int64) + 1000,
        "coord_ra": np.radians(ra) - motion[0] * case.years * mas / np.cos(np.radians(dec)),
        "coord_dec": np.radians(dec) - motion[1] * case.years * mas,
        "coord_raErr": np.full(n, case.error_mas * mas),
        "coord_decErr": np.full(n, case.error_mas * mas),
        "pm_ra": motion[0] * mas,
        "pm_dec": motion[1] * mas,
        "pm_raErr": np.full(n, 0.01 * mas),
        "pm_decErr": np.full(n, 0.01 * mas),
        "epoch": np.full(n, MJD - case.years * 365.25),
        "phot_g_mean_flux": flux,
        "phot_g_mean_fluxErr": 0.02 * flux,
    }
    table = Table(columns)
    for name in columns:
        if name.startswith("coord"):
            table[name].unit = "rad"
        elif name.startswith("pm"):
            table[name].unit = "rad / yr"
        elif name.startswith("phot"):
            table[name].unit = "nJy"
    table["epoch"].unit = "d"
    with tempfile.TemporaryDirectory(prefix="safelight-stress-") as folder:
        write_shards(table, Path(folder), "gaia_stress")
        return load_reference_catalog(Path(folder) / "gaia_stress", *centre, RADIUS_DEG, MJD)
