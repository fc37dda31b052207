"""The whole step on simulated HSC CCDs: results, flags, tables, failures and caveats."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import METRICS, CalibrateConfig, CalibrateResult, reference_circle, run
from safelight.calibrate.config import (
    AstrometryConfig,
    MatcherConfig,
    PhotoCalConfig,
    QualityConfig,
    WcsFitterConfig,
)
from safelight.errors import ProcessingError
from safelight.exposure import ApertureCorrections, CorrectionField
from safelight.exposure.psf import PsfModel
from safelight.exposure.wcs import TanSipWcs, angular_separation
from safelight.refcats import ReferenceCatalog

SkyMaker = Callable[..., tuple[object, ReferenceCatalog]]


def calibrated(scene, catalog, config: CalibrateConfig | None = None, photometry="same") -> CalibrateResult:
    exposure = replace(scene.exposure)
    photometry = catalog if photometry == "same" else photometry
    config = config or CalibrateConfig()
    return run(exposure, scene.src.copy(), catalog, photometry, config, scene.instrument, wcs_origin=scene.origin)


@pytest.fixture(scope="module")
def field(random_sky: SkyMaker, make_scene):
    sky, catalog = random_sky()
    scene = make_scene(sky)
    return scene, catalog, calibrated(scene, catalog)


def test_the_wcs_is_true_to_a_few_mas_and_says_how_true(field) -> None:
    scene, _, result = field
    error = scene.error_mas(result.exposure.wcs)
    assert error < 3.0
    assert 0.3 < result.metrics["wcs_error_mas"] < 5.0
    assert error < 3.0 * result.metrics["wcs_error_mas"]


def test_the_wcs_is_a_tan_sip_that_renders_the_fit(field) -> None:
    _, _, result = field
    assert isinstance(result.exposure.wcs, TanSipWcs)
    assert result.metadata["astrometry"]["sipErrorMas"] <= 0.1


def test_every_metric_is_there_under_its_name(field) -> None:
    _, _, result = field
    assert tuple(result.metrics) == METRICS
    without = [name for name, value in result.metrics.items() if not math.isfinite(value)]
    assert without == ["depth_5sigma_mag"]  # the scene has no PSF
    assert all(isinstance(value, float) for value in result.metrics.values())


def test_offset_and_rotation_are_those_between_header_and_truth(field) -> None:
    scene, _, result = field
    centre = np.array([1023.5]), np.array([2087.5])
    expected = angular_separation(*scene.exposure.wcs.pixel_to_sky(*centre), *scene.true_wcs.pixel_to_sky(*centre))
    assert result.metrics["wcs_offset_arcsec"] == pytest.approx(float(expected[0]) * 3600, abs=0.02)
    assert abs(result.metrics["wcs_rotation_deg"]) == pytest.approx(0.5, abs=0.01)


def test_reserved_stars_are_used_in_no_fit(field) -> None:
    _, _, result = field
    src = result.src
    for step in ("astrometry", "photometry"):
        used, reserved = np.asarray(src[f"calib_{step}_used"]), np.asarray(src[f"calib_{step}_reserved"])
        assert used.any()
        assert reserved.any()
        assert not (used & reserved).any()
        assert 0.1 < reserved.sum() / (used.sum() + reserved.sum()) < 0.3
    assert used.sum() == result.metrics["zeropoint_stars"]


def test_saturated_stars_are_associated_and_never_fitted(field) -> None:
    _, _, result = field
    full = result.matches_full
    saturated = np.asarray(full["src_base_PixelFlags_flag_saturated"])
    assert saturated.sum() > 2
    for flag_name in ("calib_astrometry_used", "calib_astrometry_reserved", "calib_photometry_used"):
        assert not (saturated & np.asarray(full[f"src_{flag_name}"])).any()


def test_zeropoint_per_second_and_per_exposure(field) -> None:
    _, _, result = field
    assert result.metrics["zeropoint_mag"] == pytest.approx(27.1, abs=0.01)
    photo_calib = result.exposure.photo_calib
    assert photo_calib.zeropoint_mag == pytest.approx(result.metrics["zeropoint_mag"] + 2.5 * math.log10(30.0))
    assert photo_calib.n_stars == result.metrics["zeropoint_stars"]


def test_the_zeropoints_error_knows_of_what_all_fluxes_have_in_common(field) -> None:
    scene, catalog, result = field
    known = {"base_PsfFlux": CorrectionField(np.ones((1, 1)), 2048, 4176, common_error=0.01)}
    scene = replace(scene, exposure=replace(scene.exposure, aperture_corrections=ApertureCorrections(known)))
    doubtful = calibrated(scene, catalog)
    common = 1.0857 * 0.01
    expected = math.hypot(result.metrics["zeropoint_error_mag"], common)
    assert doubtful.metrics["zeropoint_error_mag"] == pytest.approx(expected, rel=1e-3)
    assert doubtful.exposure.photo_calib.zeropoint_error_mag == pytest.approx(expected, rel=1e-3)


def test_matches_carry_ids_distances_and_the_query(field) -> None:
    _, catalog, result = field
    matches = result.matches
    assert matches.colnames == ["first", "second", "distance"]
    assert len(matches) == result.metrics["n_associated"] == len(result.matches_full)
    assert set(matches["first"]) <= set(catalog.id)
    assert len(set(matches["second"])) == len(matches)
    assert matches.meta["SMATCHV"] == 1
    assert matches.meta["RA"] == catalog.centre_ra_deg
    assert matches.meta["FILTER"] == "r"
    assert matches.meta["EPOCH"] == 56450.0
    full = result.matches_full
    separation = angular_separation(
        *(np.degrees(full[name]) for name in ("ref_coord_ra", "ref_coord_dec", "src_coord_ra", "src_coord_dec"))
    )
    assert np.allclose(np.radians(separation), matches["distance"], atol=1e-12)
    assert np.array_equal(full["ref_id"], matches["first"])
    assert np.array_equal(full["src_id"], matches["second"])


def test_sources_get_coordinates_and_local_calibration(field) -> None:
    _, _, result = field
    src, wcs = result.src, result.exposure.wcs
    ra, dec = wcs.pixel_to_sky(np.asarray(src["base_SdssCentroid_x"]), np.asarray(src["base_SdssCentroid_y"]))
    assert np.allclose(src["coord_ra"], np.radians(ra))
    assert np.allclose(src["coord_dec"], np.radians(dec))
    assert np.array_equal(src["base_Jacobian_flag"], ~np.isfinite(src["base_Jacobian_value"]))
    area = np.abs(
        np.asarray(src["base_CDMatrix_1_1"]) * src["base_CDMatrix_2_2"]
        - np.asarray(src["base_CDMatrix_1_2"]) * src["base_CDMatrix_2_1"]
    )
    usable = ~np.asarray(src["base_Jacobian_flag"])
    ratio = np.asarray(src["base_Jacobian_value"])[usable] / area[usable]
    assert np.allclose(ratio, ratio[:1]), "one nominal area for all"
    matrix = np.array([[src[f"base_CDMatrix_{i}_{j}"][0] for j in (1, 2)] for i in (1, 2)])
    assert np.sqrt(abs(np.linalg.det(matrix))) * 3600 == pytest.approx(0.168, rel=0.03)
    assert src["base_localPhotoCalib"][0] == pytest.approx(result.exposure.photo_calib.njy_per_adu)


def test_the_stages_are_announced(random_sky: SkyMaker, make_scene) -> None:
    sky, catalog = random_sky()
    scene, stages = make_scene(sky), []
    run(
        replace(scene.exposure),
        scene.src.copy(),
        catalog,
        catalog,
        CalibrateConfig(),
        scene.instrument,
        wcs_origin=scene.origin,
        progress=stages.append,
    )
    assert stages == ["wcs", "zeropoint"]


@pytest.mark.parametrize("ccd", [4, 50, 57, 100, 103])
def test_pointing_errors_of_two_arcmin_and_a_degree_are_found_on_ccds_of_every_orientation(
    ccd: int, random_sky: SkyMaker, make_scene
) -> None:
    sky, catalog = random_sky(seed=ccd)
    scene = make_scene(sky, ccd=ccd, seed=ccd, rotator=ccd * 3.0, offset_arcsec=(80.0, -85.0), rotation_deg=-1.0)
    result = calibrated(scene, catalog)
    assert scene.error_mas(result.exposure.wcs) < 3.0


def test_a_ccd_with_three_stars_fails_with_a_sentence(field) -> None:
    scene, catalog, _ = field
    few = replace(scene, src=scene.src[:3])
    with pytest.raises(ProcessingError) as caught:
        calibrated(few, catalog)
    assert caught.value.code == "TOO_FEW_STARS"


def test_an_empty_source_table_fails_with_a_sentence(field) -> None:
    scene, catalog, _ = field
    with pytest.raises(ProcessingError) as caught:
        calibrated(replace(scene, src=scene.src[:0]), catalog)
    assert caught.value.code == "TOO_FEW_STARS"


def test_an_all_saturated_ccd_fails_with_a_sentence(field) -> None:
    scene, catalog, _ = field
    src = scene.src.copy()
    src["base_PixelFlags_flag_saturated"] = True
    with pytest.raises(ProcessingError) as caught:
        calibrated(replace(scene, src=src), catalog)
    assert caught.value.code == "TOO_FEW_STARS"
    assert "unsaturated" in caught.value.message


def test_shuffled_references_are_refused(field) -> None:
    scene, catalog, _ = field
    rng = np.random.default_rng(2)
    shuffled = replace(catalog, ra_deg=rng.permutation(catalog.ra_deg), dec_deg=rng.permutation(catalog.dec_deg))
    with pytest.raises(ProcessingError) as caught:
        calibrated(scene, shuffled)
    assert caught.value.code == "WCS_NO_MATCH"
    assert caught.value.hint


def test_nan_in_sources_and_references_does_no_harm(field) -> None:
    scene, catalog, clean = field
    src = scene.src.copy()
    src["base_SdssCentroid_x"][::50] = np.nan
    src["base_PsfFlux_instFlux"][1::50] = np.nan
    src["base_SdssCentroid_xErr"][2::50] = np.nan
    broken = replace(catalog, ra_deg=catalog.ra_deg.copy(), flux_njy={"r": catalog.flux_njy["r"].copy()})
    broken.ra_deg[::40] = np.nan
    broken.flux_njy["r"][1::40] = np.nan
    result = calibrated(replace(scene, src=src), broken)
    assert scene.error_mas(result.exposure.wcs) < 4.0
    assert result.metrics["zeropoint_mag"] == pytest.approx(clean.metrics["zeropoint_mag"], abs=0.005)
    assert np.isnan(result.src["coord_ra"][0])


def test_a_failure_that_is_not_required_to_succeed_becomes_a_caveat(field) -> None:
    scene, catalog, _ = field
    config = CalibrateConfig(requireAstrometry=False, requirePhotoCal=False)
    result = calibrated(replace(scene, src=scene.src[:3]), catalog, config)
    assert [caveat.code for caveat in result.caveats] == ["NO_ASTROMETRY", "NO_ZEROPOINT"]
    assert "TOO_FEW_STARS" in result.caveats[0].message
    assert isinstance(result.exposure.wcs, TanSipWcs)  # the first one, as it was
    assert math.isnan(result.metrics["wcs_error_mas"])
    assert len(result.matches) == 0
    assert result.exposure.photo_calib is None


def test_without_a_photometric_catalogue_the_zeropoint_fails_by_name(field) -> None:
    scene, catalog, _ = field
    with pytest.raises(ProcessingError) as caught:
        calibrated(scene, catalog, photometry=None)
    assert caught.value.code == "NO_PHOTOMETRIC_CATALOG"
    result = calibrated(scene, catalog, CalibrateConfig(doPhotoCal=False), photometry=None)
    assert result.exposure.photo_calib is None
    assert math.isfinite(result.metrics["wcs_error_mas"])


def test_switches_leave_out_what_they_name(field) -> None:
    scene, catalog, _ = field
    config = CalibrateConfig(doEvalLocCalibration=False, doWriteMatchesDenormalized=False)
    result = calibrated(scene, catalog, config)
    assert "base_CDMatrix_1_1" not in result.src.colnames
    assert "base_localPhotoCalib" not in result.src.colnames
    assert len(result.matches_full) == 0
    assert len(result.matches) > 0


def test_a_zeropoint_far_from_the_filters_is_a_caveat(field) -> None:
    scene, catalog, _ = field
    src = scene.src.copy()
    src["base_PsfFlux_instFlux"] *= 0.5
    src["base_PsfFlux_instFluxErr"] *= 0.5
    result = calibrated(replace(scene, src=src), catalog)
    assert "ZEROPOINT_UNEXPECTED" in {caveat.code for caveat in result.caveats}
    relaxed = calibrated(replace(scene, src=src), catalog, CalibrateConfig(photoCal=PhotoCalConfig(maxDeviation=1.0)))
    assert "ZEROPOINT_UNEXPECTED" not in {caveat.code for caveat in relaxed.caveats}


def test_stars_on_one_side_only_are_called_extrapolated(field) -> None:
    scene, catalog, _ = field
    lower = np.asarray(scene.src["base_SdssCentroid_y"]) < 1500
    result = calibrated(replace(scene, src=scene.src[lower]), catalog)
    caveats = {caveat.code: caveat.message for caveat in result.caveats}
    assert "% of the CCD" in caveats["WCS_EXTRAPOLATED"]


def test_few_stars_are_called_few(random_sky: SkyMaker, make_scene) -> None:
    sky, catalog = random_sky(n=350, seed=8)
    result = calibrated(make_scene(sky, junk=20), catalog)
    codes = {caveat.code for caveat in result.caveats}
    assert "FEW_ASTROMETRIC_STARS" in codes
    assert result.metrics["wcs_matches"] < 20
    assert math.isfinite(result.metrics["wcs_cv_rms_px"])


def test_reserved_stars_that_disagree_are_refused_or_called_high(field) -> None:
    from safelight.calibrate.reserve import reserved

    scene, catalog, _ = field
    moved = replace(catalog, dec_deg=catalog.dec_deg.copy())
    judges = reserved(catalog.id, 0.2)
    rng = np.random.default_rng(1)
    moved.dec_deg[judges] += rng.normal(0, 14.0, judges.sum()) / 3.6e6
    result = calibrated(scene, moved)
    assert "WCS_RESERVED_RESIDUAL_HIGH" in {caveat.code for caveat in result.caveats}
    assert result.metadata["astrometry"]["pullScale"] > 1.2
    moved.dec_deg[judges] += rng.normal(0, 80.0, judges.sum()) / 3.6e6
    with pytest.raises(ProcessingError) as caught:
        calibrated(scene, moved)
    assert caught.value.code == "WCS_UNSUPPORTED"
    assert "reserved stars scatter" in caught.value.message


def test_a_large_scatter_is_refused(field) -> None:
    scene, catalog, _ = field
    config = CalibrateConfig(astrometry=AstrometryConfig(wcsFitter=WcsFitterConfig(maxScatterArcsec=0.001)))
    with pytest.raises(ProcessingError) as caught:
        calibrated(scene, catalog, config)
    assert caught.value.code == "WCS_UNSUPPORTED"


def test_the_degree_can_be_fixed(field) -> None:
    scene, catalog, automatic = field
    assert automatic.metadata["astrometry"]["correctionDegree"] == 1
    config = CalibrateConfig(astrometry=AstrometryConfig(wcsFitter=WcsFitterConfig(order=3)))
    result = calibrated(scene, catalog, config)
    assert result.metadata["astrometry"]["correctionDegree"] == 3
    assert scene.error_mas(result.exposure.wcs) < 5.0


def test_a_stated_pointing_replaces_a_hopeless_header(random_sky: SkyMaker, make_scene) -> None:
    sky, catalog = random_sky()
    scene = make_scene(sky, offset_arcsec=(1500.0, 900.0))
    with pytest.raises(ProcessingError):
        calibrated(scene, catalog)
    true = scene.true_wcs
    pointing = AstrometryConfig(pointingRa=true.boresight_ra_deg, pointingDec=true.boresight_dec_deg)
    result = calibrated(scene, catalog, CalibrateConfig(astrometry=pointing))
    assert scene.error_mas(result.exposure.wcs) < 3.0
    assert result.metrics["wcs_offset_arcsec"] < 60.0


def test_the_search_can_be_narrowed_and_quality_limits_moved(field) -> None:
    scene, catalog, _ = field
    narrow = CalibrateConfig(astrometry=AstrometryConfig(matcher=MatcherConfig(maxOffsetPix=100.0, maxRotationDeg=0.1)))
    with pytest.raises(ProcessingError, match="within 21 arcsec of where"):
        calibrated(scene, catalog, narrow)
    strict = CalibrateConfig(astrometry=AstrometryConfig(quality=QualityConfig(fewStars=900)))
    assert "FEW_ASTROMETRIC_STARS" in {caveat.code for caveat in calibrated(scene, catalog, strict).caveats}


def test_references_are_asked_for_out_to_the_pointing_uncertainty(field) -> None:
    scene, _, _ = field
    config = CalibrateConfig()
    ra, dec, radius = reference_circle(
        scene.exposure.wcs,
        scene.origin,
        2048,
        4176,
        config.astrometry,
        config.astromRefObjLoader,
        scene.instrument,
        50,
        scene.exposure.visit_info,
    )
    half_diagonal = 0.168 * math.hypot(2048, 4176) / 2
    assert radius * 3600 > half_diagonal + 120 + 300 * 0.16
    centre = scene.exposure.wcs.pixel_to_sky(1023.5, 2087.5)
    assert (ra, dec) == pytest.approx([float(value) for value in centre])


def test_depth_is_five_times_the_noise_in_the_psfs_area(random_sky: SkyMaker, make_scene) -> None:
    sky, catalog = random_sky()
    scene = make_scene(sky)
    exposure = replace(scene.exposure)
    rng = np.random.default_rng(3)
    exposure.image = rng.normal(0, 7.0, exposure.shape).astype(np.float32)
    y, x = np.mgrid[-12:13, -12:13]
    gauss = np.exp(-(x**2 + y**2) / (2 * 2.0**2))
    exposure.psf = PsfModel((gauss / gauss.sum())[None].astype(np.float32), 0, 0.0, 0.0, 1.0, 1.0)
    result = run(
        exposure, scene.src.copy(), catalog, catalog, CalibrateConfig(), scene.instrument, wcs_origin=scene.origin
    )
    noise = 7.0 * math.sqrt(4 * math.pi * 2.0**2)  # effective area of a Gaussian PSF
    expected = exposure.photo_calib.zeropoint_mag - 2.5 * math.log10(5 * noise)
    assert result.metrics["depth_5sigma_mag"] == pytest.approx(expected, abs=0.01)
