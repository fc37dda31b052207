"""The form of a shard on disk: an afw table in FITS, flags packed in one bit column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.exposure.fits_cards import Card, header_bytes, padded

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["ShardFormat", "shard_format"]

_FORMS = {"i2": "I", "i4": "J", "i8": "K", "u1": "B", "f4": "E", "f8": "D"}

#: Unit, afw's field class and documentation of the standard columns.
_KNOWN = {
    "id": ("", "Scalar", "unique ID"),
    "coord_ra": ("rad", "Angle", "position in ra/dec"),
    "coord_dec": ("rad", "Angle", "position in ra/dec"),
    "coord_raErr": ("rad", "Scalar", "1-sigma uncertainty of RA times cos(Dec)"),
    "coord_decErr": ("rad", "Scalar", "1-sigma uncertainty of Dec"),
    "epoch": ("day", "Scalar", "epoch of the position (TAI, MJD)"),
    "pm_ra": ("rad/year", "Scalar", "proper motion in RA times cos(Dec)"),
    "pm_dec": ("rad/year", "Scalar", "proper motion in Dec"),
    "pm_raErr": ("rad/year", "Scalar", "1-sigma uncertainty of pm_ra"),
    "pm_decErr": ("rad/year", "Scalar", "1-sigma uncertainty of pm_dec"),
    "parallax": ("rad", "Scalar", "parallax"),
    "parallaxErr": ("rad", "Scalar", "1-sigma uncertainty of parallax"),
}


@dataclass(frozen=True, slots=True)
class ShardFormat:
    """Columns of one catalogue's shards."""

    dtype: np.dtype[np.void]
    flags: tuple[str, ...]
    format_version: int

    def rows(self, table: Table) -> NDArray[np.void]:
        """The table's rows as they are stored; format version 0 has its fluxes in Jy."""
        rows = np.zeros(len(table), self.dtype)
        if self.flags:
            bits = np.stack([np.asarray(table[name], dtype=np.bool_) for name in self.flags], axis=1)
            rows["flags"] = np.packbits(bits, axis=1)
        for name in self.dtype.names or ():
            if name == "flags" and self.flags:
                continue
            plain = _plain(table[name])
            in_jy = self.format_version == 0 and name.endswith(("_flux", "_fluxErr"))
            rows[name] = plain * 1e-9 if in_jy else plain
        return rows

    def content(self, rows: NDArray[np.void]) -> bytes:
        """A whole FITS file of these rows."""
        primary = [
            Card("SIMPLE", True), Card("BITPIX", 8), Card("NAXIS", 0), Card("EXTEND", True),
        ]  # fmt: skip
        return header_bytes(primary) + header_bytes(self._cards(len(rows))) + padded(rows.tobytes())

    def _cards(self, count: int) -> list[Card]:
        names = self.dtype.names or ()
        cards = [
            Card("XTENSION", "BINTABLE"), Card("BITPIX", 8), Card("NAXIS", 2), Card("NAXIS1", self.dtype.itemsize),
            Card("NAXIS2", count), Card("PCOUNT", 0), Card("GCOUNT", 1), Card("TFIELDS", len(names)),
        ]  # fmt: skip
        for k, name in enumerate(names, start=1):
            cards += self._column(k, name)
        for k, name in enumerate(self.flags, start=1):
            cards.append(Card(f"TFLAG{k}", name))
        cards += [
            Card("REFCAT_FORMAT_VERSION", self.format_version),
            Card("AFW_TABLE_VERSION", 3),
            Card("AFW_TYPE", "SIMPLE"),
        ]
        return cards

    def _column(self, k: int, name: str) -> list[Card]:
        if name == "flags" and self.flags:
            return [Card(f"TTYPE{k}", name), Card(f"TFORM{k}", f"{len(self.flags)}X"), Card("FLAGCOL", k)]
        kind = self.dtype[name]
        text = kind.kind == "S"
        form = f"{kind.itemsize}A" if text else f"1{_FORMS[kind.str[1:]]}"
        unit, afw_class, doc = _KNOWN.get(name, ("", "String" if text else "Scalar", ""))
        if name.endswith(("_flux", "_fluxErr")):
            unit, doc = ("nJy" if self.format_version else "Jy"), f"{'error of ' if name.endswith('Err') else ''}flux"
        cards = [Card(f"TTYPE{k}", name), Card(f"TFORM{k}", form), Card(f"TCCLS{k}", afw_class)]
        cards += [Card(f"TUNIT{k}", unit)] if unit else []
        return cards + ([Card(f"TDOC{k}", doc)] if doc else [])


def shard_format(table: Table, format_version: int) -> ShardFormat:
    """How the columns of a table are stored: booleans as flags, unsigned and short integers as 64-bit ones."""
    fields: list[tuple[str, str] | tuple[str, str, tuple[int]]] = []
    flags = tuple(name for name in table.colnames if table[name].dtype.kind == "b")
    if flags:
        fields.append(("flags", "u1", ((len(flags) + 7) // 8,)))
    for name in table.colnames:
        kind = table[name].dtype
        if kind.kind == "f":
            fields.append((name, ">f4" if kind.itemsize == 4 else ">f8"))
        elif kind.kind in "iu":
            fields.append((name, ">i8"))
        elif kind.kind in "US":
            fields.append((name, f"S{max(1, _text_width(table[name]))}"))
    return ShardFormat(np.dtype(fields), flags, format_version)


def _plain(column: Any) -> NDArray[Any]:
    """A column's values without mask: NaN, or the type's fill value, where it is masked; text as bytes."""
    values: Any = np.ma.asarray(column)
    if values.dtype.kind == "f":
        return np.asarray(np.ma.filled(values.astype(np.float64), np.nan))
    plain: Any = np.ma.filled(values)
    return np.char.encode(plain, "utf-8") if plain.dtype.kind == "U" else np.asarray(plain)


def _text_width(column: Any) -> int:
    return int(_plain(column).dtype.itemsize)
