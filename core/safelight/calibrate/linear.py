"""Robust linear maps between two lists of matched plane positions."""

from __future__ import annotations

import numpy as np

from safelight.calibrate.corrected_wcs import Alignment
from safelight.calibrate.plane import FloatArray

__all__ = ["fit_affine", "fit_similarity"]

ROUNDS = 8


def fit_similarity(p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray) -> tuple[Alignment, float]:
    """Shift, rotation, scale, and the parity that fits better. See `fit_affine`."""
    fits = [_fit_similarity(p, q, xi, eta, parity) for parity in (1.0, -1.0)]
    return min(fits, key=lambda fit: fit[1])


def _fit_similarity(
    p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray, parity: float
) -> tuple[Alignment, float]:
    z, target = parity * p + 1j * q, xi + 1j * eta
    weight = np.ones(len(p))
    factor, shift, rms = 1.0 + 0.0j, 0.0j, np.inf
    for _ in range(ROUNDS):
        total = weight.sum()
        z0, t0 = (weight * z).sum() / total, (weight * target).sum() / total
        spread = (weight * np.abs(z - z0) ** 2).sum()
        if spread <= 0:
            break
        factor = (weight * np.conj(z - z0) * (target - t0)).sum() / spread
        shift = t0 - factor * z0
        weight, rms = _cauchy(np.abs(factor * z + shift - target))
    matrix = np.array([[parity * factor.real, -factor.imag], [parity * factor.imag, factor.real]])
    return Alignment(matrix, np.array([shift.real, shift.imag])), rms


def fit_affine(p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray) -> tuple[Alignment, float]:
    """The linear map that takes (p, q) to (xi, eta), by least squares reweighted against outliers (Cauchy weights).

    Returns the map and the robust scatter per axis, in the units of the input.
    """
    design = np.column_stack([p, q, np.ones(len(p))])
    target = np.column_stack([xi, eta])
    weight = np.ones(len(p))
    solution, rms = np.zeros((3, 2)), np.inf
    for _ in range(ROUNDS):
        root = np.sqrt(weight)[:, None]
        solution = np.linalg.lstsq(design * root, target * root, rcond=None)[0]
        weight, rms = _cauchy(np.hypot(*(design @ solution - target).T))
    return Alignment(solution[:2].T.copy(), solution[2].copy()), rms


def _cauchy(distance: FloatArray) -> tuple[FloatArray, float]:
    """Weights of radial residuals, and their scatter per axis (the median of a Rayleigh variate is 1.1774 sigma)."""
    sigma = max(float(np.median(distance)) / 1.1774, 1e-9)
    return 1.0 / (1.0 + (distance / (2.5 * sigma)) ** 2), sigma
