"""Defect lists as FITS tables.

Written in the form of Gen2: a table of FITS regions with columns X, Y (box centre, 1-based), SHAPE (BOX or POINT), R
(width, height), ROTANG, COMPONENT. Read are that form, also with ROTBOX at multiples of 90 degrees, and the plain form
x0, y0, width, height (0-based corner) of later LSST releases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from safelight.errors import RepositoryError
from safelight.instruments import Box

if TYPE_CHECKING:
    from astropy.io.fits import FITS_rec

__all__ = ["read_defects", "write_defects"]


def write_defects(path: Path, boxes: Sequence[Box], metadata: Mapping[str, Any]) -> None:
    """Write `boxes` (assembled frame, 0-based) as FITS regions.

    Parameters
    ----------
    path : Path
        The file, written to directly: a caller that wants it whole or not at all uses `atomic_path`.
    boxes : sequence of Box
        Bad rectangles.
    metadata : mapping
        Header cards of the table, e.g. CALIB_ID, DETECTOR, CALIBDATE.
    """
    from astropy.io import fits

    corners = np.array([[box.x0, box.y0, box.width, box.height] for box in boxes], dtype=float).reshape(-1, 4)
    single = (corners[:, 2] == 1) & (corners[:, 3] == 1)
    columns = [
        fits.Column("X", "D", unit="pix", array=corners[:, 0] + 0.5 * (corners[:, 2] - 1.0) + 1.0),
        fits.Column("Y", "D", unit="pix", array=corners[:, 1] + 0.5 * (corners[:, 3] - 1.0) + 1.0),
        fits.Column("SHAPE", "16A", array=np.where(single, "POINT", "BOX")),
        fits.Column("R", "2D", unit="pix", array=corners[:, 2:]),
        fits.Column("ROTANG", "D", unit="deg", array=np.zeros(len(boxes))),
        fits.Column("COMPONENT", "J", array=np.arange(len(boxes))),
    ]
    table = fits.BinTableHDU.from_columns(columns, name="REGION")
    table.header["HDUCLASS"] = ("ASC", "FITS region")
    table.header["HDUCLAS1"] = "REGION"
    table.header["HDUCLAS2"] = "STANDARD"
    table.header["MTYPE1"] = "pos"
    table.header["MFORM1"] = "X,Y"
    primary = fits.PrimaryHDU()
    for header in (primary.header, table.header):
        header["OBSTYPE"] = "defects"
        for key, value in metadata.items():
            header[key if len(key) <= 8 else f"HIERARCH {key}"] = value
    table.header["HIERARCH DEFECTS_SCHEMA"] = "FITS Region"
    table.header["HIERARCH DEFECTS_SCHEMA_VERSION"] = 1
    fits.HDUList([primary, table]).writeto(path, overwrite=True)


def read_defects(path: Path) -> list[Box]:
    """The boxes of a defect list, in the assembled frame.

    Raises
    ------
    RepositoryError
        BAD_DEFECTS when the file is no defect table or has a shape that is no box along the axes.
    """
    from astropy.io import fits

    try:
        with fits.open(path) as hdus:
            tables = [hdu for hdu in hdus if isinstance(hdu, fits.BinTableHDU) and hdu.columns is not None]
            if not tables:
                raise _bad(path, "it has no table")
            rows: FITS_rec = tables[0].data
            names = {name.lower() for name in tables[0].columns.names}
            if {"x0", "y0", "width", "height"} <= names:
                boxes = [tuple(int(row[name]) for name in ("x0", "y0", "width", "height")) for row in rows]
            elif {"x", "y", "shape", "r"} <= names:
                boxes = [_region(path, row, "rotang" in names) for row in rows]
            else:
                raise _bad(path, "it has neither x0, y0, width, height nor X, Y, SHAPE, R")
    except (OSError, TypeError, ValueError, IndexError) as error:
        raise _bad(path, str(error)) from error
    return [Box(x0=x0, y0=y0, width=width, height=height) for x0, y0, width, height in boxes if width > 0 < height]


def _region(path: Path, row: Any, has_angle: bool) -> tuple[int, int, int, int]:
    shape = str(row["SHAPE"]).strip().upper().lstrip("!")
    x, y = (float(np.ravel(row[name])[0]) for name in ("X", "Y"))
    if shape == "POINT":
        width = height = 1.0
    elif shape in ("BOX", "ROTBOX"):
        width, height = (float(size) for size in np.ravel(row["R"])[:2])
        angle = float(np.ravel(row["ROTANG"])[0]) % 180.0 if shape == "ROTBOX" and has_angle else 0.0
        if min(abs(angle - 90.0), angle, 180.0 - angle) > 1e-6:
            raise _bad(path, f"a box is turned by {angle:g} degrees")
        if abs(angle - 90.0) <= 1e-6:
            width, height = height, width
    else:
        raise _bad(path, f"it has the shape {shape}")
    corner = (x - 1.0 - 0.5 * (width - 1.0), y - 1.0 - 0.5 * (height - 1.0))
    return round(corner[0]), round(corner[1]), round(width), round(height)


def _bad(path: Path, reason: str) -> RepositoryError:
    return RepositoryError("BAD_DEFECTS", f"{path} is not a defect list: {reason}.", "Ingest the defects again.")
