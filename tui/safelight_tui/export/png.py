"""Images as RGB pixels and PNG files, as they are shown: limits, stretch, colours, orientation, rings on objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight_tui.pixels.graphics import encode_png
from safelight_tui.pixels.overlay import Marks
from safelight_tui.pixels.palette import Colours, colour_table, to_rgb
from safelight_tui.pixels.scaling import Stretch, sample_of, to_levels, zscale
from safelight_tui.pixels.view import Orientation, View, sampled

__all__ = ["Look", "picture_png", "rendered"]

RING_RADIUS = 5
#: Tone of marks -> colour of its rings; in red-only pictures all are bright red.
_RING_COLOURS = {"source": (90, 220, 110), "match": (240, 200, 60), "reference": (240, 90, 90)}
_RED_RING = (255, 0, 0)


@dataclass(frozen=True, slots=True)
class Look:
    """How an image is shown."""

    limits: tuple[float, float] | None = None  # zscale's when left out
    stretch: Stretch = Stretch.LINEAR
    colours: Colours = Colours.GREY
    red_only: bool = False


def rendered(image: NDArray[np.floating], view: View, look: Look, marks: Sequence[Marks] = ()) -> NDArray[np.uint8]:
    """(view.height, view.width, 3): what is seen through `view`, with a ring on each marked position."""
    sample = sample_of(image)
    low, high = look.limits or zscale(sample)
    levels = to_levels(sampled(image, view), low, high, look.stretch, sample)
    rgb = to_rgb(levels, colour_table(look.colours, red_only=look.red_only)).copy()
    for one in marks:
        colour = _RED_RING if look.red_only else _RING_COLOURS.get(one.tone, (120, 160, 240))
        _rings(rgb, view, one, colour)
    return rgb


def _rings(rgb: NDArray[np.uint8], view: View, marks: Marks, colour: tuple[int, int, int]) -> None:
    angles = np.linspace(0.0, 2.0 * np.pi, 32, endpoint=False)
    radius = max(RING_RADIUS, min(24, round(RING_RADIUS * view.zoom)))
    matrix = view.orientation.matrix
    dx, dy = np.asarray(marks.x, np.float64) - view.x, np.asarray(marks.y, np.float64) - view.y
    column = (matrix[0, 0] * dx + matrix[1, 0] * dy) * view.zoom + view.width / 2 - 0.5
    row = view.height / 2 - 0.5 - (matrix[0, 1] * dx + matrix[1, 1] * dy) * view.zoom
    columns = np.round(column[:, None] + radius * np.cos(angles)).ravel()
    rows = np.round(row[:, None] + radius * np.sin(angles)).ravel()
    seen = (columns >= 0) & (columns < view.width) & (rows >= 0) & (rows < view.height)
    rgb[rows[seen].astype(int), columns[seen].astype(int)] = colour


def picture_png(
    image: NDArray[np.floating],
    look: Look,
    marks: Sequence[Marks] = (),
    *,
    longest: int = 2048,
    orientation: Orientation | None = None,
    comment: str = "",
) -> bytes:
    """The whole image as a PNG file, its longer side at most `longest` pixels."""
    rows, columns = image.shape
    zoom = min(1.0, longest / max(rows, columns))
    orientation = orientation or Orientation()
    across, along = (rows, columns) if orientation.transposed else (columns, rows)
    width, height = max(1, round(across * zoom)), max(1, round(along * zoom))
    view = View((columns - 1) / 2, (rows - 1) / 2, zoom, width, height, orientation)
    return encode_png(rendered(image, view, look, marks), comment)
