"""A case of the stress set through SCAMP, with all that Safelight is given: camera model, limits and lists."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from astropy.io import fits
from tests.benchmarks.accuracy import scamp
from tests.benchmarks.accuracy.peers import PeerError, spent_by_children
from tests.benchmarks.accuracy.sextractor import starting_header
from tests.benchmarks.accuracy.stress.cases import Case
from tests.benchmarks.accuracy.stress.scene import HEIGHT, WIDTH, Scene, hsc, make_scene

from safelight.calibrate.config import AstrometryConfig
from safelight.calibrate.first_wcs import first_wcs
from safelight.calibrate.selection import select_sources
from safelight.instruments import initial_wcs

__all__ = ["QUICK", "THOROUGH", "solve_by_scamp"]

_SEARCH = {
    **scamp.MODEL_SETTINGS,
    "POSITION_MAXERR": "14.0",  # the pointing's 10' and what 3 degrees and 3 % add at the edge of the field
    "POSANGLE_MAXERR": "4.0",  # a degree more than is wrong: at the limit itself SCAMP finds less
    "PIXSCALE_MAXERR": "1.05",
    "CROSSID_RADIUS": "5.0",
    "SN_THRESHOLDS": "5.0,10.0",
}
#: The best of those that take about as long as Safelight, of a dozen tried: wider circles find no more, fewer stars or
#: coarser grids find less.
QUICK = {**_SEARCH, "MATCH_NMAX": "2000", "MATCH_RESOL": "1.0"}
#: Numbers of stars and grid left to SCAMP: frames full of junk are solved more often, at thirty times the time.
THOROUGH = {**_SEARCH, "MATCH_NMAX": "0", "MATCH_RESOL": "0"}


def solve_by_scamp(case: Case, folder: Path, settings: dict[str, str]) -> tuple[float, float]:
    """Seconds of the processor, and the largest error on the CCD in arcsec (infinite where there is no solution)."""
    scene = make_scene(case)
    _write_sources(case, scene, folder)
    errors = (scene.catalog.ra_error_mas / 1000.0, scene.catalog.dec_error_mas / 1000.0)
    everyone = np.ones(len(scene.catalog), dtype=np.bool_)
    scamp.write_reference(scene.catalog, everyone, (errors[0], errors[1]), folder / "reference.cat")
    before = spent_by_children()
    try:
        solution = scamp.solve(folder, settings)
    except PeerError:
        return spent_by_children() - before, math.inf
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, WIDTH - 1, 17), np.linspace(0, HEIGHT - 1, 33)))
    ra, dec = solution.pixel_to_sky(x, y)
    true_ra, true_dec = scene.true_sky(x, y)
    east = ((ra - true_ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(true_dec))
    worst = float(np.hypot(east, dec - true_dec).max()) * 3600.0
    return solution.seconds, worst if math.isfinite(worst) else math.inf


def _write_sources(case: Case, scene: Scene, folder: Path) -> None:
    """The sources as source-extractor would have written them, and the camera model of the header's WCS."""
    instrument = hsc()
    wcs, origin = initial_wcs(instrument, instrument.detector(case.ccd), scene.visit)
    first = first_wcs(wcs, origin, WIDTH, HEIGHT, AstrometryConfig(), instrument, case.ccd, scene.visit)
    header = starting_header(first, (HEIGHT, WIDTH))
    scamp.write_camera_model(first, header, (HEIGHT, WIDTH), folder)
    header["NAXIS1"], header["NAXIS2"] = WIDTH, HEIGHT
    header["FILTER"], header["EXPTIME"], header["MJD-OBS"] = "HSC-R", 30.0, scene.visit.mjd_mid_tai
    sources = select_sources(scene.src, WIDTH, HEIGHT, AstrometryConfig().minSnr)
    n = len(sources)
    columns = {
        "XWIN_IMAGE": sources.x + 1.0,
        "YWIN_IMAGE": sources.y + 1.0,
        "ERRAWIN_IMAGE": sources.x_error,
        "ERRBWIN_IMAGE": sources.y_error,
        "ERRTHETAWIN_IMAGE": np.zeros(n),
        "FLUX_AUTO": sources.flux,
        "FLUXERR_AUTO": sources.flux / 50.0,
        "FLUX_RADIUS": np.full(n, 2.0),
        "FWHM_IMAGE": np.full(n, 4.0),
        "ELONGATION": np.ones(n),
        "FLAGS": np.where(sources.saturated, 4, 0).astype(np.int32),
    }
    scamp.write_ldac(columns, fits.Header(header.cards), folder / "catalog.cat")
