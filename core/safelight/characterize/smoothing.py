"""Smoothing with a separable Gaussian, the matched filter of detection."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["gaussian_kernel", "smooth"]


def gaussian_kernel(sigma: float, n_sigma: float) -> NDArray[np.float32]:
    """A normalised Gaussian over `n_sigma` of full width (LSST's nSigmaForKernel), odd length, at least 3."""
    half = max(1, int(n_sigma * sigma + 0.5) // 2)
    offsets = np.arange(-half, half + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    return np.asarray(kernel / kernel.sum(), dtype=np.float32)


@compiled
def smooth(image: FloatImage, kernel: NDArray[np.float32], result: FloatImage) -> None:
    """Convolve `image` with `kernel` along both axes into `result`; beyond the border the edge pixel repeats.

    Works on strips of rows, so that the half-smoothed rows stay in the processor's cache.
    """
    height, width = image.shape
    half = kernel.size // 2
    strip = 32
    along_x = np.empty((strip + 2 * half, width), np.float32)
    padded = np.empty(width + 2 * half, np.float32)
    for y0 in range(0, height, strip):
        y1 = min(y0 + strip, height)
        for y in range(y0 - half, y1 + half):
            source = image[min(max(y, 0), height - 1)]
            for x in range(width):
                padded[x + half] = source[x]
            for x in range(half):
                padded[x] = source[0]
                padded[width + half + x] = source[width - 1]
            row = along_x[y - y0 + half]
            for x in range(width):
                row[x] = kernel[half] * padded[x + half]
            for k in range(half):
                weight = kernel[k]
                for x in range(width):
                    row[x] += weight * (padded[x + k] + padded[x + 2 * half - k])
        for y in range(y0, y1):
            target = result[y]
            middle = along_x[y - y0 + half]
            for x in range(width):
                target[x] = kernel[half] * middle[x]
            for k in range(half):
                weight = kernel[k]
                above, below = along_x[y - y0 + k], along_x[y - y0 + 2 * half - k]
                for x in range(width):
                    target[x] += weight * (above[x] + below[x])
