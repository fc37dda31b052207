"""The simulated HSC CCDs on the real sky of PS1 and Gaia, processed once, with truth and inputs beside each.

28 CCDs: the turned ones at the edge (100 to 103) with a neighbour each, twice; the middle, and three sides of the
field; three seeings, two filters, fourteen pointings whose headers are wrong. Gaia's errors are drawn by the simulator
(its stars are the sky, so that as they are they would have none); PS1 is as it is, its own errors against Gaia
included.
"""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from astropy.table import Table
from numpy.typing import NDArray

from safelight.butler import Butler
from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.first_wcs import FirstWcs, first_wcs, reference_circle
from safelight.exposure import Exposure
from safelight.exposure.fits import read_exposure
from safelight.instruments import Instrument, RawFrame
from safelight.processccd.cameraconfig import camera_layers
from safelight.refcats import ReferenceCatalog
from safelight.refcats.load import load_reference_catalog
from safelight.simulate import MasterSpec, NightSpec, VisitSpec, simulate_night
from safelight.simulate.optics import TrueWcs
from safelight.simulate.truth import StoredTruth, read_truth, true_wcs

__all__ = ["GAIA", "PS1", "Frame", "night", "prepare"]

Floats = NDArray[np.float64]

PS1, GAIA = "ps1_pv3_3pi_20170110", "gaia_dr2_20200414"
DATES = {"HSC-R": ("2013-06-17", "13:00:00"), "HSC-I": ("2013-11-02", "05:50:00")}
#: visit: filter, CCDs, seeing in arcsec, claimed RA and Dec, INST-PA in degrees
VISITS = {
    906000: ("HSC-I", (23, 100), 0.5, 320.42, -0.06, 0.0),
    906002: ("HSC-R", (22, 100), 0.7, 320.48, -0.92, 90.0),
    906004: ("HSC-I", (29, 101), 0.7, 321.71, -0.18, 0.0),
    906006: ("HSC-R", (21, 101), 1.0, 320.33, -0.81, 180.0),
    906008: ("HSC-R", (78, 102), 0.5, 320.53, -1.16, 30.0),
    906010: ("HSC-I", (84, 102), 1.0, 321.35, -0.86, 90.0),
    906012: ("HSC-R", (77, 103), 0.7, 321.60, -0.67, 0.0),
    906014: ("HSC-I", (83, 103), 0.5, 320.45, -1.09, 270.0),
    906016: ("HSC-R", (49, 50), 0.5, 321.02, -0.24, 60.0),
    906018: ("HSC-I", (41, 42), 0.7, 320.83, -0.45, 0.0),
    906020: ("HSC-R", (57, 58), 1.0, 321.19, -0.48, 90.0),
    906022: ("HSC-I", (0, 1), 1.0, 320.63, 0.22, 0.0),
    906024: ("HSC-R", (98, 99), 0.5, 320.68, 0.52, 180.0),
    906026: ("HSC-I", (8, 9), 0.7, 320.21, -0.21, 120.0),
}
QUICK = (906000, 906006, 906012)  # six CCDs, three seeings


def night(sky: Path, *, quick: bool = False, drawn: tuple[str, ...] = ("gaia",)) -> NightSpec:
    """The night of the benchmark on the catalogues in the folder `sky`."""
    chosen = {number: row for number, row in VISITS.items() if not quick or number in QUICK}
    visits = tuple(
        VisitSpec(number, name, ccds, *DATES[name], ra, dec, pa, seeing_arcsec=seeing)
        for number, (name, ccds, seeing, ra, dec, pa) in chosen.items()
    )
    ccds = tuple(sorted({ccd for visit in visits for ccd in visit.ccds}))
    masters = (
        MasterSpec("bias", "NONE", "2013-11-03", ccds),
        MasterSpec("dark", "NONE", "2013-11-03", ccds),
        MasterSpec("flat", "HSC-R", "2013-06-17", ccds),
        MasterSpec("flat", "HSC-I", "2013-11-03", ccds),
    )
    return NightSpec("accuracy on the real sky", visits, masters, sky=str(sky.resolve()), drawn_catalogs=drawn)


