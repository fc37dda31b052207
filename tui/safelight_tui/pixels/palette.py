"""Colours of the levels."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from safelight_tui.pixels.choices import Choice
from safelight_tui.pixels.scaling import LEVELS, OUTSIDE

__all__ = ["Colours", "colour_table", "to_rgb"]


class Colours(Choice):
    """Palettes."""

    GREY = "grey"
    INVERTED = "inverted"
    HEAT = "heat"


@lru_cache(maxsize=16)
def colour_table(colours: Colours, *, red_only: bool = False) -> NDArray[np.uint8]:
    """(`LEVELS`, 3) uint8: red, green, blue of each level.

    Greys are those of the ramp of 256-colour terminals (8, 18, 28 ... 238), so that such a terminal shows all of them.

    Parameters
    ----------
    red_only : bool
        Nothing but red: the dark-adapted eye stays so. Heat is then the same as grey.
    """
    grey = 8 + 10 * np.arange(LEVELS)
    if colours is Colours.INVERTED:
        grey = grey[::-1]
    if red_only:
        table = np.zeros((LEVELS, 3))
        table[:, 0] = grey
    elif colours is Colours.HEAT:
        part = np.linspace(0.0, 1.0, LEVELS)
        table = 255 * np.clip(np.stack([3 * part, 3 * part - 1, 3 * part - 2], axis=1), 0.0, 1.0)
    else:
        table = np.repeat(grey[:, None], 3, axis=1)
    result = np.round(table).astype(np.uint8)
    result.flags.writeable = False
    return result


def to_rgb(
    levels: NDArray[np.uint8], table: NDArray[np.uint8], outside: tuple[int, int, int] = (0, 0, 0)
) -> NDArray[np.uint8]:
    """(..., 3) uint8 of levels."""
    whole = np.empty((256, 3), np.uint8)
    whole[:] = outside
    whole[: len(table)] = table
    whole[OUTSIDE] = outside
    return whole[levels]
