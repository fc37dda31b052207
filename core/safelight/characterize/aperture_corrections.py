"""Aperture corrections: factors to the total flux, from the growth of bright stars and the run of their wings.

Unlike LSST's, which bring every flux to a 12-pixel aperture, these bring it to the light of the whole star. A Moffat
wing with beta = 2.5 leaves 10 % outside 12 pixels in 7-pixel seeing, so a zeropoint made with a fixed aperture moves
with the seeing.

In two steps: over the CCD, every flux is compared with that of a reference aperture (2.5 FWHM) of the same stars;
and once per CCD the light outside that aperture is taken from a wing fitted to the mean profile of the stars, together
with the share of it that the annulus of the local sky has swallowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import MeasureApCorrConfig
from safelight.characterize.profiles import RingProfiles
from safelight.exposure import ApertureCorrections, CorrectionField

__all__ = ["Growth", "StarFlux", "annulus_edges", "fit_corrections", "fit_growth", "reference_radius"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StarFlux:
    """One kind of flux of the stars, arrays of shape (n,)."""

    flux: FloatArray  # ADU
    error: FloatArray
    area: FloatArray | float  # pixels' worth of a constant sky that it contains


@dataclass(frozen=True, slots=True)
class Growth:
    """The light outside the reference aperture."""

    radius: float  # of the reference aperture, pixels
    factor: float  # total light over that in the aperture, local sky taken off
    error: float  # of the factor, from the scatter of the profile about the wing
    beta: float  # of the fitted wing; the light outside r falls as r**(2 - 2 beta)
    n_stars: int


def reference_radius(fwhm: float, radii: tuple[float, ...], config: MeasureApCorrConfig) -> float:
    """The smallest of `radii` (pixels) of at least `referenceRadius` FWHM and 6 pixels; the largest if none is."""
    wanted = max(config.referenceRadius * fwhm, 6.0)
    return next((r for r in radii if r >= wanted), radii[-1])


def annulus_edges(fwhm: float, radius: float) -> FloatArray:
    """Ring edges in pixels: eight from the core's foot outward, the last ring being the local sky's annulus."""
    inner = float(np.clip(6.0 * fwhm, radius + 4.0, 45.0))
    rings = np.geomspace(max(1.25 * fwhm, 2.0), inner, 9)
    return np.asarray(np.append(rings, inner + max(10.0, 2.0 * fwhm)), dtype=np.float64)


def fit_growth(rings: RingProfiles, aperture: StarFlux, radius: float) -> tuple[Growth, FloatArray, FloatArray]:
    """Fit the wing of the stars' mean profile.

    Parameters
    ----------
    rings : RingProfiles
        Of n stars; the last ring is the annulus of the local sky.
    aperture : StarFlux
        Of the same stars within `radius` pixels.

    Returns
    -------
    growth : Growth
    sky : (n,) ADU a pixel, the local sky, the star's own wing taken off
    light : (n,) ADU, light in the aperture above that sky
    """
    annulus, area = rings.mean[:, -1], np.pi * radius**2
    light = aperture.flux - annulus * area
    # a ring with one usable pixel has a mean and no error
    complete = np.isfinite(rings.mean).all(axis=1) & np.isfinite(rings.error).all(axis=1)
    good = complete & np.isfinite(light) & (light > 0)
    if not good.any():
        return Growth(radius, 1.0, np.nan, np.nan, 0), np.zeros(len(light)), aperture.flux
    profile = (rings.mean[good, :-1] - annulus[good, None]) / light[good, None]
    noise = np.hypot(rings.error[good, :-1], rings.error[good, -1:]) / light[good, None]
    mean, error = _combine(profile, np.maximum(noise, 1e-12))
    wing = _fit_wing(rings.edges, mean, error)
    swallowed = wing.mean_between(rings.edges[-2], rings.edges[-1])  # per pixel, of the light above the annulus
    sky = np.where(np.isfinite(annulus), annulus, 0.0) - np.where(good, swallowed * light, 0.0)
    # Light above the sky itself is this much more than light above the annulus.
    inside = 1.0 + swallowed * area
    beyond = wing.outside(radius) / inside
    growth = Growth(radius, float(1.0 + beyond), float(wing.error * beyond), wing.beta, int(good.sum()))
    return growth, sky, aperture.flux - sky * area


@dataclass(frozen=True, slots=True)
class _Wing:
    """A Moffat profile ``amplitude (1 + r²/alpha²)^-beta`` per pixel, relative to the reference aperture's light."""

    amplitude: float
    alpha: float
    beta: float
    error: float  # relative

    def outside(self, radius: float) -> float:
        """Light beyond `radius`."""
        total = self.amplitude * np.pi * self.alpha**2 / (self.beta - 1)
        return float(total * (1 + (radius / self.alpha) ** 2) ** (1 - self.beta))

    def mean_between(self, inner: float, outer: float) -> float:
        """Mean per pixel of a ring."""
        return (self.outside(inner) - self.outside(outer)) / (np.pi * (outer**2 - inner**2))


