"""The PSF model: a Moffat profile plus what the stars show beyond it, pixel by pixel, varying over the CCD.

Only the residuals of the stars from the present model are shifted to a common centre, not the stars themselves, so
that interpolation acts on something small; rounds of this converge to the image that the stars share, also when they
are undersampled (then the grid has half pixels). All stars of a round have a value at every grid point, so every grid
point is one small least-squares problem with the same matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import MeasurePsfConfig
from safelight.characterize.moffat import Moffat, fit_moffat
from safelight.characterize.neighbours import is_foreign
from safelight.characterize.psf_photometry import PsfFluxes, psf_photometry
from safelight.characterize.psf_variation import CUTS, in_modes, without_intruders
from safelight.characterize.rendering import N_TAPS, local_grid, psf_norms, render, shift_weights
from safelight.compiled import compiled
from safelight.exposure import Exposure, FloatImage, MaskImage, PsfModel

__all__ = ["FittedPsf", "PsfStars", "fit_psf"]

#: Planes whose pixels are not a measurement of a star.
BAD_PLANES = ("BAD", "SAT", "INTRP", "CR", "NO_DATA", "UNMASKEDNAN")
#: Stars that the spatial terms of each degree need: about five a coefficient.
_STARS_PER_TERM = 5
#: With fewer stars than this the PSF varies in width and ellipticity only, not pixel by pixel; three a coefficient are
#: enough for that. Of a variation of 15 % a fifth is lost, of the usual 2 % next to nothing.
_STARS_FOR_PIXELS, _STARS_PER_MODE = 30, 3
#: Share of the model that is taken as its own error when stars are judged.
_MODEL_ERROR = 0.02
#: Width of the Gaussian that smooths a round's correction, PSF sigma. Light that came through the seeing has no detail
#: finer than that; noise has. What the smoothing takes off a real correction the next rounds add.
_CORRECTION_SIGMA = 0.4
#: Share of a frame that lies in footprints from which on stars are taken to have hidden neighbours.
_CROWDED = 0.2


@dataclass(frozen=True, slots=True)
class PsfStars:
    """Stars to fit, arrays of shape (n,)."""

    x: NDArray[np.float64]  # pixels
    y: NDArray[np.float64]
    first: NDArray[np.int64]  # own labels
    last: NDArray[np.int64]
    sky: NDArray[np.float64]  # what the background subtraction has left around each star, ADU a pixel
    sky_variance: NDArray[np.float64]  # ADU²
    reserved: NDArray[np.bool_]  # judge the model, do not enter it


@dataclass(frozen=True, slots=True)
class FittedPsf:
    """The model and what became of the stars, arrays of shape (n,)."""

    model: PsfModel
    moffat: Moffat
    used: NDArray[np.bool_]
    chi2: NDArray[np.float64]  # mean squared residual of the core over noise and 2 % of the model
    x: NDArray[np.float64]  # positions of the last round
    y: NDArray[np.float64]
    flux: NDArray[np.float64]
    position_error: float  # pixels and axis, of the model's own centre; PSF positions near each other share it


@compiled
def _residuals(
    image: FloatImage,
    mask: MaskImage,
    bad: int,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    flux: NDArray[np.float64],
    sky: NDArray[np.float64],
    sky_variance: NDArray[np.float64],
    variance_slope: float,
    model_error: float,
    coefficients: NDArray[np.float32],
    degree: int,
    norms: NDArray[np.float64],
    oversampling: int,
    core: float,
    result: NDArray[np.float32],
    chi2: NDArray[np.float64],
) -> None:
    """Residual of each star over its flux, interpolated to the PSF grid: `result` (n, grid, grid); `chi2` (n,)."""
    height, width = image.shape
    size = coefficients.shape[1]
    middle = size // 2
    half = middle // oversampling + N_TAPS // 2
    n = 2 * half + 1
    grid = np.zeros((size, size))
    strip = np.zeros((2, size, max(size, n)))
    profile = np.zeros((3, n, n))
    patch = np.zeros((n, n))  # [x, y]
    columns = np.zeros((size, n))
    rows = np.zeros((n, size))
    weights, slopes = np.empty(N_TAPS), np.empty(N_TAPS)
    for s in range(xs.size):
        local_grid(coefficients, degree, u[s], v[s], norms, size, grid)
        column, row = int(np.floor(xs[s] + 0.5)), int(np.floor(ys[s] + 0.5))
        fx, fy = xs[s] - column, ys[s] - row
        render(grid, oversampling, fx, fy, half, strip, profile)
        squares, count = 0.0, 0
        for j in range(n):
            y = row + j - half
            for i in range(n):
                x = column + i - half
                patch[i, j] = 0.0
                if y < 0 or x < 0 or y >= height or x >= width:
                    continue
                if (mask[y, x] & bad) != 0 or is_foreign(labels, y, x, first[s], last[s]):
                    continue
                light = flux[s] * profile[0, j, i]
                difference = image[y, x] - sky[s] - light
                patch[i, j] = difference / flux[s]
                if (j - half) ** 2 + (i - half) ** 2 < core * core:
                    noise = sky_variance[s] + variance_slope * max(light, 0.0) + (model_error * light) ** 2
                    squares += difference * difference / noise
                    count += 1
        chi2[s] = squares / max(count, 1) if count > 0 else np.inf
        # Interpolate to the grid along x, then along y; inner loops run over neighbouring elements.
        for g in range(size):
            start = shift_weights(fx + (g - middle) / oversampling, weights, slopes) + half
            for j in range(n):
                columns[g, j] = 0.0
            for k in range(max(0, -start), min(N_TAPS, n - start)):
                for j in range(n):
                    columns[g, j] += weights[k] * patch[start + k, j]
        for g in range(size):
            for j in range(n):
                rows[j, g] = columns[g, j]
        for g in range(size):
            start = shift_weights(fy + (g - middle) / oversampling, weights, slopes) + half
            for i in range(size):
                result[s, g, i] = 0.0
            for k in range(max(0, -start), min(N_TAPS, n - start)):
                weight = weights[k]
                for i in range(size):
                    result[s, g, i] += weight * rows[start + k, i]


def fit_psf(
    exposure: Exposure,
    labels: NDArray[np.int32],
    stars: PsfStars,
    fwhm: float,
    variance_slope: float,
    config: MeasurePsfConfig,
) -> FittedPsf:
    """Fit the PSF of a background-subtracted exposure.

    Parameters
    ----------
    exposure, labels : [y, x]
    stars : PsfStars
        At least one that is not reserved.
    fwhm : float
        First estimate, pixels.
    variance_slope : float
        Variance per ADU of light (1 / gain).
    config : MeasurePsfConfig

    Notes
    -----
    The degree of the variation follows the number of stars (five a coefficient; of less than 30 stars, whose PSF varies
    in width and ellipticity only, three a coefficient make a plane). With fewer than three stars the model is the
    Moffat profile alone.
    """
    half = config.kernelSize // 2
    moffat = _first_profile(exposure, labels, stars, fwhm, variance_slope)
    oversampling = _oversampling(fwhm, config)
    model = _moffat_model(moffat, exposure.shape, half, oversampling)
    bad = exposure.planes.bits(*BAD_PLANES)
    fit_radius = min(max(2.0 * fwhm, 4.0), float(half))
    use = ~stars.reserved
    x, y = stars.x.copy(), stars.y.copy()
    crowded = float((labels[::7, ::7] > 0).mean()) > _CROWDED
    rounds = config.nIter + 2 * (oversampling > 1)
    flux = np.full(len(x), np.nan)
    chi2 = np.full(len(x), np.inf)
    for number in range(rounds + 1):
        fitted = psf_photometry(
            exposure.image, exposure.mask, labels, model, stars.x, stars.y, first=stars.first, last=stars.last,
            sky_variance=stars.sky_variance, variance_slope=variance_slope, bad=bad, radius=fit_radius,
            fit_position=True,
        )  # fmt: skip
        flux = fitted.flux - stars.sky * fitted.area
        # Positions come from the model, not from noisy centroids, which would blur it into a dipole here and there;
        # only their common zero is the centroids'.
        good = use & ~fitted.position_failed & np.isfinite(flux)
        if good.any():
            x = np.where(fitted.position_failed, stars.x, fitted.x - np.median((fitted.x - stars.x)[good]))
            y = np.where(fitted.position_failed, stars.y, fitted.y - np.median((fitted.y - stars.y)[good]))
        measured = np.isfinite(flux) & (flux > 0)
        safe_flux = np.where(measured, flux, 1.0)
        size = model.coefficients.shape[-1]
        stamps = np.empty((len(x), size, size), dtype=np.float32)
        _residuals(
            exposure.image, exposure.mask, bad, labels, stars.first, stars.last, x, y,
            (x - model.x_centre) / model.x_scale, (y - model.y_centre) / model.y_scale, safe_flux, stars.sky,
            stars.sky_variance, variance_slope, _MODEL_ERROR, model.coefficients, model.degree, psf_norms(model),
            oversampling, max(1.5 * fwhm, 2.5), stamps, chi2,
        )  # fmt: skip
        chi2[~measured] = np.inf
        if number > 0:
            use = _accepted(chi2, ~stars.reserved, config.nSigmaReject)
        if number == rounds or use.sum() < 3:
            break
        model = _updated(model, stamps, x, y, safe_flux, stars, use, variance_slope, fwhm, crowded, config)
    count = int(use.sum())
    final = PsfModel(
        model.coefficients, model.degree, model.x_centre, model.y_centre, model.x_scale, model.y_scale, count,
        oversampling,
    )  # fmt: skip
    error = _position_error(fitted, use, model.coefficients.shape[0])
    return FittedPsf(final, moffat, use, chi2, x, y, flux, error)


def _oversampling(fwhm: float, config: MeasurePsfConfig) -> int:
    """Grid points per pixel: one for a PSF that the pixels sample well, else at least four in its FWHM."""
    if fwhm >= config.oversampleMaxFwhm:
        return 1
    return int(np.clip(np.ceil(1.25 * config.oversampleMaxFwhm / fwhm), 2, 4))


def _position_error(fitted: PsfFluxes, use: NDArray[np.bool_], n_terms: int) -> float:
    """Error of the model's own centre at a place: the stars' position errors, averaged as the model averages them."""
    errors = np.hypot(fitted.x_err, fitted.y_err)[use] / np.sqrt(2)
    errors = errors[np.isfinite(errors) & (errors > 0)]
    return float(np.sqrt(n_terms / (errors**-2.0).sum())) if len(errors) else 0.0


def _accepted(chi2: NDArray[np.float64], allowed: NDArray[np.bool_], n_sigma: float) -> NDArray[np.bool_]:
    """Stars whose residual is like that of the others."""
    finite = allowed & np.isfinite(chi2)
    if not finite.any():
        return finite
    logs = np.log(np.maximum(chi2, 1e-6), where=finite, out=np.zeros(len(chi2)))
    middle = float(np.median(logs[finite]))
    spread = max(1.4826 * float(np.median(np.abs(logs[finite] - middle))), 0.15)
    return finite & (logs < middle + n_sigma * spread)


def _first_profile(
    exposure: Exposure, labels: NDArray[np.int32], stars: PsfStars, fwhm: float, variance_slope: float
) -> Moffat:
    """A Moffat profile through the cores of up to 12 of the brightest stars."""
    half = int(np.ceil(max(1.5 * fwhm, 3.0)))
    height, width = exposure.shape
    offsets = np.arange(-half, half + 1)
    column, row = np.floor(stars.x + 0.5).astype(int), np.floor(stars.y + 0.5).astype(int)
    rows = np.clip(row[:, None, None] + offsets[None, :, None], 0, height - 1)
    columns = np.clip(column[:, None, None] + offsets[None, None, :], 0, width - 1)
    light = exposure.image[rows, columns].astype(np.float64) - stars.sky[:, None, None]
    brightness = light.sum(axis=(1, 2)) * np.where(stars.reserved, 0.0, 1.0)
    chosen = np.argsort(-brightness)[: min(12, int((~stars.reserved).sum()))]
    owner = labels[rows, columns]
    foreign = (owner != 0) & ((owner < stars.first[:, None, None]) | (owner > stars.last[:, None, None]))
    spoilt = (exposure.mask[rows, columns] & exposure.planes.bits(*BAD_PLANES)) != 0
    variance = stars.sky_variance[:, None, None] + variance_slope * np.maximum(light, 0.0)
    # Stars differ by more than their noise: the PSF varies over the CCD.
    variance = variance + (0.03 * light.max(axis=(1, 2), keepdims=True)) ** 2
    variance[foreign | spoilt] = np.inf
    dx = (column - stars.x)[:, None, None] + offsets[None, None, :] + np.zeros_like(light)
    dy = (row - stars.y)[:, None, None] + offsets[None, :, None] + np.zeros_like(light)
    usable = np.array([k for k in chosen if np.isfinite(variance[k]).sum() >= 9], dtype=int)
    if len(usable) == 0:
        return Moffat(max(float(np.sqrt(max(fwhm**2 - 0.46, 0.3))), 0.6), 3.0)
    n = len(usable)
    dx, dy, light, variance = (values[usable].reshape(n, -1) for values in (dx, dy, light, variance))
    return fit_moffat(dx, dy, light, variance, fwhm)


def _moffat_model(moffat: Moffat, shape: tuple[int, int], half: int, oversampling: int) -> PsfModel:
    height, width = shape
    offsets = np.arange(-half * oversampling, half * oversampling + 1) / oversampling
    image = moffat.pixels(offsets[None, :], offsets[:, None], order=5)
    image *= _disc(offsets)
    return PsfModel(
        image[None].astype(np.float32), 0, (width - 1) / 2, (height - 1) / 2, max(width / 2, 1.0),
        max(height / 2, 1.0), 0, oversampling,
    )  # fmt: skip


def _disc(offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 inside the inscribed circle of the PSF image: a round cut treats all directions alike."""
    radius = np.hypot(offsets[None, :], offsets[:, None])
    return np.asarray(np.clip(offsets[-1] + 0.5 - radius, 0.0, 1.0), dtype=np.float64)


