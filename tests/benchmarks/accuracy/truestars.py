"""True stars: their PSF through pixels, how alone they are, and how well anybody could measure them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.instruments.geometry import pixel_to_focal_plane
from safelight.simulate.optics import TrueWcs
from safelight.simulate.psf import PsfField, draw_stars, moffat_alpha

__all__ = ["cramer_rao", "disturbance", "psf_parameters", "true_psf"]

Floats = NDArray[np.float64]


def psf_parameters(wcs: TrueWcs, field: PsfField, x: Floats, y: Floats) -> tuple[Floats, Floats, Floats]:
    """FWHM (pixels, optical) and ellipticity in the pixel frame of the simulated PSF at pixels (x, y)."""
    fwhm, e1, e2 = field.at(*pixel_to_focal_plane(wcs.detector, x, y, wcs.distortion.pixel_size_mm))
    turn = 2.0 * np.radians(wcs.detector.yaw_deg)
    first, second = e1 * np.cos(turn) + e2 * np.sin(turn), e2 * np.cos(turn) - e1 * np.sin(turn)
    return fwhm / wcs.pixel_scale_arcsec, first, second


def true_psf(wcs: TrueWcs, field: PsfField, x: float, y: float, half: int = 20) -> Floats:
    """The true PSF at (x, y) through pixels, in the middle of the stamp."""
    fwhm, e1, e2 = psf_parameters(wcs, field, np.array([x]), np.array([y]))
    return _stamp(0.0, 0.0, half, float(fwhm[0]), field.beta, float(e1[0]), float(e2[0]))


def _stamp(fx: float, fy: float, half: int, fwhm: float, beta: float, e1: float, e2: float) -> Floats:
    """Share of the light of a star (fx, fy) from the middle in the pixels within `half`, as the simulator draws it."""
    image = np.zeros((2 * half + 1, 2 * half + 1), dtype=np.float32)
    one = np.ones(1)
    # drawn a million times brighter, so that it reaches beyond the stamp
    draw_stars(
        image, one * (half + fx), one * (half + fy), 1e6 * one, moffat_alpha(fwhm * one, beta), e1 * one, e2 * one, beta
    )
    return image.astype(np.float64) / 1e6


def cramer_rao(
    fwhm: float, beta: float, e1: float, e2: float, fx: float, fy: float, flux: float, sky_variance: float, slope: float
) -> tuple[float, float, float]:
    """Least standard deviations of flux (position free), x and y of a star on known sky.

    `fx`, `fy` is its place from the middle of its pixel; `sky_variance` (ADU²) and `slope` (ADU² of variance an ADU of
    light) are the noise.
    """
    half, step = int(np.ceil(6 * fwhm)), 0.01
    shape = (half, fwhm, beta, e1, e2)
    light = _stamp(fx, fy, *shape)
    by_x = (_stamp(fx + step, fy, *shape) - _stamp(fx - step, fy, *shape)) / (2 * step)
    by_y = (_stamp(fx, fy + step, *shape) - _stamp(fx, fy - step, *shape)) / (2 * step)
    weight = 1.0 / (sky_variance + slope * flux * light)
    derivatives = (light, flux * by_x, flux * by_y)
    fisher = np.array([[(weight * a * b).sum() for b in derivatives] for a in derivatives])
    flux_error, x_error, y_error = np.sqrt(np.diag(np.linalg.inv(fisher)))
    return float(flux_error), float(x_error), float(y_error)


def disturbance(
    x: Floats, y: Floats, flux: Floats, half_light: Floats, stars: NDArray[np.int64], fwhm: float
) -> Floats:
    """For each of `stars` (rows) the flux of the others: whole within 3 FWHM, of wings farther away.

    `half_light` are half-light radii in pixels; an extended neighbour counts from farther away.
    """
    from scipy.spatial import cKDTree

    places = np.column_stack([x, y])
    result = np.zeros(len(stars))
    for k, near in enumerate(cKDTree(places).query_ball_point(places[stars], 3.0 * fwhm + 40.0)):
        others = np.array([n for n in near if n != stars[k]], dtype=np.int64)
        if len(others):
            distance = np.hypot(*(places[others] - places[stars[k]]).T)
            close = distance < 3.0 * fwhm + np.minimum(2.0 * half_light[others], 20.0)
            wing = (fwhm / np.maximum(distance, fwhm)) ** 4
            result[k] = float((flux[others] * np.where(close, 1.0, wing)).sum())
    return result
