"""Detection and separation of sources."""

from __future__ import annotations

import numpy as np
import pytest
from photutils.segmentation import detect_sources
from scipy.ndimage import gaussian_filter
from scipy.spatial import cKDTree

from safelight.characterize.config import DeblendConfig, DetectionConfig
from safelight.characterize.detection import detect
from safelight.characterize.smoothing import gaussian_kernel, smooth
from safelight.characterize.sources import source_rows
from safelight.exposure import Workspace


def found_in(field, fwhm=4.0, **detection):
    field.exposure.image -= field.sky.astype(np.float32)
    return detect(field.exposure, fwhm, DetectionConfig(**detection), DeblendConfig(), Workspace())


def matched(found, field, radius=1.5):
    distance, index = cKDTree(np.column_stack([field.x, field.y])).query(np.column_stack([found.x, found.y]))
    return index[distance < radius]


def test_smoothing_is_scipys_gaussian_filter():
    image = np.random.default_rng(1).normal(size=(90, 110)).astype(np.float32)
    result = np.empty_like(image)
    smooth(image, gaussian_kernel(1.7, 16.0), result)
    expected = gaussian_filter(image.astype(float), 1.7, mode="nearest", truncate=14 / 1.7)
    np.testing.assert_allclose(result, expected, atol=1e-4)


def test_stars_well_above_the_threshold_are_all_found_and_nothing_else_well_above_it(star_field):
    grid = np.stack(np.meshgrid(np.arange(8), np.arange(10)), -1).reshape(-1, 2) * 58 + 40.3
    field = star_field((640, 500), n_stars=80, positions=(grid[:, 0], grid[:, 1]), flux_range=(700, 5e4), seed=5)
    found = found_in(field)
    assert sorted(matched(found, field)) == list(range(80))
    assert (found.significance > 5.5).sum() == 80


def test_the_noise_alone_gives_no_source(star_field):
    assert len(found_in(star_field((700, 700), n_stars=0, seed=6))) == 0


def test_the_threshold_follows_the_measured_noise_when_the_variance_plane_is_wrong(star_field):
    field = star_field((500, 500), n_stars=0, seed=7)
    field.exposure.variance /= 9.0
    found = found_in(field)
    assert found.noise_scale == pytest.approx(3.0, rel=0.05)
    assert len(found) == 0


def test_significance_is_the_matched_filter_signal_to_noise(star_field):
    at = (np.array([60.0]), np.array([60.0]))
    field = star_field((120, 120), n_stars=1, positions=at, flux_range=(1990, 2010), variation=0, ellipticity=0)
    found = found_in(field)
    sky = 180 / 3.4 + (4.3 / 3.4) ** 2
    stamp = (field.noiseless - field.sky)[45:76, 45:76]
    best = np.sqrt((stamp**2 / (sky + stamp / 3.4)).sum())
    assert found.significance[0] == pytest.approx(best, rel=0.15)


def test_detected_pixels_contain_photutils_segments(star_field):
    field = star_field((300, 300), n_stars=25, seed=14)
    found = found_in(field)
    smoothed = gaussian_filter(field.exposure.image.astype(float), 4 / 2.3548)
    noise = 1.4826 * np.median(np.abs(smoothed))
    segments = detect_sources(smoothed, 6 * noise, n_pixels=5)
    inside = np.s_[10:-10, 10:-10]
    missed = (segments.data[inside] > 0) & ~field.exposure.masked("DETECTED")[inside]
    assert missed.sum() == 0
    assert (found.labels[inside] > 0).sum() == field.exposure.masked("DETECTED")[inside].sum()


def test_the_border_is_flagged_and_holds_no_peak(star_field):
    field = star_field((200, 200), n_stars=60, seed=15)
    found = found_in(field)
    edge = field.exposure.masked("EDGE")
    assert edge[: found.border].all()
    assert edge[:, -found.border :].all()
    assert not edge[found.border : -found.border, found.border : -found.border].any()
    assert not edge[found.y, found.x].any()


def test_a_close_pair_is_a_parent_with_two_children(star_field):
    at = (np.array([60.0, 68.0]), np.array([60.0, 62.0]))
    found = found_in(star_field((120, 120), n_stars=2, positions=at, flux_range=(2e4, 4e4), seed=16))
    assert len(found) == 2
    rows = source_rows(found)
    assert list(rows.n_child) == [2, 0, 0]
    assert list(rows.parent) == [-1, 0, 0]
    assert (rows.first[0], rows.last[0]) == (1, 2)


def test_a_lone_bright_star_is_not_split(star_field):
    at = (np.array([100.0]), np.array([100.0]))
    found = found_in(star_field((200, 200), n_stars=1, positions=at, flux_range=(1e6, 1.1e6), fwhm=6.0), 6.0)
    assert len(found) == 1


def test_a_flat_saturated_top_is_one_source(star_field):
    at = (np.array([100.0]), np.array([100.0]))
    field = star_field((200, 200), n_stars=1, positions=at, flux_range=(5e6, 5.1e6), saturation=30000, seed=17)
    field.exposure.image[88:112, 100] = 30000  # a bleed trail
    field.exposure.mask[88:112, 100] |= field.exposure.planes.bits("SAT")
    assert len(found_in(field)) == 1


def test_without_deblending_a_pair_is_one_source(star_field):
    at = (np.array([60.0, 68.0]), np.array([60.0, 62.0]))
    field = star_field((120, 120), n_stars=2, positions=at, flux_range=(2e4, 4e4), seed=16)
    field.exposure.image -= field.sky.astype(np.float32)
    config = DeblendConfig(doDeblend=False)
    assert len(detect(field.exposure, 4.0, DetectionConfig(), config, Workspace())) == 1


def test_footprints_grow_by_the_wanted_number_of_psf_sigma(star_field):
    areas = []
    for grow in (0.0, 2.4):
        at = (np.array([60.0]), np.array([60.0]))
        field = star_field((120, 120), n_stars=1, positions=at, flux_range=(3e4, 3.1e4))
        found = found_in(field, nSigmaToGrow=grow)
        areas.append(len(found.pixels))
    radii = np.sqrt(np.array(areas) / np.pi)
    assert radii[1] - radii[0] == pytest.approx(4.0, abs=0.6)
