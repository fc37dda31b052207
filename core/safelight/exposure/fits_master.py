"""Master calibration frames as FITS files: ours, LSST's, and plain images of other programs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from safelight.errors import ProcessingError
from safelight.exposure.exposure import MaskImage
from safelight.exposure.fits_cards import Card
from safelight.exposure.fits_exposure import mask_cards, plane_bits, primary_hdu
from safelight.exposure.fits_files import Hdu, find, header_values, open_fits, read_image, write_file
from safelight.exposure.fits_headers import is_structural
from safelight.exposure.fits_models import image_hdu
from safelight.exposure.mask import MaskPlanes
from safelight.exposure.master import MasterFrame

__all__ = ["read_fringes", "read_master", "write_master"]

#: Any of these says that a calibration was made by LSST's tools (or ours), whose darks are per second and bias-free.
_LSST_KEYWORDS = ("CALIB_ID", "CALIB_CREATE_DATE", "CALIB_CREATION_DATE", "EXPINFO_V", "AR_HDU")


def read_master(path: str | Path, *, variance: bool = True) -> MasterFrame:
    """The master frame of a FITS file: IMAGE, MASK and VARIANCE extensions, or the first image there is.

    Mask planes are renumbered by name to `DEFAULT_PLANES`; planes with other names are added. `variance=False` leaves
    the variance extension unread.

    A dark is in ADU per second and free of bias if the file says so (HASBIAS = F) or was made by LSST's tools. The
    darks of other programs, such as a single raw frame, are taken to contain their bias: they serve unscaled, for
    their own exposure time (EXPTIME or EXPOSURE) only.

    Raises `DatasetNotFound` (FILE_NOT_FOUND) and `ProcessingError` (NOT_FITS, FITS_TRUNCATED, FITS_DAMAGED, NO_IMAGE).
    """
    with open_fits(path) as hdus:
        image = find(hdus, "IMAGE") or next((hdu for hdu in hdus if hdu.is_image), None)
        if image is None or not image.is_image:
            raise ProcessingError("NO_IMAGE", f"{path} has no two-dimensional image.")
        mask, variance_hdu = find(hdus, "MASK"), find(hdus, "VARIANCE") if variance else None
        planes, mask_image = (MaskPlanes(), None) if mask is None else _remapped(mask)
        header = {**header_values(hdus[0].header), **(header_values(image.header) if image.index else {})}
        contains_bias, seconds = _dark_state(header)
        return MasterFrame(
            image=read_image(image, "f4"),
            mask=mask_image,
            variance=None if variance_hdu is None else read_image(variance_hdu, "f4"),
            planes=planes,
            exposure_time_s=seconds,
            contains_bias=contains_bias,
            header={keyword: value for keyword, value in header.items() if not _of_layout(keyword)},
            path=str(path),
        )


def read_fringes(path: str | Path) -> tuple[MasterFrame, ...]:
    """The fringe frames of a FITS file: its image extensions FRINGE1, FRINGE2, … if it has such, else its one master.

    Raises as `read_master`.
    """
    with open_fits(path) as hdus:
        named = sorted(
            (hdu for hdu in hdus if hdu.is_image and re.fullmatch(r"FRINGE\d+", str(hdu.header.get("EXTNAME", "")))),
            key=lambda hdu: int(str(hdu.header["EXTNAME"]).removeprefix("FRINGE")),
        )
        frames = tuple(MasterFrame(image=read_image(hdu, "f4"), path=str(path)) for hdu in named)
    return frames or (read_master(path, variance=False),)


def write_master(path: str | Path, master: MasterFrame) -> None:
    """Write `master` to exactly `path`, uncompressed, so that it reads back in the time a disk needs.

    With a mask or a variance it has LSST's extensions IMAGE, MASK and VARIANCE, otherwise it is one plain image
    extension. `master.header` must have OBSTYPE and CALIB_ID for `ingestCalibs.py`. Raises `RepositoryError`.
    """
    seconds = master.exposure_time_s
    own = [
        Card("EXPTIME", seconds, "[s] exposure time to which the values refer"),
        Card("HASBIAS", master.contains_bias, "whether the bias is still in it"),
    ]
    others = [
        Card(keyword, value)
        for keyword, value in master.header.items()
        if not _of_layout(keyword) and keyword not in ("EXPTIME", "HASBIAS")
    ]
    parts = [primary_hdu([*own, *others]), image_hdu(master.image, _plane_cards("IMAGE"), "IMAGE")]
    if master.mask is not None or master.variance is not None:
        mask = np.zeros(master.image.shape, np.int32) if master.mask is None else master.mask
        variance = np.zeros(master.image.shape, np.float32) if master.variance is None else master.variance
        parts.append(image_hdu(mask, [*_plane_cards("MASK"), *mask_cards(master.planes)], "MASK"))
        parts.append(image_hdu(variance, _plane_cards("VARIANCE"), "VARIANCE"))
    write_file(path, parts)


def _plane_cards(name: str) -> list[Card]:
    return [Card("EXTTYPE", name), Card("INHERIT", True), Card("LTV1", 0.0), Card("LTV2", 0.0)]


def _of_layout(keyword: str) -> bool:
    return is_structural(keyword) or keyword in ("EXTNAME", "EXTTYPE", "INHERIT", "LTV1", "LTV2")


def _dark_state(header: Mapping[str, Any]) -> tuple[bool, float]:
    """(contains bias, exposure time) of a master with this header."""
    kind = f"{header.get('OBSTYPE', '')} {header.get('IMAGETYP', '')}".casefold()
    exposure_time = header.get("EXPTIME", header.get("EXPOSURE"))
    seconds = float(exposure_time) if isinstance(exposure_time, int | float) else 1.0
    if header.get("HASBIAS") is not None:
        return bool(header["HASBIAS"]), seconds
    if any(keyword in header for keyword in _LSST_KEYWORDS):
        return False, 1.0
    return "dark" in kind, seconds


def _remapped(hdu: Hdu) -> tuple[MaskPlanes, MaskImage]:
    """The mask with its planes renumbered by name."""
    stored = plane_bits(hdu.header)
    planes = MaskPlanes().with_planes(stored)
    mask = read_image(hdu, "i4")
    if all(planes[name] == bit for name, bit in stored.items()) or not mask.any():
        return planes, mask
    result = np.zeros_like(mask)
    for name, bit in stored.items():
        result |= ((mask >> bit) & 1) << planes[name]
    return planes, result
