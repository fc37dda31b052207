"""Real frames of two small telescopes, from raw files to WCS and zeropoint, against real catalogues."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests.support.realframes import (
    TRES1_CENTRE,
    TRES1_SCALE,
    Field,
    Measured,
    huntsman_field,
    measure,
    pointings_off,
    solve,
    tres1_field,
    tres1_lights,
)

from safelight.calibrate import CalibrateResult
from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame
from safelight.instruments.pointing import Pointing

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def tres1(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Field:
    folder = shared_data / "tres1"
    if not folder.is_dir():
        pytest.skip("the TrES-1 frames are absent: there is no folder ../shared/data/tres1 beside the checkout")
    return tres1_field(folder, tmp_path_factory.mktemp("tres1_ref_cats"))


@pytest.fixture(scope="module")
def tres1_frames(tres1: Field) -> list[Measured]:
    return [measure(light, tres1) for light in tres1_lights(tres1)]


@pytest.fixture(scope="module")
def tres1_results(tres1: Field, tres1_frames: list[Measured]) -> dict[tuple[str, float, float], CalibrateResult]:
    """Every light frame from each of four pointings 10' off."""
    results = {}
    for frame in tres1_frames:
        for direction, pointing in pointings_off():
            results[frame.path.name, *direction] = solve(frame, tres1, pointing)
    return results


def test_a_master_of_darks_that_keep_their_bias_says_so(tres1: Field) -> None:
    dark = tres1.masters.dark
    assert isinstance(dark, MasterFrame)
    assert dark.contains_bias
    assert dark.exposure_time_s == 60.0


def test_tres1_is_solved_from_pointings_off_in_four_directions(
    tres1_results: dict[tuple[str, float, float], CalibrateResult],
) -> None:
    assert len(tres1_results) == 32
    for case, result in tres1_results.items():
        metrics = result.metrics
        assert metrics["wcs_matches"] >= 18, case
        assert metrics["n_associated"] >= metrics["wcs_matches"]
        assert metrics["wcs_cv_rms_px"] <= 0.3, case
        assert 500.0 < metrics["wcs_offset_arcsec"] < 720.0, case


def test_tres1_lies_where_other_tools_found_it(
    tres1_results: dict[tuple[str, float, float], CalibrateResult],
) -> None:
    for case, result in tres1_results.items():
        wcs = result.exposure.wcs
        assert wcs is not None
        height, width = result.exposure.shape
        ra, dec = wcs.pixel_to_sky((width - 1) / 2, (height - 1) / 2)
        assert abs(float(ra) - 286.02) < 0.05, case
        assert abs(float(dec) - 36.65) < 0.05, case
        # +y to the North within half a degree, +x to the East: mirrored against the sky
        ra_up, dec_up = wcs.pixel_to_sky((width - 1) / 2, (height - 1) / 2 + 100.0)
        ra_right, _ = wcs.pixel_to_sky((width - 1) / 2 + 100.0, (height - 1) / 2)
        north = float(dec_up - dec) * 3600.0
        assert north == pytest.approx(237.4, abs=0.5)
        assert abs(float(ra_up - ra)) * 3600.0 * math.cos(math.radians(36.65)) < 2.0
        assert float(ra_right - ra) > 0.0


def test_solutions_from_four_pointings_agree(tres1_results: dict[tuple[str, float, float], CalibrateResult]) -> None:
    names = {name for name, _, _ in tres1_results}
    for name in names:
        centres = []
        for (light, _, _), result in tres1_results.items():
            if light == name:
                assert result.exposure.wcs is not None
                centres.append([float(value) for value in result.exposure.wcs.pixel_to_sky(545.5, 367.5)])
        spread = np.ptp(np.array(centres), axis=0) * 3600.0
        assert spread.max() < 0.05  # arcsec: a fiftieth of a pixel


def test_the_zeropoint_of_a_filter_without_a_band_says_what_it_refers_to(
    tres1_results: dict[tuple[str, float, float], CalibrateResult],
) -> None:
    for result in tres1_results.values():
        caveats = {caveat.code: caveat.message for caveat in result.caveats}
        assert "vt_flux" in caveats["NO_BAND"]
        assert 0.2 < result.metrics["zeropoint_rms_mag"] < 0.6
        assert result.metrics["zeropoint_error_mag"] > 0.03


def test_a_pointing_that_is_too_far_off_is_refused(tres1: Field, tres1_frames: list[Measured]) -> None:
    ra0, dec0 = TRES1_CENTRE
    with pytest.raises(ProcessingError) as caught:
        solve(tres1_frames[0], tres1, Pointing(ra0 - 0.55, dec0 - 0.3, TRES1_SCALE))
    assert caught.value.code == "WCS_NO_MATCH"
    assert "every" in caught.value.message or "rotations" in caught.value.message


def test_a_wrong_pixel_scale_is_refused(tres1: Field, tres1_frames: list[Measured]) -> None:
    with pytest.raises(ProcessingError) as caught:
        solve(tres1_frames[0], tres1, Pointing(*TRES1_CENTRE, 2.0))
    assert caught.value.code == "WCS_NO_MATCH"


@pytest.fixture(scope="module")
def huntsman(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Field:
    folder = shared_data / "huntsman"
    if not folder.is_dir():
        pytest.skip("the Huntsman frames are absent: there is no folder ../shared/data/huntsman beside the checkout")
    return huntsman_field(folder, tmp_path_factory.mktemp("huntsman_ref_cats"))


@pytest.fixture(scope="module")
def huntsman_result(huntsman: Field) -> CalibrateResult:
    return solve(measure(huntsman.folder / "science.fits", huntsman), huntsman)


def test_huntsman_associates_nearly_every_catalogue_star(huntsman_result: CalibrateResult) -> None:
    assert huntsman_result.metrics["n_associated"] >= 18
    assert len(huntsman_result.matches) == huntsman_result.metrics["n_associated"]


def test_saturated_stars_are_flagged_and_in_neither_fit(huntsman_result: CalibrateResult) -> None:
    full = huntsman_result.matches_full
    saturated = np.asarray(full["src_base_PixelFlags_flag_saturated"])
    assert saturated.sum() == 13
    assert not np.any(saturated & np.asarray(full["src_calib_astrometry_used"]))
    assert not np.any(saturated & np.asarray(full["src_calib_photometry_used"]))


def test_huntsmans_unsaturated_stars_fit_to_a_seventh_of_a_pixel(huntsman_result: CalibrateResult) -> None:
    full = huntsman_result.matches_full
    used = np.asarray(full["src_calib_astrometry_used"])
    assert used.sum() >= 6
    wcs = huntsman_result.exposure.wcs
    assert wcs is not None
    x, y = wcs.sky_to_pixel(np.degrees(full["ref_coord_ra"][used]), np.degrees(full["ref_coord_dec"][used]))
    dx = x - np.asarray(full["src_base_SdssCentroid_x"][used])
    dy = y - np.asarray(full["src_base_SdssCentroid_y"][used])
    assert np.sqrt(np.mean(dx**2)) <= 0.15
    assert np.sqrt(np.mean(dy**2)) <= 0.15


def test_huntsmans_zeropoint_is_said_to_rest_on_few_stars(huntsman_result: CalibrateResult) -> None:
    codes = {caveat.code for caveat in huntsman_result.caveats}
    assert {"FEW_PHOTOMETRIC_STARS", "FEW_ASTROMETRIC_STARS"} <= codes
    assert huntsman_result.metrics["zeropoint_stars"] < 10
    assert huntsman_result.metrics["zeropoint_rms_mag"] <= 0.15
