"""Tangent planes: gnomonic projection about a point of the sky, in arcseconds.

Axes: xi grows to the East, eta to the North.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.exposure.projection import tan_deproject, tan_project

__all__ = ["FloatArray", "TangentPlane"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TangentPlane:
    """The plane that touches the sky at (ra_deg, dec_deg), ICRS."""

    ra_deg: float
    dec_deg: float

    def project(self, ra_deg: ArrayLike, dec_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(xi, eta) in arcsec of sky positions in degrees; NaN for the hemisphere that cannot be projected."""
        xi, eta = tan_project(ra_deg, dec_deg, self.ra_deg, self.dec_deg)
        return xi * 3600.0, eta * 3600.0

    def deproject(self, xi_arcsec: ArrayLike, eta_arcsec: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Sky positions (ra in [0, 360), dec) in degrees of plane positions in arcsec."""
        xi = np.asarray(xi_arcsec, dtype=np.float64) / 3600.0
        return tan_deproject(xi, np.asarray(eta_arcsec, dtype=np.float64) / 3600.0, self.ra_deg, self.dec_deg)
