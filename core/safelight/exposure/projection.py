"""The gnomonic (TAN) projection: sky to tangent plane and back.

Formulae of Calabretta & Greisen 2002 (A&A 395, 1077), written with vectors on the unit sphere so that they lose no
precision near the poles and the tangent point.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["angular_separation", "tan_deproject", "tan_project"]

FloatArray = NDArray[np.float64]


def tan_project(ra: ArrayLike, dec: ArrayLike, ra0: float, dec0: float) -> tuple[FloatArray, FloatArray]:
    """Tangent-plane coordinates (xi to the East, eta to the North) in degrees of ICRS positions in degrees.

    Parameters
    ----------
    ra, dec : array_like
        Sky positions in degrees, of one shape.
    ra0, dec0 : float
        The tangent point in degrees.

    Returns
    -------
    xi, eta : ndarray of float64
        Degrees; NaN for positions 90° or more from the tangent point.
    """
    delta = np.radians(np.asarray(ra, dtype=np.float64) - ra0)
    dec_rad = np.radians(np.asarray(dec, dtype=np.float64))
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    sin_dec, cos_dec = np.sin(dec_rad), np.cos(dec_rad)
    cos_delta = np.cos(delta)
    depth = sin_dec * sin0 + cos_dec * cos0 * cos_delta
    depth = np.where(depth > 0, depth, np.nan)
    scale = np.degrees(1.0) / depth
    # sin(dec - dec0) + sin0 cos(dec) (1 - cos(delta)) avoids cancellation close to the tangent point.
    versine = 2.0 * np.sin(0.5 * delta) ** 2
    eta = (np.sin(dec_rad - np.radians(dec0)) + sin0 * cos_dec * versine) * scale
    return cos_dec * np.sin(delta) * scale, eta


def tan_deproject(xi: ArrayLike, eta: ArrayLike, ra0: ArrayLike, dec0: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """ICRS (ra, dec) in degrees, ra in [0, 360), of tangent-plane coordinates in degrees about (ra0, dec0)."""
    x = np.radians(np.asarray(xi, dtype=np.float64))
    y = np.radians(np.asarray(eta, dtype=np.float64))
    sin0, cos0 = np.sin(np.radians(dec0)), np.cos(np.radians(dec0))
    towards_pole = cos0 - y * sin0
    ra = np.mod(ra0 + np.degrees(np.arctan2(x, towards_pole)), 360.0)
    dec = np.degrees(np.arctan2(sin0 + y * cos0, np.hypot(x, towards_pole)))
    # The remainder of a tiny negative angle rounds to 360 itself.
    return np.where(ra >= 360.0, 0.0, ra), dec


def angular_separation(ra1: ArrayLike, dec1: ArrayLike, ra2: ArrayLike, dec2: ArrayLike) -> FloatArray:
    """Great-circle distance in degrees of positions in degrees (haversine: exact for small angles)."""
    d1, d2 = np.radians(np.asarray(dec1, dtype=np.float64)), np.radians(np.asarray(dec2, dtype=np.float64))
    half_ra = 0.5 * np.radians(np.asarray(ra2, dtype=np.float64) - np.asarray(ra1, dtype=np.float64))
    haversine = np.sin(0.5 * (d2 - d1)) ** 2 + np.cos(d1) * np.cos(d2) * np.sin(half_ra) ** 2
    separation: FloatArray = np.degrees(2.0 * np.arcsin(np.sqrt(np.clip(haversine, 0.0, 1.0))))
    return separation
