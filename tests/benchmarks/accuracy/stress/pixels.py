"""Whole frames whose headers lie: raw HSC frames on the real sky, through ISR, characterisation and calibration.

What the lists of the stress set leave out: blends, cosmic rays, saturated stars, masks, stars at the edge, Gaia's own
clumps, motions and magnitudes. The header's pointing is up to 10 arcmin wrong, its rotation up to 3 degrees, the scale
up to 3 %; some frames were written in another order of rows or columns than their camera file says.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tests.benchmarks.accuracy.rows import Row
from tests.benchmarks.accuracy.sections import Log
from tests.benchmarks.accuracy.simulated import DATES, Ccd, Observatory
from tests.benchmarks.accuracy.stress.trial import MATCHER, RIGHT_ARCSEC

from safelight import calibrate
from safelight.calibrate import CalibrateConfig, reference_circle
from safelight.calibrate.config import AstrometryConfig
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.instruments.loader import load_instrument
from safelight.refcats.load import load_reference_catalog
from safelight.simulate.catalogsky import CatalogSky, find_catalogs
from safelight.simulate.optics import TrueWcs, claimed_pointing, true_pointing
from safelight.simulate.sources import Sky
from safelight.simulate.spec import NightSpec, VisitSpec

__all__ = ["FRAMES", "LyingFrame", "Verdict", "measure_pixels", "try_frame"]

SECTION = "wrong headers"
GAIA = "gaia_dr2_20200414"
CENTRE = (320.9, -0.38)  # degrees: of the sky that the shards cover
ERRORS = AstrometryConfig(matcher=MATCHER)


@dataclass(frozen=True)
class LyingFrame:
    """One CCD of one visit; a `seed` whose draw of the errors is worth trying."""

    ccd: int
    seed: int
    filter: str = "HSC-R"
    seeing_arcsec: float = 0.7
    inst_pa_deg: float = 0.0
    mirrored: bool = False


#: The middle, the rim and the turned CCDs; three of them mirrored.
FRAMES = (
    LyingFrame(49, 1),
    LyingFrame(100, 2, inst_pa_deg=90.0),
    LyingFrame(23, 3, "HSC-I", 0.5),
    LyingFrame(103, 4, "HSC-I", 1.0, 180.0),
    LyingFrame(1, 5, seeing_arcsec=0.5),
    LyingFrame(58, 6, "HSC-I", 0.8, 30.0),
    LyingFrame(101, 7, seeing_arcsec=0.6, inst_pa_deg=270.0),
    LyingFrame(77, 8, "HSC-I", 1.0),
    LyingFrame(102, 9, "HSC-I", 0.6),
    LyingFrame(50, 10, mirrored=True),
    LyingFrame(100, 11, "HSC-I", mirrored=True),
    LyingFrame(8, 12, "HSC-I", 0.9, 120.0, mirrored=True),
)


@dataclass(frozen=True)
class Verdict:
    """What the calibration of a frame came to; `error_arcsec` is the largest on the CCD, NaN where it refused."""

    title: str
    mirrored: bool
    status: str  # "done", "done with caveats" or the code of the failure
    error_arcsec: float

    @property
    def right(self) -> bool:
        """A true WCS, or a mirrored frame called so."""
        return self.status == "WCS_MIRRORED" if self.mirrored else self.error_arcsec < RIGHT_ARCSEC

    @property
    def wrong(self) -> bool:
        """A false WCS, whatever was said of it."""
        return self.error_arcsec >= RIGHT_ARCSEC


def try_frame(frame: LyingFrame, sky: Sky, catalogs: Path) -> Verdict:
    """Simulate, process and judge a frame; `catalogs` has the shards of Gaia."""
    ccd = _observed(frame, sky)
    raw, truth = ccd.raw, ccd.wcs
    config = CalibrateConfig(doPhotoCal=False, astrometry=ERRORS)
    circle = reference_circle(
        raw.wcs, raw.wcs_origin, raw.detector.width, raw.detector.height, config.astrometry,
        config.astromRefObjLoader, ccd.instrument, frame.ccd, raw.visit_info,
    )  # fmt: skip
    catalog = load_reference_catalog(catalogs / GAIA, *circle, raw.visit_info.mjd_mid_tai)
    title = f"CCD {frame.ccd:03d} {frame.filter} {_errors(ccd)}{', mirrored' if frame.mirrored else ''}"
    found = ccd.characterized
    try:
        result = calibrate.run(
            replace(found.exposure), found.src.copy(), catalog, None, config, ccd.instrument, wcs_origin=raw.wcs_origin
        )
    except ProcessingError as error:
        return Verdict(title, frame.mirrored, error.code, math.nan)
    assert result.exposure.wcs is not None
    status = "done with caveats" if result.caveats else "done"
    return Verdict(title, frame.mirrored, status, _largest_arcsec(result.exposure.wcs, truth))


def _observed(frame: LyingFrame, sky: Sky) -> Ccd:
    """The CCD after ISR, its true place in the middle of the sky that is known."""
    camera = load_instrument("hsc")
    visit = VisitSpec(
        907000, frame.filter, (frame.ccd,), *DATES[frame.filter], *CENTRE, frame.inst_pa_deg,
        seeing_arcsec=frame.seeing_arcsec,
    )  # fmt: skip
    for _ in range(3):
        wcs = TrueWcs.of(camera, frame.ccd, claimed_pointing(visit))
        ra, dec = wcs.pixel_to_sky((wcs.detector.width - 1) / 2, (wcs.detector.height - 1) / 2)
        visit = replace(
            visit, ra_deg=visit.ra_deg + CENTRE[0] - float(ra), dec_deg=visit.dec_deg + CENTRE[1] - float(dec)
        )
    night = NightSpec(
        "headers that lie", (visit,), (), seed=frame.seed, pointing_error_arcsec=600.0, rotation_error_deg=3.0,
        scale_error=0.015,
    )  # fmt: skip
    while abs(true_pointing(night, visit).scale - 1.0) > 0.03:
        night = replace(night, seed=night.seed + 1000)
    return Observatory(night, sky, written_mirrored=frame.mirrored).ccd(visit, frame.ccd)


def _errors(ccd: Ccd) -> str:
    """How wrong the header is."""
    claimed, true = claimed_pointing(ccd.truth.visit), ccd.wcs.pointing
    east = (true.ra_deg - claimed.ra_deg) * math.cos(math.radians(true.dec_deg))
    turn = (true.rotator_deg - claimed.rotator_deg + 180.0) % 360.0 - 180.0
    away = 60.0 * math.hypot(east, true.dec_deg - claimed.dec_deg)
    return f"{away:.1f} arcmin, {turn:+.2f} deg, {100.0 * (true.scale - 1.0):+.2f} %"


def _largest_arcsec(wcs: SkyWcs, truth: TrueWcs) -> float:
    width, height = truth.detector.width, truth.detector.height
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, width - 1, 17), np.linspace(0, height - 1, 33)))
    ra, dec = wcs.pixel_to_sky(x, y)
    true_ra, true_dec = truth.pixel_to_sky(x, y)
    east = ((ra - true_ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(true_dec))
    return float(np.hypot(east, dec - true_dec).max()) * 3600.0


def measure_pixels(sky_folder: Path, frames: Sequence[LyingFrame], log: Log) -> list[Row]:
    """Rows of the section; each frame is told in the log."""
    sky = CatalogSky(find_catalogs(sky_folder), 1)
    verdicts = []
    for frame in frames:
        verdict = try_frame(frame, sky, sky_folder)
        error = f"off by {verdict.error_arcsec:.3g} arcsec at most" if math.isfinite(verdict.error_arcsec) else "no WCS"
        log(f"  {verdict.title}: {verdict.status}, {error}")
        verdicts.append(verdict)
    right, wrong = sum(v.right for v in verdicts), sum(v.wrong for v in verdicts)
    n = len(verdicts)
    return [
        Row(SECTION, "solved, or called mirrored", "Safelight", "", right, n=n, demand="all", met=right == n),
        Row(SECTION, "wrong by > 1 arcsec, caveats or not", "Safelight", "", wrong, n=n, demand="0", met=wrong == 0),
    ]
