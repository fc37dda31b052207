"""Reading images. Everything here touches the disk or takes its time: call it in a thread."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight_tui.export.headless import marks_of
from safelight_tui.images.directions import local_cd
from safelight_tui.images.planes import DRAWN_AT_FIRST, drawn
from safelight_tui.pixels.overlay import Marks, MaskLayer
from safelight_tui.pixels.picture import Picture

if TYPE_CHECKING:
    from safelight.processccd.mosaic import Mosaic
    from safelight.processccd.viewing import CcdPixels, Positions

__all__ = ["BAD_PLANES", "Shown", "Wanted", "read_mosaic_of", "read_overlays", "read_shown"]

BAD_PLANES = ("BAD", "SAT", "NO_DATA", "UNMASKEDNAN")
"""Pixels that are left out when a place is examined."""


@dataclass(frozen=True)
class Wanted:
    """Which image."""

    root: Path
    rerun: str | None
    kind: str
    data_id: Mapping[str, Any] = field(hash=False)
    name: str = ""  # of the CCD: "visit=903986 ccd=16"

    @property
    def key(self) -> tuple[str, str, str]:
        """What makes two of them the same image."""
        return (self.rerun or "", self.kind, self.name)


@dataclass(eq=False)
class Shown:
    """An image in memory with what is drawn on it."""

    wanted: Wanted
    pixels: CcdPixels
    picture: Picture
    layer: MaskLayer | None
    bad: NDArray[np.bool_] | None
    positions: Sequence[Positions] | None = None  # None: not read yet
    marks: tuple[Marks, ...] = ()

    @property
    def title(self) -> str:
        """E.g. ``calexp 903986 16 (first)``."""
        of_rerun = self.wanted.rerun if self.wanted.kind != "raw" else None
        return self.pixels.name + (f" ({of_rerun})" if of_rerun else "")


def _butler(wanted: Wanted) -> Any:
    from safelight.butler.butler import Butler

    return Butler(wanted.root, rerun=wanted.rerun)


def read_shown(wanted: Wanted) -> Shown:
    """Read an image."""
    from safelight.processccd.viewing import read_pixels

    pixels = read_pixels(_butler(wanted), wanted.kind, wanted.data_id)
    layer, bad = None, None
    if pixels.mask is not None:
        layer = MaskLayer(pixels.mask, pixels.planes, drawn(DRAWN_AT_FIRST, pixels.planes))
        bits = sum(1 << pixels.planes[name] for name in BAD_PLANES if name in pixels.planes)
        bad = (pixels.mask & bits) != 0
    cd = local_cd(pixels.wcs, pixels.image.shape) if pixels.wcs is not None else None
    return Shown(wanted, pixels, Picture(pixels.image, pixels.name, cd=cd), layer, bad)


def read_overlays(shown: Shown) -> tuple[Sequence[Positions], tuple[Marks, ...]]:
    """Sources, matches and reference stars of an image."""
    from safelight.processccd.viewing import read_positions

    positions = read_positions(_butler(shown.wanted), shown.pixels)
    return positions, tuple(marks_of(positions))


def read_mosaic_of(
    wanted: Wanted,
    data_ids: Sequence[Mapping[str, Any]],
    progress: Callable[[Mosaic], object],
    cancelled: Callable[[], bool],
) -> Mosaic:
    """The whole visit: raw, or calibrated where the image wanted is."""
    from safelight.processccd.mosaic import read_mosaic

    kind = "calexp" if wanted.kind == "calexp" else "raw"
    return read_mosaic(_butler(wanted), kind, data_ids, progress, cancelled)
