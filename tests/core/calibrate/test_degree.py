"""What earns a correction of higher degree, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, run
from safelight.calibrate.config import AstrometricLoaderConfig
from safelight.calibrate.corrected_wcs import plane_of
from safelight.calibrate.degree import within_the_catalog
from safelight.calibrate.polynomial_fit import FitData, fit_polynomial
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.exposure.wcs import TanSipWcs, angular_separation


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


def test_noise_alone_makes_nested_fits_differ_by_the_difference_of_their_variances() -> None:
    rng = np.random.default_rng(5)
    n, sigma = 120, 0.02  # arcsec
    ratios = []
    for _ in range(60):
        xi, eta = rng.uniform(-300.0, 300.0, (2, n))
        variance = np.full(n, sigma**2)
        data = FitData(xi, eta, *rng.normal(0.0, sigma, (2, n)), variance, variance)
        fits = [
            fit_polynomial(data, degree, 300.0, scatter_floor=0.0, clip_sigma=10.0, rounds=1, scatter=0.0)
            for degree in (1, 3)
        ]
        low, high = (np.stack(fit.correction.at(xi, eta)) for fit in fits)
        expected = (fits[1].variance_at(xi, eta) - fits[0].variance_at(xi, eta)).mean()
        ratios.append(np.mean((high - low) ** 2) / expected)
        assert within_the_catalog(*fits, data, 5.0 * sigma)
        assert not within_the_catalog(*fits, data, 0.0)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.15)  # 14 numbers each: 0.05 expected


@pytest.mark.parametrize(("ccd", "seed"), [(9, 1), (29, 0), (77, 3)])
def test_a_header_without_distortion_is_followed_into_the_corners(
    random_sky: Callable, make_scene, ccd: int, seed: int
) -> None:
    sky, catalog = random_sky(n=2500, seed=seed, error_mas=1.0)
    scene = make_scene(sky, ccd=ccd, seed=seed)
    plain = _linear(scene.exposure.wcs)
    x, y = np.meshgrid([0.0, 2047.0], [0.0, 4175.0])
    assert angular_separation(*plain.pixel_to_sky(x, y), *scene.exposure.wcs.pixel_to_sky(x, y)).max() * 3600.0 > 3.0
    config = CalibrateConfig(doPhotoCal=False)
    exposure = replace(scene.exposure, wcs=plain)
    result = run(exposure, scene.src, catalog, None, config, scene.instrument, wcs_origin="header")
    assert result.metrics["n_associated"] > 50
    assert scene.error_mas(result.exposure.wcs) < 2.0 * result.metrics["wcs_error_mas"]


def test_a_fit_that_has_wandered_off_its_pattern_is_refused(
    random_sky: Callable, make_scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Associated within two pixels from the start, a bent frame keeps a handful of stars in its middle."""
    sky, catalog = random_sky(n=1200, seed=2, error_mas=1.0)
    scene = make_scene(sky, ccd=29, seed=2)
    monkeypatch.setattr("safelight.calibrate.wcs_fit.SHRINK", 0.0)
    exposure = replace(scene.exposure, wcs=_linear(scene.exposure.wcs))
    with pytest.raises(ProcessingError) as caught:
        run(
            exposure, scene.src, catalog, None, CalibrateConfig(doPhotoCal=False), scene.instrument, wcs_origin="header"
        )
    assert caught.value.code == "WCS_UNSUPPORTED"
    assert "the pattern that was found had" in caught.value.message


def _linear(wcs: SkyWcs) -> TanSipWcs:
    """The linear part of a WCS about the centre of an HSC CCD."""
    plane = plane_of(wcs, 2048, 4176)
    xi, eta = plane.project(
        *wcs.pixel_to_sky(np.array([1022.5, 1024.5, 1023.5, 1023.5]), np.array([2087.5, 2087.5, 2086.5, 2088.5]))
    )
    cd = np.array([[xi[1] - xi[0], xi[3] - xi[2]], [eta[1] - eta[0], eta[3] - eta[2]]]) / 7200.0
    return TanSipWcs(np.array([1023.5, 2087.5]), np.array([plane.ra_deg, plane.dec_deg]), cd)
