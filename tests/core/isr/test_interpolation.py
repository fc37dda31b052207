"""Filling of bad pixels against smooth truth."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.isr.interpolation import LONGEST, interpolate, prediction_weights

BAD, INTRP = 1, 4


def _fill(image: np.ndarray, bad: np.ndarray, **options: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    filled, variance = image.astype(np.float32), np.full(image.shape, 50.0, np.float32)
    filled[bad], variance[bad] = 1e6, np.nan
    mask = np.where(bad, np.int32(BAD), np.int32(0))
    settings = {"fwhm_pixels": 4.0, "fallback": 0.0, "fallback_variance": 50.0} | options
    count = interpolate(filled, variance, mask, BAD, INTRP, **settings)
    assert count == bad.sum()
    np.testing.assert_array_equal(mask & INTRP > 0, bad)
    np.testing.assert_array_equal(filled[~bad], image.astype(np.float32)[~bad])
    return filled, variance, mask


def _stars(shape: tuple[int, int], sigma: float) -> np.ndarray:
    rng = np.random.default_rng(18)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = np.full(shape, 180.0)
    for _ in range(60):
        y0, x0, flux = rng.uniform(0, shape[0]), rng.uniform(0, shape[1]), rng.uniform(500, 5000)
        image += flux / (2 * np.pi * sigma**2) * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
    return image


def test_weights_add_up_to_one_and_mirror() -> None:
    for length in range(1, LONGEST + 1):
        for place in range(length):
            weights = prediction_weights(length, place, 5.0)
            assert weights.sum() == pytest.approx(1.0)
            np.testing.assert_allclose(weights, prediction_weights(length, length - 1 - place, 5.0)[::-1], atol=1e-10)


def test_with_little_noise_the_weights_are_the_constants_of_lsst() -> None:
    np.testing.assert_allclose(
        prediction_weights(1, 0, 2.1, noise=0.01), [-0.2737, 0.7737, 0.7737, -0.2737], atol=0.015
    )


def test_a_bad_column_is_filled_better_than_by_the_mean_of_its_neighbours() -> None:
    truth = _stars((120, 160), sigma=1.7)
    bad = np.zeros(truth.shape, np.bool_)
    bad[:, 10::16] = True
    filled, _, _ = _fill(truth, bad)
    ours = filled[bad] - truth[bad]
    naive = ((np.roll(truth, 1, 1) + np.roll(truth, -1, 1)) / 2)[bad] - truth[bad]
    assert np.sqrt(np.mean(ours**2)) < 0.95 * np.sqrt(np.mean(naive**2))


def test_a_run_is_filled_along_its_shorter_side() -> None:
    y, x = np.mgrid[:60, :60]
    truth = 100.0 + 0.5 * x + 2.0 * np.sin(x / 2.0)  # no change along columns
    bad = np.zeros(truth.shape, np.bool_)
    bad[30:32, 5:55] = True  # two rows high, fifty columns long
    filled, _, _ = _fill(truth, bad)
    np.testing.assert_allclose(filled[bad], truth[bad], atol=1e-3)
    assert y.shape == truth.shape


def test_constant_sky_is_kept_whatever_is_bad() -> None:
    rng = np.random.default_rng(19)
    truth = np.full((64, 64), 180.0)
    bad = rng.random(truth.shape) < 0.3
    bad[:, 20:45] = True
    bad[:3] = True
    filled, variance, _ = _fill(truth, bad, fallback=180.0)
    np.testing.assert_allclose(filled, 180.0, rtol=1e-6)
    np.testing.assert_allclose(variance, 50.0, rtol=1e-6)


def test_the_middle_of_a_large_dead_area_is_the_fallback() -> None:
    truth = np.full((100, 100), 500.0)
    bad = np.zeros(truth.shape, np.bool_)
    bad[20:80, 20:80] = True
    filled, variance, _ = _fill(truth, bad, fallback=180.0, fallback_variance=33.0)
    assert filled[50, 50] == pytest.approx(180.0)
    assert variance[50, 50] == pytest.approx(33.0)
    assert 400 < filled[50, 20] < 500
    profile = filled[50, 20:50]
    assert np.all(np.diff(profile) <= 1e-3)  # from the edge to the fallback without a jump
    assert np.abs(np.diff(profile)).max() < 40


def test_the_edge_of_the_frame_leans_on_one_side() -> None:
    truth = np.full((20, 40), 300.0)
    bad = np.zeros(truth.shape, np.bool_)
    bad[:, :3] = bad[:, -1:] = True
    filled, _, _ = _fill(truth, bad, fallback=180.0)
    assert filled[10, 39] == pytest.approx(300.0 * 11 / 12 + 180.0 / 12)
    assert filled[10, 0] < filled[10, 1] < filled[10, 2] < 300.0


def test_a_frame_without_a_good_pixel_is_the_fallback() -> None:
    filled, variance, _ = _fill(np.zeros((8, 9)), np.ones((8, 9), np.bool_), fallback=7.0, fallback_variance=2.0)
    assert np.all(filled == 7.0)
    assert np.all(variance == 2.0)


def test_a_fill_is_never_made_from_another_fill() -> None:
    rng = np.random.default_rng(20)
    truth = rng.normal(180, 7, (50, 50))
    bad = rng.random(truth.shape) < 0.4
    once, _, _ = _fill(truth, bad)
    mirrored, _, _ = _fill(truth[:, ::-1], bad[:, ::-1])
    np.testing.assert_allclose(mirrored[:, ::-1], once, rtol=1e-5)


def test_noise_is_not_amplified_much() -> None:
    noise = np.random.default_rng(21).normal(0, 7, (400, 400))
    for width in (1, 2, 3, 5, 8, 10):
        bad = np.zeros(noise.shape, np.bool_)
        for start in range(20, 380, 24):
            bad[:, start : start + width] = True
        filled, _, _ = _fill(noise, bad, fwhm_pixels=6.0)
        assert filled[bad].std() < 1.05 * 7, width
