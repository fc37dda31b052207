"""The part of a CCD that sees the unvignetted field: a polygon in pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight.instruments.geometry import focal_plane_to_pixel
from safelight.instruments.model import Detector, Vignetting

__all__ = ["polygon_area", "valid_polygon"]

FloatArray = NDArray[np.float64]


def valid_polygon(detector: Detector, vignetting: Vignetting, pixel_size_mm: float) -> FloatArray:
    """Vertices (n, 2) as (x, y) in 0-based pixels of the part of `detector` inside the unvignetted circle.

    The circle in the focal plane is a polygon of `vignetting.points` corners, as in LSST Gen2; pixels keep their values
    and masks, the polygon only says which of them see the whole mirror.

    Raises `ProcessingError` (VIGNETTED) if the CCD lies wholly outside.
    """
    angle = np.linspace(0.0, 2.0 * np.pi, vignetting.points, endpoint=False)
    x_mm = vignetting.centre_x_mm + vignetting.radius_mm * np.cos(angle)
    y_mm = vignetting.centre_y_mm + vignetting.radius_mm * np.sin(angle)
    polygon = np.stack(focal_plane_to_pixel(detector, x_mm, y_mm, pixel_size_mm), axis=1)
    for axis, side, limit in (
        (0, 1.0, -0.5),
        (0, -1.0, detector.width - 0.5),
        (1, 1.0, -0.5),
        (1, -1.0, detector.height - 0.5),
    ):
        polygon = _clipped(polygon, axis, side, limit)
    if len(polygon) < 3:
        raise ProcessingError(
            "VIGNETTED",
            f"CCD {detector.id} lies wholly outside the unvignetted field of {vignetting.radius_mm:g} mm.",
            "It cannot be calibrated; -c isr.doVignette=False processes it all the same.",
        )
    return polygon


def polygon_area(polygon: FloatArray) -> float:
    """Area of a simple polygon (n, 2), in square pixels."""
    x, y = polygon.T
    return float(abs(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))))


def _clipped(polygon: FloatArray, axis: int, side: float, limit: float) -> FloatArray:
    """The part of a convex polygon where side · coordinate >= side · limit (Sutherland & Hodgman 1974)."""
    kept: list[FloatArray] = []
    for here, after in zip(polygon, np.roll(polygon, -1, axis=0), strict=True):
        inside, next_inside = side * (here[axis] - limit) >= 0, side * (after[axis] - limit) >= 0
        if inside:
            kept.append(here)
        if inside != next_inside:
            kept.append(here + (after - here) * ((limit - here[axis]) / (after[axis] - here[axis])))
    return np.array(kept).reshape(-1, 2)
