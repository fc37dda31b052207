"""Give the terminal back as it was found, whatever happened to the application."""

from __future__ import annotations

import contextlib
import os
import select
import termios
from typing import Any

__all__ = ["RESET", "RESET_TITLE", "write_reset"]

RESET_TITLE = "\x1b[23;0t"

RESET = (
    b"\x1b\\"  # ends a control string that was cut in two
    b"\x1b[?2026l"  # synchronised output off
    b"\x1b[0m"  # attributes off
    b"\x1b[<u"  # kitty keyboard protocol, popped before the alternate screen is left
    b"\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[?1016l"  # mouse off
    b"\x1b[?2004l"  # bracketed paste off
    b"\x1b[?1004l\x1b[?2048l"  # focus and resize reports off
    b"\x1b[?7h"  # line wrap on
    b"\x1b[?1049l"  # leave the alternate screen
    b"\x1b[?25h"  # cursor on
    b"\x1b[0m" + RESET_TITLE.encode()
)


_LEAVE = b"\x1b[?1049l"
_CLEAR = b"\x1b[2J\x1b[H"


def write_reset(
    descriptor: int, input_descriptor: int, attributes: list[Any] | None, *, keep_screen: bool = False
) -> None:
    """Write `RESET` and put back the line discipline; silent where the terminal is gone or takes no more bytes.

    Safe to call in a Python signal handler: it takes no lock and waits at most half a second.

    Parameters
    ----------
    keep_screen : bool
        Clear the alternate screen instead of leaving it: somebody else draws there, and the shell's screen is not to be
        seen in between.
    """
    if attributes is not None:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(input_descriptor, termios.TCSANOW, attributes)
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    with contextlib.suppress(OSError):
        events = poll.poll(500)
        if events and events[0][1] & select.POLLOUT:
            os.write(descriptor, RESET.replace(_LEAVE, _CLEAR) if keep_screen else RESET)
