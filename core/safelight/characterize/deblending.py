"""Separation of touching sources: a watershed of the smoothed image in which shallow saddles do not count.

Pixels are visited from the brightest down. A pixel without labelled neighbours begins a basin; where two basins meet,
the lower one survives only if its peak stands out of the saddle by more than the noise and holds a fair part of the
light (the contrast of Bertin & Arnouts 1996, applied at the saddle instead of at fixed levels).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import DeblendConfig
from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage

__all__ = ["Blends", "separate"]


@dataclass(frozen=True, slots=True)
class Blends:
    """Peaks ordered by footprint; see `safelight.characterize.detection.Detections`."""

    peaks: NDArray[np.int64]  # flat pixel index of each peak
    family_start: NDArray[np.int64]


@compiled
def _root(parents: NDArray[np.int32], i: int) -> int:
    """Representative of `i` in a union-find forest, halving the path on the way."""
    while parents[i] != i:
        parents[i] = parents[parents[i]]
        i = parents[i]
    return i


@compiled
def _watershed(
    smoothed: NDArray[np.float32],
    variance: NDArray[np.float32],
    mask: NDArray[np.int32],
    saturated: int,
    width: int,
    pixels: NDArray[np.int32],
    labels: NDArray[np.int32],
    depth: float,
    contrast: float,
    min_pixels: int,
    peaks: NDArray[np.int64],
    families: NDArray[np.int32],
) -> int:
    """Label `pixels` (flat indices, brightest first) by basin; return the number of basins kept.

    All planes are flat. `depth` is in units of the square root of the variance. On return ``labels`` holds 1-based
    basins, ``peaks`` the flat index of each basin's peak, ``families`` its footprint.
    """
    n = pixels.size
    basin = np.empty(n, np.int32)
    family = np.empty(n, np.int32)
    peak = np.empty(n, np.int32)
    flux = np.zeros(n, np.float64)
    area = np.zeros(n, np.int32)
    n_basins = 0
    neighbours = np.array([-width - 1, -width, -width + 1, -1, 1, width - 1, width, width + 1])
    for k in range(n):
        index = pixels[k]
        level = smoothed[index]
        home = -1
        highest = np.float32(0.0)
        for offset in neighbours:
            label = labels[index + offset]
            if label <= 0:
                continue
            other = _root(basin, label - 1)
            if home == -1:
                home = other
                highest = smoothed[index + offset]
                continue
            if other != home:
                top, low = home, other
                if smoothed[peak[other]] > smoothed[peak[home]]:
                    top, low = other, home
                family[_root(family, low)] = _root(family, top)
                rise = smoothed[peak[low]] - level
                shallow = (
                    rise < depth * np.sqrt(variance[peak[low]])
                    or area[low] < min_pixels
                    or flux[low] - area[low] * level < contrast * flux[top]
                    or (mask[index] & saturated) != 0
                )
                if shallow:
                    basin[low] = top
                    flux[top] += flux[low]
                    area[top] += area[low]
                    home = top
                    highest = max(highest, smoothed[index + offset])
                    continue
            # The pixel belongs to the basin of its highest neighbour: the way up.
            if smoothed[index + offset] > highest:
                highest = smoothed[index + offset]
                home = other
        if home == -1:
            home = n_basins
            basin[home] = home
            family[home] = home
            peak[home] = index
            n_basins += 1
        labels[index] = home + 1
        flux[home] += level
        area[home] += 1
    # A footprint's basins get consecutive labels, footprints in the order of their brightest peaks.
    members = np.zeros(n_basins, np.int32)
    for b in range(n_basins):
        if basin[b] == b and area[b] >= min_pixels:
            members[_root(family, b)] += 1
    first = np.zeros(n_basins, np.int32)
    total = 0
    for b in range(n_basins):
        if _root(family, b) == b:
            first[b] = total
            total += members[b]
    renamed = np.zeros(n_basins, np.int32)
    for b in range(n_basins):
        if basin[b] == b and area[b] >= min_pixels:
            f = _root(family, b)
            place = first[f]
            first[f] += 1
            renamed[b] = place + 1
            peaks[place] = peak[b]
            families[place] = f
    for k in range(n):
        index = pixels[k]
        labels[index] = renamed[_root(basin, labels[index] - 1)]
    return total


def separate(
    smoothed: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    saturated: int,
    pixels: NDArray[np.int32],
    labels: NDArray[np.int32],
    noise_unit: float,
    min_pixels: int,
    config: DeblendConfig,
) -> Blends:
    """Divide the significant `pixels` (flat indices, none on the frame's border) into footprints and peaks.

    Parameters
    ----------
    smoothed, variance, mask : [y, x]
    saturated : int
        Mask bits; a saddle on such a pixel never separates two sources.
    labels : [y, x], zero everywhere
        Filled with 1-based peak numbers.
    noise_unit : float
        Noise of `smoothed` over the square root of `variance`.
    min_pixels : int
        Peaks with fewer pixels are dropped, or joined to the neighbour they touch.
    """
    values = smoothed.reshape(-1)[pixels]
    order = np.argsort(-values)
    ranked = np.ascontiguousarray(pixels[order])
    peaks = np.empty(len(pixels), dtype=np.int64)
    families = np.empty(len(pixels), dtype=np.int32)
    depth = config.minSaddleDepth * noise_unit if config.doDeblend else np.inf
    n = _watershed(
        smoothed.reshape(-1),
        variance.reshape(-1),
        mask.reshape(-1),
        saturated,
        smoothed.shape[1],
        ranked,
        labels.reshape(-1),
        depth,
        config.minContrast,
        min_pixels,
        peaks,
        families,
    )
    changes = np.flatnonzero(np.diff(families[:n])) + 1
    start = np.concatenate([[0], changes, [n]]) if n else np.zeros(1)
    return Blends(peaks[:n].copy(), start.astype(np.int64))
