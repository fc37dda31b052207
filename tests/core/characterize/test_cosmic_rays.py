"""Cosmic rays: found, filled, and stars left alone."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.characterize.config import CosmicRayConfig
from safelight.characterize.cosmic_rays import find_cosmic_rays, gaussian_sharpness, psf_sharpness, unfill
from safelight.errors import ProcessingError
from safelight.exposure import PsfModel

CONFIG = CosmicRayConfig()


def without_sky(field):
    field.exposure.image -= field.sky.astype(np.float32)
    return field.exposure


def flagged(exposure):
    return exposure.masked("CR")


@pytest.mark.parametrize("fwhm", [2.7, 4.5])
def test_nearly_all_cosmic_ray_pixels_are_found_and_little_else(star_field, fwhm):
    field = star_field((800, 700), n_stars=150, n_cosmic_rays=40, fwhm=fwhm, seed=8)
    exposure = without_sky(field)
    rays = find_cosmic_rays(exposure, gaussian_sharpness(fwhm), CONFIG)
    found = flagged(exposure)
    assert (found & field.cosmic_rays).sum() / field.cosmic_rays.sum() > 0.95
    assert (found & field.cosmic_rays).sum() / found.sum() > 0.93
    assert abs(rays.n_rays - 40) <= 6


@pytest.mark.parametrize("fwhm", [1.7, 2.1, 2.7])
def test_the_cores_of_stars_in_the_best_seeing_are_kept(star_field, fwhm):
    field = star_field((800, 700), n_stars=300, fwhm=fwhm, flux_range=(500, 6e5), seed=9)
    exposure = without_sky(field)
    find_cosmic_rays(exposure, gaussian_sharpness(fwhm), CONFIG)
    on_star = field.noiseless - field.sky > 60
    assert not (flagged(exposure) & on_star).any()


def test_filled_pixels_have_the_level_of_what_was_there(star_field):
    field = star_field((600, 500), n_stars=40, n_cosmic_rays=40, seed=10)
    exposure = without_sky(field)
    rays = find_cosmic_rays(exposure, gaussian_sharpness(4.0), CONFIG)
    sky = (field.noiseless - field.sky).reshape(-1)[rays.pixels] < 3
    assert abs(np.median(exposure.image.reshape(-1)[rays.pixels][sky])) < 2.0
    variance = exposure.variance.reshape(-1)[rays.pixels][sky]
    assert np.median(variance) == pytest.approx(180 / 3.4 + (4.3 / 3.4) ** 2, rel=0.05)
    assert exposure.masked("INTRP").reshape(-1)[rays.pixels].all()


def test_a_cosmic_ray_on_a_star_is_filled_with_starlight(star_field):
    at = (np.array([40.0]), np.array([40.0]))
    field = star_field((80, 80), n_stars=1, positions=at, flux_range=(9e4, 1e5), variation=0, ellipticity=0)
    exposure = without_sky(field)
    clean = exposure.image[41, 43]
    exposure.image[41, 43] += 5000
    find_cosmic_rays(exposure, gaussian_sharpness(4.0), CONFIG)
    assert flagged(exposure)[41, 43]
    assert exposure.image[41, 43] == pytest.approx(clean, rel=0.25)


def test_unfilling_restores_the_frame_exactly(star_field):
    exposure = without_sky(star_field((400, 300), n_stars=40, n_cosmic_rays=30, seed=11))
    before = exposure.image.copy(), exposure.mask.copy(), exposure.variance.copy()
    rays = find_cosmic_rays(exposure, gaussian_sharpness(4.0), CONFIG)
    assert len(rays.pixels) > 30
    unfill(exposure, rays)
    for now, then in zip((exposure.image, exposure.mask, exposure.variance), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_too_many_cosmic_rays_fail_the_frame_and_leave_it_as_it_was(star_field):
    exposure = without_sky(star_field((400, 300), n_stars=20, n_cosmic_rays=60, seed=12))
    before = exposure.image.copy(), exposure.mask.copy()
    with pytest.raises(ProcessingError) as failure:
        find_cosmic_rays(exposure, gaussian_sharpness(4.0), CosmicRayConfig(nCrPixelMax=50))
    assert failure.value.code == "TOO_MANY_COSMIC_RAYS"
    np.testing.assert_array_equal(exposure.image, before[0])
    np.testing.assert_array_equal(exposure.mask, before[1])


def test_faint_groups_below_min_dn_are_given_back(star_field):
    exposure = without_sky(star_field((400, 300), n_stars=10, n_cosmic_rays=40, seed=13))
    many = find_cosmic_rays(exposure, gaussian_sharpness(4.0), CONFIG)
    unfill(exposure, many)
    few = find_cosmic_rays(exposure, gaussian_sharpness(4.0), CosmicRayConfig(min_DN=1500))
    assert few.n_rays < many.n_rays
    assert len(few.pixels) == flagged(exposure).sum()


def test_the_sharpest_place_of_a_varying_psf_counts():
    offsets = np.arange(-10, 11)
    r2 = offsets[None, :] ** 2 + offsets[:, None] ** 2
    narrow, wide = (np.exp(-0.5 * r2 / s**2) / (2 * np.pi * s**2) for s in (1.2, 2.0))
    planes = np.stack([(narrow + wide) / 2, np.zeros_like(wide), (wide - narrow) / 2]).astype(np.float32)
    side, corner = psf_sharpness(PsfModel(planes, 1, 50.0, 50.0, 50.0, 50.0), (101, 101))
    assert np.exp(-0.5 / 1.2**2) < side < np.exp(-0.5 / 2.0**2)
    assert side < psf_sharpness(PsfModel(planes[:1], 0, 50.0, 50.0, 50.0, 50.0), (101, 101))[0]
    assert corner < side
