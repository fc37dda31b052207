"""Cosmic rays: straight muon tracks and the curling tracks of low-energy electrons.

Charge in electrons a pixel; 15 µm pixels of 200 µm thick silicon, in which a muon frees about 80 electrons a µm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CosmicRays", "cosmic_rays"]

_THICKNESS_UM, _PIXEL_UM = 200.0, 15.0
_ELECTRONS_PER_UM = 80.0
_DIFFUSION_PIXELS = 0.35
_STEP_PIXELS = 0.1

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CosmicRays:
    """Pixels that were hit, each once, and the electrons left in them."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]
    electrons: NDArray[np.float32]

    def add_to(self, image: NDArray[np.float32]) -> None:
        """Add the charge to an image of electrons, in place."""
        image[self.y, self.x] += self.electrons


def cosmic_rays(rng: np.random.Generator, width: int, height: int, seconds: float, rate: float) -> CosmicRays:
    """The hits on a CCD of width x height pixels in `seconds` at `rate` hits per cm² and minute."""
    area_cm2 = width * height * (_PIXEL_UM * 1e-4) ** 2
    hits = rng.poisson(rate * area_cm2 * seconds / 60.0)
    charge = np.zeros(0)
    place = np.zeros(0, dtype=np.int64)
    for _ in range(hits):
        x, y, electrons = _muon(rng) if rng.uniform() < 0.5 else _electron_track(rng)
        column = np.floor(x + rng.uniform(0, width) + 0.5).astype(np.int64)
        row = np.floor(y + rng.uniform(0, height) + 0.5).astype(np.int64)
        inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        place = np.append(place, row[inside] * width + column[inside])
        charge = np.append(charge, electrons[inside])
    pixels, inverse = np.unique(place, return_inverse=True)
    total = np.bincount(inverse, weights=charge, minlength=len(pixels))
    kept = total >= 1.0
    return CosmicRays(pixels[kept] % width, pixels[kept] // width, np.rint(total[kept]).astype(np.float32))


def _muon(rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A straight track through the silicon: points (pixels from the entry) and their electrons."""
    cos_zenith = max(rng.uniform() ** (1.0 / 3.0), 0.05)  # cos² law on a horizontal surface
    length = _THICKNESS_UM / _PIXEL_UM * np.sqrt(1.0 / cos_zenith**2 - 1.0)
    direction = rng.uniform(0.0, 2.0 * np.pi)
    points = int(length / _STEP_PIXELS) + 20
    along = np.linspace(0.0, length, points)
    total = _ELECTRONS_PER_UM * _THICKNESS_UM / cos_zenith * rng.lognormal(0.0, 0.2)
    electrons = rng.gamma(2.0, 0.5, points) * total / points
    return _diffused(rng, along * np.cos(direction), along * np.sin(direction), electrons)


def _electron_track(rng: np.random.Generator) -> tuple[FloatArray, FloatArray, FloatArray]:
    """A scattered electron's random walk, losing more and more of its energy towards the end."""
    length = rng.exponential(6.0) + 0.5
    points = int(length / _STEP_PIXELS) + 10
    turn = rng.uniform(0.0, 2.0 * np.pi) + np.cumsum(0.12 * rng.standard_normal(points))
    x, y = np.cumsum(np.cos(turn)) * length / points, np.cumsum(np.sin(turn)) * length / points
    total = rng.lognormal(np.log(1500.0), 0.9) * np.sqrt(1.0 + length)
    rising = 1.0 + 2.0 * np.linspace(0.0, 1.0, points) ** 2
    return _diffused(rng, x, y, total * rising / rising.sum())


def _diffused(
    rng: np.random.Generator, x: FloatArray, y: FloatArray, electrons: FloatArray, copies: int = 6
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Each point split into `copies` that have drifted sideways on their way to the surface."""
    x, y, electrons = (np.repeat(a, copies) for a in (x, y, electrons / copies))
    return (
        x + _DIFFUSION_PIXELS * rng.standard_normal(len(x)),
        y + _DIFFUSION_PIXELS * rng.standard_normal(len(y)),
        electrons,
    )
