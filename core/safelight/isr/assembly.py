"""Assembly: the data boxes of the amplifiers, converted to float and freed of their pedestal, side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import FloatImage
from safelight.instruments.model import Amplifier

__all__ = ["oriented", "place_amplifier"]


def place_amplifier(
    raw: NDArray[Any], pedestal: NDArray[np.float32] | None, amplifier: Amplifier, image: FloatImage
) -> None:
    """Write the amplifier's data pixels, as float32, to their place in the assembled `image` [y, x].

    `raw` is the whole raw frame (any number type and stride), `pedestal` (rows of the data box,) the ADU to subtract
    from each row; the amplifier's flips are applied.
    """
    source = raw[amplifier.raw_data_box.slices]
    target = oriented(image, amplifier)
    if pedestal is None:
        target[:] = source
    else:
        _subtract_rows(source, pedestal, target)


def oriented(array: NDArray[Any], amplifier: Amplifier) -> NDArray[Any]:
    """A view of the assembled box in the orientation of the raw data box."""
    box = array[amplifier.box.slices]
    return box[:: -1 if amplifier.flip_y else 1, :: -1 if amplifier.flip_x else 1]


@compiled
def _subtract_rows(source: NDArray[Any], pedestal: NDArray[np.float32], target: FloatImage) -> None:
    height, width = source.shape
    for y in range(height):
        level = pedestal[y]
        for x in range(width):
            target[y, x] = np.float32(source[y, x]) - level
