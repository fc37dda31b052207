"""Whether the claimed error of the WCS is its true rms over the CCD, on catalogues whose errors are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, run
from safelight.exposure.wcs import angular_separation

CONFIG = CalibrateConfig(doPhotoCal=False, doWriteMatchesDenormalized=False)
DRAWS = 12


@pytest.mark.parametrize(
    ("stars", "true_mas", "stated_mas", "assumed_mas", "common_mas"),
    [
        pytest.param(900, 2.0, 2.0, 0.0, 0.3, id="few stars"),
        pytest.param(3000, 8.0, 30.0, 30.0, 0.3, id="stars that state no errors, thought to be worse"),
        pytest.param(900, 25.0, 10.0, 10.0, 0.3, id="few that state none, thought to be better"),
        pytest.param(3000, 2.0, 2.0, 0.0, 3.0, id="stars with an error in common"),
    ],
)
def test_the_claimed_error_is_the_true_rms_over_the_ccd(
    random_sky: Callable, make_scene, stars: int, true_mas: float, stated_mas: float, assumed_mas: float, common_mas
) -> None:
    sky, perfect = random_sky(n=stars, error_mas=stated_mas)
    perfect = replace(perfect, assumed_error_mas=assumed_mas, systematic_floor_mas=common_mas)
    scene = make_scene(sky, junk=0)
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, 2047, 16), np.linspace(0, 4175, 32)))
    true = scene.true_wcs.pixel_to_sky(x, y)
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(DRAWS):
        shift = rng.normal(0, common_mas, (2, 1)) + rng.normal(0, true_mas, (2, len(perfect)))
        catalog = replace(perfect, ra_deg=perfect.ra_deg + shift[0] / 3.6e6, dec_deg=perfect.dec_deg + shift[1] / 3.6e6)
        src = scene.src.copy()
        for axis in "xy":  # turbulence, which no centroid's error knows of
            src[f"base_SdssCentroid_{axis}"] += rng.normal(0, 0.03, len(src))
        result = run(replace(scene.exposure), src, catalog, None, CONFIG, scene.instrument, wcs_origin=scene.origin)
        error = angular_separation(*result.exposure.wcs.pixel_to_sky(x, y), *true) * 3.6e6
        ratios.append(np.sqrt(np.mean(error**2)) / result.metrics["wcs_error_mas"])
    # twelve draws of six parameters: known to a tenth
    assert 0.8 < np.sqrt(np.mean(np.square(ratios))) < 1.2
