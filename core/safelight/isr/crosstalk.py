"""Crosstalk: ghosts that a bright pixel of one amplifier leaves in the others, read at the same moment.

Source: LSST Gen2 crosstalk correction; amplifiers are compared from their read-out corners on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage
from safelight.instruments.model import Amplifier

__all__ = ["subtract_crosstalk"]


def subtract_crosstalk(
    image: FloatImage,
    mask: MaskImage,
    amplifiers: Sequence[Amplifier],
    coefficients: NDArray[np.float64],
    *,
    background: float,
    min_pixel_to_mask: float,
    crosstalk_bit: int,
    source_copy: FloatImage,
    usable: Sequence[bool] | None = None,
) -> int:
    """Subtract from every amplifier c[target, source] times the other amplifiers' signal above `background`.

    All ghosts are computed from the uncorrected image. Pixels that lie under a source pixel of at least
    `background + min_pixel_to_mask` get `crosstalk_bit`. The noise of a ghost, c² times the source's variance, is less
    than a millionth of any pixel's own and is not added. Arrays [y, x] in the assembled frame, ADU.

    Parameters
    ----------
    source_copy : scratch array of the image's shape and type
    usable : amplifiers that may act as sources (default all); a dead one has no signal to leave ghosts

    Returns
    -------
    int : number of pixels that got `crosstalk_bit`
    """
    source_copy[:] = image
    masked = 0
    for i, target in enumerate(amplifiers):
        for j, source in enumerate(amplifiers):
            c = float(coefficients[i, j])
            if i == j or c == 0.0 or (usable is not None and not usable[j]):
                continue
            region = target.box.slices
            masked += _subtract_ghost(
                image[region],
                mask[region],
                _from_corner(source_copy[source.box.slices], source, target),
                c,
                background,
                min_pixel_to_mask,
                crosstalk_bit,
            )
    return masked


def _from_corner(pixels: FloatImage, source: Amplifier, target: Amplifier) -> FloatImage:
    """The source's pixels, mirrored so that its read-out corner lies where the target's is."""
    flip_y = source.readout_corner[0] != target.readout_corner[0]
    flip_x = source.readout_corner[1] != target.readout_corner[1]
    return pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]


@compiled
def _subtract_ghost(
    image: FloatImage,
    mask: MaskImage,
    source: FloatImage,
    c: float,
    background: float,
    min_pixel_to_mask: float,
    crosstalk_bit: int,
) -> int:
    height, width = image.shape
    masked = 0
    factor, level = np.float32(c), np.float32(background)
    threshold = np.float32(background + min_pixel_to_mask)
    for y in range(height):
        for x in range(width):
            signal = source[y, x]
            image[y, x] -= factor * (signal - level)
            if signal >= threshold:
                if not mask[y, x] & crosstalk_bit:
                    masked += 1
                mask[y, x] |= crosstalk_bit
    return masked
