"""An image on the whole terminal in its own graphics: kitty's protocol or sixel. To be used while
the application is suspended.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import struct
import termios
import time
import tty
from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight_tui.pixels.graphics import delete_kitty_images, encode_kitty, encode_sixel
from safelight_tui.terminal.text import printable

__all__ = ["Protocol", "graphics_of_answer", "screen_pixels", "show_full_screen"]

Protocol = Literal["kitty", "sixel"]

_QUERY = b"\x1b_Gi=31,s=1,v=1,a=q,t=d,f=24;AAAA\x1b\\\x1b[c"
_ATTRIBUTES = re.compile(rb"\x1b\[\?([0-9;]*)c")
_CELL = (10, 20)  # pixels, where the terminal does not say
_RED_INK = "\x1b[38;2;192;0;0;48;2;0;0;0m"


def graphics_of_answer(answer: bytes) -> Protocol | None:
    """What the terminal's answer to a query for graphics and device attributes says it can draw."""
    if b"_Gi=31;OK" in answer:
        return "kitty"
    attributes = _ATTRIBUTES.search(answer)
    return "sixel" if attributes and b"4" in attributes[1].split(b";")[1:] else None


def screen_pixels(descriptor: int) -> tuple[int, int, int, int]:
    """(columns, rows, width, height) of the terminal, the last two in pixels."""
    rows, columns, width, height = struct.unpack(
        "HHHH", fcntl.ioctl(descriptor, termios.TIOCGWINSZ, struct.pack("HHHH", 0, 0, 0, 0))
    )
    rows, columns = rows or 24, columns or 80
    return columns, rows, width or columns * _CELL[0], height or rows * _CELL[1]


def _ask(descriptor: int, seconds: float) -> bytes:
    os.write(descriptor, _QUERY)
    answer, end = b"", time.monotonic() + seconds
    while time.monotonic() < end and not _ATTRIBUTES.search(answer):
        if select.select([descriptor], [], [], 0.05)[0]:
            answer += os.read(descriptor, 4096)
    return answer


def show_full_screen(
    draw: Callable[[int, int], NDArray[np.uint8]], caption: str, seconds: float = 1.0, *, red_only: bool = False
) -> Protocol:
    """Draw on the alternate screen until a key is pressed; it is cleared, and not left, at the end.

    Parameters
    ----------
    draw : callable
        (width, height) in pixels -> (height, width, 3) uint8.
    caption : str
        One line below the picture.
    seconds : float
        How long the terminal may take to say what it can.
    red_only : bool
        Caption and background in red too; `draw` keeps to it by itself.

    Raises
    ------
    UsageError
        NO_GRAPHICS: the terminal draws characters only.
    """
    descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY)
    before = termios.tcgetattr(descriptor)
    try:
        _keys_without_signals(descriptor)
        _write_all(descriptor, f"\x1b[?1049h\x1b[?25l{_RED_INK if red_only else ''}\x1b[2J".encode())
        protocol = graphics_of_answer(_ask(descriptor, seconds))
        if protocol is None:
            raise UsageError(
                "NO_GRAPHICS",
                "This terminal draws characters only, or tmux between keeps its graphics back.",
                "Kitty, Ghostty, WezTerm, foot, and xterm -ti vt340 draw pixels.",
            )
        columns, rows, width, height = screen_pixels(descriptor)
        cell = height // rows
        rgb = draw(width, max(cell, height - 2 * cell))
        picture = encode_kitty(rgb, columns, rows - 2) if protocol == "kitty" else encode_sixel(rgb)
        text = f"\x1b[H{picture}\x1b[{rows};1H{printable(caption)[: columns - 1]}"
        _write_all(descriptor, text.encode("utf-8", "replace"))
        os.read(descriptor, 64)
        if protocol == "kitty":
            _write_all(descriptor, delete_kitty_images().encode())
        return protocol
    finally:
        with contextlib.suppress(OSError, termios.error):  # of a terminal that is gone
            _write_all(descriptor, b"\x1b[0m\x1b[2J\x1b[H")
            termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)
        os.close(descriptor)


def _keys_without_signals(descriptor: int) -> None:
    """Keys as they come, Ctrl+C among them."""
    tty.setcbreak(descriptor)
    attributes = termios.tcgetattr(descriptor)
    attributes[tty.LFLAG] &= ~termios.ISIG
    termios.tcsetattr(descriptor, termios.TCSANOW, attributes)


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
