"""Dark current."""

from __future__ import annotations

import math

from safelight.compiled import compiled
from safelight.errors import ProcessingError
from safelight.exposure import FloatImage, MasterFrame

__all__ = ["dark_scale", "subtract_dark"]

#: Relative difference of exposure times up to which a dark that contains its bias may serve.
TIME_TOLERANCE = 0.01


def dark_scale(dark: MasterFrame, dark_time_s: float) -> float:
    """The factor by which `dark` is multiplied for a frame of `dark_time_s`.

    A dark that still contains its bias cannot be scaled: it serves frames of its own exposure time only.

    Raises
    ------
    ProcessingError
        DARK_EXPOSURE_MISMATCH for such a dark of another exposure time, NO_DARK_TIME if the frame's is unknown,
        BAD_MASTER if the dark's is not positive.
    """
    if not math.isfinite(dark_time_s):
        raise ProcessingError(
            "NO_DARK_TIME", "The dark cannot be scaled: the header says no exposure time.", "Or switch off isr.doDark."
        )
    if not dark.exposure_time_s > 0:
        raise ProcessingError("BAD_MASTER", f"The dark {dark.path} has exposure time {dark.exposure_time_s} s.")
    if not dark.contains_bias:
        return dark_time_s / dark.exposure_time_s
    if abs(dark_time_s - dark.exposure_time_s) > TIME_TOLERANCE * dark.exposure_time_s:
        raise ProcessingError(
            "DARK_EXPOSURE_MISMATCH",
            f"The dark {dark.path} still contains its bias, so it serves frames of {dark.exposure_time_s:g} s only; "
            f"this frame has {dark_time_s:g} s.",
            "Build a master bias, and the dark with it; or take darks of this exposure time.",
        )
    return 1.0


def subtract_dark(image: FloatImage, dark: FloatImage, scale: float) -> None:
    """image -= scale · dark in place; ADU, [y, x] of one shape."""
    _subtract(image, dark, scale)


@compiled
def _subtract(image: FloatImage, dark: FloatImage, scale: float) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            image[y, x] -= scale * dark[y, x]
