"""What earns a correction of higher degree, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, run
from safelight.calibrate.config import AstrometricLoaderConfig


@pytest.mark.parametrize(("systematic_mas", "bends"), [(0.0, True), (8.0, False)])
def test_a_bend_within_the_common_errors_of_the_catalogue_is_not_the_cameras(
    random_sky: Callable, make_scene, systematic_mas: float, bends: bool
) -> None:
    sky, catalog = random_sky(error_mas=3.0)
    scene = make_scene(sky)
    # pulled to the North by up to 60 mas in one corner: 5 mas rms where the linear part is taken out
    x, y = scene.true_wcs.sky_to_pixel(catalog.ra_deg, catalog.dec_deg)
    bent = replace(catalog, dec_deg=catalog.dec_deg + 60.0 * (x / 2048.0) * (y / 4176.0) / 3.6e6)
    loader = AstrometricLoaderConfig(systematicFloor=systematic_mas)
    config = CalibrateConfig(doPhotoCal=False, astromRefObjLoader=loader)
    result = run(replace(scene.exposure), scene.src, bent, None, config, scene.instrument, wcs_origin=scene.origin)
    assert (result.metadata["astrometry"]["correctionDegree"] > 1) == bends
    assert np.isfinite(result.metrics["wcs_error_mas"])
