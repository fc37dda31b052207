"""Synthetic fields with known truth, and the real reference catalogues, for the calibration tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from numpy.typing import NDArray

from safelight.exposure import Exposure, SkyWcs, VisitInfo
from safelight.exposure.wcs import angular_separation
from safelight.instruments import Instrument, initial_wcs, load_instrument
from safelight.refcats import ReferenceCatalog

Floats = NDArray[np.float64]
ZEROPOINT = 27.1  # magnitude of 1 ADU/s
SECONDS = 30.0


@dataclass
class Sky:
    """Stars as they are: where they stand at the time of observation, and magnitudes in the camera's system."""

    ra: Floats  # degrees
    dec: Floats
    magnitude: Floats


@dataclass
class Scene:
    """One HSC CCD with a wrong pointing."""

    exposure: Exposure  # its WCS is the header's
    src: Table
    true_wcs: SkyWcs
    origin: str
    instrument: Instrument

    def error_mas(self, wcs: SkyWcs) -> float:
        """Median distance from the true WCS on a 32 x 64 grid, mas."""
        height, width = self.exposure.shape
        x, y = np.meshgrid(np.linspace(0, width - 1, 32), np.linspace(0, height - 1, 64))
        x, y = x.ravel(), y.ravel()
        return float(np.median(angular_separation(*wcs.pixel_to_sky(x, y), *self.true_wcs.pixel_to_sky(x, y)))) * 3.6e6


SceneMaker = Callable[..., Scene]


def catalog_of(
    name: str, ra: Floats, dec: Floats, magnitudes: dict[str, Floats], error_mas: float = 1.0, mag_error: float = 0.01
) -> ReferenceCatalog:
    """A reference catalogue with one position error and one magnitude error for all stars."""
    n = len(ra)
    fluxes = {band: 10 ** (-0.4 * (magnitude - 31.4)) for band, magnitude in magnitudes.items()}
    return ReferenceCatalog(
        name=name,
        id=np.arange(n, dtype=np.int64) + 1000,
        ra_deg=np.mod(ra, 360.0),
        dec_deg=np.asarray(dec, dtype=np.float64),
        ra_error_mas=np.full(n, error_mas),
        dec_error_mas=np.full(n, error_mas),
        flux_njy=fluxes,
        flux_error_njy={band: flux * mag_error / 1.0857 for band, flux in fluxes.items()},
        centre_ra_deg=float(np.mean(ra)),
        centre_dec_deg=float(np.mean(dec)),
        radius_deg=0.3,
    )


def _boresight(instrument: Instrument, ccd: int, centre: tuple[float, float], rotator: float) -> tuple[float, float]:
    """The boresight that brings a CCD's centre to a point of the sky."""
    detector, at = instrument.detector(ccd), np.array(centre)
    for _ in range(8):
        wcs, _ = initial_wcs(instrument, detector, VisitInfo(SECONDS, SECONDS, 56450.0, at[0], at[1], rotator))
        assert wcs is not None
        ra, dec = wcs.pixel_to_sky(1023.5, 2087.5)
        at += np.array(centre) - np.array([float(ra), float(dec)])
    return float(at[0]), float(at[1])


def _source_table(rng: np.random.Generator, x: Floats, y: Floats, flux: Floats, fwhm: float, junk: int) -> Table:
    """Measured stars in a 620 e- sky and 5 mas of turbulence, and `junk` sources that no catalogue has."""
    area = 4 * math.pi * (fwhm / 2.355) ** 2
    x, y = np.append(x, rng.uniform(0, 2047, junk)), np.append(y, rng.uniform(0, 4175, junk))
    total = SECONDS * 10 ** (0.4 * ZEROPOINT)
    flux = np.append(flux, total * 10 ** (-0.4 * rng.uniform(21.5, 25.0, junk)))
    flux_error = np.sqrt(flux / 3.4 + area * 620 / 3.4**2)
    centroid_error = np.hypot(1.2 * fwhm / 2.355 * flux_error / flux, 0.0005)
    seen = np.hypot(centroid_error, 0.005 / 0.168)
    n = len(x)
    return Table(
        {
            "id": np.arange(n, dtype=np.int64) + 1,
            "parent": np.zeros(n, dtype=np.int64),
            "deblend_nChild": np.zeros(n, dtype=np.int32),
            "base_SdssCentroid_x": x + rng.normal(0, 1, n) * seen,
            "base_SdssCentroid_y": y + rng.normal(0, 1, n) * seen,
            "base_SdssCentroid_xErr": centroid_error.astype(np.float32),
            "base_SdssCentroid_yErr": centroid_error.astype(np.float32),
            "base_PsfFlux_instFlux": flux + rng.normal(0, 1, n) * flux_error,
            "base_PsfFlux_instFluxErr": flux_error,
            "base_PixelFlags_flag_saturated": flux > 56000 * fwhm**2,
            "base_ClassificationExtendedness_value": (np.arange(n) >= n - junk).astype(float),
        }
    )


