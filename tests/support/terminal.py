"""A program in a pseudo-terminal, with pyte as the screen on the other side."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import termios
import time
from collections.abc import Callable

import pyte

__all__ = ["PATIENCE_S", "Terminal"]

#: How long is waited for what must come; a busy machine is no error.
PATIENCE_S = 90.0


class Terminal:
    """A program in a pseudo-terminal, with pyte as the screen on the other side."""

    def __init__(self, arguments: list[str], columns: int = 80, rows: int = 24, **environment: str) -> None:
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            kept = {k: v for k, v in os.environ.items() if k not in ("COLORTERM", "TMUX", "NO_COLOR", "TERM_PROGRAM")}
            kept |= {"TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"} | environment
            os.execvpe(arguments[0], arguments, kept)
        self.resize(columns, rows)
        self.output = bytearray()
        self._screen = pyte.Screen(columns, rows)
        self._screen.write_process_input = self._answer
        self._stream = pyte.ByteStream(self._screen)
        self.closed = False

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        if hasattr(self, "_screen"):
            self._screen.resize(rows, columns)

    def _answer(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(self.fd, text.encode())

    def read(self, seconds: float) -> bool:
        """Take what comes within `seconds`; False when the other end has closed."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.fd, 65536)
        except OSError:
            return False
        self.output += data
        # pyte takes private modes of the kitty keyboard protocol and window operations for text.
        self._stream.feed(_without_foreign(data))
        return bool(data)

    def wait_for(self, condition: Callable[[Terminal], bool], seconds: float = PATIENCE_S) -> Terminal:
        end = time.monotonic() + seconds
        while not condition(self):
            assert time.monotonic() < end, "never shown; the screen is:\n" + "\n".join(self.screen)
            if not self.read(0.05):
                assert condition(self), "the program ended:\n" + self.output[-2000:].decode(errors="replace")
                break
        return self

    def wait_for_text(self, text: str, seconds: float = PATIENCE_S) -> Terminal:
        return self.wait_for(lambda terminal: any(text in line for line in terminal.screen), seconds)

    @property
    def screen(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def cells(self) -> pyte.Screen:
        return self._screen

    def send(self, data: bytes) -> None:
        os.write(self.fd, data)

    def status(self, seconds: float = PATIENCE_S) -> int:
        """Exit status of the program, reading its output meanwhile."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.closed:
                self.read(0.02)
            else:
                time.sleep(0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                while not self.closed and select.select([self.fd], [], [], 0.05)[0] and self.read(0):
                    pass
                return os.waitstatus_to_exitcode(status)
        raise AssertionError("the program did not end")

    def hang_up(self) -> None:
        """Close this side: what a lost line does."""
        os.close(self.fd)
        self.closed = True

    def end(self) -> None:
        if self.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        if not self.closed:
            os.close(self.fd)


def _without_foreign(data: bytes) -> bytes:
    for sequence in (b"\x1b[<u", b"\x1b[>25u", b"\x1b[22;0t", b"\x1b[23;0t", b"\x1b[?2026$p", b"\x1b[?2048$p"):
        data = data.replace(sequence, b"")
    return data
