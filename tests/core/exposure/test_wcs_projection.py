"""The gnomonic projection against astropy.wcs, round trips at the poles and across RA 0."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from safelight.exposure import angular_separation, tan_deproject, tan_project


def _astropy_tan(ra0: float, dec0: float) -> WCS:
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.crval = [ra0, dec0]
    wcs.wcs.crpix = [1.0, 1.0]
    wcs.wcs.cdelt = [1.0, 1.0]
    return wcs


@pytest.mark.parametrize(("ra0", "dec0"), [(320.75, 0.5), (0.01, -30.0), (359.99, 45.0), (123.0, 89.99), (10.0, -90.0)])
def test_projection_agrees_with_astropy_to_a_micro_arcsecond(ra0: float, dec0: float) -> None:
    rng = np.random.default_rng(1)
    xi, eta = rng.uniform(-1.5, 1.5, (2, 500))
    ra, dec = tan_deproject(xi, eta, ra0, dec0)
    expected_ra, expected_dec = _astropy_tan(ra0, dec0).wcs_pix2world(xi, eta, 0)
    assert np.max(angular_separation(ra, dec, expected_ra, expected_dec)) < 1e-12
    back = tan_project(ra, dec, ra0, dec0)
    np.testing.assert_allclose(back, [xi, eta], atol=1e-12, rtol=0)


@given(st.floats(0, 359.999), st.floats(-90, 90), st.floats(-60, 60), st.floats(-60, 60))
def test_deprojection_undoes_projection_everywhere(ra0: float, dec0: float, xi: float, eta: float) -> None:
    ra, dec = tan_deproject(xi, eta, ra0, dec0)
    assert 0.0 <= ra < 360.0
    assert -90.0 <= dec <= 90.0
    back = tan_project(ra, dec, ra0, dec0)
    np.testing.assert_allclose([float(b) for b in back], [xi, eta], atol=1e-9, rtol=1e-9)


def test_positions_a_quarter_of_the_sky_away_have_no_projection() -> None:
    xi, eta = tan_project([180.0, 90.0, 10.0], [0.0, 0.0, 0.0], 0.0, 0.0)
    assert np.isnan(xi[:1]).all()
    assert np.isnan(eta[:1]).all()
    assert np.isfinite(xi[2])


def test_separation_agrees_with_astropy_from_micro_arcseconds_to_antipodes() -> None:
    ra1, dec1 = np.array([10.0, 359.9999, 0.0, 5.0]), np.array([20.0, 0.0, 89.0, -1.0])
    ra2, dec2 = np.array([10.0 + 1e-10, 0.0001, 180.0, 185.0]), np.array([20.0, 0.0, 89.0, 1.0])
    expected = SkyCoord(ra1, dec1, unit="deg").separation(SkyCoord(ra2, dec2, unit="deg")).deg
    np.testing.assert_allclose(angular_separation(ra1, dec1, ra2, dec2), expected, rtol=1e-6, atol=1e-15)
