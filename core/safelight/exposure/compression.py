"""Lossless tile compression of FITS images: GZIP_2, the one LSST writes.

A compressed FITS image is a binary table of one variable-length byte column; every row is a tile. For GZIP_2 the
bytes of a tile are shuffled (all most significant bytes first, then the next ones) and stored as one gzip stream. The
streams are made and read by ISA-L, several times faster than zlib, at its lowest level: noise leaves nothing for the
higher ones to find. Source: FITS standard 4.0, section 10.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError

__all__ = ["CompressedImage", "compress", "decompress", "decompress_rows", "gzip_errors", "is_lossless_gzip"]

#: Rows of a tile. Several rows make streams long enough to start ISA-L rarely, yet a cut-out still reads little.
ROWS_PER_TILE = 16
_BITPIX = {"f4": -32, "f8": -64, "i4": 32, "i2": 16, "u1": 8}
_TYPES = {bitpix: np.dtype(code) for code, bitpix in _BITPIX.items()}
_LEVEL = 1
_GZIP_FORMAT = 31  # zlib's "window bits" for a gzip header and trailer


@dataclass(frozen=True, slots=True)
class CompressedImage:
    """The binary table of one compressed image: structural cards and data bytes (descriptors, then heap)."""

    cards: dict[str, Any]
    data: bytes


def compress(image: NDArray[Any], rows_per_tile: int = ROWS_PER_TILE) -> CompressedImage:
    """Compress `image` [y, x] (float32, float64, int32, int16 or uint8) without loss, NaN payloads included."""
    from isal import isal_zlib

    height, width = image.shape
    rows = min(rows_per_tile, height)
    tiles = [isal_zlib.compress(_shuffled(image[y : y + rows]), _LEVEL, _GZIP_FORMAT) for y in range(0, height, rows)]
    lengths = np.array([len(tile) for tile in tiles], dtype=np.int64)
    descriptors = np.empty((len(tiles), 2), dtype=">i4")
    descriptors[:, 0] = lengths
    descriptors[:, 1] = np.concatenate(([0], np.cumsum(lengths)[:-1]))
    cards = {
        "XTENSION": "BINTABLE",
        "BITPIX": 8,
        "NAXIS": 2,
        "NAXIS1": 8,
        "NAXIS2": len(tiles),
        "PCOUNT": int(lengths.sum()),
        "GCOUNT": 1,
        "TFIELDS": 1,
        "TTYPE1": "COMPRESSED_DATA",
        "TFORM1": f"1PB({int(lengths.max())})",
        "ZIMAGE": True,
        "ZBITPIX": _BITPIX[image.dtype.str[1:]],
        "ZNAXIS": 2,
        "ZNAXIS1": width,
        "ZNAXIS2": height,
        "ZTILE1": width,
        "ZTILE2": rows,
        "ZCMPTYPE": "GZIP_2",
    }
    if image.dtype.kind == "f":
        cards["ZQUANTIZ"] = "NONE"
    return CompressedImage(cards, b"".join([descriptors.tobytes(), *tiles]))


def is_lossless_gzip(header: Mapping[str, Any]) -> bool:
    """Whether `decompress` can read the image of a binary table with this header."""
    return (
        bool(header.get("ZIMAGE", False))
        and str(header.get("ZCMPTYPE", "")).strip() in ("GZIP_1", "GZIP_2")
        and header.get("ZNAXIS") == 2
        and header.get("ZBITPIX") in _TYPES
        and header.get("TFIELDS") == 1
        and header.get("ZTILE1", header.get("ZNAXIS1")) == header.get("ZNAXIS1")
        and header.get("BZERO", 0.0) == 0.0
        and header.get("BSCALE", 1.0) == 1.0
    )


def decompress(header: Mapping[str, Any], data: bytes | memoryview) -> NDArray[Any]:
    """The image [y, x], in native byte order, of a binary table for which `is_lossless_gzip` is true.

    Raises `ProcessingError` (FITS_DAMAGED) for a stream that is cut short or does not hold its tile.
    """
    tiles = _Tiles(header, data)
    image = np.empty((tiles.height, tiles.width), tiles.dtype)
    for tile in range(tiles.count):
        tiles.read(tile, image[tile * tiles.rows : (tile + 1) * tiles.rows])
    return image


def decompress_rows(header: Mapping[str, Any], data: bytes | memoryview, rows: NDArray[np.integer]) -> NDArray[Any]:
    """Some rows of the image that `decompress` gives, (len(rows), width): only the tiles that hold them are read.

    Parameters
    ----------
    rows : array of int
        In ascending order.

    Raises `ProcessingError` as `decompress` does.
    """
    tiles = _Tiles(header, data)
    image = np.empty((len(rows), tiles.width), tiles.dtype)
    for tile in np.unique(rows // tiles.rows).tolist():
        first = tile * tiles.rows
        block = np.empty((min(tiles.rows, tiles.height - first), tiles.width), tiles.dtype)
        tiles.read(tile, block)
        inside = rows // tiles.rows == tile
        image[inside] = block[rows[inside] - first]
    return image


class _Tiles:
    """The tiles of a compressed image: blocks of `rows` rows over its whole width, the last one perhaps lower."""

    def __init__(self, header: Mapping[str, Any], data: bytes | memoryview) -> None:
        self.width, self.height = int(header["ZNAXIS1"]), int(header["ZNAXIS2"])
        self.rows = int(header.get("ZTILE2", 1))
        self.dtype = _TYPES[int(header["ZBITPIX"])]
        self.count, row_bytes = int(header["NAXIS2"]), int(header["NAXIS1"])
        descriptor_type = ">i8" if "Q" in str(header["TFORM1"]) else ">i4"
        self._descriptors = np.frombuffer(data, descriptor_type, 2 * self.count).reshape(self.count, 2)
        self._heap = memoryview(data)[int(header.get("THEAP", self.count * row_bytes)) :]
        self._shuffled = str(header["ZCMPTYPE"]).strip() == "GZIP_2"

    def read(self, tile: int, block: NDArray[Any]) -> None:
        """Fill `block` with a tile."""
        from isal import isal_zlib

        length, start = self._descriptors[tile]
        try:
            content = isal_zlib.decompress(self._heap[start : start + length], _GZIP_FORMAT, block.nbytes)
            _restore(block, content, self._shuffled)
        except gzip_errors() as error:
            raise ProcessingError(
                "FITS_DAMAGED", f"Tile {tile + 1} of {self.count} of a compressed image cannot be read: {error}."
            ) from error


def gzip_errors() -> tuple[type[Exception], ...]:
    """What ISA-L raises for a damaged stream (its stubs declare the class as an instance)."""
    from isal import isal_zlib

    own: Any = isal_zlib.IsalError
    return (own, OSError, EOFError, ValueError)


def _shuffled(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of `rows`, most significant ones of all pixels first (FITS is big-endian)."""
    size = rows.dtype.itemsize
    pixels = np.ascontiguousarray(rows).view(np.uint8).reshape(-1, size)
    shuffled = np.empty((size, len(pixels)), np.uint8)
    for place, byte in enumerate(_byte_order(rows.dtype)):
        shuffled[place] = pixels[:, byte]
    return shuffled


def _restore(block: NDArray[Any], content: bytes, shuffled: bool) -> None:
    size = block.dtype.itemsize
    target = block.view(np.uint8).reshape(-1, size)
    pixels = np.frombuffer(content, np.uint8)
    pixels = pixels.reshape(size, -1).T if shuffled else pixels.reshape(-1, size)
    for place, byte in enumerate(_byte_order(block.dtype)):  # much faster than one transposed copy
        target[:, byte] = pixels[:, place]


def _byte_order(dtype: np.dtype[Any]) -> range:
    """Positions of a number's bytes in memory, the most significant first."""
    little = dtype.newbyteorder("<") == dtype
    return range(dtype.itemsize - 1, -1, -1) if little else range(dtype.itemsize)
