"""WCS with a correction: exact inverses, and pointing errors as changes of the tangent point."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs, PolynomialCorrection, plane_of
from safelight.calibrate.plane import TangentPlane
from safelight.exposure.wcs import TanSipWcs, angular_separation


def plain(ra: float = 150.0, dec: float = 2.0, scale: float = 0.2) -> TanSipWcs:
    cd = np.array([[-scale, 0.0], [0.0, scale]]) / 3600
    return TanSipWcs(np.array([511.5, 511.5]), np.array([ra, dec]), cd)


@given(
    angle=st.floats(-180, 180),
    scale=st.floats(0.9, 1.1),
    parity=st.sampled_from([-1.0, 1.0]),
    ra=st.floats(0, 359.999),
    dec=st.floats(-85, 85),
    bend=st.floats(-1.0, 1.0),
)
def test_sky_to_pixel_undoes_pixel_to_sky(
    angle: float, scale: float, parity: float, ra: float, dec: float, bend: float
) -> None:
    c, s = scale * np.cos(np.radians(angle)), scale * np.sin(np.radians(angle))
    alignment = Alignment(np.array([[parity * c, -s], [parity * s, c]]), np.array([3.0, -2.0]))
    coefficients = np.zeros((2, 6))
    coefficients[0, 2] = coefficients[1, 4] = bend
    first = plain()
    wcs = CorrectedWcs(
        first,
        plane_of(first, 1024, 1024),
        alignment,
        TangentPlane(ra, dec),
        PolynomialCorrection(2, 150.0, coefficients),
    )
    x, y = np.array([0.0, 100.0, 1023.0]), np.array([1023.0, 400.0, 12.0])
    back = wcs.sky_to_pixel(*wcs.pixel_to_sky(x, y))
    assert np.allclose(back, [x, y], atol=1e-6)


def test_a_rigid_turn_of_the_sky_needs_no_polynomial() -> None:
    first = plain(150.0, 60.0)
    moved = plain(150.06, 60.04)
    wcs = CorrectedWcs(first, plane_of(first, 1024, 1024), Alignment(), plane_of(moved, 1024, 1024))
    x, y = np.meshgrid(np.linspace(0, 1023, 9), np.linspace(0, 1023, 9))
    separation = angular_separation(*wcs.pixel_to_sky(x, y), *moved.pixel_to_sky(x, y))
    assert separation.max() * 3.6e6 < 1e-3  # mas


@pytest.mark.parametrize("angle", [-170.0, -30.0, 0.0, 12.0, 95.0])
@pytest.mark.parametrize("mirrored", [False, True])
def test_an_alignment_knows_its_rotation_scale_and_parity(angle: float, mirrored: bool) -> None:
    c, s = 1.02 * np.cos(np.radians(angle)), 1.02 * np.sin(np.radians(angle))
    parity = -1.0 if mirrored else 1.0
    alignment = Alignment(np.array([[parity * c, -s], [parity * s, c]]), np.zeros(2))
    assert alignment.rotation_deg == pytest.approx(angle)
    assert alignment.scale == pytest.approx(1.02)
    assert alignment.mirrored == mirrored


def test_an_alignment_is_undone() -> None:
    alignment = Alignment(np.array([[0.3, -1.1], [0.9, 0.4]]), np.array([5.0, 6.0]))
    p, q = np.array([1.0, -4.0]), np.array([2.0, 8.0])
    assert np.allclose(alignment.undo(*alignment.apply(p, q)), [p, q])


def test_a_place_far_from_the_frame_has_no_pixel_however_strongly_the_polynomial_bends() -> None:
    first = plain()
    plane = plane_of(first, 1024, 1024)
    coefficients = np.zeros((2, 36))
    coefficients[:, -1] = 50.0  # u**7: the iteration diverges a few frames away
    wcs = CorrectedWcs(first, plane, Alignment(), plane, PolynomialCorrection(7, 150.0, coefficients))
    x, y = wcs.sky_to_pixel(np.array([150.0, 150.4, 151.0, 200.0]), np.array([2.0, 2.0, 2.5, 40.0]))
    assert np.allclose(wcs.pixel_to_sky(x[0], y[0]), (150.0, 2.0))
    assert np.isnan(x[1:]).all()
    assert np.isnan(y[1:]).all()
