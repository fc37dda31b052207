"""Textual's driver for Linux and macOS terminals, made for slow lines and hard ends.

What it adds to Textual's own: only changed cells are sent and stale frames never are (`writer`), ASCII where the locale
has no UTF-8 (`charset`), the terminal is put back on SIGTERM, SIGHUP, SIGTSTP and at exit (`restore`), and a terminal
that is gone ends the application instead of leaving it spinning on an end-of-file.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import select
import signal
import threading
import time
from codecs import getincrementaldecoder
from types import FrameType
from typing import TYPE_CHECKING, Any, ClassVar

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

from safelight_tui.terminal.cells import CellScreen
from safelight_tui.terminal.charset import environment_at_start, shows_unicode
from safelight_tui.terminal.paste import PasteCleaner
from safelight_tui.terminal.requirements import require_terminal
from safelight_tui.terminal.restore import write_reset
from safelight_tui.terminal.text import printable
from safelight_tui.terminal.writer import STATUS_REPORT, SYNC_BEGIN, SYNC_END, TerminalWriter

if TYPE_CHECKING:
    from textual.app import App

__all__ = ["DeltaDriver"]

_PAINTED = re.compile(r"\x1b\[\d*(?:;\d*)?H")
_POINTER_SHAPE = "\x1b]22;"  # a whim, and text on the screen of the Linux console
_HANGUP = select.POLLHUP | select.POLLERR | select.POLLNVAL


class DeltaDriver(LinuxDriver):
    """Driver that sends the difference of two screens.

    Raises
    ------
    UsageError
        NO_TERMINAL, TERMINAL_TOO_SIMPLE: see `require_terminal`; callers check before the application is built.
    """

    GRACE_SECONDS: ClassVar[float] = 10.0
    """How long an application told to end by a signal, or by the loss of its terminal, may take."""

    def __init__(
        self, app: App[Any], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        self._output = require_terminal(os.environ)
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._screen = CellScreen(*self._get_terminal_size(), ascii_only=not shows_unicode(environment_at_start()))
        self._writer: TerminalWriter | None = None
        self._in_application_mode = False
        self._shown_before = False
        self._ending = False
        self.keep_screen = False
        """Whether who takes the terminal next draws on the alternate screen: it is then not left in between."""
        self._tail = b""
        atexit.register(self._restore)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._told_to_end)
            signal.signal(signal.SIGHUP, self._told_to_end)

    @property
    def writer(self) -> TerminalWriter | None:
        """The writing thread while in application mode, with its counters."""
        return self._writer

    def _get_terminal_size(self) -> tuple[int, int]:
        # The environment's COLUMNS and LINES are those of the time the shell exported them.
        with contextlib.suppress(OSError):
            width, height = os.get_terminal_size(self._output)
            if width and height:
                return width, height
        return 80, 24

    # --- output -----------------------------------------------------------------------------------------------------

    def write(self, data: str) -> None:
        """Take what Textual writes: painted screen into the cells, everything else as it is."""
        writer = self._writer
        if writer is None or writer.gone:
            return
        if data.startswith(_POINTER_SHAPE):
            return
        if data == SYNC_BEGIN:
            writer.synchronised = True
        elif data == SYNC_END:
            pass
        elif _PAINTED.match(data):
            size = self._get_terminal_size()
            if size != (self._screen.width, self._screen.height):
                writer.resize(*size)
            writer.frame(data)
        else:
            writer.control(data)

    def repaint(self) -> None:
        """Send every cell again (the redraw key)."""
        if self._writer is not None:
            self._writer.repaint()

    def set_title(self, title: str) -> None:
        """Set the terminal's title; the one found at the start comes back at the end."""
        if self._writer is not None and os.environ.get("TERM") != "linux":
            self._writer.control(f"\x1b]2;{printable(title)[:120]}\x1b\\")

    def start_application_mode(self) -> None:
        """Enter full-screen mode."""
        self._screen.resize(*self._get_terminal_size())
        self._writer = TerminalWriter(self._output, self._screen, self._terminal_gone)
        self._writer.start()
        self._in_application_mode = True
        self._writer.control("\x1b[22;0t")
        super().start_application_mode()  # type: ignore[no-untyped-call]  # Textual leaves it without annotations
        self._retire_stock_writer()
        self._forget_screen_on_resize()
        if self._shown_before:  # what was shown before the terminal was handed over, until there is something newer
            self._writer.send()
        self._shown_before = True

    def _retire_stock_writer(self) -> None:
        stock, self._writer_thread = self._writer_thread, None
        if stock is not None:
            stock.stop()

    def _forget_screen_on_resize(self) -> None:
        # A terminal that goes to another size and back between two frames has still lost cells.
        if threading.current_thread() is not threading.main_thread():
            return
        inner = signal.getsignal(signal.SIGWINCH)

        def resized(number: int, frame: FrameType | None) -> None:
            self._loop.call_soon_threadsafe(self._resized)
            if callable(inner):
                inner(number, frame)

        signal.signal(signal.SIGWINCH, resized)

    def _resized(self) -> None:
        # Textual lays out anew and paints all, unless it finds the size it had: then what is unknown is sent later.
        if self._writer is not None:
            self._writer.forget()
            self._loop.call_later(0.3, self._send_rest)

    def _send_rest(self) -> None:
        if self._writer is not None:
            self._writer.send()

    def stop_application_mode(self) -> None:
        """Leave full-screen mode and put the terminal back as it was."""
        if self._writer is not None:  # an answer that came later would be typed into the shell
            self._writer.drain(0.5)
        self.disable_input()
        self._restore()

    def close(self) -> None:
        """End the writing thread."""
        self._restore()
        super().close()

    def _restore(self) -> None:
        """Put the terminal back, once; end the writing thread."""
        due, self._in_application_mode = self._in_application_mode, False
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.stop()
            due = due and not writer.gone
            writer.abandon()
        if due:
            write_reset(self._output, self.fileno, self.attrs_before, keep_screen=self.keep_screen)

    # --- ends -------------------------------------------------------------------------------------------------------

    def _told_to_end(self, number: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGHUP: the terminal first, then the application."""
        if self._in_application_mode or self.keep_screen:
            self._in_application_mode = self.keep_screen = False
            if self._writer is not None:
                self._writer.abandon()
                time.sleep(0.005)  # lets a write that was about to begin go first
            write_reset(self._output, self.fileno, self.attrs_before)
        self._end(128 + number)

    def _terminal_gone(self) -> None:
        """The line was cut; called in the reading or the writing thread."""
        self._in_application_mode = False
        if self._writer is not None:
            self._writer.abandon()
        self._end(128 + signal.SIGHUP)

    def _end(self, return_code: int) -> None:
        if self._ending:
            return
        self._ending = True
        self.exit_event.set()
        watchdog = threading.Timer(self.GRACE_SECONDS, os._exit, (return_code,))
        watchdog.daemon = True
        watchdog.start()
        # A loop that has already ended means that the application is on its way out.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._app.exit, None, return_code)

    # --- stops ------------------------------------------------------------------------------------------------------

    def _sigtstp_application(self, *_: object) -> None:
        """``kill -TSTP``: give the terminal back, then stop. In the event loop: a handler could meet a held lock."""
        if self._auto_restart and self._in_application_mode:
            self._loop.call_soon_threadsafe(self._stop)
        else:  # another program has the terminal
            os.kill(os.getpid(), signal.SIGSTOP)

    def _stop(self) -> None:
        if self._in_application_mode:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.kill(os.getpid(), signal.SIGSTOP)

    def _sigcont_application(self, *_: object) -> None:
        """``fg``: take the terminal again; also after a SIGSTOP, which cannot be seen coming."""
        if self._auto_restart and not self._ending:
            self._loop.call_soon_threadsafe(self._go_on)

    def _go_on(self) -> None:
        if self._ending:
            return
        if self._in_background():  # ``bg``: nobody may draw there
            os.kill(os.getpid(), signal.SIGSTOP)
            return
        if self._in_application_mode:
            self.suspend_application_mode()
        self.resume_application_mode()

    def _in_background(self) -> bool:
        try:
            return os.tcgetpgrp(self.fileno) != os.getpgrp()
        except OSError:
            return False

    # --- input ------------------------------------------------------------------------------------------------------

    def run_input_thread(self) -> None:
        """Read keys until told to stop or the terminal is gone."""
        parser = XTermParser(self._debug)
        decode = getincrementaldecoder("utf-8")("replace").decode
        paste = PasteCleaner()
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        while not self.exit_event.is_set():
            ready = poll.poll(100)
            if ready:
                data = self._read(ready[0][1])
                if data is None:
                    self._terminal_gone()
                    break
                text = paste.feed(decode(self._without_reports(data)))
                for message in parser.feed(text) if text else ():  # empty text tells the parser to end
                    self.process_message(message)
            for message in parser.tick():
                self.process_message(message)
        with contextlib.suppress(EOFError, ParseError):
            for _ in parser.feed(""):
                pass

    def _without_reports(self, data: bytes) -> bytes:
        """Take the answers to the writer's status requests out of what was typed."""
        data, self._tail = self._tail + data, b""
        reports = data.count(STATUS_REPORT)
        if reports:
            data = data.replace(STATUS_REPORT, b"")
            if self._writer is not None:
                for _ in range(reports):
                    self._writer.answered()
        # A report cut in two by the read; a bare escape is a key of its own and is not held back.
        for length in (3, 2):
            if data.endswith(STATUS_REPORT[:length]):
                self._tail = data[-length:]
                return data[:-length]
        return data

    def _read(self, events: int) -> bytes | None:
        """Bytes that wait; None when the terminal is gone (end of file, error, hang-up with nothing left to read)."""
        if events & select.POLLIN:
            try:
                return os.read(self.fileno, 4096) or None
            except OSError:
                return None
        return None if events & _HANGUP else b""
