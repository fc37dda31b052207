"""A WCS with a correction on top: first WCS, then its tangent plane, a rigid part, a polynomial, another plane.

The first WCS maps pixels to the sky; its image in the plane about its own frame centre is turned, scaled and perhaps
mirrored (`Alignment`), bent by a low-degree polynomial, and put on the sky about the true centre. So a pointing error
is a change of tangent point, exactly, and the polynomial has little to do.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from safelight.calibrate.plane import FloatArray, TangentPlane
from safelight.exposure import SkyWcs

__all__ = ["Alignment", "CorrectedWcs", "PolynomialCorrection", "frame_corners", "plane_of"]

FARTHEST_RADII = 100.0  # beyond so many radii of the frame no polynomial is undone: its powers would overflow


@dataclass(frozen=True, slots=True)
class Alignment:
    """Linear map between planes: (xi, eta) = matrix · (p, q) + shift, all in arcsec."""

    matrix: FloatArray = field(default_factory=lambda: np.eye(2))
    shift: FloatArray = field(default_factory=lambda: np.zeros(2))

    def apply(self, p: ArrayLike, q: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Image of plane positions."""
        first, second = np.asarray(p, dtype=np.float64), np.asarray(q, dtype=np.float64)
        m, t = self.matrix, self.shift
        return m[0, 0] * first + m[0, 1] * second + t[0], m[1, 0] * first + m[1, 1] * second + t[1]

    def undo(self, xi: ArrayLike, eta: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Inverse of `apply`."""
        inverse = np.linalg.inv(self.matrix)
        first, second = (
            np.asarray(xi, dtype=np.float64) - self.shift[0],
            np.asarray(eta, dtype=np.float64) - self.shift[1],
        )
        return inverse[0, 0] * first + inverse[0, 1] * second, inverse[1, 0] * first + inverse[1, 1] * second

    @property
    def scale(self) -> float:
        """Mean stretch: the square root of the absolute determinant."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    @property
    def mirrored(self) -> bool:
        """Whether the map changes the handedness."""
        return bool(np.linalg.det(self.matrix) < 0)

    @property
    def rotation_deg(self) -> float:
        """Rotation angle in degrees of the nearest similarity, counter-clockwise from +xi to +eta.

        A mirrored map is first undone by p -> -p.
        """
        m = self.matrix * (np.array([-1.0, 1.0]) if self.mirrored else 1.0)
        return float(np.degrees(np.arctan2(m[1, 0] - m[0, 1], m[0, 0] + m[1, 1])))

    @property
    def similarity(self) -> Alignment:
        """The nearest map of the same handedness without shear (Frobenius norm), with the same shift."""
        parity = np.array([-1.0, 1.0]) if self.mirrored else np.ones(2)
        m = self.matrix * parity
        c, s = (m[0, 0] + m[1, 1]) / 2.0, (m[1, 0] - m[0, 1]) / 2.0
        return Alignment(np.array([[c, -s], [s, c]]) * parity, self.shift)


def monomials(degree: int) -> list[tuple[int, int]]:
    """Exponents (i, j) of all terms u**i v**j of total degree <= `degree`."""
    return [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]


@dataclass(frozen=True, slots=True)
class PolynomialCorrection:
    """(dxi, deta) in arcsec as polynomials of (xi, eta) / `radius`; coefficients [axis, term], terms as `monomials`."""

    degree: int
    radius: float
    coefficients: FloatArray

    def at(self, xi: ArrayLike, eta: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """The correction at plane positions in arcsec."""
        u = np.asarray(xi, dtype=np.float64) / self.radius
        v = np.asarray(eta, dtype=np.float64) / self.radius
        terms = np.stack([u**i * v**j for i, j in monomials(self.degree)])
        shift = np.tensordot(self.coefficients, terms, axes=1)
        return shift[0], shift[1]


@dataclass(frozen=True, slots=True)
class CorrectedWcs:
    """`first` WCS, corrected: a `SkyWcs`."""

    first: SkyWcs
    first_plane: TangentPlane
    alignment: Alignment
    plane: TangentPlane
    polynomial: PolynomialCorrection | None = None

    def pixel_to_plane(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """(xi, eta) in arcsec in `plane` of 0-based pixel positions."""
        p, q = self.first_plane.project(*self.first.pixel_to_sky(x, y))
        xi, eta = self.alignment.apply(p, q)
        if self.polynomial is None:
            return xi, eta
        dxi, deta = self.polynomial.at(xi, eta)
        return xi + dxi, eta + deta

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """ICRS (ra, dec) in degrees of 0-based pixel positions."""
        return self.plane.deproject(*self.pixel_to_plane(x, y))

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixel positions of ICRS degrees; the polynomial is undone by fixed-point iteration to 1e-9 arcsec.

        NaN for places so far from the frame that its polynomial means nothing there.
        """
        xi, eta = self.plane.project(ra, dec)
        u, v = xi, eta
        if self.polynomial is not None:
            farthest = FARTHEST_RADII * self.polynomial.radius
            u, v = _nearer_than(farthest, u, v)
            for _ in range(50):
                du, dv = self.polynomial.at(u, v)
                u_new, v_new = _nearer_than(farthest, xi - du, eta - dv)
                change = np.nanmax(np.abs(np.concatenate([np.ravel(u_new - u), np.ravel(v_new - v), [0.0]])))
                u, v = u_new, v_new
                if change < 1e-9:
                    break
        return self.first.sky_to_pixel(*self.first_plane.deproject(*self.alignment.undo(u, v)))


def _nearer_than(farthest: float, xi: FloatArray, eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The places, NaN for those that are not so near."""
    near = np.hypot(xi, eta) < farthest
    return np.where(near, xi, np.nan), np.where(near, eta, np.nan)


def plane_of(wcs: SkyWcs, width: int, height: int) -> TangentPlane:
    """The tangent plane about the sky position of the frame's centre."""
    ra, dec = wcs.pixel_to_sky(np.array([(width - 1) / 2]), np.array([(height - 1) / 2]))
    return TangentPlane(float(ra[0]), float(dec[0]))


def frame_corners(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """Pixel positions (x, y) of the frame's four outer corners, in order around it."""
    return np.array([-0.5, width - 0.5, width - 0.5, -0.5]), np.array([-0.5, -0.5, height - 0.5, height - 0.5])