@dataclass
class Frame:
    """One processed CCD beside the truth about it and what it was made from."""

    butler: Butler
    root: Path
    rerun: str
    report: dict[str, Any]  # its row of `safelight report`
    config: CalibrateConfig

    @property
    def visit(self) -> int:
        return int(self.report["visit"])

    @property
    def ccd(self) -> int:
        return int(self.report["ccd"])

    @property
    def name(self) -> str:
        return f"{self.visit}-{self.ccd:03d}"

    @property
    def done(self) -> bool:
        """Whether there is a calexp."""
        return str(self.report["status"]).startswith("done")

    @property
    def instrument(self) -> Instrument:
        return self.butler.instrument

    def file(self, kind: str) -> Path:
        """The written CORR or SRC file."""
        name = f"{kind}-{self.visit:07d}-{self.ccd:03d}.fits"
        return next((self.root / "rerun" / self.rerun).glob(f"*/*/*/{name}"))

    @cached_property
    def truth(self) -> StoredTruth:
        return read_truth(self.root, self.visit, self.ccd)

    @cached_property
    def true_wcs(self) -> TrueWcs:
        return true_wcs(self.root, self.visit, self.ccd)

    def calexp(self) -> Exposure:
        """The calibrated exposure; read anew each time, it is large."""
        return read_exposure(self.file("CORR"))

    @cached_property
    def src(self) -> Table:
        return Table.read(self.file("SRC"))

    def raw(self) -> RawFrame:
        """The raw frame with the header's WCS."""
        raw: RawFrame = self.butler.get("raw", {"visit": self.visit, "ccd": self.ccd})
        return raw

    @cached_property
    def start(self) -> tuple[FirstWcs, str, float]:
        """The WCS to start from, where it came from, and the epoch of the exposure (MJD, TAI)."""
        raw = self.raw()
        height, width = self.shape
        arguments = (raw.wcs, raw.wcs_origin, width, height, self.config.astrometry)
        first = first_wcs(*arguments, self.instrument, self.ccd, raw.visit_info)
        return first, raw.wcs_origin, float(raw.visit_info.mjd_mid_tai)

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        detector = self.instrument.detector(self.ccd)
        return detector.height, detector.width

    def catalog(self, name: str) -> ReferenceCatalog:
        """The reference stars that the pipeline would load, at the epoch of the exposure."""
        first, origin, epoch = self.start
        height, width = self.shape
        config = self.config
        circle = reference_circle(
            first.wcs,
            origin,
            width,
            height,
            config.astrometry,
            config.astromRefObjLoader,
            self.instrument,
            self.ccd,
        )
        return load_reference_catalog(self.root / "ref_cats" / name, *circle, epoch)

    def wcs_error_mas(self, pixel_to_sky: Callable[[Floats, Floats], tuple[Floats, Floats]]) -> Floats:
        """(2, n) mas to the East and North: a WCS minus the true one on 32 x 64 points of the whole CCD."""
        height, width = self.shape
        x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, width - 1, 32), np.linspace(0, height - 1, 64)))
        ra, dec = pixel_to_sky(x, y)
        true_ra, true_dec = self.true_wcs.pixel_to_sky(x, y)
        east = ((ra - true_ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(true_dec))
        return np.stack([east, dec - true_dec]) * 3.6e6


def prepare(cache: Path, sky: Path, *, quick: bool, processes: int, log: Callable[[str], None]) -> list[Frame]:
    """Simulate the night into the folder `cache` (what is there already stays) and process it anew."""
    spec = night(sky, quick=quick)
    root = cache / ("quick" if quick else "frames")
    log(f"frames: {sum(len(visit.ccds) for visit in spec.visits)} CCDs in {root}")
    simulate_night(root, spec, processes=processes)
    return process(root, "accuracy", processes)


def process(root: Path, rerun: str, processes: int, overrides: Sequence[str] = ()) -> list[Frame]:
    """Run processCcd.py on all frames of `root`, from scratch, and read the report."""
    from safelight.commands.main import main as safelight
    from safelight.commands.processccd import main as process_ccd

    shutil.rmtree(root / "rerun" / rerun, ignore_errors=True)
    options = ["-c", *overrides] if overrides else []
    with contextlib.redirect_stdout(sys.stderr):
        process_ccd([str(root), "--rerun", rerun, "--id", "-j", str(processes), *options])
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        safelight(["report", str(root), "--rerun", rerun, "--format", "json"])
    butler = Butler(root, output=root / "rerun" / rerun)
    config = camera_layers(butler.instrument).build().calibrate
    return [Frame(butler, root, rerun, row, config) for row in json.loads(out.getvalue())]
