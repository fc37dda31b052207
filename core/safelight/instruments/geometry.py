"""Where a pixel looks: assembled pixels to the focal plane (mm) to field angles (radians), and back.

The model is LSST's camera geometry: a CCD is a plane with an offset and three small rotations; the optics are one
polynomial for the whole focal plane, whose inverse is solved by iteration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.exposure.polynomial import evaluate, evaluate_with_derivatives
from safelight.instruments.model import Detector, DistortionPolynomial

__all__ = [
    "DetectorGeometry",
    "field_angle_to_focal_plane",
    "focal_plane_to_field_angle",
    "focal_plane_to_pixel",
    "pixel_to_focal_plane",
]

FloatArray = NDArray[np.float64]

# LSST stops after at most 10 steps at 0.0025 pixel; Newton's method reaches a billionth in 3 to 5.
_MAX_ITERATIONS = 12
_TOLERANCE_PIXELS = 1e-9


def _rotation(detector: Detector) -> FloatArray:
    yaw, pitch, roll = (math.radians(a) for a in (detector.yaw_deg, detector.pitch_deg, detector.roll_deg))
    cy, sy, cp, sp, cr, sr = (f(a) for a in (yaw, pitch, roll) for f in (math.cos, math.sin))
    return np.array([[cy * cp, cy * sp * sr - cr * sy], [cp * sy, cr * cy + sy * sp * sr]])


def pixel_to_focal_plane(
    detector: Detector, x: ArrayLike, y: ArrayLike, pixel_size_mm: float = 0.015
) -> tuple[FloatArray, FloatArray]:
    """Focal-plane positions in mm of 0-based pixels of the assembled frame."""
    matrix = _rotation(detector) * pixel_size_mm
    dx = np.asarray(x, dtype=np.float64) - detector.reference_x
    dy = np.asarray(y, dtype=np.float64) - detector.reference_y
    return (
        detector.offset_x_mm + matrix[0, 0] * dx + matrix[0, 1] * dy,
        detector.offset_y_mm + matrix[1, 0] * dx + matrix[1, 1] * dy,
    )


def focal_plane_to_pixel(
    detector: Detector, x_mm: ArrayLike, y_mm: ArrayLike, pixel_size_mm: float = 0.015
) -> tuple[FloatArray, FloatArray]:
    """0-based pixels of the assembled frame of focal-plane positions in mm (also outside the CCD)."""
    matrix = np.linalg.inv(_rotation(detector) * pixel_size_mm)
    dx = np.asarray(x_mm, dtype=np.float64) - detector.offset_x_mm
    dy = np.asarray(y_mm, dtype=np.float64) - detector.offset_y_mm
    return (
        detector.reference_x + matrix[0, 0] * dx + matrix[0, 1] * dy,
        detector.reference_y + matrix[1, 0] * dx + matrix[1, 1] * dy,
    )


def _radians_per_pixel(distortion: DistortionPolynomial) -> float:
    return math.radians(distortion.plate_scale_arcsec_per_mm * distortion.pixel_size_mm / 3600.0)


def focal_plane_to_field_angle(
    distortion: DistortionPolynomial, x_mm: ArrayLike, y_mm: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Field angles in radians of focal-plane positions in mm."""
    u = np.asarray(x_mm, dtype=np.float64) / distortion.pixel_size_mm
    v = np.asarray(y_mm, dtype=np.float64) / distortion.pixel_size_mm
    undistorted = evaluate(distortion.matrices, *np.broadcast_arrays(u, v)) * _radians_per_pixel(distortion)
    return undistorted[0], undistorted[1]


def field_angle_to_focal_plane(
    distortion: DistortionPolynomial, x_rad: ArrayLike, y_rad: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Focal-plane positions in mm of field angles in radians; NaN where the iteration does not converge."""
    per_pixel = _radians_per_pixel(distortion)
    goal_x = np.asarray(x_rad, dtype=np.float64) / per_pixel
    goal_y = np.asarray(y_rad, dtype=np.float64) / per_pixel
    goal = np.stack(np.broadcast_arrays(goal_x, goal_y))
    position = goal.copy()
    with np.errstate(all="ignore"):
        for _ in range(_MAX_ITERATIONS):
            value, by_u, by_v = evaluate_with_derivatives(distortion.matrices, position[0], position[1])
            miss = goal - value
            determinant = by_u[0] * by_v[1] - by_v[0] * by_u[1]
            step = (
                np.stack([by_v[1] * miss[0] - by_v[0] * miss[1], by_u[0] * miss[1] - by_u[1] * miss[0]]) / determinant
            )
            position += step
            if not np.any(np.abs(step) > _TOLERANCE_PIXELS):  # NaN compares false: such points are given up
                break
        lost = ~(np.abs(step).max(axis=0) < 1e-6)
    if lost.any():
        position[:, lost] = np.nan
    return position[0] * distortion.pixel_size_mm, position[1] * distortion.pixel_size_mm


@dataclass(frozen=True, slots=True)
class DetectorGeometry:
    """One CCD behind its optics, for `safelight.exposure.wcs.FieldAngleWcs`."""

    detector: Detector
    distortion: DistortionPolynomial

    def pixel_to_field_angle(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Field angles (x, y) in radians of 0-based pixels of the assembled frame."""
        plane = pixel_to_focal_plane(self.detector, x, y, self.distortion.pixel_size_mm)
        return focal_plane_to_field_angle(self.distortion, *plane)

    def field_angle_to_pixel(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixels of field angles in radians; NaN where there is none."""
        plane = field_angle_to_focal_plane(self.distortion, x, y)
        return focal_plane_to_pixel(self.detector, *plane, self.distortion.pixel_size_mm)
