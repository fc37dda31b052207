"""The sky: clipped means over a mesh of cells, and a spline through them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import BackgroundConfig
from safelight.characterize.quantiles import clipped_mean, order_statistic
from safelight.compiled import compiled
from safelight.errors import ProcessingError
from safelight.exposure import BackgroundModel, Exposure, FloatImage, MaskImage

__all__ = ["IGNORED_PLANES", "CellStatistics", "cell_statistics", "estimate_background", "variance_at"]

#: Planes whose pixels say nothing about the sky. Gen2 leaves SAT and CR in; both are wrong by construction.
IGNORED_PLANES = ("BAD", "SAT", "CR", "EDGE", "DETECTED", "DETECTED_NEGATIVE", "NO_DATA", "UNMASKEDNAN")


@dataclass(frozen=True, slots=True)
class CellStatistics:
    """Clipped statistics of each mesh cell, arrays of shape (n_y, n_x)."""

    mean: NDArray[np.float64]
    mode: NDArray[np.float64]  # the mean again where it was not wanted
    sigma: NDArray[np.float64]
    fraction: NDArray[np.float64]  # share of the cell's pixels that were kept
    y_edges: NDArray[np.int64]  # (n_y + 1,)
    x_edges: NDArray[np.int64]

    @property
    def y_centres(self) -> NDArray[np.float64]:
        """Middle rows of the cells."""
        return np.asarray((self.y_edges[:-1] + self.y_edges[1:] - 1) / 2.0, dtype=np.float64)

    @property
    def x_centres(self) -> NDArray[np.float64]:
        """Middle columns of the cells."""
        return np.asarray((self.x_edges[:-1] + self.x_edges[1:] - 1) / 2.0, dtype=np.float64)


@compiled
def _measure_cells(
    plane: FloatImage,
    mask: MaskImage,
    ignore: int,
    y_edges: NDArray[np.int64],
    x_edges: NDArray[np.int64],
    n_sigma: float,
    n_iterations: int,
    want_mode: bool,
    result: NDArray[np.float64],
) -> None:
    """Fill `result` (4, n_y, n_x): clipped mean, mode, scatter, kept count."""
    largest = np.max(np.diff(y_edges)) * np.max(np.diff(x_edges))
    values = np.empty(largest + 1, np.float32)
    scratch = np.empty(largest, np.float32)
    for j in range(y_edges.size - 1):
        for i in range(x_edges.size - 1):
            n = 0
            for y in range(y_edges[j], y_edges[j + 1]):
                for x in range(x_edges[i], x_edges[i + 1]):
                    # Written always, counted when wanted: no branch to predict.
                    values[n] = plane[y, x]
                    n += int((mask[y, x] & ignore) == 0)
            mean, sigma, kept = clipped_mean(values, n, n_sigma, n_iterations, scratch)
            result[0, j, i] = mean
            result[1, j, i] = mean
            result[2, j, i] = sigma
            result[3, j, i] = kept
            # Sources pull the mean up more than the median; their difference tells where the sky's own peak lies.
            if want_mode and n > 0 and sigma > 0:
                m = 0
                for k in range(0, n, max(1, n // 4096)):
                    if abs(values[k] - mean) <= n_sigma * sigma:
                        scratch[m] = values[k]
                        m += 1
                if m > 0:
                    median = order_statistic(scratch, m, m // 2)
                    skewed = abs(mean - median) > 0.3 * sigma
                    result[1, j, i] = median if skewed else 2.5 * median - 1.5 * mean


def cell_statistics(
    plane: FloatImage, mask: MaskImage, ignore: int, config: BackgroundConfig, *, want_mode: bool = False
) -> CellStatistics:
    """Clipped statistics of `plane` (finite) in cells of nearly equal size, without pixels with a bit of `ignore`."""
    height, width = plane.shape
    y_edges = _edges(height, config.binSize)
    x_edges = _edges(width, config.binSize)
    result = np.empty((4, len(y_edges) - 1, len(x_edges) - 1))
    _measure_cells(plane, mask, ignore, y_edges, x_edges, config.nSigmaClip, config.nIter, want_mode, result)
    area = np.outer(np.diff(y_edges), np.diff(x_edges))
    # The scatter inside +-k sigma of a Gaussian is smaller than sigma.
    k = config.nSigmaClip
    narrowed = np.sqrt(max(1 - k * np.sqrt(2 / np.pi) * np.exp(-k * k / 2) / _gaussian_content(k), 0.05))
    return CellStatistics(result[0], result[1], result[2] / narrowed, result[3] / area, y_edges, x_edges)


def estimate_background(exposure: Exposure, config: BackgroundConfig, *, crowded: bool) -> BackgroundModel:
    """The sky under `exposure`, which is left as it is.

    Parameters
    ----------
    exposure : Exposure
        Pixels in `IGNORED_PLANES` are left out.
    config : BackgroundConfig
    crowded : bool
        Sources are not masked yet: take each cell's mode instead of its mean, and replace cells that stand out of
        their neighbours.

    Raises
    ------
    ProcessingError
        ``NO_USABLE_PIXELS`` when not one cell has enough of them.
    """
    ignore = exposure.planes.bits(*(name for name in IGNORED_PLANES if name in exposure.planes))
    cells = cell_statistics(exposure.image, exposure.mask, ignore, config, want_mode=crowded)
    levels = (cells.mode if crowded else cells.mean).copy()
    rms = cells.sigma.copy()
    unusable = (cells.fraction < config.minFractionOfPixels) | ~np.isfinite(levels)
    if unusable.all():
        raise ProcessingError(
            "NO_USABLE_PIXELS",
            f"No part of the frame has {config.minFractionOfPixels:.0%} of usable pixels to measure the sky in.",
            "Look at the raw frame and its mask: is it saturated, empty or all bad?",
        )
    levels[unusable] = rms[unusable] = np.nan
    if crowded:
        levels[_outlying(levels, rms)] = np.nan
    return BackgroundModel(_filled(levels).astype(np.float32), rms.astype(np.float32), cells.y_centres, cells.x_centres)


def variance_at(cells: CellStatistics, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sky variance (ADU²) at positions (n,): the clipped mean of the cell that each lies in."""
    filled = _filled(cells.mean.copy())
    row = np.clip(np.searchsorted(cells.y_edges, y, side="right") - 1, 0, filled.shape[0] - 1)
    column = np.clip(np.searchsorted(cells.x_edges, x, side="right") - 1, 0, filled.shape[1] - 1)
    return np.asarray(filled[row, column], dtype=np.float64)


