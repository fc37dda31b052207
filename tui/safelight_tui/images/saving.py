"""Saving what is shown. Touches the disk: call it in a thread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight_tui.export.png import Look, picture_png
from safelight_tui.export.regions import region_text
from safelight_tui.images.reading import Shown, read_overlays
from safelight_tui.pixels.overlay import Marks
from safelight_tui.pixels.view import Orientation

__all__ = ["save_picture", "save_regions"]


def _free(path: Path) -> None:
    if path.exists():
        raise UsageError("FILE_EXISTS", f"{path} is there already.", "Choose another name.")


def save_picture(
    path: Path,
    image: NDArray[np.floating],
    look: Look,
    marks: Sequence[Marks],
    orientation: Orientation,
    comment: str,
) -> str:
    """Write the whole image as a PNG; a sentence about it.

    Raises
    ------
    UsageError
        FILE_EXISTS, BAD_OUTPUT.
    RepositoryError
        The file cannot be written.
    """
    from safelight.butler.atomic import write_bytes

    if path.suffix != ".png":
        raise UsageError("BAD_OUTPUT", f"{path} does not end in .png.", "Name a file NAME.png, or NAME.reg of a CCD.")
    _free(path)
    write_bytes(path, picture_png(image, look, marks, orientation=orientation, comment=comment))
    return f"saved {path.absolute()}"


def save_regions(path: Path, shown: Shown, cursor: tuple[int, int]) -> str:
    """Write sources, matches, reference stars and the cursor as a DS9 region file; a sentence about it."""
    from safelight.butler.atomic import write_text

    _free(path)
    positions = shown.positions or read_overlays(shown)[0]
    # A raw file on disk is not assembled: only the sky says where things are in it.
    wcs = shown.pixels.wcs if shown.pixels.kind == "raw" else None
    write_text(path, region_text(positions, wcs, (float(cursor[0]), float(cursor[1]))))
    return f"{sum(len(one.x) for one in positions)} regions saved to {path.absolute()}"
