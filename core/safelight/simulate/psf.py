"""The point-spread function of a visit and the drawing of stars with it.

A Moffat profile whose width and ellipticity vary over the focal plane. A star's flux is its total flux: the profile
is normalised to infinity, and drawn out to where less than 10⁻⁴ of the flux and less than 0.02 electrons a pixel are
missing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.compiled import compiled
from safelight.simulate.spec import NightSpec, VisitSpec
from safelight.simulate.streams import Stream, generator

__all__ = ["PsfField", "draw_stars", "moffat_alpha", "stellar_radius", "visit_psf"]

FloatArray = NDArray[np.float64]

_FIELD_RADIUS_MM = 270.0
_LOST_FRACTION = 1e-4
_LEAST_SURFACE_BRIGHTNESS = 0.02  # electrons a pixel
_LARGEST_RADIUS = 1500.0  # pixels


@dataclass(frozen=True, slots=True)
class PsfField:
    """FWHM and shape of the PSF over the focal plane.

    Ellipticity is ``(a - b) / (a + b)`` times (cos, sin) of twice the angle of the major axis against the focal
    plane's x axis.
    """

    fwhm_arcsec: float  # at the centre of the field
    beta: float
    shape: tuple[float, float]  # ellipticity at the centre
    astigmatism: float  # ellipticity added at 270 mm, pattern (x² - y², 2xy)
    tilt: tuple[float, float]  # fractional growth of the FWHM towards +x and +y at 270 mm
    curvature: float  # fractional growth of the FWHM at 270 mm

    def at(self, x_mm: ArrayLike, y_mm: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
        """FWHM in arcsec and the two ellipticity components at focal-plane positions in mm."""
        u, v = (np.asarray(place, dtype=np.float64) / _FIELD_RADIUS_MM for place in (x_mm, y_mm))
        growth = 1.0 + self.tilt[0] * u + self.tilt[1] * v + self.curvature * (u * u + v * v)
        first = self.shape[0] + self.astigmatism * (u * u - v * v)
        second = self.shape[1] + self.astigmatism * 2.0 * u * v
        return self.fwhm_arcsec * growth, first, second


def visit_psf(night: NightSpec, visit: VisitSpec) -> PsfField:
    """The PSF of a visit: its seeing, with this visit's guiding error, tilt and astigmatism."""
    rng = generator(night.seed, Stream.VISIT, visit.visit, 2)
    return PsfField(
        fwhm_arcsec=visit.seeing_arcsec,
        beta=float(rng.uniform(2.8, 3.4)),
        shape=(float(0.015 * rng.standard_normal()), float(0.015 * rng.standard_normal())),
        astigmatism=float(rng.uniform(0.02, 0.05)),
        tilt=(float(0.015 * rng.standard_normal()), float(0.015 * rng.standard_normal())),
        curvature=float(rng.uniform(0.02, 0.06)),
    )


def moffat_alpha(fwhm: ArrayLike, beta: float) -> FloatArray:
    """The Moffat core width of a FWHM, in the unit of the FWHM."""
    return np.asarray(np.asarray(fwhm, dtype=np.float64) / (2.0 * math.sqrt(2.0 ** (1.0 / beta) - 1.0)))


def stellar_radius(flux_e: ArrayLike, alpha: ArrayLike, beta: float) -> FloatArray:
    """Radius in pixels to which a star of `flux_e` electrons is drawn."""
    alpha, flux = np.asarray(alpha, dtype=np.float64), np.asarray(flux_e, dtype=np.float64)
    enclosed = alpha * math.sqrt(_LOST_FRACTION ** (-1.0 / (beta - 1.0)) - 1.0)
    peak = np.maximum(flux * (beta - 1.0) / (math.pi * alpha**2), _LEAST_SURFACE_BRIGHTNESS)
    faded = alpha * np.sqrt((peak / _LEAST_SURFACE_BRIGHTNESS) ** (1.0 / beta) - 1.0)
    return np.asarray(np.minimum(np.maximum(enclosed, faded), _LARGEST_RADIUS))


def draw_stars(
    image: NDArray[np.float32],
    x: FloatArray,
    y: FloatArray,
    flux_e: FloatArray,
    alpha: FloatArray,
    ellipticity_1: FloatArray,
    ellipticity_2: FloatArray,
    beta: float,
) -> None:
    """Add stars to `image`: total electrons, 0-based centres, Moffat core widths in pixels, shapes in its frame."""
    ellipticity = np.hypot(ellipticity_1, ellipticity_2)
    ratio = (1.0 - ellipticity) / (1.0 + ellipticity)
    angle = 0.5 * np.arctan2(ellipticity_2, ellipticity_1)
    cos, sin = np.cos(angle), np.sin(angle)
    # Squared elliptical radius, of unit determinant: shorter axis stretched, longer one squeezed.
    xx = ratio * cos**2 + sin**2 / ratio
    yy = ratio * sin**2 + cos**2 / ratio
    xy = (ratio - 1.0 / ratio) * cos * sin
    radius = stellar_radius(flux_e, alpha, beta)
    _draw_moffats(image, x, y, flux_e, alpha, beta, xx, xy, yy, radius)


_GAUSS_2 = 0.28867513459481287  # abscissa of the two-point Gauss-Legendre rule on a unit pixel
_GAUSS_3 = 0.3872983346207417  # outer abscissa of the three-point rule; weights 5/18, 8/18, 5/18


@compiled
def _draw_moffats(
    image: NDArray[np.float32],
    x: FloatArray,
    y: FloatArray,
    flux: FloatArray,
    alpha: FloatArray,
    beta: float,
    xx: FloatArray,
    xy: FloatArray,
    yy: FloatArray,
    radius: FloatArray,
) -> None:
    """Integrate each Moffat over its pixels: 3x3 points in the core, 2x2 around it, 1 in the wings."""
    height, width = image.shape
    for k in range(x.size):
        inverse = 1.0 / (alpha[k] * alpha[k])
        a, b, c = xx[k] * inverse, 2.0 * xy[k] * inverse, yy[k] * inverse
        norm = flux[k] * (beta - 1.0) * inverse / np.pi
        core, near, reach = 16.0 * alpha[k] ** 2, 150.0 * alpha[k] ** 2, radius[k]
        bottom, top = max(0, int(np.ceil(y[k] - reach))), min(height - 1, int(np.floor(y[k] + reach)))
        for row in range(bottom, top + 1):
            dy = row - y[k]
            chord = np.sqrt(max(reach * reach - dy * dy, 0.0))
            left, right = max(0, int(np.ceil(x[k] - chord))), min(width - 1, int(np.floor(x[k] + chord)))
            for column in range(left, right + 1):
                dx = column - x[k]
                distance = dx * dx + dy * dy
                total = 0.0
                if distance < core:
                    for i in range(-1, 2):
                        u = dx + i * _GAUSS_3
                        across = 8.0 if i == 0 else 5.0
                        for j in range(-1, 2):
                            v = dy + j * _GAUSS_3
                            weight = across * (8.0 if j == 0 else 5.0) / 324.0
                            total += weight * (1.0 + a * u * u + b * u * v + c * v * v) ** -beta
                elif distance < near:
                    for i in range(-1, 2, 2):
                        u = dx + i * _GAUSS_2
                        for j in range(-1, 2, 2):
                            v = dy + j * _GAUSS_2
                            total += 0.25 * (1.0 + a * u * u + b * u * v + c * v * v) ** -beta
                else:
                    total = (1.0 + a * dx * dx + b * dx * dy + c * dy * dy) ** -beta
                image[row, column] += norm * total
