"""The polygon of the unvignetted field, and frames with stray light, on Hyper Suprime-Cam."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.errors import ProcessingError
from safelight.instruments import load_instrument
from safelight.instruments.geometry import pixel_to_focal_plane
from safelight.instruments.model import Vignetting
from safelight.isr.stray_light import has_stray_light, refuse_stray_light
from safelight.isr.vignetting import polygon_area, valid_polygon

HSC = load_instrument("hsc")


@pytest.mark.parametrize("ccd", [0, 1, 3, 29, 50, 99, 100, 103])
def test_its_area_is_that_of_the_pixels_inside_the_circle(ccd: int) -> None:
    detector, field = HSC.detector(ccd), HSC.vignetting
    assert field is not None
    y, x = np.mgrid[0 : detector.height : 4, 0 : detector.width : 4]
    x_mm, y_mm = pixel_to_focal_plane(detector, x + 1.5, y + 1.5)
    inside = np.hypot(x_mm - field.centre_x_mm, y_mm - field.centre_y_mm) < field.radius_mm
    area = polygon_area(valid_polygon(detector, field, 0.015))
    # A polygon of 100 corners lacks up to 0.07 % of the radius, 8 pixels, along the rim.
    assert area == pytest.approx(16 * inside.sum(), abs=0.002 * detector.width * detector.height + 12 * 2048)


def test_a_ccd_inside_keeps_its_four_corners() -> None:
    assert HSC.vignetting is not None
    polygon = valid_polygon(HSC.detector(50), HSC.vignetting, 0.015)
    assert {tuple(corner) for corner in np.round(polygon, 6)} == {
        (-0.5, -0.5), (2047.5, -0.5), (2047.5, 4175.5), (-0.5, 4175.5)
    }  # fmt: skip


def test_a_ccd_wholly_outside_is_refused() -> None:
    with pytest.raises(ProcessingError, match="CCD 100 lies wholly outside"):
        valid_polygon(HSC.detector(100), Vignetting(radius_mm=50.0), 0.015)


def test_frames_with_stray_light_are_those_in_y_before_the_repair() -> None:
    before, after, unknown = 56600.0, 58119.0, float("nan")  # 2013-11-04, 2018-01-01
    known = HSC.stray_light
    assert has_stray_light(known, "y", 16, before)
    assert has_stray_light(known, "y", 103, unknown)
    assert not has_stray_light(known, "y", 16, after)
    assert not has_stray_light(known, "y", 104, before)
    assert not has_stray_light(known, "i", 16, before)
    assert not has_stray_light(None, "y", 16, before)
    with pytest.raises(ProcessingError) as refused:
        refuse_stray_light(known, "y", 16, before)
    assert refused.value.code == "STRAY_LIGHT"
    assert "isr.doStrayLight=False" in refused.value.hint
