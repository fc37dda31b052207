"""Whose pixel is it: how measurements keep the light of other sources out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import inlined
from safelight.exposure import FloatImage

__all__ = ["is_foreign", "own_value"]


@inlined
def is_foreign(labels: NDArray[np.int32], y: int, x: int, first: int, last: int) -> bool:
    """True when the pixel belongs to a source whose label lies outside first … last (sky is nobody's)."""
    label = labels[y, x]
    return label != 0 and (label < first or label > last)


@inlined
def own_value(
    image: FloatImage, labels: NDArray[np.int32], y: int, x: int, first: int, last: int, cx: float, cy: float
) -> float:
    """The pixel's value, or, where it is foreign, that of its mirror image about (cx, cy); 0 where both are."""
    value = 0.0
    if not (labels[y, x] != 0 and (labels[y, x] < first or labels[y, x] > last)):
        value = float(image[y, x])
    else:
        v, u = int(np.floor(2 * cy - y + 0.5)), int(np.floor(2 * cx - x + 0.5))
        if v >= 0 and u >= 0 and v < image.shape[0] and u < image.shape[1]:
            label = labels[v, u]
            if label == 0 or (label >= first and label <= last):
                value = float(image[v, u])
    return value
