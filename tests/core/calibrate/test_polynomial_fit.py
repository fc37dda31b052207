"""Robust fits of the correction, against astropy, Monte Carlo and known outliers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from safelight.calibrate.polynomial_fit import FitData, PolynomialFit, cross_validate, fit_polynomial, robust_scale
from safelight.calibrate.reserve import assign_folds

Floats = NDArray[np.float64]
RADIUS = 390.0


def stars(seed: int, n: int, *, sigma: float = 0.01, bend: float = 0.0, extra: float = 0.0) -> FitData:
    """A shift, rotation and stretch of some arcsec, a quadratic term of `bend` arcsec at the corner, and noise."""
    rng = np.random.default_rng(seed)
    xi, eta = rng.uniform(-170, 170, n), rng.uniform(-350, 350, n)
    dxi = 0.5 + 1e-3 * xi - 2e-3 * eta + bend * (eta / RADIUS) ** 2
    deta = -0.3 + 2e-3 * xi + 1e-3 * eta - bend * (xi / RADIUS) * (eta / RADIUS)
    noise = rng.normal(0, np.hypot(sigma, extra), (2, n))
    variance = np.full(n, sigma**2)
    return FitData(xi, eta, dxi + noise[0], deta + noise[1], variance, variance.copy())


def fit(data: FitData, degree: int, clip: float = 4.0) -> PolynomialFit:
    return fit_polynomial(data, degree, RADIUS, scatter_floor=1e-4, clip_sigma=clip, rounds=10)


def test_a_linear_fit_is_astropys_fit_wcs_from_points() -> None:
    from astropy import units as u
    from astropy.coordinates import SkyCoord
    from astropy.wcs.utils import fit_wcs_from_points

    data = stars(1, 60)
    ours = fit(data, 1, clip=20.0)
    # plane positions as pixels; the sky is the corrected plane about the equator's origin
    from safelight.calibrate.plane import TangentPlane

    plane = TangentPlane(10.0, 0.0)
    ra, dec = plane.deproject(data.xi + data.dxi, data.eta + data.deta)
    theirs = fit_wcs_from_points(
        (data.xi, data.eta), SkyCoord(ra * u.deg, dec * u.deg), proj_point=SkyCoord(10 * u.deg, 0 * u.deg)
    )
    at = np.array([-150.0, 0.0, 150.0]), np.array([300.0, 0.0, -300.0])
    dxi, deta = ours.correction.at(*at)
    expected = plane.project(*theirs.all_pix2world(*at, 0))
    assert np.allclose(at[0] + dxi, expected[0], atol=2e-3)  # arcsec; astropy minimises on the sphere
    assert np.allclose(at[1] + deta, expected[1], atol=2e-3)


def test_the_formal_covariance_is_the_scatter_of_repeated_fits() -> None:
    at = np.array([0.0, 160.0]), np.array([0.0, 340.0])
    values = np.array([fit(stars(seed, 80), 1, clip=20.0).correction.at(*at) for seed in range(150)])
    predicted = np.sqrt(fit(stars(0, 80), 1, clip=20.0).variance_at(*at))
    assert np.allclose(values.std(axis=0).T, predicted, rtol=0.35)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_outliers_are_clipped_on_both_sides(sign: float) -> None:
    data = stars(3, 100)
    data.dxi[:8] += sign * 0.3
    data.deta[8:14] += sign * 0.3
    result = fit(data, 1)
    assert not result.used[:14].any()
    assert result.used[14:].mean() > 0.97
    clean = fit(data.take(np.arange(100) >= 14), 1)
    assert np.allclose(result.parameters, clean.parameters, atol=1e-3)


def test_scatter_beyond_the_stated_errors_is_found() -> None:
    data = stars(4, 400, sigma=0.003, extra=0.008)
    assert fit(data, 1).scatter == pytest.approx(0.008, rel=0.15)
    assert fit(stars(4, 400, sigma=0.003), 1).scatter < 0.0015


def test_a_similarity_recovers_shift_rotation_and_scale() -> None:
    data = stars(5, 12, sigma=0.001)
    result = fit(data, 0)
    dxi, deta = result.correction.at(np.array([0.0, 100.0]), np.array([0.0, 0.0]))
    assert dxi == pytest.approx([0.5, 0.6], abs=0.003)
    assert deta == pytest.approx([-0.3, -0.1], abs=0.003)
    assert len(result.parameters) == 4


def test_cross_validation_exposes_a_fit_of_too_high_a_degree() -> None:
    data = stars(6, 14)
    low, high = fit(data, 1, clip=20.0), fit(data, 3, clip=20.0)
    folds = assign_folds(np.arange(14, dtype=np.int64), 14)
    crossed = [cross_validate(data, f, folds, clip_sigma=20.0, rounds=5) for f in (low, high)]
    assert robust_scale(high.residuals(data)) < robust_scale(low.residuals(data))
    assert np.nanmean(crossed[1] ** 2) > 3.0 * np.nanmean(crossed[0] ** 2)


def test_a_cross_validated_residual_is_that_of_a_fit_without_the_star() -> None:
    data = stars(7, 20)
    full = fit(data, 1, clip=20.0)
    crossed = cross_validate(data, full, np.arange(20), clip_sigma=20.0, rounds=5)
    without = np.arange(20) != 11
    other = fit_polynomial(
        data.take(without), 1, RADIUS, scatter_floor=full.floor, clip_sigma=20.0, rounds=5, scatter=full.scatter
    )
    assert np.allclose(crossed[11], other.residuals(data)[11], atol=1e-9)


def test_folds_that_leave_too_few_stars_give_no_residual() -> None:
    data = stars(8, 3)
    crossed = cross_validate(data, fit(data, 0), np.array([0, 1, 1]), clip_sigma=20.0, rounds=3)
    assert np.isnan(crossed[1:]).all()
    assert np.isfinite(crossed[0]).all()


def test_an_error_that_neighbours_share_levels_the_weights_and_is_no_scatter() -> None:
    data = stars(8, 200, sigma=0.01)
    half = np.arange(200) < 100
    weighted = [variance * np.where(half, 1.0, 25.0) for variance in (data.xi_variance, data.eta_variance)]
    uneven = replace(data, xi_variance=weighted[0], eta_variance=weighted[1])
    alone, shared = fit(uneven, 1, clip=20.0), fit(replace(uneven, shared=10.0), 1, clip=20.0)
    design = np.column_stack([np.ones(200), data.eta / RADIUS, data.xi / RADIUS])
    level = np.concatenate([np.linalg.lstsq(design, target, rcond=None)[0] for target in (data.dxi, data.deta)])
    assert shared.parameters == pytest.approx(level, abs=1e-7)
    assert np.abs(alone.parameters - level).max() > 1e-4
    assert shared.scatter == pytest.approx(alone.scatter, abs=1e-4)
