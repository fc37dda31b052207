"""Exposures as FITS files in the layout of LSST's calexp.

HDU 0 has the metadata, then follow IMAGE (float32), MASK (int32, planes named by ``MP_<PLANE>`` cards) and VARIANCE
(float32), each losslessly compressed and carrying the TAN-SIP WCS, then PSF, APCORR and VALIDPOLYGON. Our models stand
in these extensions and not in LSST's archive tables, so there is no AR_HDU card and LSST's readers take the file for a
`MaskedImage` with a FITS WCS.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight.exposure.compression import compress
from safelight.exposure.exposure import Exposure
from safelight.exposure.fits_cards import Card, with_checksum
from safelight.exposure.fits_files import Hdu, find, header_values, open_fits, read_image, write_file
from safelight.exposure.fits_headers import (
    foreign_cards,
    identity_cards,
    photo_calib_cards,
    photo_calib_from,
    read_gains,
    visit_info_cards,
    visit_info_from,
)
from safelight.exposure.fits_models import (
    aperture_corrections_from,
    aperture_corrections_hdu,
    polygon_from,
    polygon_hdu,
    psf_from,
    psf_hdu,
)
from safelight.exposure.mask import MaskPlanes
from safelight.exposure.wcs import SkyWcs

__all__ = ["mask_cards", "plane_bits", "primary_hdu", "read_exposure", "write_exposure"]


def write_exposure(path: str | Path, exposure: Exposure, *, provenance: Mapping[str, Any] | None = None) -> None:
    """Write `exposure` to exactly `path`.

    `provenance` are further primary cards (versions, configuration hash…), keyword -> value; on reading they come back
    in `Exposure.header`. A WCS that is not TAN-SIP is rendered to it. Raises `RepositoryError` (DISK_FULL,
    NOT_WRITABLE, CANNOT_WRITE).
    """
    write_file(path, _hdus(exposure, provenance or {}))


def read_exposure(path: str | Path) -> Exposure:
    """The exposure of a file that `write_exposure` or LSST wrote: pixels exact, mask planes as the file numbers them.

    Raises `DatasetNotFound` (FILE_NOT_FOUND) and `ProcessingError` (NOT_FITS, FITS_TRUNCATED, FITS_DAMAGED,
    NOT_AN_EXPOSURE).
    """
    with open_fits(path) as hdus:
        image, mask, variance = (find(hdus, name) for name in ("IMAGE", "MASK", "VARIANCE"))
        if image is None or mask is None or variance is None:
            raise ProcessingError("NOT_AN_EXPOSURE", f"{path} lacks one of the extensions IMAGE, MASK and VARIANCE.")
        header = header_values(hdus[0].header)
        psf, corrections, polygon = find(hdus, "PSF"), find(hdus, "APCORR"), find(hdus, "VALIDPOLYGON")
        return Exposure(
            image=read_image(image, "f4"),
            mask=read_image(mask, "i4"),
            variance=read_image(variance, "f4"),
            planes=MaskPlanes(plane_bits(mask.header)),
            detector_id=int(header.get("DETECTOR") or 0),
            detector_name=str(header.get("DETNAME") or ""),
            detector_serial=str(header.get("DETSER") or ""),
            filter_name=str(header.get("FILTER") or ""),
            band=str(header.get("FILTBAND") or ""),
            gains=read_gains(header),
            visit_info=visit_info_from(header),
            wcs=_wcs_from(image),
            psf=None if psf is None else psf_from(psf.header, _cube(psf)),
            aperture_corrections=None if corrections is None else aperture_corrections_from(_columns(corrections)),
            photo_calib=photo_calib_from(header),
            valid_polygon=None if polygon is None else polygon_from(_columns(polygon)),
            header=foreign_cards(header),
        )


def primary_hdu(cards: list[Card]) -> bytes:
    """A primary HDU without data."""
    structure = [Card("SIMPLE", True, "FITS standard 4.0"), Card("BITPIX", 8), Card("NAXIS", 0), Card("EXTEND", True)]
    return with_checksum([*structure, *cards], b"")


def mask_cards(planes: Mapping[str, int]) -> list[Card]:
    """The ``MP_<PLANE>`` cards: bit numbers by plane name."""
    return [Card(f"MP_{name}", bit) for name, bit in sorted(planes.items(), key=lambda item: item[1])]


def plane_bits(header: Mapping[str, Any]) -> dict[str, int]:
    """Plane name -> bit number of a mask extension."""
    return {key.removeprefix("MP_"): int(header[key]) for key in header if key.startswith("MP_")}


def plane_hdu(name: str, image: NDArray[Any], cards: list[Card]) -> bytes:
    """One compressed image extension of LSST's names."""
    packed = compress(image)
    structure = [Card(keyword, value) for keyword, value in packed.cards.items()]
    common = [
        Card("EXTNAME", name),
        Card("EXTTYPE", name),
        Card("INHERIT", True, "the primary header applies"),
        Card("LTV1", 0.0, "offset of the array in the CCD frame"),
        Card("LTV2", 0.0),
    ]
    return with_checksum([*structure, *common, *cards], packed.data)


