"""Which mask planes touch a source, and how many pixels it has."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import MaskImage

__all__ = ["centre_bits", "footprint_bits"]


@compiled
def _collect(
    mask: NDArray[np.int32],
    labels: NDArray[np.int32],
    pixels: NDArray[np.int32],
    bits: NDArray[np.int32],
    area: NDArray[np.int64],
) -> None:
    for index in pixels:
        label = labels[index]
        if label > 0:
            bits[label - 1] |= mask[index]
            area[label - 1] += 1


@compiled
def _around(
    mask: MaskImage, x: NDArray[np.float64], y: NDArray[np.float64], reach: int, bits: NDArray[np.int32]
) -> None:
    height, width = mask.shape
    for s in range(x.size):
        column, row = int(np.floor(x[s] + 0.5)), int(np.floor(y[s] + 0.5))
        for v in range(max(0, row - reach), min(height, row + reach + 1)):
            for u in range(max(0, column - reach), min(width, column + reach + 1)):
                bits[s] |= mask[v, u]


def footprint_bits(
    mask: MaskImage, labels: NDArray[np.int32], pixels: NDArray[np.int32], n_peaks: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """OR of the mask, and number of pixels, of each label 1 … n_peaks; `pixels` are all labelled flat indices."""
    bits = np.zeros(n_peaks, dtype=np.int32)
    area = np.zeros(n_peaks, dtype=np.int64)
    _collect(mask.reshape(-1), labels.reshape(-1), pixels, bits, area)
    return bits, area


def centre_bits(mask: MaskImage, x: NDArray[np.float64], y: NDArray[np.float64], reach: int = 1) -> NDArray[np.int32]:
    """OR of the mask over the (2 reach + 1)² pixels around each position; 0 off the frame."""
    bits = np.zeros(len(x), dtype=np.int32)
    _around(mask, x, y, reach, bits)
    return bits
