"""Backgrounds as FITS files, in the layout of LSST's BackgroundList: image, mask and variance of the cells' statistics.

To these three extensions of every component come the pixel positions of the cells' centres, so that the very surface
that was subtracted comes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from safelight.errors import ProcessingError
from safelight.exposure.background import BackgroundModel
from safelight.exposure.fits_cards import Card
from safelight.exposure.fits_exposure import mask_cards, primary_hdu
from safelight.exposure.fits_files import open_fits, read_image, write_file
from safelight.exposure.fits_models import image_hdu
from safelight.exposure.mask import DEFAULT_PLANES

__all__ = ["read_background", "write_background"]

_HDUS_PER_MODEL = 5  # image, mask, variance, centres along x and y


def write_background(path: str | Path, models: Sequence[BackgroundModel]) -> None:
    """Write the components of a background to exactly `path`. Raises `RepositoryError` as `write_file`."""
    parts = [primary_hdu([Card("NBKG", len(models), "components; the background is their sum")])]
    for model in models:
        parts += _hdus(model)
    write_file(path, parts)


def read_background(path: str | Path) -> list[BackgroundModel]:
    """The components of a background that `write_background` wrote.

    Raises `DatasetNotFound` (FILE_NOT_FOUND) and `ProcessingError` (NOT_FITS, FITS_TRUNCATED, NOT_A_BACKGROUND).
    """
    with open_fits(path) as hdus:
        count = hdus[0].header.get("NBKG")
        if count is None or len(hdus) != 1 + _HDUS_PER_MODEL * int(count):
            raise ProcessingError("NOT_A_BACKGROUND", f"{path} is not a background file.")
        models: list[BackgroundModel] = []
        for first in range(1, len(hdus), _HDUS_PER_MODEL):
            levels, _mask, variance, x_centres, y_centres = hdus[first : first + _HDUS_PER_MODEL]
            models.append(
                BackgroundModel(
                    levels=read_image(levels, "f4"),
                    rms=np.sqrt(read_image(variance, "f8")).astype(np.float32),
                    y_centres=read_image(y_centres, "f8")[0],
                    x_centres=read_image(x_centres, "f8")[0],
                )
            )
    return models


def _hdus(model: BackgroundModel) -> list[bytes]:
    cards = [
        Card("INTERPSTYLE", "NATURAL_SPLINE", "surface through the cells, along each axis"),
        Card("UNDERSAMPLESTYLE", "REDUCE_INTERP_ORDER"),
        Card("APPROXSTYLE", "UNKNOWN", "there is no approximating polynomial"),
    ]
    filled_in = np.where(np.isfinite(model.rms), np.int32(0), np.int32(1 << DEFAULT_PLANES["NO_DATA"]))
    # In double precision the root of the square is the very number that was squared.
    variance = np.square(model.rms, dtype=np.float64)
    comment = "variance of one pixel in each cell"
    return [
        image_hdu(np.asarray(model.levels, np.float32), [*cards, Card("BUNIT", "adu")], "IMAGE"),
        image_hdu(filled_in, [*cards, *mask_cards(DEFAULT_PLANES)], "MASK"),
        image_hdu(variance, [*cards, Card("BUNIT", "adu2", comment)], "VARIANCE"),
        image_hdu(np.asarray(model.x_centres, np.float64)[None], [Card("BUNIT", "pixel")], "X_CENTRES"),
        image_hdu(np.asarray(model.y_centres, np.float64)[None], [Card("BUNIT", "pixel")], "Y_CENTRES"),
    ]
