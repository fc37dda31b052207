"""Star fields with known truth, drawn independently of the code under test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from safelight.exposure import Exposure

#: Gauss-Legendre nodes and weights on one pixel: the light of a pixel is an integral, not a sample.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
_NODES, _WEIGHTS = _NODES / 2, _WEIGHTS / 2


@dataclass
class StarField:
    """A simulated frame: the exposure and what went into it."""

    exposure: Exposure
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    flux: NDArray[np.float64]  # ADU, total to infinity
    is_star: NDArray[np.bool_]
    cosmic_rays: NDArray[np.bool_]  # [y, x]
    sky: NDArray[np.float64]  # [y, x], ADU
    noiseless: NDArray[np.float64] = field(repr=False)  # [y, x], ADU, with sky, before cosmic rays


def moffat_pixels(
    dx: NDArray[np.float64], dy: NDArray[np.float64], fwhm: float, beta: float, e1: float = 0.0, e2: float = 0.0
) -> NDArray[np.float64]:
    """Fraction of a Moffat source's light in the pixels at offsets (dx, dy), integrated over each pixel."""
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    norm = (beta - 1) / (np.pi * alpha**2)
    total = np.zeros(np.broadcast(dx, dy).shape)
    shear = np.sqrt(1 - e1**2 - e2**2)
    for node_y, weight_y in zip(_NODES, _WEIGHTS, strict=True):
        for node_x, weight_x in zip(_NODES, _WEIGHTS, strict=True):
            u, v = dx + node_x, dy + node_y
            r2 = ((1 - e1) * u**2 + (1 + e1) * v**2 - 2 * e2 * u * v) / shear
            total += weight_x * weight_y * norm * (1 + r2 / alpha**2) ** -beta
    return total


def _paint(image: NDArray[np.float64], x: float, y: float, flux: float, **shape: float) -> None:
    """Add one source out to where it falls below 0.003 ADU a pixel."""
    beta, fwhm = shape["beta"], shape["fwhm"]
    alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
    peak = flux * (beta - 1) / (np.pi * alpha**2)
    radius = int(np.clip(alpha * (max(peak, 1e-9) / 0.003) ** (0.5 / beta), 8, 400))
    height, width = image.shape
    x0, x1 = max(0, int(x) - radius), min(width, int(x) + radius + 1)
    y0, y1 = max(0, int(y) - radius), min(height, int(y) + radius + 1)
    if x0 >= x1 or y0 >= y1:
        return
    dx = np.arange(x0, x1)[None, :] - x
    dy = np.arange(y0, y1)[:, None] - y
    core = np.hypot(dx, dy) < 3 * fwhm + 3
    full = np.zeros(core.shape)
    rows, cols = np.nonzero(core)
    full[core] = moffat_pixels(dx[0, cols], dy[rows, 0], **shape)
    # Far from the core the profile is straight inside a pixel: its middle is its mean.
    e1, e2 = shape.get("e1", 0.0), shape.get("e2", 0.0)
    r2 = ((1 - e1) * dx**2 + (1 + e1) * dy**2 - 2 * e2 * dx * dy) / np.sqrt(1 - e1**2 - e2**2)
    full[~core] = ((beta - 1) / (np.pi * alpha**2) * (1 + r2 / alpha**2) ** -beta)[~core]
    image[y0:y1, x0:x1] += flux * full


def _cosmic_rays(
    rng: np.random.Generator, shape: tuple[int, int], number: int
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Straight tracks of 1 to 30 pixels; the light of each, and where it lies."""
    light = np.zeros(shape)
    for _ in range(number):
        length = min(1 + rng.exponential(5.0), 30.0)
        angle, energy = rng.uniform(0, np.pi), rng.uniform(60, 600)
        x, y = rng.uniform(3, shape[1] - 4), rng.uniform(3, shape[0] - 4)
        for t in np.arange(0, length, 0.2):
            column, row = int(x + t * np.cos(angle) + 0.5), int(y + t * np.sin(angle) + 0.5)
            if 0 <= column < shape[1] and 0 <= row < shape[0]:
                light[row, column] += 0.2 * energy
    return light, light > 25.0


def make_star_field(
    shape: tuple[int, int] = (600, 500),
    *,
    n_stars: int = 120,
    n_galaxies: int = 0,
    n_cosmic_rays: int = 0,
    fwhm: float = 4.0,
    beta: float = 3.0,
    variation: float = 0.03,
    ellipticity: float = 0.03,
    flux_range: tuple[float, float] = (300.0, 3e5),
    slope: float = 0.6,
    sky: float = 180.0,
    gradient: float = 0.0,
    gain: float = 3.4,
    read_noise: float = 4.3,
    saturation: float = np.inf,
    positions: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None,
    seed: int = 1,
) -> StarField:
    """A frame with noise of `gain` e-/ADU and `read_noise` e-; fluxes follow N(>F) ~ F**-slope."""
    rng = np.random.default_rng(seed)
    height, width = shape
    n = n_stars + n_galaxies
    if positions is None:
        x, y = rng.uniform(-0.5, width - 0.5, n), rng.uniform(-0.5, height - 0.5, n)
    else:
        x, y = positions
    low, high = flux_range
    q = rng.uniform(size=n)
    flux = (low**-slope + q * (high**-slope - low**-slope)) ** (-1 / slope)
    is_star = np.arange(n) < n_stars
    sky_image = np.full(shape, sky) + gradient * np.linspace(-0.5, 0.5, width)
    image = sky_image.copy()
    for k in range(n):
        u, v = 2 * x[k] / width - 1, 2 * y[k] / height - 1
        size = fwhm * (1 + variation * (u * v + 0.5 * u))
        e1, e2 = ellipticity * u, ellipticity * v
        if not is_star[k]:
            size = np.hypot(size, rng.uniform(0.7, 2.0) * fwhm)
            e1, e2 = rng.normal(0, 0.2, 2).clip(-0.45, 0.45)
        _paint(image, x[k], y[k], flux[k], fwhm=float(size), beta=beta, e1=float(e1), e2=float(e2))
    rays, where = _cosmic_rays(rng, shape, n_cosmic_rays)
    electrons = rng.poisson(np.maximum(image, 0) * gain) + rng.normal(0, read_noise, shape)
    observed = (electrons / gain + rays).astype(np.float32)
    mask = np.zeros(shape, dtype=np.int32)
    exposure = Exposure(observed, mask, np.empty(shape, dtype=np.float32), gains=(gain,))
    saturated = observed >= saturation
    mask[saturated] |= exposure.planes.bits("SAT")
    observed[saturated] = saturation
    exposure.variance[:] = np.maximum(observed, 1.0) / gain + (read_noise / gain) ** 2
    return StarField(exposure, x, y, flux, is_star, where, sky_image, image)


@pytest.fixture(scope="session")
def star_field() -> Callable[..., StarField]:
    """The maker of star fields; see `make_star_field`."""
    return make_star_field
