"""PSF fluxes and positions by linearised least squares."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.neighbours import is_foreign
from safelight.characterize.point_sources import NO_SOURCES, PointSources, add_own
from safelight.characterize.rendering import N_TAPS, local_grid, psf_norms, render, scaled_position
from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage, PsfModel

__all__ = ["PsfFluxes", "psf_photometry"]


@dataclass(frozen=True, slots=True)
class PsfFluxes:
    """One row per source, arrays of shape (n,)."""

    flux: NDArray[np.float64]  # ADU; NaN where no pixel could be used
    flux_err: NDArray[np.float64]
    x: NDArray[np.float64]  # fitted position, pixels; the given one where it was not fitted
    y: NDArray[np.float64]
    x_err: NDArray[np.float64]
    y_err: NDArray[np.float64]
    chi2: NDArray[np.float64]  # reduced
    area: NDArray[np.float64]  # sum p / sum p², pixels
    n_pixels: NDArray[np.int64]  # used
    position_failed: NDArray[np.bool_]


@compiled
def _fit(
    image: FloatImage,
    sources: PointSources,
    mask: MaskImage,
    bad: int,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    sky_variance: NDArray[np.float64],
    variance_slope: float,
    coefficients: NDArray[np.float32],
    degree: int,
    norms: NDArray[np.float64],
    oversampling: int,
    half: int,
    n_rounds: int,
    values: NDArray[np.float64],
    failed: NDArray[np.bool_],
) -> None:
    """Fill `values` (9, n): flux, error, x, y, x error, y error, chi², area, pixels. `n_rounds` move the position."""
    height, width = image.shape
    size = coefficients.shape[1]
    grid = np.zeros((size, size))
    strip = np.zeros((2, size, size))
    n = 2 * half + 1
    profile = np.zeros((3, n, n))
    reach = oversampling * (half + 1) + N_TAPS
    r2_max = (half + 0.5) ** 2
    for s in range(xs.size):
        add_own(image, sources, first[s], last[s], 1.0)
        local_grid(coefficients, degree, u[s], v[s], norms, reach, grid)
        cx, cy = xs[s], ys[s]
        flux = 0.0
        failed[s] = False
        s_pp, s_xx, s_yy = 0.0, 0.0, 0.0
        for iteration in range(n_rounds + 2):
            column, row = int(np.floor(cx + 0.5)), int(np.floor(cy + 0.5))
            render(grid, oversampling, cx - column, cy - row, half, strip, profile)
            # The last rounds only refine the weights, which follow the model and not the noisy pixels: weights
            # taken from the data's own photon noise pull fluxes down.
            moving = iteration >= 1 and iteration <= n_rounds
            s_pp, s_xx, s_yy = 0.0, 0.0, 0.0
            s_px, s_py, s_xy, s_pd, s_xd, s_yd, s_dd = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
            plain, plain2, used = 0.0, 0.0, 0
            for j in range(max(0, half - row), min(n, height - row + half)):
                y = row + j - half
                for i in range(max(0, half - column), min(n, width - column + half)):
                    x = column + i - half
                    if (j - half) ** 2 + (i - half) ** 2 > r2_max:
                        continue
                    p = profile[0, j, i]
                    plain += p
                    plain2 += p * p
                    if (mask[y, x] & bad) != 0 or is_foreign(labels, y, x, first[s], last[s]):
                        continue
                    px, py = profile[1, j, i], profile[2, j, i]
                    weight = 1.0 / (sky_variance[s] + variance_slope * max(flux * p, 0.0))
                    d = float(image[y, x])
                    wp = weight * p
                    s_pp += wp * p
                    s_px += wp * px
                    s_py += wp * py
                    s_pd += wp * d
                    s_xx += weight * px * px
                    s_yy += weight * py * py
                    s_xy += weight * px * py
                    s_xd += weight * px * d
                    s_yd += weight * py * d
                    s_dd += weight * d * d
                    used += 1
            values[8, s] = used
            values[7, s] = plain / plain2 if plain2 > 0 else np.nan
            if used < 4 or s_pp <= 0:
                flux = np.nan
                break
            flux = s_pd / s_pp
            values[6, s] = (s_dd - flux * s_pd) / max(used - 1, 1)
            # Position at the best flux: the flux's share of the normal equations is eliminated.
            a, b, c = s_xx - s_px * s_px / s_pp, s_yy - s_py * s_py / s_pp, s_xy - s_px * s_py / s_pp
            det = a * b - c * c
            s_xx, s_yy = a, b
            if moving:
                if det <= 1e-12 * a * b or flux <= 0:
                    failed[s] = True
                    cx, cy = xs[s], ys[s]
                else:
                    rx, ry = s_xd - s_px * flux, s_yd - s_py * flux
                    step_x, step_y = (b * rx - c * ry) / det / flux, (a * ry - c * rx) / det / flux
                    cx += min(max(step_x, -0.7), 0.7)
                    cy += min(max(step_y, -0.7), 0.7)
                    if abs(cx - xs[s]) > 2.0 or abs(cy - ys[s]) > 2.0:
                        failed[s] = True
                        cx, cy = xs[s], ys[s]
            if det > 0 and flux > 0:
                values[4, s], values[5, s] = np.sqrt(b / det) / flux, np.sqrt(a / det) / flux
            else:
                values[4, s], values[5, s] = np.nan, np.nan
        values[0, s] = flux
        values[1, s] = 1.0 / np.sqrt(s_pp) if s_pp > 0 else np.nan
        values[2, s], values[3, s] = cx, cy
        add_own(image, sources, first[s], last[s], -1.0)


def psf_photometry(
    image: FloatImage,
    mask: MaskImage,
    labels: NDArray[np.int32],
    psf: PsfModel,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    sky_variance: NDArray[np.float64],
    variance_slope: float,
    bad: int,
    radius: float,
    fit_position: bool,
    sources: PointSources = NO_SOURCES,
) -> PsfFluxes:
    """Fit the PSF to sources at (x, y).

    Parameters
    ----------
    image, mask, labels : [y, x]
        Background-subtracted image in ADU; pixels with a bit of `bad`, and foreign ones, are left out.
    psf : PsfModel
    x, y : (n,)
        Positions in pixels.
    first, last : (n,)
        The labels that are each source's own.
    sky_variance : (n,)
        Variance of a pixel of empty sky around each source, ADU².
    variance_slope : float
        Variance per ADU of source light, 1 / gain. A pixel's weight is the inverse of
        ``sky_variance + variance_slope * model``.
    bad : int
        Mask bits.
    radius : float
        Pixels within it are fitted (at most the PSF image).
    fit_position : bool
        Also fit the position; otherwise flux only.
    sources : PointSources
        Have been taken off `image`; each source gets its own light back while it is measured.

    Returns
    -------
    PsfFluxes
        Fluxes are in units in which the PSF image has a sum of 1.
    """
    n = len(x)
    values = np.full((9, n), np.nan)
    failed = np.zeros(n, dtype=np.bool_)
    half = int(min(max(np.ceil(radius), 2), psf.size // 2))
    u, v = scaled_position(psf, x, y)
    _fit(
        image, sources, mask, bad, labels, first, last, x, y, u, v, sky_variance, variance_slope, psf.coefficients,
        psf.degree, psf_norms(psf), psf.oversampling, half, 3 if fit_position else 0, values, failed,
    )  # fmt: skip
    flux, flux_err, fit_x, fit_y, x_err, y_err, chi2, area, n_pixels = values
    return PsfFluxes(
        flux, flux_err, fit_x, fit_y, x_err, y_err, chi2, area, np.nan_to_num(n_pixels).astype(np.int64), failed
    )
