"""Width and shape of a PSF image, by one definition for truth, Safelight and PSFEx: of the PSF seen through pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["centre_pixels", "fwhm", "shape", "shifted"]

Floats = NDArray[np.float64]


def fwhm(stamp: NDArray[np.floating]) -> float:
    """FWHM in pixels of an odd-sized stamp: the circle of the area above half of the maximum, on a quintic spline."""
    from scipy.ndimage import map_coordinates

    middle = stamp.shape[0] // 2
    reach = min(middle - 1.0, 9.0)
    fine = np.linspace(-reach, reach, int(40 * reach) + 1)
    y, x = np.meshgrid(fine, fine, indexing="ij")
    dense = map_coordinates(np.asarray(stamp, dtype=np.float64), [middle + y, middle + x], order=5)
    area = float((dense > dense.max() / 2).sum()) * (fine[1] - fine[0]) ** 2
    return float(2.0 * np.sqrt(area / np.pi))


def shape(stamp: NDArray[np.floating]) -> tuple[float, float]:
    """Ellipticity ((xx - yy), 2 xy) / (xx + yy) of the moments under an elliptical Gaussian of the same moments."""
    middle = stamp.shape[0] // 2
    y, x = np.mgrid[-middle : middle + 1, -middle : middle + 1].astype(np.float64)
    light = np.asarray(stamp, dtype=np.float64)
    covariance = np.eye(2) * (fwhm(stamp) / 2.3548) ** 2
    for _ in range(200):
        inverse = np.linalg.inv(covariance)
        weight = np.exp(-0.5 * (inverse[0, 0] * x * x + inverse[1, 1] * y * y + 2 * inverse[0, 1] * x * y)) * light
        total = weight.sum()
        cx, cy = (weight * x).sum() / total, (weight * y).sum() / total
        dx, dy = x - cx, y - cy
        measured = np.array(
            [[(weight * dx * dx).sum(), (weight * dx * dy).sum()], [(weight * dx * dy).sum(), (weight * dy * dy).sum()]]
        )
        new = np.linalg.inv(np.linalg.inv(measured / total) - inverse)
        if np.abs(new - covariance).max() < 1e-9 * np.trace(new):
            break
        covariance = new
    (xx, xy), (_, yy) = covariance
    return float((xx - yy) / (xx + yy)), float(2 * xy / (xx + yy))


def shifted(stamp: NDArray[np.floating], dx: float, dy: float) -> Floats:
    """The stamp of a star `dx`, `dy` pixels from the middle, by a quintic spline."""
    from scipy.ndimage import shift

    return np.asarray(shift(np.asarray(stamp, dtype=np.float64), (dy, dx), order=5, mode="constant"))


def centre_pixels(x: Floats, y: Floats) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(column, row) of the pixels nearest to positions."""
    return np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
