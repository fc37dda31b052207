"""Galaxies, photon by photon: exponential and de Vaucouleurs profiles through the PSF.

Each detected photon gets a random place in the galaxy's profile plus a random place in the PSF: the convolution is
exact, and so is its Poisson noise.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.simulate.streams import kernel_state, next_uniform

__all__ = ["shoot_galaxies"]

FloatArray = NDArray[np.float64]

#: Sérsic b_n (half the light within the half-light radius) for n = 1 and n = 4.
_B_EXPONENTIAL, _B_DE_VAUCOULEURS = 1.6783469900166605, 7.669249442500836


def shoot_galaxies(
    electrons: NDArray[np.float32],
    response: NDArray[np.float32],
    rng: np.random.Generator,
    *,
    x: FloatArray,
    y: FloatArray,
    flux_e: FloatArray,
    half_light_pixels: FloatArray,
    axis_ratio: FloatArray,
    angle_rad: FloatArray,
    sersic_index: NDArray[np.int64],
    alpha: FloatArray,
    psf_ellipticity_1: FloatArray,
    psf_ellipticity_2: FloatArray,
    beta: float,
) -> None:
    """Add the detected photons of galaxies to `electrons`, in place.

    Parameters
    ----------
    electrons, response : ndarray of float32, [y, x]
        Electrons of the CCD; relative response of each pixel, the probability of detection.
    rng : Generator
    x, y, flux_e : ndarray
        0-based centres and total electrons at a response of 1.
    half_light_pixels, axis_ratio, angle_rad, sersic_index : ndarray
        Half-light radius of the major axis, b/a, angle of the major axis against +x, Sérsic index 1 or 4.
    alpha, psf_ellipticity_1, psf_ellipticity_2, beta
        The Moffat PSF at each galaxy, as in `safelight.simulate.psf`.
    """
    brightest = float(response.max())
    if brightest <= 0.0 or len(x) == 0:
        return
    photons = rng.poisson(flux_e * brightest)
    ellipticity = np.hypot(psf_ellipticity_1, psf_ellipticity_2)
    psf_squeeze = np.sqrt((1.0 - ellipticity) / (1.0 + ellipticity))
    psf_angle = 0.5 * np.arctan2(psf_ellipticity_2, psf_ellipticity_1)
    _shoot(
        electrons,
        response,
        brightest,
        kernel_state(rng),
        x,
        y,
        photons,
        half_light_pixels,
        axis_ratio,
        np.cos(angle_rad),
        np.sin(angle_rad),
        sersic_index == 4,
        alpha,
        psf_squeeze,
        np.cos(psf_angle),
        np.sin(psf_angle),
        beta,
    )


@compiled
def _sersic_radius(state: NDArray[np.uint64], de_vaucouleurs: bool) -> float:
    """A random radius in units of the half-light radius.

    Light within r is a Gamma(2n) distribution of b (r/re)^(1/n); for integer n its deviate is -log of 2n uniforms.
    """
    product = next_uniform(state) * next_uniform(state)
    if not de_vaucouleurs:
        return float(-np.log(product) / _B_EXPONENTIAL)
    for _ in range(6):
        product *= next_uniform(state)
    return float((-np.log(product) / _B_DE_VAUCOULEURS) ** 4)


@compiled
def _shoot(
    electrons: NDArray[np.float32],
    response: NDArray[np.float32],
    brightest: float,
    state: NDArray[np.uint64],
    x: FloatArray,
    y: FloatArray,
    photons: NDArray[np.int64],
    half_light: FloatArray,
    axis_ratio: FloatArray,
    cos: FloatArray,
    sin: FloatArray,
    de_vaucouleurs: NDArray[np.bool_],
    alpha: FloatArray,
    psf_squeeze: FloatArray,
    psf_cos: FloatArray,
    psf_sin: FloatArray,
    beta: float,
) -> None:
    height, width = electrons.shape
    power = -1.0 / (beta - 1.0)
    for k in range(x.size):
        for _ in range(photons[k]):
            radius = half_light[k] * _sersic_radius(state, de_vaucouleurs[k])
            angle = 2.0 * math.pi * next_uniform(state)
            major, minor = radius * math.cos(angle), axis_ratio[k] * radius * math.sin(angle)
            # Light of a Moffat within r: 1 - (1 + r²/alpha²)^(1 - beta).
            spread = alpha[k] * math.sqrt(next_uniform(state) ** power - 1.0)
            angle = 2.0 * math.pi * next_uniform(state)
            long, short = spread * math.cos(angle) / psf_squeeze[k], spread * math.sin(angle) * psf_squeeze[k]
            px = x[k] + major * cos[k] - minor * sin[k] + long * psf_cos[k] - short * psf_sin[k]
            py = y[k] + major * sin[k] + minor * cos[k] + long * psf_sin[k] + short * psf_cos[k]
            column, row = math.floor(px + 0.5), math.floor(py + 0.5)
            if 0 <= column < width and 0 <= row < height and next_uniform(state) * brightest < response[row, column]:
                electrons[row, column] += 1.0
