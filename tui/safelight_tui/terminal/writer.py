"""The thread that writes to the terminal: it pulls the newest screen whenever the line has room.

The event loop only leaves its output here and goes on. On a slow line the frames in between are never encoded.

How full the line is cannot be asked: behind a pseudo-terminal stand sshd, TCP and the network, which swallow hundreds
of kilobytes before a write blocks, seconds of a slow line. So the terminal itself is asked for a sign of life (device
status report) after every so many bytes, and no frame is sent while too many bytes are without their answer.
"""

from __future__ import annotations

import array
import fcntl
import os
import select
import termios
import threading
import time
from collections import deque
from collections.abc import Callable

from safelight_tui.terminal.cells import CellScreen

__all__ = ["STATUS_REPORT", "SYNC_BEGIN", "SYNC_END", "TerminalWriter"]

SYNC_BEGIN = "\x1b[?2026h"
SYNC_END = "\x1b[?2026l"
STATUS_REQUEST = "\x1b[5n"
STATUS_REPORT = b"\x1b[0n"


class TerminalWriter(threading.Thread):
    """Writes control sequences in order, and the screen whenever it differs from what was sent.

    Parameters
    ----------
    descriptor : int
        The terminal.
    screen : CellScreen
        The wanted and sent cells; only touched with `lock` held.
    on_gone : callable
        Called once, in this thread, when the terminal is found to be gone.
    """

    CHUNK = 2048
    """Bytes a write: a hung-up line is noticed between two."""
    LOW_WATER = 512
    """Bytes waiting in the line's own buffer (serial lines tell) below which the next frame is encoded."""
    WINDOW = 4096
    """Bytes without their answer above which no frame is sent: 0.2 s of a line of 20 kB/s."""
    ASK_EVERY = 512
    """Bytes after which the terminal is asked for an answer."""
    PATIENCE = 2.0
    """Seconds without an answer after which a terminal counts as one that never answers."""

    def __init__(self, descriptor: int, screen: CellScreen, on_gone: Callable[[], None]) -> None:
        super().__init__(name="terminal-writer", daemon=True)
        self.screen = screen
        self.lock = threading.Lock()
        self.synchronised = False
        self.bytes_written = 0
        self.frames_fed = 0
        self.frames_sent = 0
        self._descriptor = descriptor
        self._on_gone = on_gone
        self._wake = threading.Condition(self.lock)
        self._controls: list[str] = []
        self._frame_due = False
        self._busy = False
        self._stopping = False
        self._unasked = 0
        self._unanswered: deque[tuple[int, float]] = deque()
        self._answers = True
        self.gone = False

    def control(self, data: str) -> None:
        """Leave a control sequence that is written as it is, before any frame."""
        with self._wake:
            self._controls.append(data)
            self._wake.notify()

    def frame(self, data: str) -> None:
        """Leave a piece of painted screen."""
        with self._wake:
            self.screen.feed(data)
            self.frames_fed += 1
            self._frame_due = True
            self._wake.notify()

    def resize(self, width: int, height: int) -> None:
        """Take the terminal's new size and hold what it shows for unknown."""
        with self._wake:
            self.screen.resize(width, height)

    def forget(self) -> None:
        """Hold what the terminal shows for unknown: the next frame is sent whole."""
        with self.lock:
            self.screen.forget()

    def send(self) -> None:
        """Send what differs without waiting for the next frame."""
        with self._wake:
            self._frame_due = True
            self._wake.notify()

    def repaint(self) -> None:
        """Send the whole screen again: someone else may have written on it."""
        self.forget()
        self.send()

    def answered(self) -> None:
        """The terminal has sent a status report: it has shown all that came before the request."""
        with self._wake:
            self._answers = True
            if self._unanswered:
                self._unanswered.popleft()
            self._wake.notify()

    def drain(self, seconds: float) -> bool:
        """Wait until everything left here is written; whether it was within `seconds`."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with self.lock:
                if self.gone or not (self._busy or self._controls or self._frame_due or self._awaited()):
                    return not self.gone
            time.sleep(0.002)
        return False

    def stop(self, seconds: float = 1.0) -> None:
        """Write the control sequences that wait, drop frames that wait, end the thread; give up after `seconds`."""
        with self._wake:
            self._stopping = True
            self._frame_due = False
            self._wake.notify()
        if self is not threading.current_thread():
            self.join(seconds)

    def abandon(self) -> None:
        """Write nothing more; safe in a signal handler, which must not wait for the lock."""
        self.gone = True

    def run(self) -> None:
        while not self.gone:
            with self._wake:
                self._busy = False
                while not (self._controls or self._stopping or self.gone or self._frame_allowed()):
                    self._wake.wait(0.1 if self._frame_due else None)
                controls = "".join(self._controls)
                self._controls.clear()
                self._busy = True
                ended = self._stopping and not controls
            if ended:
                break
            if controls:
                self._write(controls)
            if self._frame_allowed() and self._has_room():
                self._write(self._next_frame())
        self._busy = False

    def _next_frame(self) -> str:
        with self.lock:
            self._frame_due = False
            data = self.screen.encode()
        if data:
            self.frames_sent += 1
            return self._asking(f"{SYNC_BEGIN}{data}{SYNC_END}" if self.synchronised else data)
        return ""

    def _asking(self, frame: str) -> str:
        self._unasked += len(frame)
        if not self._answers or self._unasked < self.ASK_EVERY:
            return frame
        with self.lock:
            self._unanswered.append((self._unasked, time.monotonic()))
        self._unasked = 0
        return frame + STATUS_REQUEST

    def _awaited(self) -> int:
        """Bytes without their answer; a terminal that has kept silent for long is not waited for."""
        if self._unanswered and time.monotonic() - self._unanswered[0][1] > self.PATIENCE + self._line_seconds():
            self._unanswered.clear()
            self._answers = False
        return sum(count for count, _ in self._unanswered)

    def _line_seconds(self) -> float:
        """Seconds that a line of 5 kB/s needs for what was sent and is without its answer."""
        return sum(count for count, _ in self._unanswered) / 5000

    def _frame_allowed(self) -> bool:
        return self._frame_due and self._awaited() < self.WINDOW

    def _has_room(self) -> bool:
        """Wait, a little, for the line to take what it was given; a caller comes back here until it has."""
        waiting = array.array("i", [0])
        try:
            fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, waiting)
        except OSError:
            return True
        if waiting[0] > self.LOW_WATER:
            time.sleep(0.005)
            return False
        return self._writable()

    def _writable(self) -> bool:
        poll = select.poll()
        poll.register(self._descriptor, select.POLLOUT)
        return bool(poll.poll(100))

    def _write(self, text: str) -> None:
        data = memoryview(text.encode("utf-8", "replace"))
        try:
            while data and not self.gone:
                try:
                    written = os.write(self._descriptor, data[: self.CHUNK])
                except BlockingIOError:
                    self._writable()
                    continue
                self.bytes_written += written
                data = data[written:]
        except OSError:
            if not self.gone:
                self.gone = True
                self._on_gone()
