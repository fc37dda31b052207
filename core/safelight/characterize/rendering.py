"""The PSF at a sub-pixel position: its polynomial summed, then shifted by Lanczos interpolation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled

__all__ = ["N_TAPS", "local_grid", "render", "shift_weights"]

#: Lanczos kernel of order 4: eight taps.
N_TAPS = 8


@compiled
def shift_weights(shift: float, weights: NDArray[np.float64], slopes: NDArray[np.float64]) -> int:
    """Interpolation weights for reading a grid at (integer + shift).

    Fills `weights` and `slopes` (N_TAPS,), the derivative of the weights with respect to the shift, and returns the
    offset of the first tap. Weights are normalised to a sum of 1, so that a constant stays constant.
    """
    base = int(np.floor(shift))
    fraction = shift - base
    half = N_TAPS // 2
    total, total_slope = 0.0, 0.0
    for k in range(N_TAPS):
        t = np.pi * (fraction - (k - half + 1))
        u = t / half
        if abs(t) < 1e-6:
            weights[k], slopes[k] = 1.0, 0.0
        else:
            sin_t, cos_t, sin_u, cos_u = np.sin(t), np.cos(t), np.sin(u), np.cos(u)
            weights[k] = sin_t * sin_u / (t * u)
            slopes[k] = np.pi * (cos_t / t - sin_t / (t * t)) * sin_u / u
            slopes[k] += np.pi * (sin_t / t) * (cos_u / u - sin_u / (u * u)) / half
        total += weights[k]
        total_slope += slopes[k]
    for k in range(N_TAPS):
        slopes[k] = slopes[k] / total - weights[k] * total_slope / (total * total)
        weights[k] /= total
    return base - half + 1


@compiled
def local_grid(
    coefficients: NDArray[np.float32],
    degree: int,
    u: float,
    v: float,
    norms: NDArray[np.float64],
    reach: int,
    grid: NDArray[np.float64],
) -> None:
    """The PSF's own grid at the scaled position (u, v), total light 1, within `reach` grid points of the middle.

    `norms` (n_terms,) are the sums of the coefficient planes over the grid, divided by the grid points per pixel.
    """
    middle = coefficients.shape[1] // 2
    low, high = max(0, middle - reach), min(coefficients.shape[1], middle + reach + 1)
    total = 0.0
    t = 0
    for i in range(degree + 1):
        for j in range(degree + 1 - i):
            total += u**i * v**j * norms[t]
            t += 1
    t = 0
    for i in range(degree + 1):
        for j in range(degree + 1 - i):
            term = u**i * v**j / total
            for y in range(low, high):
                for x in range(low, high):
                    if t == 0:
                        grid[y, x] = term * coefficients[t, y, x]
                    else:
                        grid[y, x] += term * coefficients[t, y, x]
            t += 1


@compiled
def render(
    grid: NDArray[np.float64],
    oversampling: int,
    fx: float,
    fy: float,
    half: int,
    strip: NDArray[np.float64],
    profile: NDArray[np.float64],
) -> None:
    """Pixel values, and their derivatives with respect to the star's position, of a star at (fx, fy).

    Fills ``profile[0:3, :2 half + 1, :2 half + 1]`` with p, dp/dfx, dp/dfy around the pixel that is the origin of
    (fx, fy). `strip` is scratch of shape (2, grid, grid). Beyond the grid the PSF is 0.
    """
    n = 2 * half + 1
    size = grid.shape[0]
    middle = size // 2
    wx, dx = np.empty(N_TAPS), np.empty(N_TAPS)
    wy, dy = np.empty(N_TAPS), np.empty(N_TAPS)
    first_x = shift_weights(-oversampling * fx, wx, dx) + middle
    first_y = shift_weights(-oversampling * fy, wy, dy) + middle
    low = max(0, first_y - oversampling * half)
    high = min(size, first_y + oversampling * half + N_TAPS)
    for row in range(low, high):
        for i in range(n):
            start = first_x + oversampling * (i - half)
            value, slope = 0.0, 0.0
            for k in range(max(0, -start), min(N_TAPS, size - start)):
                value += wx[k] * grid[row, start + k]
                slope += dx[k] * grid[row, start + k]
            strip[0, row, i] = value
            strip[1, row, i] = slope
    for j in range(n):
        start = first_y + oversampling * (j - half)
        for i in range(n):
            profile[0, j, i] = 0.0
            profile[1, j, i] = 0.0
            profile[2, j, i] = 0.0
        for k in range(max(0, -start), min(N_TAPS, size - start)):
            a, b = wy[k], dy[k]
            for i in range(n):
                value = strip[0, start + k, i]
                profile[0, j, i] += a * value
                profile[1, j, i] -= oversampling * a * strip[1, start + k, i]
                profile[2, j, i] -= oversampling * b * value
