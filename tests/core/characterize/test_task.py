"""The whole of characterisation on simulated frames, good and bad."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from scipy.spatial import cKDTree

from safelight import characterize
from safelight.characterize.config import CharacterizeConfig, RepairConfig
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, Workspace

CONFIG = CharacterizeConfig()


@pytest.fixture(scope="module")
def field(star_field):
    return star_field(
        (900, 800), n_stars=160, n_galaxies=60, n_cosmic_rays=40, flux_range=(400, 1.5e6), slope=0.3, gradient=6.0,
        saturation=25000, seed=41,
    )  # fmt: skip


@pytest.fixture(scope="module")
def result(field):
    stages = []
    exposure = Exposure(field.exposure.image.copy(), field.exposure.mask.copy(), field.exposure.variance.copy())
    outcome = characterize.run(exposure, CONFIG, exposure_id=180_666_823, progress=stages.append)
    assert stages == ["characterize"]
    return outcome


def primary(table):
    return table[table["deblend_nChild"] == 0]


def on_truth(src, field, radius=1.0):
    """Rows of `src` within `radius` of a true source, and the index of that source."""
    tree = cKDTree(np.column_stack([field.x, field.y]))
    distance, index = tree.query(np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]]))
    return distance < radius, index


def test_the_metrics_are_those_of_the_simulated_sky(result, field):
    metrics = result.metrics
    assert metrics["fwhm_px"] == pytest.approx(4.08, rel=0.03)
    assert metrics["sky_level_adu"] == pytest.approx(180.0, abs=0.6)
    assert metrics["sky_rms_adu"] == pytest.approx(np.sqrt(180 / 3.4 + (4.3 / 3.4) ** 2), rel=0.03)
    assert metrics["n_cosmic_rays"] == pytest.approx(40, abs=6)
    assert metrics["saturated_fraction"] == np.mean(field.exposure.image >= 25000)
    assert metrics["n_psf_stars"] >= 20
    assert metrics["psf_reserved_residual"] < 1.6
    assert {type(value) for value in metrics.values()} == {float}
    yaml.safe_dump(result.metadata)  # plain numbers only
    assert result.caveats == []


def test_the_backgrounds_add_up_to_what_was_subtracted(result, field):
    sky = sum(model.image(result.exposure.shape) for model in result.background)
    untouched = ~result.exposure.masked("CR")
    np.testing.assert_allclose((result.exposure.image + sky)[untouched], field.exposure.image[untouched], atol=0.02)
    assert len(result.metadata["BGMEAN"]) == len(result.background) == 2


def test_stars_are_found_where_they_are_with_honest_errors(result, field):
    src = primary(result.src)
    near, index = on_truth(src, field)
    bright = field.flux[index] > 2000
    alone = cKDTree(np.column_stack([field.x, field.y])).query(np.column_stack([field.x, field.y]), k=2)[0][:, 1] > 20
    flags = ("saturated", "edge", "interpolated")
    clean = ~np.any([src[f"base_PixelFlags_flag_{name}"] for name in flags], axis=0)
    use = near & bright & field.is_star[index] & alone[index] & clean
    assert use.sum() > 30
    for axis, truth in (("x", field.x), ("y", field.y)):
        pull = (src[f"base_SdssCentroid_{axis}"] - truth[index])[use] / src[f"base_SdssCentroid_{axis}Err"][use]
        assert 0.7 < 1.4826 * np.median(np.abs(pull)) < 1.35
    flux = src["base_PsfFlux_instFlux"][use]
    assert abs(np.median(-2.5 * np.log10(flux / field.flux[index][use]))) < 0.006


def test_bright_stars_and_galaxies_are_told_apart(result, field):
    src = primary(result.src)
    near, index = on_truth(src, field)
    use = near & (field.flux[index] > 8000) & ~src["base_ClassificationExtendedness_flag"]
    use &= ~src["base_PixelFlags_flag_saturated"]
    extended = src["base_ClassificationExtendedness_value"] > 0.5
    assert extended[use & field.is_star[index]].mean() < 0.1
    assert extended[use & ~field.is_star[index]].mean() > 0.9


def test_saturated_stars_are_flagged_and_serve_for_no_psf(result, field):
    src = primary(result.src)
    rows, columns = np.nonzero(field.exposure.image >= 25000)
    assert len(rows) > 0
    tree = cKDTree(np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]]))
    hit = np.unique(tree.query(np.column_stack([columns, rows]))[1])
    assert src["base_PixelFlags_flag_saturatedCenter"][hit].all()
    assert not src["calib_psf_candidate"][hit].any()


def test_psf_stars_are_candidates_used_or_reserved(result):
    src = result.src
    used, spare, candidate = (src[f"calib_psf_{name}"] for name in ("used", "reserved", "candidate"))
    assert used.sum() == result.metrics["n_psf_stars"]
    assert not (used & spare).any()
    assert (candidate | ~(used | spare)).all()
    assert 0 < spare.sum() < 0.45 * candidate.sum()


def test_ids_carry_the_exposure_and_children_name_their_parents(result):
    src = result.src
    assert (np.asarray(src["id"]) >> 32 == 180_666_823).all()
    assert len(np.unique(src["id"])) == len(src)
    parents = src[src["deblend_nChild"] > 0]
    assert len(parents) > 0
    for row in parents:
        assert (src["parent"] == row["id"]).sum() == row["deblend_nChild"] >= 2
    assert set(src["parent"]) - {0} == set(parents["id"])


def test_ic_src_holds_the_bright_sources_of_src(result):
    assert 0 < len(result.ic_src) < len(result.src)
    assert (result.ic_src["safelight_Detection_significance"] >= 50).all()
    assert set(result.ic_src["id"]) == set(result.src["id"][result.src["calib_detected"]])


def test_columns_have_units_and_boolean_flags(result):
    src = result.src
    for name in src.colnames:
        if "_flag" in name or name.startswith("calib_"):
            assert src[name].dtype == np.bool_, name
    assert str(src["base_PsfFlux_instFlux"].unit) == "ct"
    assert str(src["base_SdssShape_xx"].unit) == "pix2"
    assert str(src["base_SdssCentroid_xErr"].unit) == "pix"
    assert str(src["coord_ra"].unit) == "rad"
    assert src["base_SdssCentroid_xErr"].dtype == np.float32
    assert src["base_FootprintArea_value"].dtype == np.int32


def test_cosmic_rays_are_filled_and_detected_pixels_flagged(result, field):
    found = result.exposure.masked("CR")
    assert (found & field.cosmic_rays).sum() > 0.9 * field.cosmic_rays.sum()
    assert (result.exposure.mask[found] & result.exposure.planes.bits("INTRP") != 0).all()
    src = primary(result.src)
    row = np.rint(src["base_SdssCentroid_y"]).astype(int)
    column = np.rint(src["base_SdssCentroid_x"]).astype(int)
    assert result.exposure.masked("DETECTED")[row, column].mean() > 0.99


def test_a_second_frame_in_the_same_workspace_gives_the_same_result(field, result):
    workspace = Workspace()
    for _ in range(2):
        exposure = Exposure(field.exposure.image.copy(), field.exposure.mask.copy(), field.exposure.variance.copy())
        again = characterize.run(exposure, CONFIG, exposure_id=180_666_823, workspace=workspace)
    for name in ("base_SdssCentroid_x", "base_PsfFlux_instFlux"):
        np.testing.assert_array_equal(again.src[name], result.src[name])


def test_without_repair_no_cosmic_ray_is_looked_for(star_field):
    field = star_field((300, 300), n_stars=25, n_cosmic_rays=10, flux_range=(5e3, 1e5), seed=42)
    config = CharacterizeConfig(repair=RepairConfig(doCosmicRay=False))
    outcome = characterize.run(field.exposure, config, exposure_id=1)
    assert not outcome.exposure.masked("CR").any()
    assert np.isnan(outcome.metrics["n_cosmic_rays"])


@pytest.mark.parametrize("fwhm", [1.7, 2.1])
def test_a_small_undersampled_frame_is_measured_as_well(star_field, fwhm):
    field = star_field((500, 600), n_stars=90, fwhm=fwhm, flux_range=(1e3, 1e5), slope=0.3, seed=43)
    outcome = characterize.run(field.exposure, CONFIG, exposure_id=1)
    assert outcome.exposure.psf.oversampling > 1
    src = primary(outcome.src)
    near, index = on_truth(src, field)
    use = near & (field.flux[index] > 5e3) & ~src["base_PixelFlags_flag_interpolated"]
    assert use.sum() > 25
    x_pull = (src["base_SdssCentroid_x"] - field.x[index])[use] / src["base_SdssCentroid_xErr"][use]
    assert 1.4826 * np.median(np.abs(x_pull)) < 1.5
    assert abs(np.median(-2.5 * np.log10(src["base_PsfFlux_instFlux"][use] / field.flux[index][use]))) < 0.008


def test_three_stars_are_enough_and_two_are_a_caveat(star_field):
    codes = []
    for n in (3, 2):
        at = (np.array([80.3, 200.7, 130.1])[:n], np.array([90.2, 120.6, 230.4])[:n])
        field = star_field((300, 300), n_stars=n, positions=at, flux_range=(3e4, 9e4), seed=44)
        outcome = characterize.run(field.exposure, CONFIG, exposure_id=1)
        assert len(outcome.src) == n
        row = cKDTree(np.column_stack([field.x, field.y])).query(
            np.column_stack([outcome.src["base_SdssCentroid_x"], outcome.src["base_SdssCentroid_y"]])
        )[1]
        np.testing.assert_allclose(outcome.src["base_PsfFlux_instFlux"], field.flux[row], rtol=0.02)
        codes.append([caveat.code for caveat in outcome.caveats])
    assert codes == [[], ["FEW_PSF_STARS"]]


def test_an_empty_sky_has_too_few_stars(star_field):
    with pytest.raises(ProcessingError) as failure:
        characterize.run(star_field((300, 300), n_stars=0).exposure, CONFIG, exposure_id=1)
    assert failure.value.code == "TOO_FEW_STARS"


def test_a_frame_whose_every_star_is_saturated_has_too_few_stars(star_field):
    at = (np.array([80.3, 200.7, 130.1]), np.array([90.2, 120.6, 230.4]))
    field = star_field((300, 300), n_stars=3, positions=at, flux_range=(3e6, 4e6), saturation=20000, seed=45)
    with pytest.raises(ProcessingError) as failure:
        characterize.run(field.exposure, CONFIG, exposure_id=1)
    assert failure.value.code == "TOO_FEW_STARS"


@pytest.mark.parametrize("spoil", ["nan", "masked", "saturated"])
def test_a_frame_without_a_usable_pixel_is_refused(star_field, spoil):
    exposure = star_field((200, 200), n_stars=5).exposure
    if spoil == "nan":
        exposure.image[:] = np.nan
    else:
        exposure.mask[:] = exposure.planes.bits("BAD" if spoil == "masked" else "SAT")
    with pytest.raises(ProcessingError) as failure:
        characterize.run(exposure, CONFIG, exposure_id=1)
    assert failure.value.code == "NO_USABLE_PIXELS"


def test_a_postage_stamp_is_refused():
    shape = (30, 200)
    exposure = Exposure(np.ones(shape, np.float32), np.zeros(shape, np.int32), np.ones(shape, np.float32))
    with pytest.raises(ProcessingError) as failure:
        characterize.run(exposure, CONFIG, exposure_id=1)
    assert failure.value.code == "FRAME_TOO_SMALL"


def test_scattered_nan_and_dead_columns_do_no_harm(star_field):
    field = star_field((500, 500), n_stars=50, flux_range=(3e3, 2e5), seed=46)
    exposure = field.exposure
    rng = np.random.default_rng(46)
    holes = rng.integers(0, 500, (2, 400))
    exposure.image[holes[0], holes[1]] = np.nan
    exposure.variance[:, 250] = -1.0
    outcome = characterize.run(exposure, CONFIG, exposure_id=1)
    assert np.isfinite(exposure.image).all()
    assert (exposure.variance > 0).all()
    assert exposure.masked("UNMASKEDNAN")[holes[0], holes[1]].all()
    assert exposure.masked("UNMASKEDNAN")[:, 250].all()
    src = primary(outcome.src)
    near, index = on_truth(src, field)
    clean = near & (field.flux[index] > 1e4) & ~src["base_PixelFlags_flag_edge"]
    assert abs(np.median(-2.5 * np.log10(src["base_PsfFlux_instFlux"][clean] / field.flux[index][clean]))) < 0.01


def test_a_wrong_variance_plane_is_named(star_field):
    field = star_field((400, 400), n_stars=40, flux_range=(3e3, 2e5), seed=47)
    field.exposure.variance /= 6.0
    outcome = characterize.run(field.exposure, CONFIG, exposure_id=1)
    assert [caveat.code for caveat in outcome.caveats] == ["NOISE_MISMATCH"]
