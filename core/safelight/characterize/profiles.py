"""Light in rings around stars: local sky and wings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.neighbours import is_foreign
from safelight.characterize.point_sources import NO_SOURCES, PointSources, add_own
from safelight.characterize.quantiles import clipped_mean
from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage

__all__ = ["RingProfiles", "measure_rings"]


@dataclass(frozen=True, slots=True)
class RingProfiles:
    """Clipped means in rings, arrays of shape (n_sources, n_rings); NaN in empty rings."""

    edges: NDArray[np.float64]  # (n_rings + 1,), pixels
    mean: NDArray[np.float64]  # ADU a pixel
    error: NDArray[np.float64]  # of the mean


@compiled
def _measure_rings(
    image: FloatImage,
    sources: PointSources,
    mask: MaskImage,
    bad: int,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    edges: NDArray[np.float64],
    n_sigma: float,
    mean: NDArray[np.float64],
    error: NDArray[np.float64],
) -> None:
    height, width = image.shape
    n_rings = edges.size - 1
    reach = int(edges[n_rings]) + 1
    values = np.empty((2 * reach + 3) ** 2, np.float32)
    scratch = np.empty(512, np.float32)
    squares = edges * edges
    start = np.empty(n_rings + 1, np.int64)
    for s in range(xs.size):
        add_own(image, sources, first[s], last[s], 1.0)
        left, right = max(0, int(xs[s]) - reach), min(width, int(xs[s]) + reach + 2)
        bottom, top = max(0, int(ys[s]) - reach), min(height, int(ys[s]) + reach + 2)
        # Count, then sort into rings; a single one needs no counting.
        start[:] = 0
        for step in range(1 if n_rings == 1 else 0, 2):
            for y in range(bottom, top):
                dy2 = (y - ys[s]) ** 2
                for x in range(left, right):
                    r2 = (x - xs[s]) ** 2 + dy2
                    if r2 < squares[0] or r2 >= squares[n_rings]:
                        continue
                    if (mask[y, x] & bad) != 0 or is_foreign(labels, y, x, first[s], last[s]):
                        continue
                    k = 0
                    while r2 >= squares[k + 1]:
                        k += 1
                    if step == 0:
                        start[k + 1] += 1
                    else:
                        values[start[k]] = image[y, x]
                        start[k] += 1
            if step == 0:
                for k in range(n_rings):
                    start[k + 1] += start[k]
        begin = 0
        for k in range(n_rings):
            n = start[k] - begin
            m, sigma, kept = clipped_mean(values[begin : start[k]], n, n_sigma, 5, scratch)
            mean[s, k] = m
            error[s, k] = sigma / np.sqrt(max(kept - 1, 1)) if kept > 1 else np.nan
            begin = start[k]
        add_own(image, sources, first[s], last[s], -1.0)


def measure_rings(
    image: FloatImage,
    mask: MaskImage,
    bad: int,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    edges: NDArray[np.float64],
    n_sigma: float = 3.0,
    sources: PointSources = NO_SOURCES,
) -> RingProfiles:
    """Clipped means in rings with `edges` (pixels) around (x, y), without foreign pixels and those with a `bad` bit.

    Parameters are as in `safelight.characterize.psf_photometry.psf_photometry`.
    """
    mean = np.empty((len(x), len(edges) - 1))
    error = np.empty_like(mean)
    _measure_rings(
        image, sources, mask, bad, labels, first, last, x, y, np.asarray(edges, dtype=np.float64), n_sigma, mean, error
    )
    return RingProfiles(edges, mean, error)
