"""Each correction alone, against plain numpy and scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import binary_dilation, generate_binary_structure

from safelight.errors import ProcessingError
from safelight.exposure import MaskPlanes, MasterFrame
from safelight.instruments import Amplifier, Box
from safelight.isr.assembly import place_amplifier
from safelight.isr.bias import subtract_bias
from safelight.isr.dark import dark_scale, subtract_dark
from safelight.isr.defects import is_dead, mask_defects, merge_master_mask
from safelight.isr.flat import divide_flat
from safelight.isr.linearity import linearize
from safelight.isr.masters import check_master, required_master
from safelight.isr.nans import mask_not_finite
from safelight.isr.saturation import grow_saturation, mask_at_or_above
from safelight.isr.sky import clipped_level, median_level
from safelight.isr.trails import widen_trails
from safelight.isr.variance import add_variance, set_variance

SHAPE = (23, 37)


@pytest.fixture
def image() -> np.ndarray:
    return np.random.default_rng(8).normal(150, 30, SHAPE).astype(np.float32)


def test_saturation_is_inclusive_and_counts_its_pixels() -> None:
    raw = np.array([[49999, 50000, 50001]], dtype=np.uint16)
    mask = np.array([[4, 4, 4]], dtype=np.int32)
    assert mask_at_or_above(raw, 50000.0, mask, 2) == 2
    assert mask.tolist() == [[4, 6, 6]]


def test_a_level_of_nan_masks_nothing() -> None:
    mask = np.zeros((1, 2), np.int32)
    assert mask_at_or_above(np.array([[1, 65535]], dtype=np.uint16), math.nan, mask, 2) == 0
    assert not mask.any()


def test_saturation_is_found_in_a_mirrored_view_without_a_copy() -> None:
    raw = np.random.default_rng(9).integers(0, 60000, SHAPE).astype(np.uint16)
    mask = np.zeros(SHAPE, np.int32)
    mask_at_or_above(raw[:, ::-1], 50000.0, mask, 2)
    np.testing.assert_array_equal(mask, np.where(raw[:, ::-1] >= 50000, 2, 0))


@pytest.mark.parametrize("radius", [1, 2, 3])
def test_saturation_grows_as_scipys_dilation_by_a_diamond(radius: int) -> None:
    seeds = np.random.default_rng(10).random(SHAPE) < 0.02
    seeds[0, 0] = seeds[-1, -1] = True
    mask = np.where(seeds, np.int32(2 | 8), np.int32(8))
    grow_saturation(mask, 2, radius)
    expected = binary_dilation(seeds, generate_binary_structure(2, 1), iterations=radius)
    np.testing.assert_array_equal(mask & 2 > 0, expected)
    assert np.all(mask & 8)


@pytest.mark.parametrize(("length", "reach"), [(1, 0), (5, 0), (6, 1), (7, 1), (8, 3), (9, 3), (10, 4), (25, 4)])
def test_saturation_trails_are_widened_by_their_length(length: int, reach: int) -> None:
    mask = np.zeros((3, 60), np.int32)
    mask[1, 20 : 20 + length] = 2
    widen_trails(mask, 2)
    assert np.flatnonzero(mask[1]).tolist() == list(range(20 - reach, 20 + length + reach))
    assert not mask[[0, 2]].any()


def test_widened_trails_stop_at_the_edge_and_do_not_feed_each_other() -> None:
    mask = np.zeros((1, 40), np.int32)
    mask[0, 0:7], mask[0, 9:15], mask[0, 33:40] = 2, 2, 2
    widen_trails(mask, 2)
    assert np.flatnonzero(mask[0]).tolist() == [*range(16), *range(32, 40)]


@pytest.mark.parametrize(("flip_x", "flip_y"), [(False, False), (True, False), (False, True), (True, True)])
@pytest.mark.parametrize("dtype", ["u2", "i4", "f4"])
def test_assembly_places_flips_and_subtracts(flip_x: bool, flip_y: bool, dtype: str) -> None:
    rng = np.random.default_rng(11)
    raw = rng.integers(900, 1100, (14, 30)).astype(dtype)
    pedestal = rng.uniform(900, 901, 10).astype(np.float32)
    amplifier = Amplifier(
        name="0",
        gain=1.0,
        read_noise_adu=1.0,
        saturation_adu=6e4,
        box=Box(x0=5, y0=2, width=12, height=10),
        raw_box=Box(x0=0, y0=0, width=30, height=14),
        raw_data_box=Box(x0=9, y0=3, width=12, height=10),
        flip_x=flip_x,
        flip_y=flip_y,
    )
    image = np.zeros((20, 20), np.float32)
    place_amplifier(raw, pedestal, amplifier, image)
    expected = raw[3:13, 9:21].astype(np.float32) - pedestal[:, None]
    expected = expected[::-1] if flip_y else expected
    expected = expected[:, ::-1] if flip_x else expected
    np.testing.assert_array_equal(image[2:12, 5:17], expected)
    assert np.count_nonzero(image) <= 120


def test_bias_is_subtracted(image: np.ndarray) -> None:
    bias = np.random.default_rng(12).normal(0, 2, SHAPE).astype(np.float32)
    expected = image - bias
    subtract_bias(image, bias)
    np.testing.assert_array_equal(image, expected)


def test_variance_is_photon_noise_plus_read_noise_and_always_positive(image: np.ndarray) -> None:
    image[0, :5] = [-5000.0, -1.0, 0.0, np.nan, 3.0]
    variance = np.full(SHAPE, 99.0, np.float32)
    set_variance(variance, image, gain=3.5, read_noise=1.5)
    expected = np.maximum(image.astype(float), 0) / 3.5 + 2.25
    np.testing.assert_allclose(variance, expected, rtol=1e-6)
    assert np.isnan(variance[0, 3])
    set_variance(variance, np.zeros(SHAPE, np.float32), gain=1.0, read_noise=0.0)
    np.testing.assert_allclose(variance, 1 / 12)


def test_variance_is_that_of_drawn_photons() -> None:
    rng = np.random.default_rng(13)
    gain, read_noise, electrons = 3.5, 1.6, 620.0
    image = (rng.poisson(electrons, (500, 500)) / gain + rng.normal(0, read_noise, (500, 500))).astype(np.float32)
    variance = np.empty_like(image)
    set_variance(variance, image, gain, read_noise)
    assert variance.mean() == pytest.approx(image.var(), rel=0.02)


def test_the_noise_of_a_master_is_added_where_it_is_known(image: np.ndarray) -> None:
    master = np.full(SHAPE, 0.5, np.float32)
    master[0, :3] = [np.nan, np.inf, -1.0]
    before = image.copy()
    add_variance(image, master, 4.0)
    expected = before + 2.0
    expected[0, :3] = before[0, :3]
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_linearity_is_quadratic(image: np.ndarray) -> None:
    expected = image.astype(float) * (1 + 1.6e-7 * image.astype(float))
    linearize(image, 1.6e-7)
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_dark_is_scaled_by_the_dark_time(image: np.ndarray) -> None:
    dark = MasterFrame(np.random.default_rng(14).uniform(0, 1, SHAPE).astype(np.float32), exposure_time_s=10.0)
    scale = dark_scale(dark, 45.0)
    expected = image.astype(float) - 4.5 * dark.image
    subtract_dark(image, dark.image, scale)
    np.testing.assert_allclose(image, expected, rtol=1e-5)


def test_a_dark_with_its_bias_serves_its_own_exposure_time_unscaled(image: np.ndarray) -> None:
    dark = MasterFrame(image, exposure_time_s=60.0, contains_bias=True, path="dark-60s.fits")
    assert dark_scale(dark, 60.5) == 1.0
    with pytest.raises(ProcessingError, match=r"dark-60s\.fits.*60 s.*30 s") as caught:
        dark_scale(dark, 30.0)
    assert caught.value.code == "DARK_EXPOSURE_MISMATCH"


@pytest.mark.parametrize(("own", "frame", "code"), [(1.0, math.nan, "NO_DARK_TIME"), (0.0, 30.0, "BAD_MASTER")])
def test_darks_without_known_times_are_refused(image: np.ndarray, own: float, frame: float, code: str) -> None:
    with pytest.raises(ProcessingError) as caught:
        dark_scale(MasterFrame(image, exposure_time_s=own), frame)
    assert caught.value.code == code


def test_flat_divides_and_propagates_the_noise_of_both(image: np.ndarray) -> None:
    rng = np.random.default_rng(15)
    flat = rng.uniform(0.7, 1.2, SHAPE).astype(np.float32)
    flat_variance = rng.uniform(0, 1e-4, SHAPE).astype(np.float32)
    variance = rng.uniform(40, 60, SHAPE).astype(np.float32)
    i, v, f, w = (a.astype(float) for a in (image, variance, flat, flat_variance))
    divide_flat(image, variance, flat, flat_variance)
    np.testing.assert_allclose(image, i / f, rtol=1e-5)
    np.testing.assert_allclose(variance, v / f**2 + i**2 * w / f**4, rtol=1e-5)


def test_a_flat_without_light_leaves_no_number(image: np.ndarray) -> None:
    flat, variance = np.ones(SHAPE, np.float32), np.ones(SHAPE, np.float32)
    flat[0, :3] = [0.0, -1.0, np.nan]
    divide_flat(image, variance, flat)
    assert np.isnan(image[0, :3]).all()
    assert np.isfinite(image).sum() == image.size - 3


@settings(max_examples=30, deadline=None)
@given(
    arrays(np.float32, (4, 5), elements=st.floats(width=32)), arrays(np.float32, (4, 5), elements=st.floats(width=32))
)
def test_not_finite_is_what_numpy_says(image: np.ndarray, variance: np.ndarray) -> None:
    mask = np.zeros((4, 5), np.int32)
    count = mask_not_finite(image, variance, mask, 512)
    expected = ~(np.isfinite(image) & np.isfinite(variance))
    np.testing.assert_array_equal(mask, np.where(expected, 512, 0))
    assert count == expected.sum()


def test_defects_are_masked_within_the_frame_and_counted_once() -> None:
    mask = np.zeros(SHAPE, np.int32)
    boxes = [
        Box(x0=-3, y0=2, width=5, height=2),
        Box(x0=0, y0=2, width=2, height=1),
        Box(x0=30, y0=20, width=20, height=20),
        Box(x0=-9, y0=-9, width=3, height=3),
    ]
    assert mask_defects(mask, boxes, 1) == 2 * 2 + 7 * 3
    assert np.count_nonzero(mask) == 25


def test_an_amplifier_is_dead_when_one_defect_covers_it_all() -> None:
    amplifier = Amplifier(
        name="0", gain=1, read_noise_adu=1, saturation_adu=1e4, box=Box(x0=10, y0=0, width=10, height=20)
    )
    assert is_dead(amplifier, [Box(x0=8, y0=0, width=12, height=20)])
    halves = [Box(x0=10, y0=0, width=10, height=10), Box(x0=10, y0=10, width=10, height=10)]
    assert not is_dead(amplifier, halves)


def test_only_planes_about_the_pixel_itself_are_taken_from_a_master() -> None:
    planes = MaskPlanes()
    bits = [planes.bits(name) for name in ("BAD", "DETECTED", "CR", "NO_DATA")]
    master = MasterFrame(np.ones((1, 4), np.float32), np.array([bits], dtype=np.int32))
    mask = np.zeros((1, 4), np.int32)
    merge_master_mask(mask, master)
    assert mask.tolist() == [[bits[0], 0, 0, bits[3]]]


def test_a_master_of_another_size_is_refused_by_name(image: np.ndarray) -> None:
    with pytest.raises(ProcessingError, match=r"flat-r\.fits has 37 x 23 pixels.*10 x 20") as caught:
        check_master("flat", MasterFrame(image, path="flat-r.fits"), (20, 10))
    assert caught.value.code == "MASTER_WRONG_SIZE"


def test_a_master_of_nans_is_refused_by_name() -> None:
    with pytest.raises(ProcessingError, match=r"bias-7\.fits.*100 %") as caught:
        check_master("bias", MasterFrame(np.full(SHAPE, np.nan, np.float32), path="bias-7.fits"), SHAPE)
    assert caught.value.code == "BAD_MASTER"


def test_a_flat_of_zeros_is_refused_by_name() -> None:
    flat = MasterFrame(np.zeros((4, 4), np.float32), path="FLAT-016.fits")
    with pytest.raises(ProcessingError, match=r"FLAT-016.fits is not usable: 100 % .* above zero") as caught:
        check_master("flat", flat, (4, 4))
    assert caught.value.code == "BAD_MASTER"
    check_master("bias", flat, (4, 4))


@pytest.mark.parametrize("kind", ["bias", "dark", "flat"])
def test_a_missing_master_says_how_to_do_without(kind: str) -> None:
    with pytest.raises(ProcessingError) as caught:
        required_master(kind, None, SHAPE)
    assert caught.value.code == f"MISSING_{kind.upper()}"
    assert f"isr.do{kind.capitalize()}=False" in caught.value.hint


def test_levels_ignore_bad_pixels_and_outliers() -> None:
    rng = np.random.default_rng(16)
    image = rng.normal(180, 7, (400, 400)).astype(np.float32)
    mask = np.zeros(image.shape, np.int32)
    image[::8, ::4], mask[::8, ::4] = 1e6, 1
    image[4, 8] = np.nan
    image[4::200, 4::8] = 5000.0
    level, sigma = clipped_level(image, mask, 1)
    assert level == pytest.approx(180, abs=0.3)
    assert sigma == pytest.approx(7, rel=0.05)
    assert median_level(image, mask, 1) == pytest.approx(180, abs=0.3)
    assert median_level(image, np.ones_like(mask), 1) == 0.0
