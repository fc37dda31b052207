"""Point sources that have been taken off an image, and putting one's own light back while it is measured."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.rendering import N_TAPS, local_grid, psf_norms, render, scaled_position
from safelight.compiled import compiled
from safelight.exposure import FloatImage, PsfModel

__all__ = ["NO_SOURCES", "PointSources", "add_own", "add_source", "render_sources", "take_off"]


class PointSources(NamedTuple):
    """n fluxes, and the PSF of each on a square of its own size."""

    column: NDArray[np.int64]  # (n,) pixel in the middle of each square
    row: NDArray[np.int64]
    half: NDArray[np.int64]  # a square has 2 half + 1 pixels a side
    start: NDArray[np.int64]  # of each square in `pixels`
    pixels: NDArray[np.float32]  # flat, row by row
    flux: NDArray[np.float64]  # ADU
    of_label: NDArray[np.int64]  # (n_labels + 1,) source of each label of the detections, -1 for none; or empty


_NONE = np.empty(0, dtype=np.int64)
#: Of an image that nothing has been taken off.
NO_SOURCES = PointSources(_NONE, _NONE, _NONE, _NONE, np.empty(0, dtype=np.float32), np.empty(0), _NONE)


@compiled
def add_source(image: FloatImage, sources: PointSources, s: int, flux: float) -> None:
    """Add the PSF of source `s` times `flux` to `image`."""
    height, width = image.shape
    column, row, half = sources.column[s], sources.row[s], sources.half[s]
    n = 2 * half + 1
    amount = np.float32(flux)
    for j in range(max(0, half - row), min(n, height - row + half)):
        line = sources.start[s] + j * n
        for i in range(max(0, half - column), min(n, width - column + half)):
            image[row + j - half, column + i - half] += amount * sources.pixels[line + i]


@compiled
def add_own(image: FloatImage, sources: PointSources, first: int, last: int, sign: float) -> None:
    """Put back (`sign` 1) or take off (-1) what has been taken off of the labels first … last."""
    if sources.flux.size == 0:
        return
    for label in range(first, last + 1):
        s = sources.of_label[label]
        if s >= 0:
            add_source(image, sources, s, sign * sources.flux[s])


@compiled
def take_off(image: FloatImage, sources: PointSources) -> None:
    """Subtract all sources from `image`."""
    for s in range(sources.flux.size):
        add_source(image, sources, s, -sources.flux[s])


@compiled
def _render_all(
    sources: PointSources,
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    u: NDArray[np.float64],
    v: NDArray[np.float64],
    coefficients: NDArray[np.float32],
    degree: int,
    norms: NDArray[np.float64],
    oversampling: int,
) -> None:
    size = coefficients.shape[1]
    largest = 2 * np.max(sources.half) + 1
    grid = np.zeros((size, size))
    strip = np.zeros((2, size, max(size, largest)))
    profile = np.zeros((3, largest, largest))
    for s in range(xs.size):
        half = sources.half[s]
        local_grid(coefficients, degree, u[s], v[s], norms, oversampling * (half + 1) + N_TAPS, grid)
        render(grid, oversampling, xs[s] - sources.column[s], ys[s] - sources.row[s], half, strip, profile)
        n = 2 * half + 1
        for j in range(n):
            for i in range(n):
                sources.pixels[sources.start[s] + j * n + i] = profile[0, j, i]


def render_sources(
    psf: PsfModel,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    half: NDArray[np.int64],
    of_label: NDArray[np.int64],
) -> PointSources:
    """Sources of `flux` at (x, y), each drawn out to `half` pixels; arrays (n,), at least one."""
    area = (2 * half + 1) ** 2
    column, row = np.floor(x + 0.5).astype(np.int64), np.floor(y + 0.5).astype(np.int64)
    pixels = np.empty(int(area.sum()), dtype=np.float32)
    sources = PointSources(column, row, half, np.cumsum(area) - area, pixels, flux.copy(), of_label)
    u, v = scaled_position(psf, x, y)
    _render_all(sources, x, y, u, v, psf.coefficients, psf.degree, psf_norms(psf), psf.oversampling)
    return sources
