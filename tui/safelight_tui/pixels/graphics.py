"""Pictures for terminals that draw pixels (kitty, sixel), and as PNG files; pure functions of (H, W, 3) uint8."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

__all__ = ["delete_kitty_images", "encode_kitty", "encode_png", "encode_sixel"]

Rgb = NDArray[np.uint8]


def encode_kitty(rgb: Rgb, columns: int | None = None, rows: int | None = None) -> str:
    """The kitty graphics protocol: transmit and show, compressed, in chunks of 4096 characters.

    Parameters
    ----------
    columns, rows : int, optional
        Cells that the picture is stretched over.
    """
    height, width = rgb.shape[:2]
    payload = base64.standard_b64encode(zlib.compress(np.ascontiguousarray(rgb).tobytes(), 6)).decode()
    keys = f"a=T,f=24,o=z,q=2,s={width},v={height}"
    if columns:
        keys += f",c={columns}"
    if rows:
        keys += f",r={rows}"
    chunks = [payload[start : start + 4096] for start in range(0, len(payload), 4096)] or [""]
    out = []
    for index, chunk in enumerate(chunks):
        more = int(index < len(chunks) - 1)
        out.append(f"\x1b_G{keys + ',' if index == 0 else ''}m={more};{chunk}\x1b\\")
    return "".join(out)


def delete_kitty_images() -> str:
    """Take all pictures away again."""
    return "\x1b_Ga=d,q=2\x1b\\"


def encode_sixel(rgb: Rgb) -> str:
    """Sixel graphics of at most 256 colours.

    Raises
    ------
    ValueError
        More colours: images from `palette.to_rgb` have `LEVELS` and those of overlays.
    """
    height, width = rgb.shape[:2]
    packed = rgb.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    colours, codes = np.unique(packed, return_inverse=True)
    if len(colours) > 256:
        raise ValueError(f"sixel graphics have 256 colours at most, the picture has {len(colours)}")
    codes = codes.reshape(height, width)
    out = [f'\x1bP0;1q"1;1;{width};{height}']
    for code, colour in enumerate(colours.tolist()):
        red, green, blue = ((colour >> shift & 255) * 100 // 255 for shift in (16, 8, 0))
        out.append(f"#{code};2;{red};{green};{blue}")
    for top in range(0, height, 6):
        out.append(_sixel_band(codes[top : top + 6]))
    return "".join(out) + "\x1b\\"


def _sixel_band(band: NDArray[np.integer]) -> str:
    weights = 1 << np.arange(len(band))
    lines = []
    for code in np.unique(band).tolist():
        bits = ((band == code) * weights[:, None]).sum(axis=0)
        lines.append(f"#{code}" + _run_lengths(bits))
    return "$".join(lines) + "-"


def _run_lengths(bits: NDArray[np.integer]) -> str:
    starts = np.concatenate([[0], np.flatnonzero(np.diff(bits)) + 1])
    lengths = np.diff(np.concatenate([starts, [len(bits)]]))
    out = []
    for value, length in zip(bits[starts].tolist(), lengths.tolist(), strict=True):
        character = chr(63 + value)
        out.append(f"!{length}{character}" if length > 3 else character * length)
    return "".join(out)


def encode_png(rgb: Rgb, text: str = "") -> bytes:
    """A PNG file of 8 bits a channel, with a comment."""
    height, width = rgb.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), np.uint8)  # each row begins with its filter: none
    rows[:, 1:] = np.ascontiguousarray(rgb).reshape(height, 3 * width)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    parts = [b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))]
    if text:
        parts.append(chunk(b"tEXt", b"Comment\0" + text.encode("latin-1", "replace")))
    parts += [chunk(b"IDAT", zlib.compress(rows.tobytes(), 6)), chunk(b"IEND", b"")]
    return b"".join(parts)
