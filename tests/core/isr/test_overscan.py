"""The overscan fit against plain numpy, scipy and truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import Akima1DInterpolator, CubicSpline

from safelight.isr.overscan import fit_overscan
from safelight.isr.sky import flatness

ROWS = 4176


def _box(seed: int, level: np.ndarray, noise: float = 1.5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(level[:, None] + rng.normal(0, noise, (len(level), 16))).astype(np.uint16)


def _reference(pixels: np.ndarray, bins: int) -> np.ndarray:
    """The published recipe, one row and one bin at a time."""
    means = []
    for row in pixels.astype(float):
        lower, median, upper = np.percentile(row, [25, 50, 75])
        sigma = max(0.741301 * (upper - lower), 1 / np.sqrt(12))
        means.append(row[np.abs(row - median) <= 3 * sigma].mean())
    n = len(means)
    x = 2 * np.arange(n) / n - 1
    groups = np.digitize(x, np.linspace(-1, 1, bins + 1)[1:-1])
    xs = [x[groups == k].mean() for k in range(bins)]
    ys = [np.asarray(means)[groups == k].mean() for k in range(bins)]
    return Akima1DInterpolator(xs, ys, extrapolate=True)(x)


def test_the_spline_is_scipys_akima_through_clipped_bin_means() -> None:
    level = 1000 + 4 * np.sin(np.arange(ROWS) / 400.0)
    pixels = _box(1, level)
    fit = fit_overscan(pixels, 52000.0, "AKIMA_SPLINE", order=30)
    inner = slice(ROWS // 60, -ROWS // 60)  # beyond the outer bins' centres we go on straight, scipy cubically
    np.testing.assert_allclose(fit.rows[inner], _reference(pixels, 30)[inner], atol=1e-3)
    assert fit.level == pytest.approx(np.median(fit.rows), abs=1e-3)


def test_the_spline_follows_a_drifting_pedestal_to_a_tenth_of_an_adu() -> None:
    level = 1000 + 6 * np.sin(np.arange(ROWS) / 500.0) + np.arange(ROWS) * 1e-3
    fit = fit_overscan(_box(2, level), 52000.0, "AKIMA_SPLINE", order=30)
    assert np.sqrt(np.mean((fit.rows - level) ** 2)) < 0.1
    assert np.abs(fit.rows - level).max() < 0.4


def test_cosmic_rays_and_saturated_pixels_in_the_overscan_are_ignored() -> None:
    level = np.full(ROWS, 1000.0)
    pixels = _box(3, level)
    pixels[100:110, 3] = 60000
    pixels[2000, 5:8] = 1900
    pixels[3000, :] = 9000  # a whole row, beyond overscanMaxDev
    fit = fit_overscan(pixels, 52000.0, "AKIMA_SPLINE", order=30)
    assert np.abs(fit.rows - 1000.0).max() < 0.3


@pytest.mark.parametrize(
    ("fit_type", "expected"),
    [("MEAN", lambda p: p.mean()), ("MEDIAN", lambda p: np.median(p)), ("MEANCLIP", lambda p: p.mean())],
)
def test_one_level_for_the_amplifier_is_that_of_numpy(fit_type: str, expected: object) -> None:
    pixels = _box(4, np.full(500, 1234.0))
    fit = fit_overscan(pixels, np.nan, fit_type)
    assert callable(expected)
    assert np.ptp(fit.rows) == 0
    assert fit.level == pytest.approx(expected(pixels.astype(float)), abs=0.02)
    assert fit.sigma == 0.0


def test_the_clipped_mean_does_not_move_with_outliers_that_move_the_mean() -> None:
    pixels = _box(5, np.full(500, 1234.0))
    pixels[::7, 2] += 400
    assert fit_overscan(pixels, np.nan, "MEANCLIP").level == pytest.approx(1234.0, abs=0.05)
    assert fit_overscan(pixels, np.nan, "MEAN").level > 1236.0


def test_the_median_of_each_row_is_numpys() -> None:
    pixels = _box(6, 1000 + np.arange(300) * 0.1)
    fit = fit_overscan(pixels, np.nan, "MEDIAN_PER_ROW")
    np.testing.assert_allclose(fit.rows, np.median(pixels, axis=1))


def test_rows_without_a_usable_pixel_are_bridged_and_counted_at_the_ends() -> None:
    pixels = _box(7, np.full(600, 1000.0))
    pixels[:9] = 60000
    pixels[-4:] = 60000
    pixels[300] = 60000
    fit = fit_overscan(pixels, 52000.0, "AKIMA_SPLINE", order=10)
    assert (fit.extrapolated_below, fit.extrapolated_above) == (9, 4)
    assert np.abs(fit.rows - 1000.0).max() < 0.5


def test_a_noiseless_overscan_gives_its_level() -> None:
    fit = fit_overscan(np.full((100, 16), 321, np.uint16), 5e4, "AKIMA_SPLINE", order=30)
    np.testing.assert_array_equal(fit.rows, 321.0)
    assert (fit.level, fit.sigma) == (321.0, 0.0)


def test_fewer_rows_than_bins_are_enough() -> None:
    fit = fit_overscan(_box(8, np.full(7, 50.0), 0.1), 5e4, "AKIMA_SPLINE", order=30)
    np.testing.assert_allclose(fit.rows, 50.0, atol=0.5)


@pytest.mark.parametrize("kind", ["POLY", "CHEB", "LEG"])
def test_polynomials_are_numpys_fit_to_the_row_means(kind: str) -> None:
    pixels = _box(9, 1000 + 5 * np.sin(np.arange(800) / 200.0))
    fit = fit_overscan(pixels, 5e4, kind, order=5)
    means, x = fit_overscan(pixels, 5e4, "MEDIAN_PER_ROW").rows, 2 * np.arange(800) / 800 - 1
    expected = np.polynomial.Polynomial.fit(x, pixels.mean(axis=1), 5)(x)
    np.testing.assert_allclose(fit.rows, expected, atol=0.1)  # clipped against plain means
    assert np.std(fit.rows - means) < 1.0


@pytest.mark.parametrize(("kind", "ends"), [("CUBIC_SPLINE", "not-a-knot"), ("NATURAL_SPLINE", "natural")])
def test_splines_are_scipys_through_bin_means(kind: str, ends: str) -> None:
    pixels = np.full((900, 16), 1000, np.uint16) + (np.arange(900) // 30 % 7).astype(np.uint16)[:, None]
    fit = fit_overscan(pixels, 5e4, kind, order=30)
    x = 2 * np.arange(900) / 900 - 1
    knots = x.reshape(30, 30).mean(axis=1)
    expected = CubicSpline(knots, pixels[:, 0].reshape(30, 30).mean(axis=1), bc_type=ends)(x)
    np.testing.assert_allclose(fit.rows[15:-15], expected[15:-15], atol=1e-3)


@pytest.mark.parametrize("kind", ["POLY", "CHEB", "LEG", "CUBIC_SPLINE", "NATURAL_SPLINE", "AKIMA_SPLINE"])
def test_a_curve_of_too_high_an_order_for_its_rows_is_lowered(kind: str) -> None:
    level = np.array([50.0, 51.0, 52.0])
    fit = fit_overscan(_box(8, level, 0.0), 5e4, kind, order=30)
    np.testing.assert_allclose(fit.rows, level, atol=1e-3)


def test_the_flatness_of_the_sky_is_that_of_cells_of_256_pixels() -> None:
    cells = np.array([[1000.0, 1010.0], [990.0, 1000.0]])
    image = np.kron(cells, np.ones((256, 256))).astype(np.float32)
    image += np.random.default_rng(1).normal(0, 5, image.shape).astype(np.float32)
    image[10:60, 10:60] = 1e5
    mask = np.zeros(image.shape, np.int32)
    mask[10:60, 10:60] = 1
    found = flatness(image, mask, 1)
    assert (found.columns, found.rows, found.mesh) == (2, 2, 256)
    assert found.peak_to_peak == pytest.approx(0.02, abs=5e-4)
    assert found.rms == pytest.approx(cells.std() / 1000.0, abs=5e-4)
