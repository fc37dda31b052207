"""What a run says: into its journal, its log files, and to whoever listens."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path

from safelight.processccd import events
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight.processccd.logs import RunLogs, level_name, log_folder

__all__ = ["Listener", "RunVoice"]

Listener = Callable[[events.Event], None]


class RunVoice:
    """The one writer of a run's journal and logs; `logs` is for what only the log files hold."""

    def __init__(self, output: Path, run: str, listener: Listener) -> None:
        self._listener = listener
        self._lock = threading.Lock()  # the heartbeat's thread writes the journal too
        self._journal = JournalWriter(journal_folder(output) / f"{run}.jsonl")
        self.logs = RunLogs(log_folder(output, run))

    def note(self, key: str, message: str) -> None:
        """About a CCD, for the log files only: the journal has an event of its own for it."""
        self.logs.write(key, logging.INFO, "processCcd", message, time.time())

    def say(self, level: int, message: str) -> None:
        """About the run as a whole."""
        self.record("", level, "processCcd", message)

    def record(self, key: str, level: int, component: str, message: str) -> None:
        """A log record, into logs and journal; `key` empty: of the run as a whole."""
        now = time.time()
        self.logs.write(key, level, component, message, now)
        self.emit(events.LogRecorded(time=now, ccd=key, level=level_name(level), component=component, message=message))

    def emit(self, event: events.Event) -> None:
        """An event for the journal and the listener."""
        self.write(event)
        self._listener(event)

    def write(self, event: events.Event) -> None:
        """An event for the journal only; may be called in any thread."""
        with self._lock:
            self._journal.write(event)

    def close(self) -> None:
        """Close journal and logs."""
        self._journal.close()
        self.logs.close()
