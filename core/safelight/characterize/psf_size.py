"""How wide and how round a PSF model is, here and over the CCD."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.kron import measure_kron
from safelight.characterize.shapes import measure_shapes
from safelight.exposure import PsfModel

__all__ = ["fwhm_at", "kron_radius_at", "psf_moments", "psf_width"]


def fwhm_at(psf: PsfModel, x: float, y: float) -> float:
    """FWHM in pixels of the PSF as the pixels see it, at (x, y): the circle of the area above half of the peak.

    The area is measured on the image interpolated to a twentieth of a pixel.
    """
    from scipy.ndimage import spline_filter, zoom

    grid = np.tensordot(psf.terms(x, y), psf.coefficients.astype(np.float64), axes=1)
    middle = grid.shape[0] // 2
    reach = min(middle, 14 * psf.oversampling)
    core = grid[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
    fine = zoom(spline_filter(core, order=3), 10, order=3, prefilter=False, grid_mode=False, mode="nearest")
    step = (core.shape[0] - 1) / (fine.shape[0] - 1) / psf.oversampling
    area = float((fine > fine.max() / 2).sum()) * step**2
    return float(2 * np.sqrt(area / np.pi))


def psf_moments(psf: PsfModel, x: NDArray[np.float64], y: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Adaptive moments (3, n) — xx, yy, xy in pixel² — of the PSF at positions (n,).

    They are measured on a 5 by 5 grid of places (1 for a constant PSF) and follow a polynomial of the model's degree.
    """
    if psf.degree == 0:
        return np.repeat(_moments(psf, psf.x_centre, psf.y_centre, sigma)[:, None], len(x), axis=1)
    nodes = np.linspace(-0.9, 0.9, 5)
    places = [(u, v) for u in nodes for v in nodes]
    measured = np.array(
        [_moments(psf, psf.x_centre + u * psf.x_scale, psf.y_centre + v * psf.y_scale, sigma) for u, v in places]
    )
    powers = [(i, j) for i in range(psf.degree + 1) for j in range(psf.degree + 1 - i)]
    design = np.array([[u**i * v**j for i, j in powers] for u, v in places])
    solution = np.linalg.lstsq(design, measured, rcond=None)[0]
    u, v = (x - psf.x_centre) / psf.x_scale, (y - psf.y_centre) / psf.y_scale
    return np.asarray((np.column_stack([u**i * v**j for i, j in powers]) @ solution).T, dtype=np.float64)


def _moments(psf: PsfModel, x: float, y: float, sigma: float) -> NDArray[np.float64]:
    stamp = psf.image(x, y).astype(np.float32)
    ones = np.ones(1, dtype=np.int64)
    centre = np.full(1, float(stamp.shape[0] // 2))
    shapes = measure_shapes(
        stamp, np.ones_like(stamp), np.zeros(stamp.shape, dtype=np.int32), ones, ones, centre, centre, 2.3548 * sigma,
        recentre=False,
    )  # fmt: skip
    return np.array([shapes.xx[0], shapes.yy[0], shapes.xy[0]])


def psf_width(psf: PsfModel) -> float:
    """sqrt((xx + yy) / 2) of the PSF in the middle of the CCD, pixels, from adaptive moments."""
    x, y = psf.x_centre, psf.y_centre
    xx, yy, _ = _moments(psf, x, y, fwhm_at(psf, x, y) / 2.3548)
    return float(np.sqrt((xx + yy) / 2))


def kron_radius_at(psf: PsfModel, x: float, y: float, sigma: float, sigma_for_radius: float) -> float:
    """First-moment radius in pixels of the PSF at (x, y), measured as for sources."""
    stamp = psf.image(x, y).astype(np.float32)
    xx, yy, xy = _moments(psf, x, y, sigma)
    ones = np.ones(1, dtype=np.int64)
    centre = np.full(1, float(stamp.shape[0] // 2))
    kron = measure_kron(
        stamp, np.ones_like(stamp), np.zeros(stamp.shape, dtype=np.int32), ones, ones, centre, centre,
        (np.array([xx]), np.array([yy]), np.array([xy])), minimum_radius=0.1, radii_for_flux=1.0,
        sigma_for_radius=sigma_for_radius,
    )  # fmt: skip
    return float(kron.radius[0])
