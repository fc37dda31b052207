"""Apertures, centroids, moments, Kron fluxes and flags against photutils, analytic shapes and truth."""

from __future__ import annotations

import numpy as np
import pytest
from photutils.aperture import CircularAperture, aperture_photometry

from safelight.characterize.apertures import APERTURE_RADII, circle_pixel_overlap, measure_apertures
from safelight.characterize.kron import measure_kron
from safelight.characterize.pixel_flags import centre_bits, footprint_bits
from safelight.characterize.profiles import measure_rings
from safelight.characterize.shapes import measure_shapes


def own(n):
    return np.ones(n, dtype=np.int64)


def blank(shape):
    return np.zeros(shape, dtype=np.int32)


def gaussian(shape, x, y, xx, yy, xy, flux=1e5):
    dy, dx = np.indices(shape) - np.array([y, x])[:, None, None]
    det = xx * yy - xy * xy
    q = (yy * dx**2 + xx * dy**2 - 2 * xy * dx * dy) / det
    return (flux / (2 * np.pi * np.sqrt(det)) * np.exp(-q / 2)).astype(np.float32)


def test_small_apertures_are_photutils_exact_ones():
    rng = np.random.default_rng(1)
    image = rng.normal(10, 3, (250, 240)).astype(np.float32)
    x, y = rng.uniform(72, 160, 30), rng.uniform(72, 170, 30)
    ours = measure_apertures(image, np.full_like(image, 9), blank(image.shape), own(30), own(30), x, y)
    for k, radius in enumerate(APERTURE_RADII):
        theirs = aperture_photometry(image.astype(float), CircularAperture(np.column_stack([x, y]), radius))
        # Beyond 12 pixels the rim is taken as straight inside a pixel.
        tolerance = 1e-5 if radius <= 12 else 2e-3
        np.testing.assert_allclose(ours.flux[:, k], theirs["aperture_sum"], rtol=tolerance)
        area = np.pi * radius**2
        np.testing.assert_allclose(ours.flux_err[:, k], 3 * np.sqrt(area), rtol=0.08)


def test_overlaps_of_a_circle_add_up_to_its_area():
    for dx, dy, radius in ((0.0, 0.0, 0.7), (0.3, -0.2, 3.0), (0.49, 0.49, 6.5)):
        total = sum(circle_pixel_overlap(i - dx, j - dy, radius) for i in range(-9, 10) for j in range(-9, 10))
        assert total == pytest.approx(np.pi * radius**2, rel=1e-9)


def test_an_aperture_that_leaves_the_frame_is_not_a_number_and_says_so():
    image = np.ones((60, 60), dtype=np.float32)
    x, y = np.array([8.0]), np.array([30.0])
    result = measure_apertures(image, image, blank(image.shape), own(1), own(1), x, y)
    assert list(result.truncated[0, :4]) == [False, False, False, True]
    assert np.isnan(result.flux[0, 3:]).all()


def test_a_neighbours_light_is_replaced_by_the_mirror_image():
    image = gaussian((101, 101), 50, 50, 4, 4, 0) + gaussian((101, 101), 62, 50, 4, 4, 0)
    labels = blank(image.shape)
    labels[:, 57:] = 2
    labels[44:57, 44:57] = 1
    at = np.array([50.0])
    flux = measure_apertures(image, np.ones_like(image), labels, own(1), own(1), at, at).flux[0, 4]
    lone = gaussian((101, 101), 50, 50, 4, 4, 0)
    alone = measure_apertures(lone, np.ones_like(lone), blank(lone.shape), own(1), own(1), at, at).flux[0, 4]
    assert flux == pytest.approx(alone, rel=0.005)


@pytest.mark.parametrize(("xx", "yy", "xy"), [(4.0, 4.0, 0.0), (9.0, 3.0, 1.5), (2.0, 5.0, -1.0)])
def test_adaptive_moments_of_a_gaussian_are_its_own(xx, yy, xy):
    image = gaussian((101, 101), 50.3, 49.6, xx, yy, xy)
    start = np.array([50.0])
    shapes = measure_shapes(image, np.ones_like(image), blank(image.shape), own(1), own(1), start, start, 4.0)
    assert (shapes.x[0], shapes.y[0]) == pytest.approx((50.3, 49.6), abs=1e-4)
    assert (shapes.xx[0], shapes.yy[0], shapes.xy[0]) == pytest.approx((xx, yy, xy), abs=2e-3 * xx)
    assert shapes.flux[0] == pytest.approx(1e5, rel=1e-3)
    assert not shapes.shape_failed[0]


