"""PSF model and aperture corrections as FITS extensions that other programs can make sense of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import RepositoryError
from safelight.exposure.apcorr import ApertureCorrections, CorrectionField
from safelight.exposure.fits_cards import Card, with_checksum
from safelight.exposure.psf import PsfModel

__all__ = [
    "aperture_corrections_from",
    "aperture_corrections_hdu",
    "polygon_from",
    "polygon_hdu",
    "psf_from",
    "psf_hdu",
]

_PSF_CARDS = {
    "degree": ("PSFDEG", "total degree of the polynomial in u and v"),
    "x_centre": ("PSFX0", "[pixel] u = (x - PSFX0) / PSFXSCAL, x 0-based"),
    "y_centre": ("PSFY0", "[pixel] v = (y - PSFY0) / PSFYSCAL, y 0-based"),
    "x_scale": ("PSFXSCAL", "[pixel]"),
    "y_scale": ("PSFYSCAL", "[pixel]"),
    "n_stars": ("PSFNSTAR", "stars that the model was fitted to"),
    "oversampling": ("PSFOVERS", "grid points per pixel and axis"),
}
_PSF_COMMENT = (
    "PSF image at pixel (x, y): the sum over planes k of plane k times u**i times v**j,\n"
    "divided by its own sum (of every PSFOVERS-th point, counted from the middle).\n"
    "The planes' exponents (i, j) are (0,0), (0,1) ... (0,n), (1,0) ...:\n"
    "for i in 0..n, for j in 0..n-i, with n = PSFDEG; cards PSFUk and PSFVk repeat them."
)


def image_hdu(image: NDArray[Any], cards: list[Card], name: str) -> bytes:
    """An uncompressed image extension; `image` may be of 2 or 3 dimensions."""
    bitpix = {"f4": -32, "f8": -64, "i4": 32}[image.dtype.str[1:]]
    axes = [Card(f"NAXIS{i + 1}", size) for i, size in enumerate(reversed(image.shape))]
    structure = [
        Card("XTENSION", "IMAGE", "image extension"),
        Card("BITPIX", bitpix),
        Card("NAXIS", image.ndim),
        *axes,
        Card("PCOUNT", 0),
        Card("GCOUNT", 1),
        Card("EXTNAME", name),
    ]
    return with_checksum([*structure, *cards], image.astype(image.dtype.newbyteorder(">")).tobytes())


def psf_hdu(psf: PsfModel) -> bytes:
    """The PSF as an image cube, one plane a polynomial term, EXTNAME PSF."""
    n = psf.degree
    exponents = [(i, j) for i in range(n + 1) for j in range(n + 1 - i)]
    cards = [Card("EXTTYPE", "PSF")]
    cards += [Card(keyword, getattr(psf, name), comment) for name, (keyword, comment) in _PSF_CARDS.items()]
    for k, (i, j) in enumerate(exponents):
        cards += [Card(f"PSFU{k + 1}", i, f"exponent of u of plane {k + 1}"), Card(f"PSFV{k + 1}", j)]
    cards.append(Card("COMMENT", _PSF_COMMENT))
    return image_hdu(np.asarray(psf.coefficients, dtype=np.float32), cards, "PSF")


def psf_from(header: Mapping[str, Any], cube: NDArray[np.float32]) -> PsfModel:
    """The PSF model of the extension that `psf_hdu` wrote; `RepositoryError` where one of its cards is missing."""
    missing = [keyword for keyword, _ in _PSF_CARDS.values() if keyword not in header]
    if missing:
        raise RepositoryError(
            "FITS_DAMAGED",
            f"The PSF extension has no {' and no '.join(missing)}.",
            "The file was not written by this version; process the CCD again (--redo).",
        )
    values = {name: header[keyword] for name, (keyword, _) in _PSF_CARDS.items()}
    return PsfModel(
        coefficients=cube,
        degree=int(values["degree"]),
        x_centre=float(values["x_centre"]),
        y_centre=float(values["y_centre"]),
        x_scale=float(values["x_scale"]),
        y_scale=float(values["y_scale"]),
        n_stars=int(values["n_stars"]),
        oversampling=int(values["oversampling"]),
    )


def aperture_corrections_hdu(corrections: ApertureCorrections) -> bytes:
    """The corrections as a binary table, one row a flux, EXTNAME APCORR; Chebyshev coefficients as an array column."""
    from astropy.table import Table

    from safelight.exposure.tables import table_hdu

    fields = corrections.fields
    side = max((f.coefficients.shape[0] for f in fields.values()), default=1)
    grids = np.zeros((len(fields), side, side))
    for row, field in enumerate(fields.values()):
        grids[row, : field.coefficients.shape[0], : field.coefficients.shape[1]] = field.coefficients
    table = Table()
    table["name"] = np.array(list(fields), dtype="U64")
    table["order"] = np.array([f.coefficients.shape[0] - 1 for f in fields.values()], dtype=np.int32)
    table["width"] = np.array([f.width for f in fields.values()], dtype=np.int32)
    table["height"] = np.array([f.height for f in fields.values()], dtype=np.int32)
    table["rms"] = np.array([f.rms for f in fields.values()], dtype=np.float64)
    table["n_stars"] = np.array([f.n_stars for f in fields.values()], dtype=np.int32)
    table["common_error"] = np.array([f.common_error for f in fields.values()], dtype=np.float64)
    table["coefficients"] = grids
    table["coefficients"].description = "Chebyshev series [y degree, x degree] over the CCD mapped to -1..1"
    table.meta["EXTTYPE"] = "APCORR"
    return table_hdu(table, "APCORR")


def aperture_corrections_from(table: Mapping[str, NDArray[Any]]) -> ApertureCorrections:
    """The corrections of the columns that `aperture_corrections_hdu` wrote."""
    fields: dict[str, CorrectionField] = {}
    for row, name in enumerate(table["name"]):
        side = int(table["order"][row]) + 1
        fields[str(name)] = CorrectionField(
            coefficients=np.array(table["coefficients"][row][:side, :side], dtype=np.float64),
            width=int(table["width"][row]),
            height=int(table["height"][row]),
            rms=float(table["rms"][row]),
            n_stars=int(table["n_stars"][row]),
            common_error=float(table["common_error"][row]) if "common_error" in table else 0.0,
        )
    return ApertureCorrections(fields)


def polygon_hdu(polygon: NDArray[np.float64]) -> bytes:
    """The vertices (n, 2) of the valid polygon as a table of 0-based pixels x and y, EXTNAME VALIDPOLYGON."""
    from astropy.table import Table

    from safelight.exposure.tables import table_hdu

    table = Table({"x": polygon[:, 0], "y": polygon[:, 1]}, meta={"EXTTYPE": "VALIDPOLYGON"})
    return table_hdu(table, "VALIDPOLYGON")


def polygon_from(table: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """The vertices (n, 2) of the columns that `polygon_hdu` wrote."""
    return np.stack([np.asarray(table["x"], dtype=np.float64), np.asarray(table["y"], dtype=np.float64)], axis=1)
