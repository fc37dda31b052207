"""Choosing PSF stars, rendering, and the PSF model against truth."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from safelight.characterize.config import MeasurePsfConfig, StarSelectorConfig
from safelight.characterize.moffat import Moffat, fit_moffat
from safelight.characterize.point_sources import render_sources, take_off
from safelight.characterize.psf_model import PsfStars, fit_psf
from safelight.characterize.psf_photometry import psf_photometry
from safelight.characterize.psf_size import fwhm_at, kron_radius_at, psf_moments
from safelight.characterize.psf_stars import find_star_cluster, isolated, reserved
from safelight.characterize.rendering import N_TAPS, render, shift_weights
from safelight.exposure import PsfModel

SELECTOR = StarSelectorConfig()


def grid_field(star_field, n_side=8, spacing=60, **options):
    """Lone stars at random sub-pixel places near the nodes of a grid."""
    rng = np.random.default_rng(options.get("seed", 1) + 100)
    nodes = np.stack(np.meshgrid(np.arange(n_side), np.arange(n_side)), -1).reshape(-1, 2) * spacing + spacing // 2
    at = nodes + rng.uniform(-0.5, 0.5, nodes.shape)
    field = star_field((n_side * spacing,) * 2, n_stars=len(at), positions=(at[:, 0], at[:, 1]), **options)
    field.exposure.image -= field.sky.astype(np.float32)
    return field


def fitted(field, fwhm, keep=None, **options):
    n = len(field.x) if keep is None else keep
    ones, x, y = np.ones(n, dtype=np.int64), field.x[:n], field.y[:n]
    sky = np.full(n, 180 / 3.4 + (4.3 / 3.4) ** 2)
    spare = np.arange(n) % 5 == 4
    stars = PsfStars(x, y, ones, ones, np.zeros(n), sky, spare)
    labels = np.zeros(field.exposure.shape, dtype=np.int32)
    return fit_psf(field.exposure, labels, stars, fwhm, 1 / 3.4, MeasurePsfConfig(**options)), labels, sky, ones


def moffat_psf(fwhm, oversampling=1, half=20):
    offsets = np.arange(-half * oversampling, half * oversampling + 1) / oversampling
    image = Moffat(fwhm, 3.0).pixels(offsets[None, :], offsets[:, None], 5)
    return PsfModel(image[None].astype(np.float32), 0, 50.0, 50.0, 50.0, 50.0, 9, oversampling)


@pytest.mark.parametrize(("fwhm", "oversampling"), [(1.8, 3), (2.5, 2), (4.0, 1), (6.0, 1)])
def test_a_rendered_psf_is_the_integral_of_the_shifted_profile(fwhm, oversampling):
    psf = moffat_psf(fwhm, oversampling)
    grid = psf.coefficients[0].astype(np.float64)
    strip, profile = np.zeros((2, *grid.shape)), np.zeros((3, 19, 19))
    offsets = np.arange(-9, 10)
    for fx, fy in ((0.0, 0.0), (0.31, -0.47), (-0.5, 0.12)):
        render(grid, oversampling, fx, fy, 9, strip, profile)
        truth = Moffat(fwhm, 3.0).pixels(offsets[None, :] - fx, offsets[:, None] - fy, 7)
        assert np.abs(profile[0] - truth).max() < 0.003 * truth.max()
        moved = Moffat(fwhm, 3.0).pixels(offsets[None, :] - fx - 0.01, offsets[:, None] - fy, 7)
        assert np.abs(profile[1] - (moved - truth) / 0.01).max() < 0.04 * np.abs(profile[1]).max()


def test_interpolation_weights_reproduce_polynomials_and_their_slopes():
    weights, slopes = np.empty(N_TAPS), np.empty(N_TAPS)
    for shift in (-0.7, 0.0, 0.25, 3.99):
        taps = shift_weights(shift, weights, slopes) + np.arange(N_TAPS)
        for power in range(6):
            assert weights @ taps**power == pytest.approx(shift**power, abs=1e-8)
            assert slopes @ taps**power == pytest.approx(power * shift ** max(power - 1, 0), abs=1e-3)


def test_the_cluster_of_star_widths_is_found_among_galaxies_and_cosmic_rays():
    rng = np.random.default_rng(1)
    x, y = rng.uniform(0, 2000, 400), rng.uniform(0, 4000, 400)
    width = np.concatenate(
        [
            1.7 * (1 + 0.04 * x[:150] / 2000 + rng.normal(0, 0.01, 150)),  # stars, wider to the right
            1.8 + rng.gamma(2.0, 0.8, 200),  # galaxies
            rng.uniform(0.5, 1.2, 50),  # cosmic rays
        ]
    )
    cluster = find_star_cluster(x, y, width, np.full(400, 200.0), np.ones(400, dtype=bool), SELECTOR)
    assert cluster.members[:150].mean() > 0.95
    assert cluster.members[150:].mean() < 0.12
    assert cluster.width == pytest.approx(1.734, rel=0.02)


def test_faint_stars_serve_where_there_are_no_bright_ones():
    x, width = np.arange(5.0), np.array([1.7, 1.71, 1.69, 1.7, 1.7])
    cluster = find_star_cluster(x, x, width, np.full(5, 16.0), np.ones(5, dtype=bool), SELECTOR)
    assert cluster.members.all()
    assert cluster.signal_to_noise_min == 15.0


def test_nothing_usable_gives_an_empty_cluster():
    x = np.arange(5.0)
    cluster = find_star_cluster(x, x, np.full(5, 1.7), np.full(5, 500.0), np.zeros(5, dtype=bool), SELECTOR)
    assert not cluster.members.any()


def test_a_star_with_a_bright_neighbour_is_not_isolated_but_the_neighbour_of_a_faint_one_is():
    x, y = np.array([10.0, 18.0, 100.0]), np.array([10.0, 10.0, 100.0])
    flux = np.array([1000.0, 10.0, 500.0])
    result = isolated(x, y, flux, np.ones(3, dtype=bool), 12.0, 0.03)
    assert list(result) == [True, False, True]


def test_one_star_in_five_is_reserved_and_always_the_same_ones():
    rng = np.random.default_rng(2)
    x, y = rng.integers(0, 2048, 4000), rng.integers(0, 4176, 4000)
    first = reserved(x, y, 180_666_823, 0.2)
    assert first.mean() == pytest.approx(0.2, abs=0.02)
    np.testing.assert_array_equal(first, reserved(x, y, 180_666_823, 0.2))
    assert (first != reserved(x, y, 180_666_824, 0.2)).any()
    assert not reserved(x, y, 1, 0.0).any()


def test_a_moffat_profile_is_recovered_from_noiseless_stars():
    offsets = np.arange(-7, 8)
    truth = Moffat(3.7, 2.6, 0.08, -0.05)
    dx, dy = (a.ravel() for a in np.meshgrid(offsets, offsets))
    dx, dy = np.stack([dx - 0.2, dx + 0.4]), np.stack([dy + 0.1, dy - 0.3])
    light = np.array([1e4, 3e4])[:, None] * truth.pixels(dx, dy)
    found = fit_moffat(dx, dy, light, np.ones_like(light), 4.2)
    assert (found.fwhm, found.beta, found.e1, found.e2) == pytest.approx((3.7, 2.6, 0.08, -0.05), rel=0.01)


@pytest.mark.parametrize("fwhm", [2.0, 4.0])
def test_psf_fluxes_of_stars_scatter_by_no_more_than_their_errors(star_field, fwhm):
    field = grid_field(star_field, fwhm=fwhm, flux_range=(2e4, 2e5), seed=21)
    psf, labels, sky, ones = fitted(field, np.hypot(fwhm, 0.7))
    result = psf_photometry(
        field.exposure.image, field.exposure.mask, labels, psf.model, field.x, field.y, first=ones, last=ones,
        sky_variance=sky, variance_slope=1 / 3.4, bad=2, radius=2 * fwhm, fit_position=True,
    )  # fmt: skip
    ratio = result.flux / field.flux
    pull = (ratio - np.median(ratio)) * field.flux / result.flux_err
    assert 0.7 < 1.4826 * np.median(np.abs(pull)) < 1.6
    assert np.std(ratio) < 0.006
    assert np.median(ratio) == pytest.approx(1.0, abs=0.03)
    error = np.hypot(result.x_err, psf.position_error)
    assert 0.6 < 1.4826 * np.median(np.abs((result.x - field.x - np.median(result.x - field.x)) / error)) < 1.7
    assert np.median(result.chi2) == pytest.approx(1.0, abs=0.25)


def test_the_model_follows_a_psf_that_widens_over_the_frame(star_field):
    field = grid_field(star_field, fwhm=4.0, variation=0.15, ellipticity=0.0, flux_range=(5e4, 3e5), seed=22)
    psf = fitted(field, 4.1)[0].model
    side = field.exposure.shape[1]
    left, right = fwhm_at(psf, 0.12 * side, side / 2), fwhm_at(psf, 0.88 * side, side / 2)
    expected = (1 + 0.15 * 0.5 * 0.76) / (1 - 0.15 * 0.5 * 0.76)
    assert psf.degree == 2
    assert right / left == pytest.approx(expected, rel=0.015)


def test_subtracting_the_stars_leaves_noise(star_field):
    field = grid_field(star_field, fwhm=4.0, flux_range=(2e4, 2e5), seed=23)
    psf, labels, sky, ones = fitted(field, 4.1)
    image = field.exposure.image
    result = psf_photometry(
        image, field.exposure.mask, labels, psf.model, field.x, field.y, first=ones, last=ones, sky_variance=sky,
        variance_slope=1 / 3.4, bad=2, radius=8.0, fit_position=True,
    )  # fmt: skip
    pulls = image / np.sqrt(field.exposure.variance)
    before = np.std(pulls)
    half, of_label = np.full(len(result.x), psf.model.size // 2), np.arange(-1, len(result.x))
    take_off(image, render_sources(psf.model, result.x, result.y, result.flux, half, of_label))
    after = np.std(image / np.sqrt(field.exposure.variance))
    assert before > 5
    assert after < 1.1


def test_the_degree_of_the_variation_follows_the_number_of_stars(star_field):
    field = grid_field(star_field, fwhm=4.0, flux_range=(5e4, 2e5), seed=24)
    degrees = [fitted(field, 4.1, keep=keep)[0].model.degree for keep in (60, 25, 8)]
    assert degrees == [2, 1, 0]


def test_two_stars_make_a_moffat_profile(star_field):
    field = grid_field(star_field, fwhm=4.0, flux_range=(5e4, 2e5), variation=0, ellipticity=0, seed=25)
    psf = fitted(field, 4.1, keep=2)[0]
    assert psf.model.degree == 0
    assert fwhm_at(psf.model, 100, 100) == pytest.approx(4.08, rel=0.03)


def test_a_hidden_double_star_is_thrown_out(star_field):
    field = grid_field(star_field, fwhm=4.0, flux_range=(5e4, 2e5), seed=26)
    image = field.exposure.image
    row, column = int(field.y[0]), int(field.x[0])
    image[row - 10 : row + 11, column - 10 : column + 11] += np.roll(
        image[row - 10 : row + 11, column - 10 : column + 11] * 0.4, 4, axis=1
    )
    result = fitted(field, 4.1)[0]
    assert not result.used[0]
    assert result.used.sum() > 40
    assert not result.used[4::5].any()  # the reserved ones


def test_sizes_of_a_gaussian_psf_are_its_own():
    image = np.zeros((41, 41))
    image[20, 20] = 1
    image = gaussian_filter(image, 2.0, truncate=9).astype(np.float32)
    psf = PsfModel(image[None], 0, 50.0, 50.0, 50.0, 50.0)
    assert fwhm_at(psf, 0, 0) == pytest.approx(2.0 * 2.3548, rel=0.01)
    assert psf_moments(psf, np.zeros(2), np.zeros(2), 2.0)[:, 1] == pytest.approx([4.0, 4.0, 0.0], abs=0.01)
    assert kron_radius_at(psf, 0, 0, 2.0, 6.0) == pytest.approx(2.0 * np.sqrt(np.pi / 2), rel=0.01)


def test_an_oversampled_model_gives_the_same_pixel_image():
    fine, coarse = moffat_psf(3.0, 2), moffat_psf(3.0, 1)
    assert fine.size == coarse.size == 41
    np.testing.assert_allclose(fine.image(3, 4), coarse.image(3, 4), atol=1e-7)
