"""Rendering any WCS as TAN-SIP, with the lowest degree that is good enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.exposure.polynomial import exponents, monomials
from safelight.exposure.projection import angular_separation, tan_project
from safelight.exposure.tansip import TanSipWcs

if TYPE_CHECKING:
    from safelight.exposure.wcs import SkyWcs

__all__ = ["render_tan_sip"]

FloatArray = NDArray[np.float64]

_FIT_NODES = 24  # Chebyshev nodes an axis: least squares on them is close to the minimax fit
_CHECK_POINTS = 41  # an axis, edges included
_INVERSE_ERROR_PIXELS = 1e-3


def render_tan_sip(wcs: SkyWcs, width: int, height: int, tolerance_mas: float = 0.1, max_degree: int = 7) -> TanSipWcs:
    """The TAN-SIP of the lowest degree that renders `wcs` everywhere on a frame to `tolerance_mas`.

    Parameters
    ----------
    wcs : SkyWcs
        What is to be rendered.
    width, height : int
        Size of the frame in pixels; its outer edges are included.
    tolerance_mas : float
        Largest distance on the sky, milliarcseconds, on a grid that the fit has not seen.
    max_degree : int
        Where to stop; the best rendering is returned even when it does not reach the tolerance.

    Returns
    -------
    TanSipWcs
        With `max_error_mas` measured, and inverse polynomials good to 0.001 pixel or of degree 9.
    """
    centre = np.array([0.5 * (width - 1), 0.5 * (height - 1)])
    ra0, dec0 = (float(value) for value in wcs.pixel_to_sky(centre[0], centre[1]))
    scale = np.array([0.5 * width, 0.5 * height])
    nodes = np.cos(np.pi * (np.arange(_FIT_NODES) + 0.5) / _FIT_NODES)
    u, v = (grid.ravel() for grid in np.meshgrid(nodes, nodes))
    ra, dec = wcs.pixel_to_sky(centre[0] + scale[0] * u, centre[1] + scale[1] * v)
    plane = np.stack(tan_project(ra, dec, ra0, dec0), axis=1)
    edges = np.linspace(-1.0, 1.0, _CHECK_POINTS)
    check = tuple(grid.ravel() for grid in np.meshgrid(edges * scale[0] + centre[0], edges * scale[1] + centre[1]))
    truth = wcs.pixel_to_sky(*check)

    best: TanSipWcs | None = None
    for degree in range(1, max_degree + 1):
        candidate = _fit(u, v, plane, degree, centre, scale, np.array([ra0, dec0]))
        error = float(np.max(angular_separation(*truth, *candidate.pixel_to_sky(*check)))) * 3.6e6
        if best is None or error < best.max_error_mas:
            best = TanSipWcs(
                candidate.crpix, candidate.crval, candidate.cd, candidate.a, candidate.b, max_error_mas=error
            )
        if error <= tolerance_mas:
            break
    assert best is not None
    return _with_inverse(best, u * scale[0], v * scale[1])


def _fit(
    u: FloatArray,
    v: FloatArray,
    plane: FloatArray,
    degree: int,
    centre: FloatArray,
    scale: FloatArray,
    crval: FloatArray,
) -> TanSipWcs:
    """Least squares through the exact centre: the tangent point is the centre's own sky position."""
    terms = exponents(degree, lowest=1)
    solution = np.linalg.lstsq(monomials(u, v, terms), plane, rcond=None)[0]
    coefficients = np.zeros((2, degree + 1, degree + 1))
    for k, (i, j) in enumerate(terms):
        coefficients[:, i, j] = solution[k] / (scale[0] ** i * scale[1] ** j)
    cd = np.stack([coefficients[:, 1, 0], coefficients[:, 0, 1]], axis=1)
    if degree == 1:
        return TanSipWcs(centre, crval, cd)
    coefficients[:, 1, 0] = coefficients[:, 0, 1] = 0.0
    sip = np.einsum("kl,lij->kij", np.linalg.inv(cd), coefficients)
    return TanSipWcs(centre, crval, cd, sip[0], sip[1])


def _with_inverse(wcs: TanSipWcs, u: FloatArray, v: FloatArray) -> TanSipWcs:
    """Add inverse polynomials: (u, v) as a function of the linear pixel offsets (U, V)."""
    if wcs.a is None or wcs.b is None:
        return wcs
    xi, eta = wcs.pixel_to_plane(u + wcs.crpix[0], v + wcs.crpix[1])
    big = np.linalg.inv(wcs.cd) @ np.stack([xi, eta])
    shift = np.stack([u, v]) - big
    scale = np.abs(big).max(axis=1)
    matrices = np.zeros((2, 1, 1))
    for degree in range(wcs.degree, 10):
        terms = exponents(degree)
        design = monomials(big[0] / scale[0], big[1] / scale[1], terms)
        solution = np.linalg.lstsq(design, shift.T, rcond=None)[0]
        matrices = np.zeros((2, degree + 1, degree + 1))
        for k, (i, j) in enumerate(terms):
            matrices[:, i, j] = solution[k] / (scale[0] ** i * scale[1] ** j)
        if np.abs(design @ solution - shift.T).max() <= _INVERSE_ERROR_PIXELS:
            break
    return TanSipWcs(
        wcs.crpix, wcs.crval, wcs.cd, wcs.a, wcs.b, matrices[0], matrices[1], max_error_mas=wcs.max_error_mas
    )
