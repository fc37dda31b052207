"""Mirrored frames, repeating patterns, and how far a search reaches: what the matcher must see before it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, run
from safelight.calibrate.config import AstrometryConfig, MatcherConfig
from safelight.calibrate.first_wcs import search_range, start_of
from safelight.calibrate.repeating import repeating
from safelight.errors import ProcessingError
from safelight.refcats import ReferenceCatalog

WIDTH, HEIGHT = 2048, 4176


def solve(scene, src, catalog: ReferenceCatalog, **matcher: float):
    config = CalibrateConfig(doPhotoCal=False, astrometry=AstrometryConfig(matcher=MatcherConfig(**matcher)))
    return run(replace(scene.exposure), src.copy(), catalog, None, config, scene.instrument, wcs_origin=scene.origin)


@pytest.mark.parametrize(
    ("axis", "size", "title", "flip"), [("x", WIDTH, "left to right", "LR"), ("y", HEIGHT, "top to bottom", "TB")]
)
def test_a_frame_mirrored_against_its_camera_is_refused_and_called_so(
    random_sky: Callable, make_scene, axis: str, size: int, title: str, flip: str
) -> None:
    sky, catalog = random_sky()
    scene = make_scene(sky, ccd=100)
    src = scene.src.copy()
    src[f"base_SdssCentroid_{axis}"] = size - 1.0 - src[f"base_SdssCentroid_{axis}"]
    with pytest.raises(ProcessingError, match=f"mirrored: .* turned over {title}") as caught:
        solve(scene, src, catalog)
    assert caught.value.code == "WCS_MIRRORED"
    assert f"raw_flip: {flip}" in caught.value.hint


@pytest.mark.parametrize("ccd", [50, 100])
@pytest.mark.parametrize(("offset", "rotation"), [((420.0, -420.0), 2.9), ((-30.0, 590.0), -2.9)])
def test_ten_arcminutes_and_three_degrees_off_is_found_where_it_is_allowed(
    random_sky: Callable, make_scene, ccd: int, offset: tuple[float, float], rotation: float
) -> None:
    sky, catalog = random_sky(n=12_000)
    scene = make_scene(sky, ccd=ccd, offset_arcsec=offset, rotation_deg=rotation)
    result = solve(scene, scene.src, catalog, maxOffsetPix=3600.0, maxRotationDeg=3.0, maxScaleError=0.03)
    assert scene.error_mas(result.exposure.wcs) < 5.0


def test_the_search_reaches_as_far_as_turning_and_stretching_the_camera_moves_a_ccd(
    random_sky: Callable, make_scene
) -> None:
    sky, _ = random_sky(n=500)
    scene = make_scene(sky, ccd=100)
    config = AstrometryConfig(matcher=MatcherConfig(maxOffsetPix=100.0, maxRotationDeg=3.0, maxScaleError=0.03))
    first = start_of(scene.exposure, scene.origin, config, scene.instrument)
    reach = search_range(first, config, scene.instrument).pointing_uncertainty_arcsec
    assert first.lever_arcsec > 2000.0
    own = 100.0 * first.pixel_scale
    assert own + 0.9 * first.lever_arcsec * np.hypot(np.radians(3.0), 0.03) < reach < own + 0.1 * first.lever_arcsec


@pytest.mark.parametrize("step", [64.0, 150.5])
def test_a_grid_among_stars_is_told_from_them(step: float) -> None:
    rng = np.random.default_rng(3)
    grid = np.stack(np.meshgrid(np.arange(10.0, WIDTH, step), np.arange(10.0, HEIGHT, step))).reshape(2, -1).T
    stars = rng.uniform((0, 0), (WIDTH, HEIGHT), (300, 2))
    order = rng.permutation(len(grid) + len(stars))
    x, y = np.concatenate([grid, stars])[order].T
    in_grid = order < len(grid)
    found = repeating(x, y)
    assert found[in_grid].mean() > 0.99
    assert found[~in_grid].mean() < 0.1


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("number", [0, 1, 30, 600, 5000])
def test_nothing_repeats_among_random_or_clumped_stars(seed: int, number: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, WIDTH, number), rng.uniform(0, HEIGHT, number)
    clumped = number // 3
    x[:clumped], y[:clumped] = rng.normal(900, 120, clumped), rng.normal(2000, 120, clumped)
    assert not repeating(x, y).any()
