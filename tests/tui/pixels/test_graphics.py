"""What is written for kitty, sixel terminals and PNG readers decodes to the picture."""

from __future__ import annotations

import base64
import re
import struct
import zlib

import numpy as np
import pytest

from safelight_tui.pixels.graphics import delete_kitty_images, encode_kitty, encode_png, encode_sixel
from safelight_tui.pixels.palette import Colours, colour_table, to_rgb


def picture(height: int = 37, width: int = 53) -> np.ndarray:
    levels = np.random.default_rng(1).integers(0, 24, (height, width)).astype(np.uint8)
    levels[5:9] = 7
    return to_rgb(levels, colour_table(Colours.HEAT))


def test_kitty_chunks_hold_the_pixels() -> None:
    rgb = np.random.default_rng(2).integers(0, 256, (80, 90, 3)).astype(np.uint8)
    text = encode_kitty(rgb, columns=40, rows=20)
    chunks = re.findall(r"\x1b_G([^;]*);([^\x1b]*)\x1b\\", text)
    assert "".join(f"\x1b_G{keys};{data}\x1b\\" for keys, data in chunks) == text
    keys = dict(pair.split("=") for pair in chunks[0][0].split(","))
    assert (keys["a"], keys["f"], keys["s"], keys["v"], keys["c"], keys["r"]) == ("T", "24", "90", "80", "40", "20")
    assert all(len(data) <= 4096 for _, data in chunks)
    assert [dict(pair.split("=") for pair in keys.split(","))["m"] for keys, _ in chunks] == ["1"] * (
        len(chunks) - 1
    ) + ["0"]
    pixels = zlib.decompress(base64.standard_b64decode("".join(data for _, data in chunks)))
    assert (np.frombuffer(pixels, np.uint8).reshape(rgb.shape) == rgb).all()
    assert delete_kitty_images().startswith("\x1b_Ga=d")


def decode_sixel(text: str) -> np.ndarray:
    header = re.match(r'\x1bP[\d;]*q"1;1;(\d+);(\d+)', text)
    assert header is not None
    width, height = int(header[1]), int(header[2])
    image = np.full((height + 6, width, 3), 255, np.uint8)
    colours: dict[int, tuple[int, ...]] = {}
    x = y = code = 0
    tokens = re.compile(r"#(\d+);2;(\d+);(\d+);(\d+)|#(\d+)|!(\d+)([?-~])|([?-~])|(\$)|(-)|(\x1b\\)")
    position = header.end()
    while position < len(text):
        token = tokens.match(text, position)
        assert token is not None, text[position : position + 20]
        position = token.end()
        if token[1]:
            colours[int(token[1])] = tuple(int(token[i]) for i in (2, 3, 4))
        elif token[5]:
            code = int(token[5])
        elif token[6] or token[8]:
            count, bits = int(token[6] or 1), ord(token[7] or token[8]) - 63
            for bit in range(6):
                if bits >> bit & 1:
                    image[y + bit, x : x + count] = colours[code]
            x += count
        elif token[9]:
            x = 0
        elif token[10]:
            x, y = 0, y + 6
    return image[:height]


def test_sixels_hold_the_pixels_to_the_percent() -> None:
    rgb = picture()
    assert (decode_sixel(encode_sixel(rgb)) == rgb.astype(int) * 100 // 255).all()


def test_sixel_has_no_more_than_256_colours() -> None:
    rgb = np.arange(300, dtype=np.uint16).view(np.uint8).reshape(1, 200, 3)
    many = np.stack([np.arange(300) % 256, np.arange(300) // 256, np.zeros(300)], axis=-1).astype(np.uint8)[None]
    encode_sixel(rgb[:, :50])
    with pytest.raises(ValueError, match="256 colours"):
        encode_sixel(many)


def test_a_png_holds_the_pixels_and_the_comment() -> None:
    rgb = picture()
    data = encode_png(rgb, "calexp 903986 16")
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = {}, 8
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        body = data[position + 8 : position + 8 + length]
        assert struct.unpack(">I", data[position + 8 + length : position + 12 + length])[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        position += 12 + length
    width, height, depth, kind_of_colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert (width, height, depth, kind_of_colour) == (53, 37, 8, 2)
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + 3 * width)
    assert (rows[:, 0] == 0).all()
    assert (rows[:, 1:].reshape(rgb.shape) == rgb).all()
    assert chunks[b"tEXt"] == b"Comment\0calexp 903986 16"
