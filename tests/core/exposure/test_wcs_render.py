"""Rendering other WCSs as TAN-SIP: HSC's distortion to 0.1 mas with the lowest degree that does it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.polynomial import polyval2d

from safelight.exposure import FieldAngleWcs, TanSipWcs, angular_separation, render_tan_sip
from safelight.instruments import load_instrument
from safelight.instruments.geometry import DetectorGeometry


def _hsc(ccd: int, ra: float = 320.75, dec: float = 0.5, rotator: float = 270.0) -> FieldAngleWcs:
    camera = load_instrument("hsc")
    assert camera.distortion is not None
    return FieldAngleWcs(DetectorGeometry(camera.detector(ccd), camera.distortion), ra, dec, rotator)


def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.meshgrid(np.linspace(-0.5, width - 0.5, 33), np.linspace(-0.5, height - 0.5, 65))
    return x.ravel(), y.ravel()


@pytest.mark.parametrize(("ccd", "degree"), [(50, 4), (0, 5), (95, 5), (100, 5), (103, 5)])
def test_hsc_ccds_need_degree_4_or_5_for_a_tenth_of_a_milliarcsecond(ccd: int, degree: int) -> None:
    wcs = _hsc(ccd)
    rendered = render_tan_sip(wcs, 2048, 4176)
    x, y = _grid(2048, 4176)
    error = angular_separation(*rendered.pixel_to_sky(x, y), *wcs.pixel_to_sky(x, y)).max() * 3.6e6
    assert rendered.degree == degree
    assert error < 0.1
    assert rendered.max_error_mas == pytest.approx(error, rel=0.1)
    assert render_tan_sip(wcs, 2048, 4176, max_degree=degree - 1).max_error_mas > 0.1


def test_what_astropy_reads_from_the_cards_is_the_rendered_wcs() -> None:
    wcs = _hsc(95)
    rendered = render_tan_sip(wcs, 2048, 4176)
    x, y = _grid(2048, 4176)
    expected = rendered.to_astropy().all_pix2world(x, y, 0)
    assert np.max(angular_separation(*rendered.pixel_to_sky(x, y), *expected)) < 1e-9
    assert np.max(angular_separation(*wcs.pixel_to_sky(x, y), *expected)) * 3.6e6 < 0.1


def test_inverse_polynomials_alone_are_good_to_a_thousandth_of_a_pixel() -> None:
    wcs = _hsc(0)
    rendered = render_tan_sip(wcs, 2048, 4176)
    x, y = _grid(2048, 4176)
    linear = rendered.to_astropy().wcs_world2pix(*wcs.pixel_to_sky(x, y), 0)
    u, v = linear[0] - rendered.crpix[0], linear[1] - rendered.crpix[1]
    assert rendered.ap is not None
    assert rendered.bp is not None
    np.testing.assert_allclose(linear[0] + polyval2d(u, v, rendered.ap), x, atol=2e-3, rtol=0)
    np.testing.assert_allclose(linear[1] + polyval2d(u, v, rendered.bp), y, atol=2e-3, rtol=0)


def test_a_plain_projection_stays_plain() -> None:
    plain = TanSipWcs(np.array([100.0, 50.0]), np.array([0.001, 30.0]), np.array([[-1e-4, 0], [0, 1e-4]]))
    rendered = render_tan_sip(plain, 300, 200)
    # Another tangent point bends a flat field by very little.
    assert rendered.degree == 1
    assert rendered.max_error_mas < 0.1
    assert "A_ORDER" not in rendered.to_header()


@pytest.mark.parametrize(("ra", "dec"), [(0.001, -1.0), (10.0, 89.99), (10.0, -90.0)])
def test_field_angle_wcs_round_trips_at_the_poles_and_across_ra_0(ra: float, dec: float) -> None:
    wcs = _hsc(58, ra, dec, 13.0)
    x, y = _grid(2048, 4176)
    sky = wcs.pixel_to_sky(x, y)
    np.testing.assert_allclose(wcs.sky_to_pixel(*sky), [x, y], atol=1e-6, rtol=0)
    rendered = render_tan_sip(wcs, 2048, 4176)
    np.testing.assert_allclose(rendered.sky_to_pixel(*sky), [x, y], atol=1e-3, rtol=0)