def _combine(profile: FloatArray, noise: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted mean over stars (axis 0) without those that stand out, and its error."""
    weight = 1.0 / (noise**2 + (0.02 * np.abs(np.median(profile, axis=0))) ** 2)
    middle = np.median(profile, axis=0)
    keep = np.ones(profile.shape, dtype=np.bool_)
    for _ in range(3):
        deviation = np.abs(profile - middle) * np.sqrt(weight)
        scale = np.maximum(1.4826 * np.median(deviation, axis=0), 1.0)
        keep = deviation < 3.0 * scale
        middle = (profile * weight * keep).sum(axis=0) / np.maximum((weight * keep).sum(axis=0), 1e-300)
    total = np.maximum((weight * keep).sum(axis=0), 1e-300)
    spread = (weight * keep * (profile - middle) ** 2).sum(axis=0) / np.maximum(keep.sum(axis=0) - 1, 1)
    return middle, np.sqrt(np.maximum(spread, 1.0) / total)


def _fit_wing(edges: FloatArray, mean: FloatArray, error: FloatArray) -> _Wing:
    """Fit a Moffat profile, less its own mean in the annulus, to ring means."""
    from scipy.optimize import least_squares

    # The profile of real stars is a Moffat's only to a per cent or so.
    sigma = np.hypot(error, 0.01 * np.abs(mean))
    inner, outer = edges[:-2], edges[1:-1]

    def shape(alpha: float, beta: float) -> FloatArray:
        unit = _Wing(1.0, alpha, beta, 0.0)
        rings = np.array([unit.mean_between(a, b) for a, b in zip(inner, outer, strict=True)])
        return rings - unit.mean_between(edges[-2], edges[-1])

    def amplitude(model: FloatArray) -> float:
        return max(float((model * mean / sigma**2).sum() / (model * model / sigma**2).sum()), 0.0)

    def residuals(parameters: FloatArray) -> FloatArray:
        model = shape(float(np.exp(parameters[0])), float(parameters[1]))
        # A weak prior on the exponent decides where the wing is lost in the noise.
        return np.append((mean - amplitude(model) * model) / sigma, (parameters[1] - 3.0) / 1.0)

    start = np.array([np.log(edges[0]), 3.0])
    bounds = ([np.log(0.2 * edges[0]), 1.6], [np.log(4.0 * edges[0]), 8.0])
    solution = least_squares(residuals, start, bounds=bounds, x_scale=[0.1, 0.3], max_nfev=60)
    alpha, beta = float(np.exp(solution.x[0])), float(solution.x[1])
    model = shape(alpha, beta)
    peak = amplitude(model)
    # Error of the extrapolated light: the fit's covariance through a numerical derivative.
    covariance = np.linalg.pinv(solution.jac.T @ solution.jac)
    outside = []
    for k, step in ((0, 0.01), (1, 0.02)):
        moved = solution.x.copy()
        moved[k] += step
        other = shape(float(np.exp(moved[0])), float(moved[1]))
        wing = _Wing(amplitude(other), float(np.exp(moved[0])), float(moved[1]), 0.0)
        outside.append((wing.outside(edges[-3]) - _Wing(peak, alpha, beta, 0.0).outside(edges[-3])) / step)
    gradient = np.array(outside)
    light = max(_Wing(peak, alpha, beta, 0.0).outside(edges[-3]), 1e-12)
    error_of_light = float(np.sqrt(max(gradient @ covariance @ gradient, 0.0)))
    return _Wing(peak, alpha, beta, min(error_of_light / light, 1.0))


def fit_corrections(
    fluxes: Mapping[str, StarFlux],
    x: FloatArray,
    y: FloatArray,
    sky: FloatArray,
    total: FloatArray,
    total_error: FloatArray,
    shape: tuple[int, int],
    config: MeasureApCorrConfig,
    *,
    common_error: float = 0.0,
) -> ApertureCorrections:
    """Fields of total over each of `fluxes`, Chebyshev polynomials over a frame of (height, width) `shape`.

    Parameters
    ----------
    fluxes : name -> StarFlux of n stars
    x, y, sky, total, total_error : (n,)
        Positions (pixels), local sky (ADU a pixel), total flux and its error (ADU).
    common_error : float
        Relative error that all of `total` have in common.

    Notes
    -----
    The degree is lowered until there are five stars a coefficient; names without one usable star are left out.
    """
    fields = {}
    for name, kind in fluxes.items():
        flux = kind.flux - sky * kind.area
        good = np.isfinite(flux) & np.isfinite(total) & (flux > 0) & (total > 0) & np.isfinite(kind.error)
        if not good.any():
            continue
        ratio = total[good] / flux[good]
        # Both fluxes contain the same photons: only the noise of the larger aperture counts.
        relative = np.maximum(total_error[good], kind.error[good]) / total[good]
        field = _fit_field(x[good], y[good], ratio, relative, shape, config)
        fields[name] = replace(field, common_error=common_error)
    return ApertureCorrections(fields)


def _fit_field(
    x: FloatArray, y: FloatArray, ratio: FloatArray, relative: FloatArray, shape: tuple[int, int],
    config: MeasureApCorrConfig,
) -> CorrectionField:  # fmt: skip
    height, width = shape
    u, v = 2 * (x + 0.5) / width - 1, 2 * (y + 0.5) / height - 1
    weight = 1.0 / (relative**2 + 0.003**2)
    order = config.order
    while order > 0 and (order + 1) * (order + 2) // 2 * 5 > len(ratio):
        order -= 1
    # Begin from the weighted middle, so that one blended star cannot tilt the first fit.
    middle = float(np.median(ratio))
    scatter = max(1.4826 * float(np.median(np.abs(ratio - middle))), 1e-4)
    keep = np.abs(ratio - middle) < max(2 * config.numSigmaClip * scatter, 0.02)
    powers = [(i, j) for i in range(order + 1) for j in range(order + 1 - i)]  # (degree in y, degree in x)
    design = np.column_stack([_chebyshev(v, i) * _chebyshev(u, j) for i, j in powers])
    solution = np.zeros(len(powers))
    solution[0] = middle
    rms = scatter
    for _ in range(config.numIter):
        if keep.sum() < len(powers):
            break
        root = np.sqrt(weight[keep])
        solution[:] = np.linalg.lstsq(design[keep] * root[:, None], ratio[keep] * root, rcond=None)[0]
        residual = ratio - design @ solution
        pull = np.abs(residual) * np.sqrt(weight)
        limit = config.numSigmaClip * max(1.4826 * float(np.median(pull[keep])), 1e-3)
        rms = float(np.sqrt((weight[keep] * residual[keep] ** 2).sum() / weight[keep].sum()))
        keep = pull < limit
    coefficients = np.zeros((order + 1, order + 1))
    for (i, j), value in zip(powers, solution, strict=True):
        coefficients[i, j] = value
    return CorrectionField(coefficients, width, height, rms / max(abs(middle), 1e-9), int(keep.sum()))


def _chebyshev(t: FloatArray, degree: int) -> FloatArray:
    return np.asarray(np.cos(degree * np.arccos(np.clip(t, -1.0, 1.0))), dtype=np.float64)
