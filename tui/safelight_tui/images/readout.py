"""What is said about an image and the pixel under the cursor: pure text, out of memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from safelight_tui.imexam.target import sexagesimal
from safelight_tui.pixels.view import View
from safelight_tui.terminal.text import number, width_of

if TYPE_CHECKING:
    from safelight.processccd.mosaic import Mosaic
    from safelight_tui.images.reading import Shown
    from safelight_tui.widgets.image_view import ImageView

__all__ = ["look_line", "mosaic_line", "pixel_line", "zoom_words"]


def zoom_words(view: View | None) -> str:
    """``1/16`` or ``4x``: screen pixels per image pixel."""
    if view is None:
        return ""
    if view.zoom >= 1:
        return f"{view.zoom:.3g}x"
    return f"1/{1 / view.zoom:.3g}"


def _as_fits(parts: Sequence[tuple[int, str]], width: int) -> str:
    """Parts of a line with two blanks between; those of the highest number go first where there is no room for all."""
    kept = [part for part in parts if part[1]]
    while len(kept) > 1 and sum(width_of(text) + 2 for _, text in kept) - 2 > width:
        kept.remove(max(kept, key=lambda part: part[0]))
    return "  ".join(text for _, text in kept)


def look_line(shown: Shown, view: ImageView, overlays: str, other: str, *, blinking: bool = False) -> str:
    """The line above an image: what it is, how its values are shown, what is drawn on it, what it blinks with."""
    limits = view.picture.limits if view.picture is not None else None
    span = f"{limits[0]:.4g}..{limits[1]:.4g}" if limits else ""
    parts = [
        (0, shown.title),
        (5, str(shown.pixels.data_id.get("filter", ""))),
        (2, f"{view.stretch.value} {view.limits.value}"),
        (4, span),
        (6, view.colours.value),
        (3, zoom_words(view.view)),
        (1, f"overlay: {overlays}" if overlays else ""),
        (0, f"{'blinking with' if blinking else 'B:'} {other}" if other else ""),
    ]
    return _as_fits(parts, view.size.width - 2)


def pixel_line(shown: Shown, x: int, y: int, value: float, width: int) -> str:
    """The line below an image, in at most `width` cells: place, value, sky, mask planes."""
    parts = [(0, f"x {x} y {y}"), (1, f"{number(value, 2)} ADU")]
    wcs = shown.pixels.wcs
    if wcs is not None:
        ra, dec = wcs.pixel_to_sky(np.array([float(x)]), np.array([float(y)]))
        place = sexagesimal(float(ra[0]), float(dec[0]))
        rough = "" if shown.pixels.wcs_origin == "fitted" else "~"
        parts.append((3, f"{rough}{place}" if place else ""))
    if shown.layer is not None:
        rows, columns = shown.layer.mask.shape
        if 0 <= x < columns and 0 <= y < rows:
            parts.append((2, " ".join(shown.layer.names_at(x, y))))
    if shown.pixels.zeropoint_mag is not None and value > 0 and math.isfinite(value):
        parts.append((4, f"{shown.pixels.zeropoint_mag - 2.5 * math.log10(value):.2f} mag/px"))
    return _as_fits(parts, width)


def mosaic_line(mosaic: Mosaic, x: int, y: int, value: float) -> str:
    """The line below a mosaic: the CCD under the cursor and its pixel."""
    found = mosaic.ccd_at(x, y)
    if found is None:
        return "between CCDs"
    ccd, ccd_x, ccd_y = found
    return f"CCD {ccd}  x {ccd_x:.0f} y {ccd_y:.0f}  {number(value, 2)} ADU  M opens this CCD"