def _hdus(exposure: Exposure, provenance: Mapping[str, Any]) -> list[bytes]:
    seconds = exposure.visit_info.exposure_time_s if exposure.visit_info else 0.0
    described = [*identity_cards(exposure), *photo_calib_cards(exposure.photo_calib, seconds)]
    own = [*described, *visit_info_cards(exposure.visit_info), Card("CREATOR", "safelight")]
    others = [Card(keyword, value) for keyword, value in foreign_cards({**exposure.header, **provenance}).items()]
    wcs = _wcs_cards(exposure.wcs, exposure.shape)
    # The values that a single-extension reader needs stand in IMAGE too: not every reader honours INHERIT.
    time = [card for card in visit_info_cards(exposure.visit_info) if card.keyword == "EXPTIME"]
    variance = [Card("BUNIT", "adu2"), Card("UTYPE", "VarianceUncertainty", "astropy.nddata uncertainty")]
    parts = [
        primary_hdu([*own, *others]),
        plane_hdu("IMAGE", exposure.image, [Card("BUNIT", "adu"), *described, *time, *wcs]),
        plane_hdu("MASK", exposure.mask, [*mask_cards(exposure.planes), *wcs]),
        plane_hdu("VARIANCE", exposure.variance, [*variance, *wcs]),
    ]
    if exposure.psf is not None:
        parts.append(psf_hdu(exposure.psf))
    if exposure.aperture_corrections is not None:
        parts.append(aperture_corrections_hdu(exposure.aperture_corrections))
    if exposure.valid_polygon is not None:
        parts.append(polygon_hdu(exposure.valid_polygon))
    return parts


def _wcs_cards(wcs: SkyWcs | None, shape: tuple[int, int]) -> list[Card]:
    if wcs is None:
        return []
    from safelight.exposure.wcs import TanSipWcs, render_tan_sip

    height, width = shape
    rendered = wcs if isinstance(wcs, TanSipWcs) else render_tan_sip(wcs, width, height)
    return [Card(keyword, value) for keyword, value in rendered.to_header().items()]


def _wcs_from(image: Hdu) -> SkyWcs | None:
    if "CRVAL1" not in image.header:
        return None
    from safelight.exposure.wcs import TanSipWcs

    wcs: SkyWcs = TanSipWcs.from_header(image.header)
    return wcs


def _cube(hdu: Hdu) -> NDArray[np.float32]:
    shape = tuple(int(hdu.header[f"NAXIS{i}"]) for i in (3, 2, 1))
    return np.frombuffer(hdu.data, ">f4").reshape(shape).astype(np.float32)


def _columns(hdu: Hdu) -> Mapping[str, NDArray[Any]]:
    from safelight.exposure.tables import table_of

    table = table_of(hdu)
    return {name: np.asarray(table[name]) for name in table.colnames}
