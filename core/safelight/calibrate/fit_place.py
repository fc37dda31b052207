"""Where a round of the fit of a WCS begins: a similarity, its tangent point, and what finds the stars from there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safelight.calibrate.corrected_wcs import Alignment, PolynomialCorrection
from safelight.calibrate.plane import FloatArray, TangentPlane
from safelight.calibrate.polynomial_fit import PolynomialFit
from safelight.exposure import SkyWcs

__all__ = ["Place", "first_place", "next_place", "plane_jacobian"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a round begins."""

    alignment: Alignment  # a similarity from the first WCS's plane to `plane`
    plane: TangentPlane
    guess: PolynomialCorrection  # what must be added to it to find the stars


def first_place(alignment: Alignment, plane: TangentPlane) -> Place:
    """The start at a pattern's map from the first WCS's `plane` to the references' about the same point."""
    return _similar(*_recentre(alignment, plane), None)


def next_place(place: Place, fit: PolynomialFit) -> Place:
    """The start of the round after `fit`."""
    return _similar(*_recentre(_absorbed(place.alignment, fit), place.plane), fit)


def plane_jacobian(first: SkyWcs, plane: TangentPlane, shape: tuple[int, int]) -> FloatArray:
    """d(xi, eta)/d(x, y) of the first WCS at the frame's centre, arcsec/pixel."""
    x, y = (shape[1] - 1) / 2, (shape[0] - 1) / 2
    step = 8.0
    xi, eta = plane.project(
        *first.pixel_to_sky(np.array([x - step, x + step, x, x]), np.array([y, y, y - step, y + step]))
    )
    return np.array([[xi[1] - xi[0], xi[3] - xi[2]], [eta[1] - eta[0], eta[3] - eta[2]]]) / (2 * step)


def _recentre(alignment: Alignment, plane: TangentPlane) -> tuple[Alignment, TangentPlane]:
    """Move the tangent point to the image of the frame's centre, so that a pointing error bends nothing."""
    ra, dec = plane.deproject(alignment.shift[:1], alignment.shift[1:])
    new = TangentPlane(float(ra[0]), float(dec[0]))
    around = alignment.shift[:, None] + np.array([[-1.0, 1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 1.0]])
    xi, eta = new.project(*plane.deproject(*around))
    turn = np.array([[xi[1] - xi[0], xi[3] - xi[2]], [eta[1] - eta[0], eta[3] - eta[2]]]) / 2.0
    return Alignment(turn @ alignment.matrix, np.zeros(2)), new


def _absorbed(alignment: Alignment, fit: PolynomialFit) -> Alignment:
    """The alignment with the fit's constant and linear terms taken in."""
    correction = fit.correction
    constant, by_eta, by_xi = (
        correction.coefficients[:, 0],
        correction.coefficients[:, 1] / correction.radius,
        correction.coefficients[:, correction.degree + 1] / correction.radius,
    )
    linear = np.eye(2) + np.column_stack([by_xi, by_eta])
    return Alignment(linear @ alignment.matrix, linear @ alignment.shift + constant)


def _similar(alignment: Alignment, plane: TangentPlane, fit: PolynomialFit | None) -> Place:
    """The nearest similarity in place of the alignment, and what must be added to it for the next association.

    Shear and the higher terms of the last fit may find the stars, but the next fit does not build on them: it, and
    each fold of its cross-validation, determines anew all that the stars determine.
    """
    similar = alignment.similarity
    shear = alignment.matrix @ np.linalg.inv(similar.matrix) - np.eye(2)
    if fit is None:
        by_shear = np.array([[0.0, *shear[0, ::-1]], [0.0, *shear[1, ::-1]]])
        return Place(similar, plane, PolynomialCorrection(1, 1.0, by_shear))
    correction = fit.correction
    coefficients = correction.coefficients.copy()
    coefficients[:, 0] = 0.0
    coefficients[:, 1] = shear[:, 1] * correction.radius
    coefficients[:, correction.degree + 1] = shear[:, 0] * correction.radius
    return Place(similar, plane, PolynomialCorrection(correction.degree, correction.radius, coefficients))
