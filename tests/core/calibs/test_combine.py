"""Clipped combination against truth, numpy and astropy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.stats import sigma_clip

from safelight.calibs.combine import clipped_mean
from safelight.calibs.scratch import ScratchFrames


def _stack(n: int, seed: int = 30, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    return np.random.default_rng(seed).normal(100, 5, (n, *shape)).astype(np.float32)


def test_clean_frames_give_nearly_their_plain_mean() -> None:
    stack = _stack(20)
    mean, variance, count = clipped_mean(stack, 25.0, 0.0)
    assert count.mean() > 19.9
    untouched = count == 20
    np.testing.assert_allclose(mean[untouched], stack.mean(axis=0)[untouched], rtol=1e-5)
    np.testing.assert_allclose(variance[untouched], stack.var(axis=0, ddof=1)[untouched] / 20, rtol=1e-3)
    assert mean.std() == pytest.approx(5 / np.sqrt(20), rel=0.05)


def test_large_stacks_are_clipped_as_by_astropy() -> None:
    stack = _stack(60, shape=(15, 20))
    rng = np.random.default_rng(31)
    stack[rng.random(stack.shape) < 0.03] += 400
    mean, _, _ = clipped_mean(stack, 0.0, 0.0, rounds=10)
    reference = sigma_clip(stack, sigma=3, maxiters=10, cenfunc="median", stdfunc="mad_std", axis=0)
    difference = np.abs(mean - np.asarray(reference.mean(axis=0)))
    assert np.mean(difference < 1e-3) > 0.95  # the rest differs by a value or two at the very limit
    assert difference.max() < 0.5


@pytest.mark.parametrize("n", [3, 5, 10])
def test_a_cosmic_ray_in_a_small_stack_is_left_out(n: int) -> None:
    stack = _stack(n)
    stack[1, 7:12, 9] += 2000
    mean, _, count = clipped_mean(stack, 25.0, 0.0)
    np.testing.assert_allclose(mean[7:12, 9], 100, atol=16)
    assert np.all(count[7:12, 9] < n)
    assert count.mean() > 0.97 * n  # and the good values of a small stack stay in


def test_values_that_are_not_finite_do_not_count() -> None:
    stack = _stack(5)
    stack[2, 0, 0], stack[3, 0, 0] = np.nan, np.inf
    stack[:, 1, 1] = np.nan
    stack[1:, 2, 2] = np.nan
    mean, variance, count = clipped_mean(stack, 25.0, 0.0)
    assert (count[0, 0], count[1, 1], count[2, 2]) == (3, 0, 1)
    assert mean[0, 0] == pytest.approx(stack[[0, 1, 4], 0, 0].mean(), rel=1e-5)
    assert np.isnan(mean[1, 1])
    assert np.isnan(variance[1, 1])
    assert (mean[2, 2], variance[2, 2]) == (stack[0, 2, 2], 25.0)


def test_the_expected_noise_of_photons_grows_with_the_level() -> None:
    rng = np.random.default_rng(32)
    stack = (rng.poisson(20000, (4, 30, 30)) / 2.0).astype(np.float32)
    _, _, with_photons = clipped_mean(stack, 4.0, 0.5)
    assert with_photons.mean() > 3.95
    _, _, without = clipped_mean(stack, 4.0, 0.0)
    assert without.mean() < 3.8


def test_one_frame_is_its_own_mean() -> None:
    stack = _stack(1)
    mean, variance, count = clipped_mean(stack, 25.0, 0.1)
    np.testing.assert_array_equal(mean, stack[0])
    np.testing.assert_allclose(variance, 25.0 + 0.1 * stack[0], rtol=1e-5)
    assert np.all(count == 1)


def test_bands_cover_the_frame_and_keep_to_their_memory(tmp_path: Path) -> None:
    stack = _stack(7, shape=(101, 64))
    frames = ScratchFrames(tmp_path, (101, 64))
    for frame in stack:
        frames.append(frame)
    seen = np.full((101, 64), np.nan, np.float32)
    for rows, band in frames.bands(0.02):
        assert band.nbytes <= 0.02e6
        np.testing.assert_array_equal(band, stack[:, rows])
        assert np.isnan(seen[rows]).all()
        seen[rows] = band[0]
    np.testing.assert_array_equal(seen, stack[0])
