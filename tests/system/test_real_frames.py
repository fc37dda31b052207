"""Real frames of two small telescopes, from raw files to WCS and zeropoint, against real catalogues."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from safelight import calibrate, characterize, isr
from safelight.calibrate import CalibrateConfig, CalibrateResult
from safelight.calibs import build
from safelight.characterize.config import CharacterizeConfig
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, MasterFrame
from safelight.instruments import Instrument, load_instrument, read_raw
from safelight.instruments.pointing import Pointing
from safelight.refcats import RefcatIngestConfig, ingest_reference_catalog, load_reference_catalog
from safelight.refcats.ingestconfig import DatasetOptions

pytestmark = pytest.mark.real_data

TRES1_CENTRE = (286.04, 36.63)  # degrees; the header has none
TRES1_SCALE = 2.37  # arcsec/pixel
TEN_ARCMIN = 10.0 / 60.0


@dataclass
class Field:
    """What all frames of one telescope share."""

    folder: Path
    instrument: Instrument
    masters: isr.Masters
    catalog: Path  # a directory of shards


@dataclass
class Measured:
    """A frame up to its measured sources: nothing of this depends on where the telescope looked."""

    path: Path
    exposure: Exposure
    src: Table


def measure(path: Path, field: Field) -> Measured:
    """Signature removal and characterisation of one raw file."""
    raw = read_raw(path, field.instrument)
    switches = {f"do{name.title()}": getattr(field.masters, name) is not None for name in ("bias", "dark", "flat")}
    exposure = isr.run(raw, field.masters, isr.IsrConfig(**switches), field.instrument).exposure
    found = characterize.run(exposure, CharacterizeConfig(), exposure_id=1)
    return Measured(path, exposure, found.src)


def solve(frame: Measured, field: Field, pointing: Pointing | None = None) -> CalibrateResult:
    """Calibration of a measured frame from the header's WCS or a stated pointing."""
    config = CalibrateConfig()
    raw = read_raw(frame.path, field.instrument, pointing=pointing)
    exposure = replace(frame.exposure, wcs=raw.wcs)
    height, width = exposure.shape
    circle = calibrate.reference_circle(
        raw.wcs,
        raw.wcs_origin,
        width,
        height,
        config.astrometry,
        config.astromRefObjLoader,
        field.instrument,
        raw.detector.id,
        raw.visit_info,
    )
    stars = load_reference_catalog(field.catalog, *circle, raw.visit_info.mjd_mid_tai)
    return calibrate.run(exposure, frame.src.copy(), stars, stars, config, field.instrument, wcs_origin=raw.wcs_origin)


@pytest.fixture(scope="module")
def tres1(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Field:
    folder = shared_data / "tres1"
    if not folder.is_dir():
        pytest.skip("the TrES-1 frames are absent: there is no folder ../shared/data/tres1 beside the checkout")
    root = tmp_path_factory.mktemp("tres1_ref_cats")
    config = RefcatIngestConfig(
        dataset_config=DatasetOptions(ref_dataset_name="tycho2"), ra_name="ra", dec_name="dec", mag_column_list=("vt",)
    )
    ingest_reference_catalog([folder / "tycho2.csv"], root, config)
    camera = load_instrument("generic")
    dark = build.build_dark(sorted(folder.glob("*d.fits.gz")), camera)
    return Field(folder, camera, isr.Masters(dark=dark), root / "tycho2")


@pytest.fixture(scope="module")
def tres1_frames(tres1: Field) -> list[Measured]:
    return [measure(light, tres1) for light in sorted(tres1.folder.glob("tres1-02?.fits.gz"))]


@pytest.fixture(scope="module")
def tres1_results(tres1: Field, tres1_frames: list[Measured]) -> dict[tuple[str, float, float], CalibrateResult]:
    """Every light frame from each of four pointings 10' off."""
    ra0, dec0 = TRES1_CENTRE
    results = {}
    for frame in tres1_frames:
        for east, north in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)):
            ra = ra0 + east * TEN_ARCMIN / math.cos(math.radians(dec0))
            pointing = Pointing(ra, dec0 + north * TEN_ARCMIN, TRES1_SCALE)
            results[frame.path.name, east, north] = solve(frame, tres1, pointing)
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
    root = tmp_path_factory.mktemp("huntsman_ref_cats")
    config = RefcatIngestConfig(
        dataset_config=DatasetOptions(ref_dataset_name="skymapper"),
        ra_name="raj2000",
        dec_name="dej2000",
        id_name="object_id",
        mag_column_list=("g_psf", "r_psf", "i_psf"),
        mag_err_column_map={"g_psf": "e_g_psf", "r_psf": "e_r_psf", "i_psf": "e_i_psf"},
    )
    ingest_reference_catalog([folder / "skymapper.csv"], root, config)
    camera = load_instrument("huntsman")
    dark = build.build_dark([folder / "dark.fits"], camera)
    flat = build.build_flat([folder / "flat.fits"], camera, dark=dark)
    return Field(folder, camera, isr.Masters(dark=dark, flat=flat), root / "skymapper")


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
