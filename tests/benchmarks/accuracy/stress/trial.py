"""One case through the calibration step, and what came of it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np
from tests.benchmarks.accuracy.stress.cases import Case
from tests.benchmarks.accuracy.stress.scene import HEIGHT, WIDTH, Scene, hsc, make_scene

from safelight.calibrate import CalibrateConfig, run
from safelight.calibrate.config import AstrometryConfig, MatcherConfig
from safelight.errors import ProcessingError
from safelight.exposure import Exposure
from safelight.instruments import initial_wcs

__all__ = ["ENOUGH", "MATCHER", "RIGHT_ARCSEC", "Outcome", "try_case"]

ENOUGH = 15  # findable reference stars for which a solution is demanded
RIGHT_ARCSEC = 1.0
MATCHER = MatcherConfig(maxOffsetPix=600.0 / 0.168, maxRotationDeg=3.0, maxScaleError=0.03)


@dataclass(frozen=True)
class Outcome:
    """What the step said of a case; `error_arcsec` is the largest on the CCD, NaN where it refused."""

    case: Case
    findable: int
    status: str  # "done", "done with caveats" or the code of the failure
    caveats: tuple[str, ...]
    message: str
    error_arcsec: float
    seconds: float  # of the processor: match, fit and judgement

    @property
    def solved(self) -> bool:
        """A true WCS; of a mirrored frame only where it is called so."""
        return bool(self.error_arcsec < RIGHT_ARCSEC) and (not self.case.mirrored or self.named_mirrored)

    @property
    def named_mirrored(self) -> bool:
        return self.status == "WCS_MIRRORED" or "WCS_MIRRORED" in self.caveats

    @property
    def false(self) -> bool:
        """A wrong WCS that is called done: the worst that can happen."""
        return self.status == "done" and not self.error_arcsec < RIGHT_ARCSEC

    @property
    def doubted(self) -> bool:
        """A wrong WCS with a caveat."""
        return self.status == "done with caveats" and not self.error_arcsec < RIGHT_ARCSEC

    @property
    def right(self) -> bool:
        """Solved, or a mirrored frame recognised and named."""
        return self.solved or (self.case.mirrored and self.named_mirrored and not self.doubted)


_exposure: Exposure | None = None


def _blank() -> Exposure:
    global _exposure
    if _exposure is None:
        empty = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
        _exposure = Exposure(empty, np.zeros(empty.shape, dtype=np.int32), empty, filter_name="HSC-R", band="r")
    return _exposure


def try_case(case: Case, scene: Scene | None = None) -> Outcome:
    """Calibrate the WCS of a case as a run would, told how wrong its header may be."""
    scene = make_scene(case) if scene is None else scene
    instrument = hsc()
    first, origin = initial_wcs(instrument, instrument.detector(case.ccd), scene.visit)
    exposure = replace(_blank(), detector_id=case.ccd, visit_info=scene.visit, wcs=first)
    config = CalibrateConfig(doPhotoCal=False, astrometry=AstrometryConfig(matcher=MATCHER))
    began = time.process_time()
    try:
        result = run(exposure, scene.src, scene.catalog, None, config, instrument, wcs_origin=origin)
    except ProcessingError as error:
        spent = time.process_time() - began
        return Outcome(case, scene.findable, error.code, (), error.message, float("nan"), spent)
    spent = time.process_time() - began
    caveats = tuple(caveat.code for caveat in result.caveats)
    status = "done with caveats" if caveats else "done"
    return Outcome(case, scene.findable, status, caveats, "", _worst_arcsec(scene, result.exposure), spent)


def _worst_arcsec(scene: Scene, exposure: Exposure) -> float:
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, WIDTH - 1, 17), np.linspace(0, HEIGHT - 1, 33)))
    assert exposure.wcs is not None
    ra, dec = exposure.wcs.pixel_to_sky(x, y)
    true_ra, true_dec = scene.true_sky(x, y)
    east = ((ra - true_ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(true_dec))
    return float(np.hypot(east, dec - true_dec).max()) * 3600.0
