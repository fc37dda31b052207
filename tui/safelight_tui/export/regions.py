"""DS9 region files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from safelight.exposure import SkyWcs
    from safelight.processccd.viewing import Positions

__all__ = ["region_text"]

_COLOURS = {"sources": "green", "matches": "yellow", "reference stars": "red"}
RADIUS_PIXELS = 10
RADIUS_ARCSEC = 2.0


def region_text(
    positions: Sequence[Positions], wcs: SkyWcs | None = None, cursor: tuple[float, float] | None = None
) -> str:
    """Circles of each kind in its own colour.

    Parameters
    ----------
    wcs : SkyWcs, optional
        Positions are then given on the sky (ICRS), else in FITS pixels, whose first is 1.
    cursor : (x, y), optional
        A cross there, 0-based pixels.
    """
    lines = ["# Region file format: DS9 version 4.1", "icrs" if wcs is not None else "image"]
    for one in positions:
        colour = _COLOURS.get(one.name, "cyan")
        tag = one.name.replace("{", "(").replace("}", ")")
        for place in _places(np.asarray(one.x, np.float64), np.asarray(one.y, np.float64), wcs):
            size = f'{RADIUS_ARCSEC:.1f}"' if wcs is not None else str(RADIUS_PIXELS)
            lines.append(f"circle({place},{size}) # color={colour} tag={{{tag}}}")
    if cursor is not None:
        (place,) = _places(np.array([cursor[0]]), np.array([cursor[1]]), wcs)
        lines.append(f"point({place}) # point=cross color=cyan")
    return "\n".join(lines) + "\n"


def _places(x: np.ndarray, y: np.ndarray, wcs: SkyWcs | None) -> list[str]:
    good = np.isfinite(x) & np.isfinite(y)
    x, y = x[good], y[good]
    if wcs is None:
        return [f"{a + 1:.3f},{b + 1:.3f}" for a, b in zip(x.tolist(), y.tolist(), strict=True)]
    ra, dec = wcs.pixel_to_sky(x, y)
    return [f"{a:.7f},{b:.7f}" for a, b in zip(ra.tolist(), dec.tolist(), strict=True) if np.isfinite(a + b)]
