"""Polynomials in two variables with coefficient matrices ``[i, j]`` of ``u**i * v**j``, fast for many points."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["evaluate", "evaluate_with_derivatives", "exponents", "monomials"]

FloatArray = NDArray[np.float64]


def exponents(degree: int, lowest: int = 0) -> list[tuple[int, int]]:
    """The exponents (i, j) of all terms with lowest <= i + j <= degree, i outermost."""
    return [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i) if i + j >= lowest]


def monomials(u: FloatArray, v: FloatArray, terms: list[tuple[int, int]]) -> FloatArray:
    """The design matrix (n_points, n_terms) of the given exponents."""
    degree = max((max(term) for term in terms), default=0)
    powers_u = np.vander(u, degree + 1, increasing=True)
    powers_v = np.vander(v, degree + 1, increasing=True)
    i = [term[0] for term in terms]
    j = [term[1] for term in terms]
    design: FloatArray = powers_u[:, i] * powers_v[:, j]
    return design


def evaluate(coefficients: FloatArray, u: FloatArray, v: FloatArray) -> FloatArray:
    """Several polynomials of one degree at the points (u, v), by Horner's rule.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (k, n + 1, n + 1)
        ``[polynomial, i, j]``; terms with i + j > n are taken as zero.
    u, v : ndarray of float64
        Points, of one shape.

    Returns
    -------
    ndarray of float64, shape (k, *u.shape)
    """
    k, size = coefficients.shape[:2]
    column = coefficients.reshape(k, size, size, *(1,) * u.ndim)
    result = np.zeros((k, *u.shape))
    inner = np.empty_like(result)
    for i in range(size - 1, -1, -1):
        result *= u
        inner[...] = column[:, i, size - 1 - i]
        for j in range(size - 2 - i, -1, -1):
            inner *= v
            inner += column[:, i, j]
        result += inner
    return result


def evaluate_with_derivatives(
    coefficients: FloatArray, u: FloatArray, v: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values and partial derivatives by u and by v, each of shape (k, *u.shape); see `evaluate`."""
    size = coefficients.shape[1]
    order = np.arange(size, dtype=np.float64)
    by_u, by_v = np.zeros_like(coefficients), np.zeros_like(coefficients)
    by_u[:, :-1, :] = coefficients[:, 1:, :] * order[1:, None]
    by_v[:, :, :-1] = coefficients[:, :, 1:] * order[1:]
    stacked = evaluate(np.concatenate([coefficients, by_u, by_v]), u, v)
    k = len(coefficients)
    return stacked[:k], stacked[k : 2 * k], stacked[2 * k :]
