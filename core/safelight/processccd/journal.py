"""The durable stream of a run's events: one JSON object a line in ``.safelight/journal/RUN.jsonl`` of the rerun.

The file only grows, by one writer. A reader remembers the byte offset after the last whole line it has seen, so that it
can follow a live run, attach late, replay a finished one, and pass over the line that a killed writer left torn.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from safelight.processccd.events import CcdFinished, Event, RunFinished, RunStarted, event_from_json

__all__ = ["JournalReader", "JournalWriter", "finite", "journal_folder", "journals"]


def journal_folder(rerun: Path) -> Path:
    """Where the journals of a rerun lie."""
    return rerun / ".safelight" / "journal"


def journals(rerun: Path) -> list[Path]:
    """The journals of a rerun, oldest first (run names sort by time)."""
    return sorted(journal_folder(rerun).glob("*.jsonl"))


def finite(value: Any) -> Any:
    """`value` with NaN and infinity replaced by None: JSON has no words for them."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


class JournalWriter:
    """Appends events; each is handed to the system at once, and the ends of CCDs and runs are forced to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("ab", buffering=0)
        self._torn = False

    def write(self, event: Event) -> None:
        """Append one event."""
        text = json.dumps(finite(event.to_json()), ensure_ascii=False, separators=(",", ":"), default=str)
        line = (b"\n" if self._torn else b"") + text.encode() + b"\n"
        self._torn = True  # until the line is out: an interrupt inside the write must not spoil the next line
        self._file.write(line)
        self._torn = False
        if isinstance(event, RunStarted | CcdFinished | RunFinished):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class JournalReader:
    """Reads a journal from a byte offset on, as often as asked.

    `offset` after a read is where the next one goes on; keep it to go on later, in another process too.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        self.path = path
        self.offset = offset

    def read(self) -> Iterator[Event]:
        """The events that came since; a line without its end is left for the next call."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.offset)
                for line in file:
                    if not line.endswith(b"\n"):
                        return
                    self.offset += len(line)
                    event = _parse(line)
                    if event is not None:
                        yield event
        except FileNotFoundError:
            return


def _parse(line: bytes) -> Event | None:
    # A line can be damaged although it ends: a writer was killed inside it and the next run went on in the same file.
    try:
        record = json.loads(line)
        return event_from_json(record) if isinstance(record, dict) else None
    except (ValueError, TypeError):
        return None