def test_errors_of_moments_and_flux_are_the_scatter_of_many_draws():
    rng = np.random.default_rng(5)
    n = 300
    image = np.tile(gaussian((41, 41), 20.2, 20.4, 4.0, 4.0, 0.0, flux=5000), (15, 20))
    image += rng.normal(0, 5.0, image.shape).astype(np.float32)
    y, x = (a.ravel() for a in np.meshgrid(np.arange(15) * 41 + 20.4, np.arange(20) * 41 + 20.2, indexing="ij"))
    variance = np.full_like(image, 25.0)
    shapes = measure_shapes(image, variance, blank(image.shape), own(n), own(n), np.rint(x), np.rint(y), 4.7)
    assert np.std(shapes.xx) == pytest.approx(np.median(shapes.xx * np.sqrt(8 / shapes.fisher)), rel=0.15)
    assert np.std(shapes.flux) == pytest.approx(np.median(shapes.flux * np.sqrt(2 / shapes.fisher)), rel=0.15)
    assert np.std((shapes.x - x) / shapes.x_err) == pytest.approx(1.0, abs=0.12)


def test_windowed_centroids_of_bright_stars_come_within_a_tenth_of_the_bound():
    rng = np.random.default_rng(6)
    n, sigma, flux = 400, 1.8, 40000.0
    truth = gaussian((31, 31), 15.0, 15.0, sigma**2, sigma**2, 0.0, flux)
    image = np.tile(truth, (20, 20)) + 50.0
    image = rng.poisson(image).astype(np.float32)
    variance = image.copy()
    y, x = (a.ravel().astype(float) for a in np.meshgrid(np.arange(20) * 31 + 15, np.arange(20) * 31 + 15))
    shapes = measure_shapes(image - 50, variance, blank(image.shape), own(n), own(n), x, y, 2.3548 * sigma)
    slope = truth * (np.arange(31) - 15)[None, :] / sigma**2
    bound = 1 / np.sqrt((slope**2 / (truth + 50)).sum())
    assert np.std(shapes.x - x) < 1.1 * bound
    assert np.std((shapes.x - x) / shapes.x_err) == pytest.approx(1.0, abs=0.12)


def test_a_centroid_that_runs_away_is_reset_to_the_peak_and_flagged():
    image = np.random.default_rng(7).normal(0, 1, (60, 60)).astype(np.float32) - 0.5
    at = np.array([30.0])
    shapes = measure_shapes(image, np.ones_like(image), blank(image.shape), own(1), own(1), at, at, 4.0)
    assert shapes.centroid_failed[0]
    assert shapes.x[0] == 30.0


def test_the_kron_flux_of_a_gaussian_is_nearly_all_of_it():
    image = gaussian((121, 121), 60.0, 60.0, 9.0, 5.0, 1.0)
    at = np.array([60.0])
    moments = (np.array([9.0]), np.array([5.0]), np.array([1.0]))
    kron = measure_kron(
        image, np.ones_like(image), blank(image.shape), own(1), own(1), at, at, moments, minimum_radius=1.0,
        radii_for_flux=2.5, sigma_for_radius=6.0,
    )  # fmt: skip
    assert kron.radius[0] == pytest.approx((9 * 5 - 1) ** 0.25 * np.sqrt(np.pi / 2), rel=0.01)
    assert kron.flux[0] == pytest.approx(1e5 * (1 - np.exp(-0.5 * (2.5 * np.sqrt(np.pi / 2)) ** 2)), rel=2e-3)


def test_rings_are_clipped_means():
    rng = np.random.default_rng(8)
    image = rng.normal(4.0, 1.0, (120, 120)).astype(np.float32)
    image[70, 80] = 1e5
    at = np.array([60.0])
    rings = measure_rings(
        image, blank(image.shape), 0, blank(image.shape), own(1), own(1), at, at, np.array([5.0, 15.0, 40.0])
    )
    np.testing.assert_allclose(rings.mean[0], 4.0, atol=0.1)
    assert rings.error[0, 0] == pytest.approx(1 / np.sqrt(np.pi * 200), rel=0.15)


def test_flags_are_the_or_over_the_footprint_and_over_the_centre():
    labels, mask = blank((20, 20)), blank((20, 20))
    labels[5:10, 5:10] = 1
    labels[12:14, 12:14] = 2
    mask[5, 5] = 4
    mask[13, 13] = 2
    bits, area = footprint_bits(mask, labels, np.flatnonzero(labels).astype(np.int32), 2)
    assert list(bits) == [4, 2]
    assert list(area) == [25, 4]
    assert list(centre_bits(mask, np.array([7.0, 12.4]), np.array([7.0, 12.4]))) == [0, 2]
