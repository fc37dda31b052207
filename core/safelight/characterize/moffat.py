"""Moffat profiles (Moffat 1969), integrated over pixels: the PSF's first approximation and its wings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moffat", "fit_moffat"]


@dataclass(frozen=True, slots=True)
class Moffat:
    """An elliptical Moffat profile of total light 1."""

    fwhm: float  # pixels, of the circle of the same area, before the integration over pixels
    beta: float
    e1: float = 0.0  # (xx - yy) / (xx + yy)
    e2: float = 0.0  # 2 xy / (xx + yy)

    def pixels(self, dx: NDArray[np.float64], dy: NDArray[np.float64], order: int = 3) -> NDArray[np.float64]:
        """Light in the pixels centred (dx, dy) from the star, by Gauss-Legendre integration of `order`²."""
        nodes, weights = np.polynomial.legendre.leggauss(order)
        alpha2 = self.fwhm**2 / (4 * (2 ** (1 / self.beta) - 1))
        peak = (self.beta - 1) / (np.pi * alpha2)
        shear = np.sqrt(max(1 - self.e1**2 - self.e2**2, 1e-6))
        total = np.zeros(np.broadcast(dx, dy).shape)
        for node_y, weight_y in zip(nodes / 2, weights / 2, strict=True):
            v = dy + node_y
            for node_x, weight_x in zip(nodes / 2, weights / 2, strict=True):
                u = dx + node_x
                r2 = ((1 - self.e1) * u * u + (1 + self.e1) * v * v - 2 * self.e2 * u * v) / shear
                total += (weight_x * weight_y * peak) * (1 + r2 / alpha2) ** -self.beta
        return total


def fit_moffat(
    dx: NDArray[np.float64],
    dy: NDArray[np.float64],
    light: NDArray[np.float64],
    variance: NDArray[np.float64],
    fwhm: float,
) -> Moffat:
    """The Moffat profile shared by several stars.

    Parameters
    ----------
    dx, dy, light, variance : (n_stars, n_pixels)
        Offsets from each star's centre, background-subtracted pixels and their variances; a pixel that is not to be
        used has infinite variance. Every star has its own flux, which is eliminated.
    fwhm : float
        First guess, pixels.
    """
    from scipy.optimize import least_squares

    weight = 1.0 / np.sqrt(variance)
    order = 3 if fwhm >= 2.5 else 5

    def residuals(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        model = Moffat(float(np.exp(parameters[0])), float(parameters[1]), *map(float, parameters[2:]))
        p = model.pixels(dx, dy, order) * weight
        d = light * weight
        flux = (p * d).sum(axis=1) / (p * p).sum(axis=1)
        # A weak prior keeps the exponent in the range of real seeing when the wings are lost in the noise.
        return np.append((d - flux[:, None] * p).ravel(), (parameters[1] - 3.0) / 1.5)

    start = np.array([np.log(fwhm), 3.0, 0.0, 0.0])
    lower, upper = [np.log(0.3 * fwhm), 1.3, -0.8, -0.8], [np.log(2.5 * fwhm), 12.0, 0.8, 0.8]
    solution = least_squares(residuals, start, bounds=(lower, upper), x_scale=[0.05, 0.5, 0.05, 0.05], max_nfev=25)
    fitted = solution.x
    return Moffat(float(np.exp(fitted[0])), float(fitted[1]), float(fitted[2]), float(fitted[3]))