def _carried_over(model: PsfModel, powers: list[tuple[int, int]]) -> NDArray[np.float64]:
    """The coefficient planes of `model` for these powers of (u, v); 0 where it has none."""
    planes = np.zeros((len(powers), *model.coefficients.shape[1:]))
    old = [(i, j) for i in range(model.degree + 1) for j in range(model.degree + 1 - i)]
    for plane, power in zip(model.coefficients, old, strict=True):
        if power in powers:
            planes[powers.index(power)] = plane
    return planes


def _smoothed(planes: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Each of the planes (n, grid, grid) smoothed with a Gaussian of `sigma` grid points."""
    from scipy.ndimage import gaussian_filter

    once = gaussian_filter(planes, (0.0, sigma, sigma), mode="constant")
    # Twice: what the first pass took off is smoothed and put back, which spares the coarser detail.
    return np.asarray(once + gaussian_filter(planes - once, (0.0, sigma, sigma), mode="constant"), dtype=np.float64)


def _degree(most: int, n_stars: int, per_term: float) -> int:
    """The greatest degree of the variation for which there are `per_term` stars a coefficient."""
    return max(d for d in range(most + 1) if d == 0 or (d + 1) * (d + 2) / 2 * per_term <= n_stars)


def _updated(
    model: PsfModel,
    stamps: NDArray[np.float32],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    stars: PsfStars,
    use: NDArray[np.bool_],
    variance_slope: float,
    fwhm: float,
    crowded: bool,
    config: MeasurePsfConfig,
) -> PsfModel:
    """`model` plus a polynomial fit to the residual `stamps` of the stars in `use`."""
    count = int(use.sum())
    by_pixel = _degree(config.spatialOrder, count, _STARS_PER_TERM)
    degree = max(by_pixel, _degree(min(config.spatialOrder, 1), count, _STARS_PER_MODE))
    powers = [(i, j) for i in range(degree + 1) for j in range(degree + 1 - i)]
    u, v = (x - model.x_centre) / model.x_scale, (y - model.y_centre) / model.y_scale
    design = np.column_stack([u**i * v**j for i, j in powers])[use]
    core = 1.0 / (np.pi * (0.6 * fwhm) ** 2)  # mean of the PSF in its core
    noise = (stars.sky_variance + variance_slope * flux * core) / flux**2 + (0.004 * core) ** 2
    weight = (1.0 / noise)[use]
    size = stamps.shape[-1]
    terms, mean = without_intruders(design, weight, stamps[use], CUTS if crowded else 0)
    offsets = (np.arange(size) - size // 2) / model.oversampling
    radius = np.hypot(offsets[None, :], offsets[:, None])
    # Outside the core the stars show only noise about their mean: variation there would be fitted to it.
    outer = radius > max(2.5 * fwhm, 5.0)
    terms[:, outer] = 0.0
    terms[0][outer] = mean[outer]
    if count < _STARS_FOR_PIXELS:
        terms[1:] = in_modes(terms[1:], model.coefficients[0], offsets, ~outer)
    coefficients = _carried_over(model, powers)
    coefficients += _smoothed(terms, _CORRECTION_SIGMA * fwhm / 2.3548 * model.oversampling)
    coefficients *= _disc(offsets)
    return PsfModel(
        coefficients.astype(np.float32), degree, model.x_centre, model.y_centre, model.x_scale, model.y_scale,
        int(use.sum()), model.oversampling,
    )  # fmt: skip
