"""What is said about an image and the pixel under the cursor: pure text, out of memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from safelight_tui.imexam.target import sexagesimal
from safelight_tui.pixels.view import View
from safelight_tui.terminal.text import number

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


def look_line(shown: Shown, view: ImageView, overlays: str, other: str, *, blinking: bool = False) -> str:
    """The line above an image: what it is, how its values are shown, what is drawn on it, what it blinks with."""
    limits = view.picture.limits if view.picture is not None else None
    span = f"{limits[0]:.4g}..{limits[1]:.4g}" if limits else ""
    parts = [
        shown.title,
        str(shown.pixels.data_id.get("filter", "")),
        f"{view.stretch.value} {view.limits.value} {span}",
        view.colours.value,
        zoom_words(view.view),
        f"overlay: {overlays}" if overlays else "",
        f"{'blinking with' if blinking else 'B:'} {other}" if other else "",
    ]
    return "  ".join(part for part in parts if part)


def pixel_line(shown: Shown, x: int, y: int, value: float) -> str:
    """The line below an image: place, value, sky, mask planes."""
    parts = [f"x {x} y {y}", f"{number(value, 2)} ADU"]
    wcs = shown.pixels.wcs
    if wcs is not None:
        ra, dec = wcs.pixel_to_sky(np.array([float(x)]), np.array([float(y)]))
        place = sexagesimal(float(ra[0]), float(dec[0]))
        rough = "" if shown.pixels.wcs_origin == "fitted" else "~"
        parts.append(f"{rough}{place}" if place else "")
    if shown.layer is not None:
        rows, columns = shown.layer.mask.shape
        if 0 <= x < columns and 0 <= y < rows:
            parts.append(" ".join(shown.layer.names_at(x, y)))
    if shown.pixels.zeropoint_mag is not None and value > 0 and math.isfinite(value):
        parts.append(f"{shown.pixels.zeropoint_mag - 2.5 * math.log10(value):.2f} mag/px")
    return "  ".join(part for part in parts if part)


def mosaic_line(mosaic: Mosaic, x: int, y: int, value: float) -> str:
    """The line below a mosaic: the CCD under the cursor and its pixel."""
    found = mosaic.ccd_at(x, y)
    if found is None:
        return "between CCDs"
    ccd, ccd_x, ccd_y = found
    return f"CCD {ccd}  x {ccd_x:.0f} y {ccd_y:.0f}  {number(value, 2)} ADU  M opens this CCD"
