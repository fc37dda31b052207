"""The PSF at a sub-pixel position: its polynomial summed, then shifted by interpolation.

The interpolation is Lagrange's through eight points. The customary Lanczos kernel does not reproduce even a straight
line: it moves well-sampled stars by up to 0.006 pixels as a function of where in a pixel they lie, several times the
error of a bright star's position. Lagrange's is exact for polynomials of degree 7; undersampled PSFs, for which it
would be poor, are kept on a finer grid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import PsfModel

__all__ = ["N_TAPS", "local_grid", "psf_norms", "render", "scaled_position", "shift_weights"]

#: Points that each interpolated value is made of.
N_TAPS = 8


@compiled
def _taps(fraction: float, weights: NDArray[np.float64]) -> None:
    """Weights of the polynomial through N_TAPS points, for reading at `fraction` past the middle one."""
    half = N_TAPS // 2
    for k in range(N_TAPS):
        w = 1.0
        for j in range(N_TAPS):
            if j != k:
                w *= (fraction - (j - half + 1)) / (k - j)
        weights[k] = w


@compiled
def shift_weights(shift: float, weights: NDArray[np.float64], slopes: NDArray[np.float64]) -> int:
    """Interpolation weights for reading a grid at (integer + shift).

    Fills `weights` and `slopes` (N_TAPS,), the derivative of the weights with respect to the shift, and returns the
    offset of the first tap.
    """
    base = int(np.floor(shift))
    fraction = shift - base
    step = 1e-3
    _taps(fraction + step, slopes)
    _taps(fraction - step, weights)
    for k in range(N_TAPS):
        slopes[k] = (slopes[k] - weights[k]) / (2 * step)
    _taps(fraction, weights)
    return base - N_TAPS // 2 + 1


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
            strip[0, row, i] = 0.0
            strip[1, row, i] = 0.0
        for k in range(N_TAPS):
            a, b = wx[k], dx[k]
            # Pixels whose k-th point lies on the grid.
            offset = first_x - oversampling * half + k
            begin = max(0, -(offset // oversampling))
            end = min(n, (size - 1 - offset) // oversampling + 1)
            for i in range(begin, end):
                value = grid[row, offset + oversampling * i]
                strip[0, row, i] += a * value
                strip[1, row, i] += b * value
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


def psf_norms(psf: PsfModel) -> NDArray[np.float64]:
    """Total light of each coefficient plane of `psf`, in pixels' worth; (n_terms,)."""
    sums = psf.coefficients.sum(axis=(1, 2), dtype=np.float64)
    return np.asarray(sums / psf.oversampling**2, dtype=np.float64)


def scaled_position(
    psf: PsfModel, x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Positions (n,) in pixels as the PSF's polynomials want them, within -1 … 1 on the CCD."""
    return (x - psf.x_centre) / psf.x_scale, (y - psf.y_centre) / psf.y_scale
