"""The WCS of a camera whose optics are known: pixel to field angle, then a rotation, then the sky."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.exposure.projection import tan_deproject, tan_project

__all__ = ["FieldAngleTransform", "FieldAngleWcs"]

FloatArray = NDArray[np.float64]


class FieldAngleTransform(Protocol):
    """Pixels of one CCD to field angles in radians and back."""

    def pixel_to_field_angle(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Field angles (x, y) in radians of 0-based pixels."""
        ...

    def field_angle_to_pixel(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """0-based pixels of field angles in radians; NaN where there is none."""
        ...


@dataclass(frozen=True, slots=True)
class FieldAngleWcs:
    """Sky positions from field angles, the boresight and the boresight rotation angle of LSST.

    Intermediate world coordinates are ``[[-cos, sin], [sin, cos]] @ field angle`` with the rotation angle (no flip
    of x), which are then deprojected gnomonically about the boresight, as LSST's Gen2 raw WCS.
    """

    transform: FieldAngleTransform
    boresight_ra_deg: float
    boresight_dec_deg: float
    rotator_angle_deg: float

    def _matrix(self) -> tuple[float, float]:
        angle = math.radians(self.rotator_angle_deg)
        return math.cos(angle), math.sin(angle)

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """ICRS (ra, dec) in degrees of 0-based pixel positions; ra in [0, 360)."""
        px, py = np.broadcast_arrays(np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64))
        field_x, field_y = self.transform.pixel_to_field_angle(px, py)
        cos, sin = self._matrix()
        xi = np.degrees(sin * field_y - cos * field_x)
        eta = np.degrees(sin * field_x + cos * field_y)
        return tan_deproject(xi, eta, self.boresight_ra_deg, self.boresight_dec_deg)

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixel positions of ICRS degrees; NaN where the sky position cannot be projected."""
        xi, eta = tan_project(ra, dec, self.boresight_ra_deg, self.boresight_dec_deg)
        xi, eta = np.radians(xi), np.radians(eta)
        cos, sin = self._matrix()
        # The matrix is a reflection: it is its own inverse.
        return self.transform.field_angle_to_pixel(sin * eta - cos * xi, sin * xi + cos * eta)
