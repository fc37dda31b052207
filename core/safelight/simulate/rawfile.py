"""A raw frame as a FITS file: one unsigned 16-bit image, written in one go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["raw_size", "write_raw"]

_BLOCK = 2880


def _primary(shape: tuple[int, int], header: Header) -> bytes:
    from astropy.io.fits import Header as NewHeader

    height, width = shape
    full = NewHeader(
        [
            ("SIMPLE", True, "conforms to FITS standard"),
            ("BITPIX", 16, "array data type"),
            ("NAXIS", 2, "number of array dimensions"),
            ("NAXIS1", width, "length of data axis 1"),
            ("NAXIS2", height, "length of data axis 2"),
        ]
    )
    full.extend(header.cards, update=False, end=True)
    full.append(("BSCALE", 1.0, "Default scaling factor"))
    full.append(("BZERO", 32768, "Offset data range to that of unsigned short"))
    text: str = full.tostring()
    return text.encode("ascii")


def write_raw(path: Path, pixels: NDArray[np.uint16], header: Header) -> None:
    """Write `pixels` (as on disk, [y, x]) to exactly `path`."""
    # Flipping the top bit subtracts BZERO = 32768 from an unsigned 16-bit number read as a signed one.
    stored = np.bitwise_xor(pixels, np.uint16(0x8000)).byteswap()
    padding = -stored.nbytes % _BLOCK
    with path.open("wb") as file:
        file.write(_primary((pixels.shape[0], pixels.shape[1]), header))
        stored.tofile(file)
        file.write(b"\0" * padding)


def raw_size(shape: tuple[int, int]) -> int:
    """Bytes of the data part of such a file, padding included: the least size of a whole file."""
    data = 2 * shape[0] * shape[1]
    return data + -data % _BLOCK
