"""One shard of a reference catalogue: a FITS binary table read straight into a numpy array."""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import RepositoryError
from safelight.fitscards import parse_cards, read_header_block

__all__ = ["Shard", "read_shard", "read_shard_header"]

#: Bytes of shards that a process keeps; neighbouring CCDs ask for the same ones.
_CACHE_BYTES = 256 << 20

_TYPES = {"L": "i1", "B": "u1", "I": ">i2", "J": ">i4", "K": ">i8", "E": ">f4", "D": ">f8", "C": ">c8", "M": ">c16"}


@dataclass(frozen=True, slots=True)
class Shard:
    """Rows of a shard as they are stored (big-endian; bit columns packed) and what its header says."""

    rows: NDArray[np.void]
    units: dict[str, str]  # column -> TUNIT
    flags: dict[str, int]  # name of a flag -> its number in the bit column `flags_column`
    flags_column: str
    format_version: int | None  # None: not stated

    def flag(self, name: str, select: NDArray[Any]) -> NDArray[np.bool_]:
        """A flag of the selected rows, unpacked from the bit column."""
        number = self.flags[name]
        packed = self.rows[self.flags_column][select]
        packed = packed.reshape(len(packed), -1)
        bits: NDArray[np.bool_] = (packed[:, number // 8] >> (7 - number % 8) & 1).astype(np.bool_)
        return bits


_cache: OrderedDict[tuple[str, int, int], Shard] = OrderedDict()
_lock = threading.Lock()


def read_shard(path: Path) -> Shard:
    """The shard in a file, kept in memory for the next call while the file does not change.

    Raises
    ------
    RepositoryError
        ``BAD_SHARD`` for a file that is not a whole FITS table.
    """
    status = path.stat()
    key = (str(path), status.st_size, status.st_mtime_ns)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    shard = _read(path)
    with _lock:
        _cache[key] = shard
        while len(_cache) > 1 and sum(kept.rows.nbytes for kept in _cache.values()) > _CACHE_BYTES:
            _cache.popitem(last=False)
    return shard


def read_shard_header(path: Path) -> dict[str, Any]:
    """The table's header cards, keyword -> value."""
    with path.open("rb") as stream:
        primary = parse_cards(read_header_block(stream))
        if primary.get("SIMPLE") is not True or primary.get("NAXIS", 0) != 0:
            raise _bad(path, "it is not a FITS file with a table in its first extension")
        return parse_cards(read_header_block(stream))


def _bad(path: Path, reason: str) -> RepositoryError:
    return RepositoryError(
        "BAD_SHARD", f"The reference shard {path} cannot be read: {reason}.", "Copy or ingest the shard again."
    )


def _read(path: Path) -> Shard:
    header = read_shard_header(path)
    if header.get("XTENSION") != "BINTABLE":
        raise _bad(path, f"its first extension is {header.get('XTENSION')!r}, not BINTABLE")
    dtype = _row_type(path, header)
    with path.open("rb") as stream:
        read_header_block(stream)
        read_header_block(stream)
        rows = np.fromfile(stream, dtype, count=int(header["NAXIS2"]))
    if len(rows) != header["NAXIS2"]:
        raise _bad(path, f"{len(rows)} of {header['NAXIS2']} rows are there")
    rows.flags.writeable = False
    names = dtype.names or ()
    units = {name: str(header[f"TUNIT{k}"]).strip() for k, name in enumerate(names, start=1) if header.get(f"TUNIT{k}")}
    flags_column = names[int(header["FLAGCOL"]) - 1] if "FLAGCOL" in header else ""
    flags = {
        str(value).strip(): int(key[5:]) - 1
        for key, value in header.items()
        if flags_column and re.fullmatch(r"TFLAG\d+", key)
    }
    version = header.get("REFCAT_FORMAT_VERSION")
    return Shard(rows, units, flags, flags_column, int(version) if version is not None else None)


def _row_type(path: Path, header: dict[str, Any]) -> np.dtype[np.void]:
    fields: list[tuple[Any, ...]] = []
    for k in range(1, int(header.get("TFIELDS", 0)) + 1):
        form = str(header.get(f"TFORM{k}", "")).strip()
        match = re.match(r"(\d*)([LXBIJKAEDCMPQ])", form)
        if match is None:
            raise _bad(path, f"TFORM{k} is {form!r}")
        count, code = int(match[1] or 1), match[2]
        name = str(header.get(f"TTYPE{k}", f"column{k}")).strip()
        if code == "A":
            fields.append((name, f"S{count}"))
        elif code == "X":
            fields.append((name, "u1", ((count + 7) // 8,)))
        elif code in "PQ":  # arrays of variable length: their descriptors only
            fields.append((name, ">i4" if code == "P" else ">i8", (2 * count,)))
        else:
            fields.append((name, _TYPES[code]) if count == 1 else (name, _TYPES[code], (count,)))
    dtype = np.dtype(fields)
    if dtype.itemsize != header.get("NAXIS1"):
        raise _bad(path, f"its columns take {dtype.itemsize} bytes a row and NAXIS1 says {header.get('NAXIS1')}")
    return dtype
