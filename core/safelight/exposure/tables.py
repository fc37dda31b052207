"""Astropy tables as FITS binary tables, fast: two hundred columns cost milliseconds, not tenths of a second.

Booleans become logical columns (T or F), units TUNIT, descriptions TDOC (LSST) and TCOMM (TOPCAT) cards, `meta` header
cards. Masked integers use TNULL, masked floats NaN, masked booleans the undefined logical.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError, UsageError
from safelight.exposure.background_fits import read_background, write_background
from safelight.exposure.fits_cards import Card, with_checksum
from safelight.exposure.fits_files import Hdu, header_values, open_fits, write_file
from safelight.exposure.fits_headers import is_structural

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["read_background", "read_table", "table_hdu", "table_of", "write_background", "write_table"]

#: NumPy kind and size -> TFORM letter, stored type and TZERO offset.
_FORMATS: Mapping[str, tuple[str, str, int]] = {
    "b1": ("L", "u1", 0),
    "u1": ("B", "u1", 0),
    "i1": ("B", "u1", -128),
    "i2": ("I", ">i2", 0),
    "u2": ("I", ">i2", 1 << 15),
    "i4": ("J", ">i4", 0),
    "u4": ("J", ">i4", 1 << 31),
    "i8": ("K", ">i8", 0),
    "u8": ("K", ">i8", 1 << 63),
    "f4": ("E", ">f4", 0),
    "f8": ("D", ">f8", 0),
    "c8": ("C", ">c8", 0),
    "c16": ("M", ">c16", 0),
}
_LETTERS = {"L": "u1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}
_COLUMN_CARDS = ("TTYPE", "TFORM", "TUNIT", "TDIM", "TNULL", "TZERO", "TSCAL", "TDOC", "TCOMM", "TDISP")


def write_table(path: str | Path, table: Table, name: str = "") -> None:
    """Write `table` to exactly `path` as extension `name` (default: meta's EXTNAME, else TABLE).

    Raises `UsageError` (UNSTORABLE_COLUMN) for columns of Python objects, `RepositoryError` as `write_file`.
    """
    from safelight.exposure.fits_exposure import primary_hdu

    write_file(path, [primary_hdu([]), table_hdu(table, name or str(table.meta.get("EXTNAME", "TABLE")))])


def read_table(path: str | Path) -> Table:
    """The first binary table of a FITS file, with units, descriptions and meta.

    Raises `DatasetNotFound` (FILE_NOT_FOUND) and `ProcessingError` (NOT_FITS, FITS_TRUNCATED, NO_TABLE).
    """
    with open_fits(path) as hdus:
        for hdu in hdus:
            if str(hdu.header.get("XTENSION", "")).strip() == "BINTABLE" and not hdu.header.get("ZIMAGE", False):
                return table_of(hdu)
    raise ProcessingError("NO_TABLE", f"{path} has no binary table.")


def table_hdu(table: Table, name: str) -> bytes:
    """A binary-table extension."""
    columns: list[Card] = []
    stored: dict[str, NDArray[Any]] = {}
    for number, column_name in enumerate(table.colnames, start=1):
        column = table[column_name]
        letter, values, zero, null = _stored(column_name, column)
        stored[column_name] = values
        width = values.dtype.itemsize if letter == "A" else int(np.prod(values.shape[1:], dtype=int))
        columns.append(Card(f"TTYPE{number}", column_name))
        columns.append(Card(f"TFORM{number}", f"{width}{letter}"))
        if values.ndim > 2:
            columns.append(Card(f"TDIM{number}", "(" + ",".join(str(n) for n in reversed(values.shape[1:])) + ")"))
        if zero:
            columns += [Card(f"TSCAL{number}", 1), Card(f"TZERO{number}", zero)]
        if null is not None:
            columns.append(Card(f"TNULL{number}", null))
        if getattr(column, "unit", None) is not None:
            columns.append(Card(f"TUNIT{number}", _unit_text(column.unit)))
        if column.info.description:
            columns.append(Card(f"TDOC{number}", column.info.description))
            columns.append(Card(f"TCOMM{number}", column.info.description))
    rows = _rows(stored, len(table))
    structure = [
        Card("XTENSION", "BINTABLE", "binary table extension"),
        Card("BITPIX", 8),
        Card("NAXIS", 2),
        Card("NAXIS1", rows.dtype.itemsize, "bytes of a row"),
        Card("NAXIS2", len(table), "rows"),
        Card("PCOUNT", 0),
        Card("GCOUNT", 1),
        Card("TFIELDS", len(stored), "columns"),
        Card("EXTNAME", name),
    ]
    return with_checksum([*structure, *columns, *_meta_cards(table.meta)], rows.tobytes())


def table_of(hdu: Hdu) -> Table:
    """The table of a binary-table HDU; variable-length and bit columns are left to astropy."""
    from astropy.table import Table

    header = header_values(hdu.header)
    forms = [str(header[f"TFORM{i + 1}"]).strip() for i in range(int(header["TFIELDS"]))]
    if any(form.lstrip("0123456789")[:1] not in {*_LETTERS, "A"} for form in forms):
        return _astropy_table(hdu)
    fields = [(f"f{i}", *_field(form, header.get(f"TDIM{i + 1}"))) for i, form in enumerate(forms)]
    rows = np.frombuffer(hdu.data, np.dtype(fields), int(header["NAXIS2"]))
    table = Table()
    for i, form in enumerate(forms):
        name = str(header.get(f"TTYPE{i + 1}", f"col{i + 1}"))
        table.add_column(_column(rows[f"f{i}"], form, header, i + 1), name=name, copy=False)
        column = table[name]
        if header.get(f"TUNIT{i + 1}"):
            column.unit = _parsed_unit(str(header[f"TUNIT{i + 1}"]))
        column.info.description = header.get(f"TDOC{i + 1}") or header.get(f"TCOMM{i + 1}") or None
    own = ("TFIELDS", "XTENSION", "EXTNAME")
    for keyword, value in header.items():
        column_card = keyword.rstrip("0123456789") in _COLUMN_CARDS and keyword[-1:].isdigit()
        if not column_card and not is_structural(keyword) and keyword not in own:
            table.meta[keyword] = value
    if header.get("EXTNAME", "TABLE") != "TABLE":
        table.meta["EXTNAME"] = header["EXTNAME"]
    return table


def _stored(name: str, column: Any) -> tuple[str, NDArray[Any], int, int | None]:
    """TFORM letter, values as FITS stores them, TZERO, TNULL."""
    mask = getattr(column, "mask", None)
    mask = np.asarray(mask) if mask is not None and np.any(mask) else None
    values = np.asarray(column.filled() if mask is not None else column)
    if values.dtype.kind in "US":
        text = values.astype("S") if values.dtype.kind == "U" else values
        return "A", text if text.dtype.itemsize else text.astype("S1"), 0, None
    code = values.dtype.str[1:]
    if code not in _FORMATS:
        raise UsageError("UNSTORABLE_COLUMN", f"Column {name!r} of type {values.dtype} cannot be stored in FITS.")
    letter, stored_type, zero = _FORMATS[code]
    null = None
    if letter == "L":
        result = np.where(values, np.uint8(ord("T")), np.uint8(ord("F")))
    elif zero:
        # Two's complement: flipping the sign bit is the subtraction of TZERO.
        unsigned = values.view(f"u{values.dtype.itemsize}") ^ np.array(1 << (8 * values.dtype.itemsize - 1)).astype(
            f"u{values.dtype.itemsize}"
        )
        result = unsigned.view(f"i{values.dtype.itemsize}") if letter != "B" else unsigned
        result = result.astype(stored_type)
    else:
        result = values.astype(stored_type)
    if mask is not None:
        result = result.copy()
        if letter == "L":
            result[mask] = 0
        elif letter in "EDCM":
            result[mask] = np.nan
        else:
            null = int(np.iinfo(result.dtype).max if letter == "B" else np.iinfo(result.dtype).min)
            result[mask] = null
    return letter, result, zero, null


def _rows(columns: dict[str, NDArray[Any]], n_rows: int) -> NDArray[Any]:
    dtype = np.dtype([(f"f{i}", values.dtype, values.shape[1:]) for i, values in enumerate(columns.values())])
    rows = np.zeros(n_rows, dtype)
    for i, values in enumerate(columns.values()):
        rows[f"f{i}"] = values
    return rows


def _field(form: str, dimensions: Any) -> tuple[str, tuple[int, ...]]:
    """NumPy type and shape of one cell."""
    digits = form[: len(form) - len(form.lstrip("0123456789"))]
    repeat = int(digits or 1)
    letter = form[len(digits)]
    if letter == "A":
        return f"S{repeat}", ()
    shape: tuple[int, ...] = () if repeat == 1 and not dimensions else (repeat,)
    if dimensions:
        shape = tuple(int(n) for n in reversed(str(dimensions).strip(" ()").split(",")))
    return _LETTERS[letter], shape


def _column(values: NDArray[Any], form: str, header: Mapping[str, Any], number: int) -> Any:
    from astropy.table import Column, MaskedColumn

    letter = form.lstrip("0123456789")[0]
    if letter == "A":
        return Column(np.char.rstrip(np.char.decode(values, "ascii", "replace")) if values.size else values.astype("U"))
    if letter == "L":
        truth = values == ord("T")
        undefined = values == 0
        return MaskedColumn(truth, mask=undefined) if undefined.any() else Column(truth)
    zero, scale = header.get(f"TZERO{number}", 0), header.get(f"TSCAL{number}", 1)
    native = values.astype(values.dtype.newbyteorder("="))
    null = header.get(f"TNULL{number}")
    masked = native == null if null is not None else None
    size = native.dtype.itemsize
    if letter in "BIJK" and scale == 1 and zero in (1 << (8 * size - 1), -128):
        unsigned = native.view(f"u{size}") ^ np.array(1 << (8 * size - 1)).astype(f"u{size}")
        native = unsigned.view("i1") if zero == -128 else unsigned
    elif scale != 1 or zero != 0:
        native = native * float(scale) + float(zero)
    return Column(native) if masked is None or not masked.any() else MaskedColumn(native, mask=masked)


def _meta_cards(meta: Mapping[str, Any]) -> list[Card]:
    plain = (str, int, float, bool, np.generic, type(None))
    return [
        Card(str(key), value if isinstance(value, plain) or key in ("COMMENT", "HISTORY") else str(value))
        for key, value in meta.items()
        if not is_structural(str(key).upper()) and str(key).upper() != "EXTNAME"
    ]


@lru_cache(maxsize=256)
def _unit_text(unit: Any) -> str:
    try:
        return str(unit.to_string("fits"))
    except ValueError:
        return str(unit)


@lru_cache(maxsize=256)
def _parsed_unit(text: str) -> Any:
    from astropy import units

    return units.Unit(text, parse_strict="silent")


def _astropy_table(hdu: Hdu) -> Table:
    import warnings

    from astropy.table import Table
    from astropy.units import UnitsWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnitsWarning)
        return Table.read(hdu.path, hdu=hdu.index)
