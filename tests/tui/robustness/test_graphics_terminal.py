"""The key F in terminals that say they draw pixels: what is sent is the image, as another program decodes it."""

from __future__ import annotations

import base64
import fcntl
import re
import shutil
import struct
import subprocess
import termios
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from safelight_tui.pixels.graphics import encode_sixel
from safelight_tui.state import Remembered, RepositoryState, save_state

SOURCE = "import sys; from safelight.commands.main import main; sys.exit(main([{root!r}]))"
QUERY_END = b"AAAA\x1b\\\x1b[c"
Start = Callable[..., Any]
Rgb = NDArray[np.uint8]


def read_png(data: bytes) -> Rgb:
    """8-bit RGB or palette PNG files without interlacing, every row unfiltered or filtered by 0 to 4."""
    chunks: dict[bytes, bytes] = {}
    position = 8
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position : position + 8])
        chunks[kind] = chunks.get(kind, b"") + data[position + 8 : position + 8 + length]
        position += 12 + length
    width, height, depth, kind_of_colour = struct.unpack(">IIBB", chunks[b"IHDR"][:10])
    assert depth == 8
    size = {2: 3, 3: 1}[kind_of_colour]
    raw = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, 1 + width * size)
    rows = np.zeros((height, width * size), np.uint8)
    for y in range(height):
        above = rows[y - 1] if y else np.zeros(width * size, np.uint8)
        for x in range(width * size) if raw[y, 0] else ():
            left = int(rows[y, x - size]) if x >= size else 0
            corner = int(above[x - size]) if x >= size else 0
            guess = {1: left, 2: int(above[x]), 3: (left + int(above[x])) // 2, 4: _paeth(left, int(above[x]), corner)}
            rows[y, x] = (int(raw[y, 1 + x]) + guess[int(raw[y, 0])]) & 255
        if not raw[y, 0]:
            rows[y] = raw[y, 1:]
    if kind_of_colour == 3:
        palette: Rgb = np.frombuffer(chunks[b"PLTE"], np.uint8).reshape(-1, 3)
        return palette[rows]
    return rows.reshape(height, width, 3)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    return min((left, above, corner), key=lambda one: abs(guess - one))


def decode_kitty(data: bytes) -> Rgb:
    """The picture of one transmission, by the text of kitty's specification."""
    chunks = re.findall(rb"\x1b_G([^;\x1b]*);([^\x1b]*)\x1b\\", data)
    keys = dict(pair.split(b"=") for pair in chunks[0][0].split(b","))
    assert keys[b"f"] == b"24"
    pixels = zlib.decompress(base64.standard_b64decode(b"".join(payload for _, payload in chunks)))
    return np.frombuffer(pixels, np.uint8).reshape(int(keys[b"v"]), int(keys[b"s"]), 3)


def decode_sixel(data: bytes, folder: Path) -> Rgb:
    """By libsixel."""
    (folder / "picture.sixel").write_bytes(data)
    subprocess.run(["sixel2png", "-i", folder / "picture.sixel", "-o", folder / "picture.png"], check=True)
    return read_png((folder / "picture.png").read_bytes())


needs_libsixel = pytest.mark.skipif(shutil.which("sixel2png") is None, reason="sixel2png (libsixel-bin) is missing")


@needs_libsixel
def test_libsixel_decodes_the_pixels(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    palette = rng.integers(0, 256, (90, 3)).astype(np.uint8)
    rgb = palette[rng.integers(0, 90, (41, 67))]
    decoded = decode_sixel(encode_sixel(rgb).encode(), tmp_path)
    assert decoded.shape == rgb.shape
    assert np.abs(decoded.astype(int) - rgb).max() <= 3  # sixel colours are percents


@pytest.mark.parametrize("protocol", ["kitty", pytest.param("sixel", marks=needs_libsixel)])
def test_the_whole_screen_shows_the_image_in_red_only_and_any_key_returns(
    start_terminal: Start, everything: Path, tmp_path: Path, protocol: str
) -> None:
    remembered = Remembered("safelight", [str(everything)])
    remembered.repositories[str(everything)] = RepositoryState(cursor={"visit": 636343260, "ccd": 0})
    save_state(tmp_path / "STATE" / "safelight" / "application.json", remembered)
    homes = {f"XDG_{name}_HOME": str(tmp_path / name) for name in ("STATE", "CONFIG", "DATA")}
    terminal = start_terminal(SOURCE.format(root=str(everything)), 100, 30, COLORTERM="truecolor", **homes)
    terminal.wait_for_text("visit=636343260")
    terminal.send(b"i")
    terminal.wait_for_text("calexp").wait_for_text("x 80 y 60")
    fcntl.ioctl(terminal.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 400, 240))
    terminal.cells.write_process_input = lambda text: None  # pyte's own answers are those of a terminal without pixels
    seen = len(terminal.output)
    terminal.send(b"F")
    terminal.wait_for(lambda t: QUERY_END in t.output[seen:])
    terminal.send(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;1c" if protocol == "kitty" else b"\x1b[?62;4;22c")
    terminal.wait_for(lambda t: b"any key returns" in t.output[seen:])
    sent = bytes(terminal.output[seen:])
    drawn = sent[sent.index(QUERY_END) + len(QUERY_END) :]
    if protocol == "kitty":
        picture = decode_kitty(drawn)
    else:
        found = re.search(rb"\x1bP[^\x1b]*\x1b\\", drawn)
        assert found is not None
        picture = decode_sixel(found[0], tmp_path)
    assert picture.shape == (224, 400, 3)  # all but two rows of the terminal
    assert picture[..., 1:].max() == 0
    assert len(np.unique(picture[..., 0])) >= 10
    star = picture[109:116, 197:204, 0]
    assert star.min() > np.median(picture[..., 0])  # the frame's only star, in its middle
    before = sent[sent.index(b"\x1b[?1049h") : sent.index(QUERY_END)]
    assert b"38;2;192;0;0;48;2;0;0;0" in before  # the caption and what is around the picture
    seen = len(terminal.output)
    terminal.send(b"\x03")  # not an interrupt here, but a key
    terminal.wait_for(lambda t: b"x 80 y 60" in t.output[seen:])
    assert (b"\x1b_Ga=d" in terminal.output[seen:]) == (protocol == "kitty")
    terminal.send(b"1q")
    assert terminal.status() == 0
    assert bytes(terminal.output).count(b"\x1b[?1049l") == 1  # the shell's screen is seen at the end only