@pytest.fixture(scope="session")
def hsc() -> Instrument:
    return load_instrument("hsc")


@pytest.fixture(scope="session")
def make_scene(hsc: Instrument) -> SceneMaker:
    """A function that observes a sky with one HSC CCD."""

    def make(
        sky: Sky,
        *,
        ccd: int = 50,
        seed: int = 1,
        centre: tuple[float, float] = (320.9, -0.38),
        rotator: float = 37.0,
        offset_arcsec: tuple[float, float] = (60.0, -45.0),
        rotation_deg: float = 0.5,
        seeing: float = 0.6,
        junk: int = 500,
        band: str = "r",
    ) -> Scene:
        rng = np.random.default_rng(seed)
        detector = hsc.detector(ccd)
        ra0, dec0 = _boresight(hsc, ccd, centre, rotator)
        true_wcs, _ = initial_wcs(hsc, detector, VisitInfo(SECONDS, SECONDS, 56450.0, ra0, dec0, rotator))
        assert true_wcs is not None
        visit = VisitInfo(
            SECONDS,
            SECONDS,
            56450.0,
            ra0 + offset_arcsec[0] / 3600 / math.cos(math.radians(dec0)),
            dec0 + offset_arcsec[1] / 3600,
            rotator + rotation_deg,
        )
        first, origin = initial_wcs(hsc, detector, visit)
        near = np.hypot((sky.ra - centre[0]) * math.cos(math.radians(centre[1])), sky.dec - centre[1]) < 0.2
        x, y = true_wcs.sky_to_pixel(sky.ra[near], sky.dec[near])
        flux = SECONDS * 10 ** (0.4 * (ZEROPOINT - sky.magnitude[near]))
        fwhm = seeing / 0.168
        faintest = 5 * math.sqrt(4 * math.pi * (fwhm / 2.355) ** 2 * 620) / 3.4
        inside = (x > 0) & (x < 2047) & (y > 0) & (y < 4175) & (flux > faintest)
        src = _source_table(rng, x[inside], y[inside], flux[inside], fwhm, junk)
        empty = np.zeros((4176, 2048), dtype=np.float32)
        exposure = Exposure(
            empty,
            np.zeros(empty.shape, dtype=np.int32),
            empty,
            detector_id=ccd,
            filter_name=f"HSC-{band.upper()}",
            band=band,
            visit_info=visit,
            wcs=first,
        )
        return Scene(exposure, src, true_wcs, origin, hsc)

    return make


@pytest.fixture(scope="session")
def random_sky() -> Callable[..., tuple[Sky, ReferenceCatalog]]:
    """A function that scatters stars over 0.7 degree and gives them with a perfect catalogue."""

    def make(n: int = 6000, seed: int = 5, name: str = "gaia_test", **kwargs: Any) -> tuple[Sky, ReferenceCatalog]:
        rng = np.random.default_rng(seed)
        ra, dec = rng.uniform(320.55, 321.25, n), rng.uniform(-0.73, -0.03, n)
        magnitude = 24.0 - rng.exponential(2.0, n)
        return Sky(ra, dec, magnitude), catalog_of(name, ra, dec, {"r": magnitude}, **kwargs)

    return make


@pytest.fixture(scope="session")
def shards(shared_data: Path) -> Path:
    """The real PS1 and Gaia shards."""
    folder = shared_data / "hsc_refcats"
    if not folder.is_dir():
        pytest.skip("the real reference shards are absent: there is no folder ../shared/data/hsc_refcats")
    return folder
