"""FITS files as lists of headers and data, read and written whole.

The scanner knows just what our files and those of LSST need and reads an image in one pass into native byte order;
exotic compressions (RICE, HCOMPRESS, quantised floats) are left to `astropy.io.fits`.
"""

from __future__ import annotations

import errno
import math
import mmap
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import DatasetNotFound, ProcessingError, RepositoryError
from safelight.exposure.compression import decompress, decompress_rows, gzip_errors, is_lossless_gzip
from safelight.exposure.fits_cards import BLOCK

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["Hdu", "find", "header_values", "open_fits", "read_image", "read_rows", "write_file"]

_DTYPES = {8: ">u1", 16: ">i2", 32: ">i4", 64: ">i8", -32: ">f4", -64: ">f8"}
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
_NOT_ALLOWED = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(slots=True)
class Hdu:
    """One header-data unit; `data` is a view that lives as long as the file is open."""

    index: int
    header: Header
    data: memoryview
    path: Path

    @property
    def name(self) -> str:
        """EXTNAME, upper case."""
        return str(self.header.get("EXTNAME", "")).strip().upper()

    @property
    def is_image(self) -> bool:
        """Whether this is a two-dimensional image, compressed or not, that holds pixels."""
        if self.header.get("ZIMAGE", False):
            return bool(self.header.get("ZNAXIS") == 2)
        kind = str(self.header.get("XTENSION", "IMAGE")).strip()
        return kind == "IMAGE" and self.header.get("NAXIS", 0) == 2 and len(self.data) > 0


@contextmanager
def open_fits(path: str | Path) -> Iterator[list[Hdu]]:
    """The HDUs of a FITS file, plain or gzipped as a whole (recognised by its first bytes, whatever its name).

    Raises `DatasetNotFound` (FILE_NOT_FOUND) and `ProcessingError` (NOT_FITS, FITS_TRUNCATED).
    """
    path = Path(path)
    try:
        with path.open("rb") as stream:
            if stream.read(2) == b"\x1f\x8b":
                yield _scan(memoryview(_gunzipped(path)), path)
                return
            if path.stat().st_size == 0:
                raise ProcessingError("NOT_FITS", f"{path} is empty.")
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except FileNotFoundError as error:
        raise DatasetNotFound("FILE_NOT_FOUND", f"There is no file {path}.") from error
    # Left to the garbage collector, for callers may still hold views.
    yield _scan(memoryview(content), path)


def find(hdus: list[Hdu], name: str) -> Hdu | None:
    """The first extension of that EXTNAME, or EXTTYPE; a primary header without data does not count."""
    for hdu in hdus:
        kind = str(hdu.header.get("EXTTYPE", "")).strip().upper()
        if name in (hdu.name, kind) and len(hdu.data) > 0:
            return hdu
    return None


def read_image(hdu: Hdu, dtype: str = "f4") -> NDArray[Any]:
    """The pixels [y, x] of an image HDU as a new native array of type `dtype` (BSCALE and BZERO applied)."""
    header = hdu.header
    if is_lossless_gzip(header):
        return decompress(header, hdu.data).astype(dtype, copy=False)
    if header.get("ZIMAGE", False):
        return _astropy_image(hdu, dtype)
    shape = (int(header["NAXIS2"]), int(header["NAXIS1"]))
    stored = np.frombuffer(hdu.data, _DTYPES[int(header["BITPIX"])], shape[0] * shape[1]).reshape(shape)
    image = np.empty(shape, dtype)
    scale, zero = float(header.get("BSCALE", 1.0)), float(header.get("BZERO", 0.0))
    if scale == 1.0 and zero == 0.0:
        image[:] = stored
    else:
        image[:] = stored * scale + zero
    return image


def read_rows(hdu: Hdu, rows: NDArray[np.integer], dtype: str = "f4") -> NDArray[Any]:
    """Some rows, in ascending order, of the image that `read_image` gives; of a tiled one only their tiles are read."""
    if is_lossless_gzip(hdu.header):
        return decompress_rows(hdu.header, hdu.data, rows).astype(dtype, copy=False)
    return np.asarray(read_image(hdu, dtype)[rows])


def header_values(header: Header) -> dict[str, Any]:
    """Keyword -> value; COMMENT and HISTORY records joined by newlines, undefined values None."""
    from astropy.io.fits.card import Undefined

    values: dict[str, Any] = {}
    for card in header.cards:
        keyword = str(card.keyword)
        if keyword in ("COMMENT", "HISTORY"):
            values[keyword] = f"{values[keyword]}\n{card.value}" if keyword in values else str(card.value)
        elif keyword:
            values[keyword] = None if isinstance(card.value, Undefined) else card.value
    return values


def write_file(path: str | Path, parts: Iterable[bytes]) -> None:
    """Write `parts` to exactly `path`, replacing what is there.

    Raises `RepositoryError` (DISK_FULL, NOT_WRITABLE or CANNOT_WRITE).
    """
    try:
        with Path(path).open("wb") as stream:
            for part in parts:
                stream.write(part)
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            code, hint = "DISK_FULL", "Free some space and run the same command again."
        elif error.errno in _NOT_ALLOWED:
            code, hint = "NOT_WRITABLE", "Check the permissions of the folder."
        else:
            code, hint = "CANNOT_WRITE", ""
        raise RepositoryError(code, f"{path} cannot be written: {error.strerror or error}.", hint) from error


def _gunzipped(path: Path) -> bytes:
    from isal import igzip

    try:
        with igzip.open(path, "rb") as stream:
            return bytes(stream.read())
    except gzip_errors() as error:
        raise ProcessingError("FITS_TRUNCATED", f"{path} cannot be decompressed: {error}.") from error


def _scan(content: memoryview, path: Path) -> list[Hdu]:
    from astropy.io.fits import Header

    if bytes(content[:9]) != b"SIMPLE  =":
        raise ProcessingError("NOT_FITS", f"{path} is not a FITS file: it does not begin with SIMPLE.")
    hdus: list[Hdu] = []
    start = 0
    while start < len(content) and (start == 0 or bytes(content[start : start + 9]) == b"XTENSION="):
        end = _header_end(content, start, path)
        text = bytes(content[start:end]).decode("ascii", "replace")
        header = Header.fromstring(text)
        size = _data_size(header)
        if end + size > len(content):
            raise ProcessingError(
                "FITS_TRUNCATED",
                f"{path} is truncated: extension {len(hdus)} ends at byte {end + size}, the file at {len(content)}.",
            )
        hdus.append(Hdu(len(hdus), header, content[end : end + size], path))
        start = end + -(-size // BLOCK) * BLOCK
    return hdus


def _header_end(content: memoryview, start: int, path: Path) -> int:
    for block in range(start, len(content), BLOCK):
        records = bytes(content[block : block + BLOCK])
        if any(records[i : i + 80].rstrip() == b"END" for i in range(0, len(records), 80)):
            return block + BLOCK
    raise ProcessingError("FITS_TRUNCATED", f"{path} is truncated: a header at byte {start} has no END card.")


def _data_size(header: Header) -> int:
    axes = [int(header[f"NAXIS{i + 1}"]) for i in range(int(header.get("NAXIS", 0)))]
    if not axes:
        return 0
    pixels = int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + math.prod(axes))
    return abs(int(header["BITPIX"])) // 8 * pixels


def _astropy_image(hdu: Hdu, dtype: str) -> NDArray[Any]:
    from astropy.io import fits

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # non-standard cards of foreign files are not ours to report here
        with fits.open(hdu.path) as hdus:
            return np.ascontiguousarray(hdus[hdu.index].data, dtype=dtype)
