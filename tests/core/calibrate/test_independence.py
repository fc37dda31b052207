"""What a WCS does not rest on: saturated, blurred and reserved stars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, CalibrateResult, run
from safelight.calibrate.astrometry import solve_astrometry
from safelight.calibrate.corrected_wcs import Alignment
from safelight.calibrate.first_wcs import start_of
from safelight.calibrate.reserve import reserved
from safelight.exposure.wcs import angular_separation
from safelight.refcats import ReferenceCatalog

SATURATED = "base_PixelFlags_flag_saturated"


def wcs_only(scene, src, catalog: ReferenceCatalog) -> CalibrateResult:
    config = CalibrateConfig(doPhotoCal=False)
    return run(replace(scene.exposure), src.copy(), catalog, None, config, scene.instrument, wcs_origin=scene.origin)


def apart_mas(first, second) -> float:
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 2047, 8), np.linspace(0, 4175, 16)))
    return float(np.max(angular_separation(*first.pixel_to_sky(x, y), *second.pixel_to_sky(x, y)))) * 3.6e6


@pytest.fixture(scope="module")
def sparse(random_sky: Callable, make_scene):
    """A CCD on which all but twelve of the 40 matched stars are saturated."""
    sky, catalog = random_sky(n=900, seed=8)
    scene = make_scene(sky, junk=20)
    src = scene.src[np.argsort(-scene.src["base_PsfFlux_instFlux"])[:40]]
    good = np.zeros(40, dtype=bool)
    good[np.random.default_rng(4).permutation(40)[:12]] = True
    src[SATURATED] = ~good
    return scene, src, catalog


def test_saturated_stars_leave_no_trace_in_a_wcs_of_few_stars(sparse) -> None:
    scene, src, catalog = sparse
    straight = wcs_only(scene, src, catalog)
    assert straight.metrics["wcs_matches"] < 15
    bleeding = src.copy()
    pulled = np.asarray(src[SATURATED])
    # a bleed trail pulls centroids along the columns, the more the farther up: a shear of the whole pattern
    bleeding["base_SdssCentroid_y"][pulled] += 1.5 * np.asarray(src["base_SdssCentroid_y"][pulled]) / 4176.0
    bent = wcs_only(scene, bleeding, catalog)
    assert bent.metrics["wcs_matches"] == straight.metrics["wcs_matches"]
    assert apart_mas(straight.exposure.wcs, bent.exposure.wcs) < 0.01
    judged = [result.metrics["wcs_reserved_median_mas"] for result in (straight, bent)]
    assert judged[1] == pytest.approx(judged[0], rel=0.01)


def test_a_cross_validated_residual_is_that_of_a_whole_fit_without_the_star(sparse) -> None:
    scene, src, catalog = sparse
    config = CalibrateConfig(doPhotoCal=False)
    first = start_of(scene.exposure, scene.origin, config.astrometry, scene.instrument)

    def solved(table):
        return solve_astrometry(table, scene.exposure.shape, first, catalog, config, scene.instrument)

    whole = solved(src)
    stars = whole.solution.stars
    assert whole.solution.fit.degree == 0
    crossed, left_out = [], []
    for k in np.flatnonzero(stars.used):
        row = whole.sources.row[stars.source[k]]
        without = src.copy()
        without[SATURATED][row] = True  # still a landmark for the pattern
        ra, dec = solved(without).solution.wcs.pixel_to_sky(
            src["base_SdssCentroid_x"][row], src["base_SdssCentroid_y"][row]
        )
        reference = stars.reference[k]
        left_out.append(
            [
                (catalog.ra_deg[reference] - float(ra)) * np.cos(np.radians(float(dec))) * 3.6e6,
                (catalog.dec_deg[reference] - float(dec)) * 3.6e6,
            ]
        )
        crossed.append(1000.0 * stars.cross_validated[k])
    # weights differ a little: each fit estimates the scatter of its own stars
    assert np.sqrt(np.mean(np.square(crossed))) == pytest.approx(np.sqrt(np.mean(np.square(left_out))), rel=0.05)
    assert np.median(np.abs(np.subtract(crossed, left_out))) < 1.0


def test_reserved_stars_leave_no_trace_in_the_wcs(random_sky: Callable, make_scene) -> None:
    sky, catalog = random_sky()
    scene = make_scene(sky)
    straight = wcs_only(scene, scene.src, catalog)
    moved = replace(catalog, dec_deg=catalog.dec_deg.copy())
    moved.dec_deg[reserved(catalog.id, 0.2)] += 5.0 / 3.6e6
    assert apart_mas(straight.exposure.wcs, wcs_only(scene, scene.src, moved).exposure.wcs) < 0.01


def test_the_nearest_similarity_is_the_least_squares_one_and_keeps_the_handedness() -> None:
    rng = np.random.default_rng(3)
    for mirror in (1.0, -1.0):
        matrix = np.array([[mirror * 0.9, -0.4], [mirror * 0.41, 0.88]]) + rng.normal(0, 0.01, (2, 2))
        similar = Alignment(matrix, np.array([1.0, 2.0])).similarity
        assert similar.mirrored == (mirror < 0)
        assert np.allclose(similar.matrix.T @ similar.matrix, similar.scale**2 * np.eye(2))
        assert np.array_equal(similar.shift, [1.0, 2.0])
        base = np.linalg.norm(similar.matrix - matrix)
        turn, stretch = 1e-4 * np.array([[0.0, -1.0], [1.0, 0.0]]), 1e-4 * np.eye(2)
        for step in (turn, -turn, stretch, -stretch):
            assert np.linalg.norm((np.eye(2) + step) @ similar.matrix - matrix) > base
