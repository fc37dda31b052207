"""HSC's focal plane and distortion against LSST's stored values, and the inverse."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight.instruments import load_instrument
from safelight.instruments.geometry import (
    DetectorGeometry,
    field_angle_to_focal_plane,
    focal_plane_to_pixel,
    pixel_to_focal_plane,
)


def _geometry(ccd: int) -> DetectorGeometry:
    camera = load_instrument("hsc")
    assert camera.distortion is not None
    return DetectorGeometry(camera.detector(ccd), camera.distortion)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def _check(rows: list[dict[str, str]]) -> None:
    for row in rows:
        geometry = _geometry(int(row["detector"]))
        x, y = float(row["pix_x"]), float(row["pix_y"])
        plane = pixel_to_focal_plane(geometry.detector, x, y)
        np.testing.assert_allclose(plane, [float(row["fp_x_mm"]), float(row["fp_y_mm"])], atol=1e-9, rtol=0)
        angle = geometry.pixel_to_field_angle(x, y)
        expected = [float(row["field_x_rad"]), float(row["field_y_rad"])]
        np.testing.assert_allclose(angle, expected, atol=1e-16, rtol=0)
        np.testing.assert_allclose(geometry.field_angle_to_pixel(*expected), [x, y], atol=1e-8, rtol=0)


def test_pixels_lie_where_lsst_puts_them_in_focal_plane_and_sky() -> None:
    rows = _rows(Path(__file__).parent / "hsc_distortion_checks.csv")
    assert len(rows) == 36
    _check(rows)


def test_all_144_stored_positions_agree(shared_facts: Path) -> None:
    rows = _rows(shared_facts / "hsc_distortion_checks.csv")
    assert len(rows) == 144
    _check(rows)


@settings(deadline=None, max_examples=60)
@given(ccd=st.integers(0, 111), x=st.floats(-500, 2548), y=st.floats(-500, 4676))
def test_field_angles_go_back_to_their_pixels(ccd: int, x: float, y: float) -> None:
    geometry = _geometry(ccd)
    np.testing.assert_allclose(geometry.field_angle_to_pixel(*geometry.pixel_to_field_angle(x, y)), [x, y], atol=1e-7)
    np.testing.assert_allclose(
        focal_plane_to_pixel(geometry.detector, *pixel_to_focal_plane(geometry.detector, x, y)), [x, y], atol=1e-8
    )


def test_field_angles_beyond_the_optics_have_no_place() -> None:
    geometry = _geometry(50)
    x, y = field_angle_to_focal_plane(geometry.distortion, [0.0, 0.3, np.nan], [0.0, 0.3, 0.0])
    assert np.isfinite(x[0])
    assert np.hypot(x[0], y[0]) < 0.1
    assert np.isnan(x[1:]).all()
    assert np.isnan(y[1:]).all()


def test_geometry_survives_a_trip_to_another_process() -> None:
    geometry = _geometry(100)
    again = pickle.loads(pickle.dumps(geometry))
    assert again.pixel_to_field_angle(5.0, 6.0) == geometry.pixel_to_field_angle(5.0, 6.0)


@pytest.mark.parametrize(("ccd", "quarter"), [(50, 2), (25, 0), (100, 3), (101, 3), (102, 1), (103, 1)])
def test_ccds_are_turned_by_their_quarters(ccd: int, quarter: int) -> None:
    detector = load_instrument("hsc").detector(ccd)
    x, y = pixel_to_focal_plane(detector, [1000.0, 1100.0], [2000.0, 2000.0])
    angle = np.degrees(np.arctan2(y[1] - y[0], x[1] - x[0]))
    assert abs((angle - 90 * quarter + 180) % 360 - 180) < 0.1
