"""Headers of a FITS file, with a check that the file is whole, without touching its pixels.

Plain files are walked by seeking; gzip-compressed ones are unpacked once in small pieces, since only that tells whether
their end is there.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

from safelight.errors import ProcessingError
from safelight.fitscards import parse_cards

__all__ = ["read_fits_headers"]

_BLOCK = 2880
_MOST_HEADER_BLOCKS = 20_000
_PIECE = 1 << 20


def read_fits_headers(path: Path, *, prefix: str = "RAW") -> list[dict[str, Any]]:
    """The header of every HDU as keyword -> value (of a repeated keyword the last counts; no comments).

    Parameters
    ----------
    path : Path
        A FITS file, perhaps compressed as a whole (gzip) or by tiles (fpack).
    prefix : str
        Begin of the error codes.

    Raises
    ------
    ProcessingError
        ``RAW_MISSING``, ``RAW_EMPTY``, ``RAW_NOT_FITS``, ``RAW_TRUNCATED`` (with the number of bytes missing), or
        ``RAW_UNREADABLE`` when the operating system refuses.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            file.seek(0)
            if size == 0:
                raise ProcessingError(f"{prefix}_EMPTY", f"{path} is empty (0 bytes).", "Copy the file again.")
            packed = file.read(2) == b"\x1f\x8b"
            file.seek(0)
            if packed:
                return _read_packed(path, file, prefix)
            return [parse_cards(text) for text in _walk(path, file, size, prefix)]
    except FileNotFoundError:
        raise ProcessingError(f"{prefix}_MISSING", f"There is no file {path}.", "Check the name.") from None
    except OSError as error:
        raise ProcessingError(f"{prefix}_UNREADABLE", f"{path} cannot be read: {error.strerror or error}.") from error


def _read_packed(path: Path, file: BinaryIO, prefix: str) -> list[dict[str, Any]]:
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            return [parse_cards(text) for text in _walk(path, stream, None, prefix)]
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise ProcessingError(
            f"{prefix}_TRUNCATED", f"{path} is damaged or cut off: {error}.", "Copy the file again."
        ) from error


def _walk(path: Path, stream: BinaryIO | gzip.GzipFile, size: int | None, prefix: str) -> list[bytes]:
    """The headers' bytes; `size` None: a stream that has to be read to its end."""
    texts: list[bytes] = []
    position = 0
    while True:
        text = _read_header(path, stream, prefix, first=not texts)
        if text is None:
            break
        position += len(text)
        texts.append(text)
        length = _data_length(parse_cards(text))
        available = length if size is None else max(0, min(length, size - position))
        if size is None:
            available = _skip_by_reading(stream, length)
        if available < length:
            raise ProcessingError(
                f"{prefix}_TRUNCATED",
                f"{path} is cut off: {length - available} of {length} bytes of data are missing.",
                "Copy the file again.",
            )
        padded = -(-length // _BLOCK) * _BLOCK
        position += padded
        if size is None:
            _skip_by_reading(stream, padded - length)
        else:
            stream.seek(position)
    if size is None:
        while stream.read(_PIECE):  # the checksum stands at the very end
            pass
    return texts


def _read_header(path: Path, stream: BinaryIO | gzip.GzipFile, prefix: str, *, first: bool) -> bytes | None:
    """The bytes of the next header; None at the end of the file."""
    blocks: list[bytes] = []
    while len(blocks) < _MOST_HEADER_BLOCKS:
        block = stream.read(_BLOCK)
        if not blocks:
            begin = b"SIMPLE  =" if first else b"XTENSION="
            if not block.startswith(begin):
                if first:
                    raise ProcessingError(
                        f"{prefix}_NOT_FITS",
                        f"{path} is not a FITS file: it does not begin with SIMPLE.",
                        "Give FITS files only.",
                    )
                return None
        blocks.append(block)
        if len(block) < _BLOCK:
            raise ProcessingError(f"{prefix}_TRUNCATED", f"{path} is cut off within a header.", "Copy the file again.")
        if any(block[i : i + 8] == b"END     " for i in range(0, _BLOCK, 80)):
            return b"".join(blocks)
    raise ProcessingError(f"{prefix}_NOT_FITS", f"{path} has a header without an end.", "Give FITS files only.")


def _skip_by_reading(stream: BinaryIO | gzip.GzipFile, length: int) -> int:
    """Read up to `length` bytes; the number that were there."""
    left = length
    while left > 0:
        piece = stream.read(min(left, _PIECE))
        if not piece:
            break
        left -= len(piece)
    return length - left


def _data_length(header: dict[str, Any]) -> int:
    """Bytes of data that belong to a header (FITS standard 4.0, equations 1 and 2), without padding."""
    try:
        axes = [int(header[f"NAXIS{i + 1}"]) for i in range(int(header.get("NAXIS", 0)))]
        if not axes:
            return 0
        if axes[0] == 0 and header.get("GROUPS") is True:
            axes = axes[1:]
        pixels = 1
        for axis in axes:
            pixels *= axis
        elements = int(header.get("GCOUNT", 1)) * (int(header.get("PCOUNT", 0)) + pixels)
        return abs(int(header["BITPIX"])) // 8 * elements
    except (KeyError, TypeError, ValueError):
        return 0