def _edges(length: int, bin_size: int) -> NDArray[np.int64]:
    """Edges of cells of nearly equal size, the nearest number to `bin_size` pixels each."""
    n = max(1, round(length / bin_size))
    return np.round(np.linspace(0, length, n + 1)).astype(np.int64)


def _gaussian_content(k: float) -> float:
    from math import erf, sqrt

    return erf(k / sqrt(2))


def _neighbourhood(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """The 3x3 surroundings of every cell, shape (9, n_y, n_x), NaN beyond the border."""
    padded = np.pad(levels, 1, constant_values=np.nan)
    height, width = levels.shape
    return np.stack([padded[j : j + height, i : i + width] for j in range(3) for i in range(3)])


def _outlying(levels: NDArray[np.float64], rms: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Cells whose level a bright source or a dead corner has carried away from the cells around."""
    around = _neighbourhood(levels)
    present = np.isfinite(around).sum(axis=0)
    middle = np.where(present >= 4, _nanmedian(around), levels)
    return np.isfinite(levels) & (np.abs(levels - middle) > 0.5 * np.where(np.isfinite(rms), rms, 0.0))


def _filled(levels: NDArray[np.float64]) -> NDArray[np.float64]:
    """`levels` with its gaps filled from the cells around, rim by rim."""
    while np.isnan(levels).any():
        around = _neighbourhood(levels)
        present = np.isfinite(around)
        mean = np.where(present, around, 0.0).sum(axis=0) / np.maximum(present.sum(axis=0), 1)
        gaps = np.isnan(levels) & present.any(axis=0)
        levels[gaps] = mean[gaps]
    return levels


def _nanmedian(stack: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median along the first axis; NaN (without a warning) where all are."""
    ordered = np.sort(stack, axis=0)  # NaN sorts last
    count = np.isfinite(stack).sum(axis=0)
    low = np.maximum((count - 1) // 2, 0)[None]
    high = (np.maximum(count, 1) // 2)[None]
    high = np.minimum(high, np.maximum(count - 1, 0)[None])
    pair = (np.take_along_axis(ordered, low, 0) + np.take_along_axis(ordered, high, 0)) / 2
    return np.asarray(pair[0], dtype=np.float64)
