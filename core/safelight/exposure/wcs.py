"""World coordinate systems: pixel (0-based) to ICRS sky in degrees.

`SkyWcs` is what every step uses. `TanSipWcs` is the form that is written to files (TAN with SIP polynomials); other
implementations (a camera's distortion model, a fitted correction on top of it) are rendered to it.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.exposure.fieldangle import FieldAngleTransform, FieldAngleWcs
from safelight.exposure.projection import angular_separation, tan_deproject, tan_project
from safelight.exposure.tansip import TanSipWcs, header_without_wcs
from safelight.exposure.tansiprender import render_tan_sip

__all__ = [
    "FieldAngleTransform",
    "FieldAngleWcs",
    "FloatArray",
    "SkyWcs",
    "TanSipWcs",
    "angular_separation",
    "header_without_wcs",
    "render_tan_sip",
    "tan_deproject",
    "tan_project",
]

FloatArray = NDArray[np.float64]


class SkyWcs(Protocol):
    """Anything that maps pixels to the sky and back; vectorised over arrays of one shape."""

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """ICRS (ra, dec) in degrees of 0-based pixel positions; ra in [0, 360)."""
        ...

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixel positions (x, y) of ICRS degrees; NaN where the sky position cannot be projected."""
        ...
