"""Whose pixel is it: how measurements keep the light of other sources out."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled, inlined
from safelight.exposure import FloatImage

__all__ = ["any_foreign", "is_foreign", "mirror_of", "own_value"]


@inlined
def is_foreign(labels: NDArray[np.int32], y: int, x: int, first: int, last: int) -> bool:
    """True when the pixel belongs to a source whose label lies outside first … last (sky is nobody's)."""
    label = labels[y, x]
    return bool(label != 0 and (label < first or label > last))


@inlined
def mirror_of(c: float) -> int:
    """Twice the centre `c`, rounded: the mirror image of pixel i about c is pixel ``mirror_of(c) - i``."""
    return int(np.floor(2 * c + 0.5))


@compiled
def any_foreign(labels: NDArray[np.int32], bottom: int, top: int, left: int, right: int, first: int, last: int) -> bool:
    """True when a pixel of the box is foreign; the box is cut at the frame."""
    height, width = labels.shape
    for y in range(max(bottom, 0), min(top, height)):
        for x in range(max(left, 0), min(right, width)):
            label = labels[y, x]
            if label != 0 and (label < first or label > last):
                return True
    return False


@compiled
def own_value(
    image: FloatImage, labels: NDArray[np.int32], y: int, x: int, first: int, last: int, mirror_x: int, mirror_y: int
) -> float:
    """The pixel's value, or, where it is foreign, that of its mirror image; 0 where both are foreign."""
    label = labels[y, x]
    if label == 0 or (label >= first and label <= last):
        return float(image[y, x])
    v, u = mirror_y - y, mirror_x - x
    if v >= 0 and u >= 0 and v < image.shape[0] and u < image.shape[1]:
        label = labels[v, u]
        if label == 0 or (label >= first and label <= last):
            return float(image[v, u])
    return 0.0
