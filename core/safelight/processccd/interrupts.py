"""What Ctrl+C and SIGTERM mean to a run."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from safelight.processccd.executor import Control

__all__ = ["interrupts"]


@contextmanager
def interrupts(control: Control) -> Iterator[None]:
    """Ctrl+C once: begin nothing new; twice, or SIGTERM: end now. Only the main thread can listen."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_interrupt(number: int, frame: Any) -> None:
        # Only flags are set here: the journal may be in the middle of a line.
        if control.stop or number == signal.SIGTERM:
            control.stop = control.abort = True
            if control.inline:
                raise KeyboardInterrupt
        control.stop = True

    previous = {number: signal.signal(number, on_interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
