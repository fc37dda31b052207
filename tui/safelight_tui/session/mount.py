"""Whether the disk still answers: a thread that asks it again and again, and is itself never waited for.

A network disk whose server is gone lets every call hang. The thread hangs in such a call; the event loop only reads
since when.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

__all__ = ["MountWatch"]

_EVERY_S = 2.0


class MountWatch(threading.Thread):
    """Asks the file system of a directory until told to stop.

    Parameters
    ----------
    path : Path
        A directory on the disk.
    ask : callable
        The question; `os.statvfs` asks the server, where `os.stat` may be answered from a cache.
    """

    def __init__(self, path: Path, ask: Callable[[Path], object] = os.statvfs) -> None:
        super().__init__(name="mount", daemon=True)
        self._path = path
        self._ask = ask
        self._stop_asked = threading.Event()
        self._asked_at: float | None = None

    def stop(self) -> None:
        """End after the next answer; does not wait."""
        self._stop_asked.set()

    @property
    def silent_s(self) -> float:
        """Seconds for which a question has waited for its answer; 0 between questions."""
        asked = self._asked_at
        return 0.0 if asked is None else time.monotonic() - asked

    def run(self) -> None:
        """Ask and wait."""
        while not self._stop_asked.is_set():
            self._asked_at = time.monotonic()
            with contextlib.suppress(OSError):  # an answer, too; what it means the feed says
                self._ask(self._path)
            self._asked_at = None
            self._stop_asked.wait(_EVERY_S)
