"""The zeropoint of a CCD whose own stars do not make one, from its visit."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, CalibrateResult, run
from safelight.calibrate.visit_prior import VisitPrior
from safelight.errors import ProcessingError

SECONDS = 30.0
VISIT = VisitPrior(None, 27.1, 0.006, 5)


@pytest.fixture(scope="module")
def field(random_sky: Callable[..., Any], make_scene: Callable[..., Any]) -> tuple[Any, Any]:
    sky, catalog = random_sky()
    return make_scene(sky), catalog


def calibrated(field: tuple[Any, Any], n_with_magnitudes: int, visit: VisitPrior | None) -> CalibrateResult:
    """Calibrate a CCD of whose references only so many in the frame have a usable magnitude."""
    scene, catalog = field
    x, y = scene.true_wcs.sky_to_pixel(catalog.ra_deg, catalog.dec_deg)
    inside = (x > 100) & (x < 1900) & (y > 100) & (y < 4000)
    magnitude = catalog.magnitude("r")
    usable = np.flatnonzero(inside & (magnitude > 19.0) & (magnitude < 21.0))[:n_with_magnitudes]
    error = np.full(len(catalog), 10.0) * catalog.flux_njy["r"]
    error[usable] = 0.01 * catalog.flux_njy["r"][usable]
    photometry = replace(catalog, flux_error_njy={"r": error})
    exposure = replace(scene.exposure)
    config = CalibrateConfig()
    return run(
        exposure, scene.src.copy(), catalog, photometry, config, scene.instrument, wcs_origin=scene.origin, visit=visit
    )


def codes(result: CalibrateResult) -> set[str]:
    return {caveat.code for caveat in result.caveats}


def test_without_stars_the_visits_zeropoint_is_taken_and_said_to_be_so(field: tuple[Any, Any]) -> None:
    with pytest.raises(ProcessingError, match="fit for a zeropoint") as caught:
        calibrated(field, 1, None)
    assert caught.value.code == "TOO_FEW_PHOTOMETRIC_STARS"
    result = calibrated(field, 1, VISIT)
    assert "ZEROPOINT_FROM_VISIT" in codes(result)
    assert "WCS_FROM_VISIT" not in codes(result), "its own stars make its WCS"
    assert result.metrics["zeropoint_mag"] == 27.1
    assert result.metrics["zeropoint_error_mag"] == 0.006
    assert result.metrics["zeropoint_stars"] == 0
    calibration = result.exposure.photo_calib
    assert calibration is not None
    assert calibration.zeropoint_mag == pytest.approx(27.1 + 2.5 * math.log10(SECONDS))


def test_plenty_of_stars_make_a_zeropoint_of_their_own(field: tuple[Any, Any]) -> None:
    result = calibrated(field, 60, VISIT)
    assert "ZEROPOINT_FROM_VISIT" not in codes(result)
    assert result.metrics["zeropoint_stars"] >= 10


def test_few_stars_that_contradict_the_visit_are_not_silenced_by_it(field: tuple[Any, Any]) -> None:
    agreeing = calibrated(field, 3, VISIT)
    assert "ZEROPOINT_FROM_VISIT" in codes(agreeing)
    contradicted = calibrated(field, 3, VisitPrior(None, 26.6, 0.003, 5))
    assert "ZEROPOINT_FROM_VISIT" not in codes(contradicted)
    assert contradicted.metrics["zeropoint_mag"] == pytest.approx(27.1, abs=0.05)


def test_where_the_visit_has_no_zeropoint_the_failure_stays(field: tuple[Any, Any]) -> None:
    with pytest.raises(ProcessingError) as caught:
        calibrated(field, 1, VisitPrior(None))
    assert caught.value.code == "TOO_FEW_PHOTOMETRIC_STARS"
