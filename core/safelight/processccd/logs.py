"""Logs of a run as plain files: ``logs/RUN/run.log`` and one beside it for each CCD."""

from __future__ import annotations

import logging
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

__all__ = ["RunLogs", "ccd_log", "level_name", "log_folder"]

_NAMES = {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL"}


def level_name(level: int) -> str:
    """The level's name in Gen2's words."""
    return _NAMES.get(level, logging.getLevelName(level))


def log_folder(output: Path, run: str) -> Path:
    """Where the logs of a run lie."""
    return output / "logs" / run


def ccd_log(key: str) -> str:
    """The name of the log of one CCD, e.g. ``visit-903986-ccd-16.log``."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", key) + ".log"


class RunLogs:
    """Appends lines to the run's log and to those of its CCDs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._run = (folder / "run.log").open("a", encoding="utf-8", buffering=1)
        self._ccds: dict[str, IO[str]] = {}

    def path_of(self, key: str) -> Path:
        """The log of one CCD."""
        return self.folder / ccd_log(key)

    def write(self, key: str, level: int, component: str, message: str, time: float) -> None:
        """Append one record; `key` empty: of the run as a whole. CCDs' records go into both files."""
        stamp = datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        head = f"{stamp} {level_name(level):5} {component}"
        self._run.write(f"{head}{f' ({key})' if key else ''}: {message}\n")
        if key:
            self._file(key).write(f"{head}: {message}\n")

    def attach(self, key: str, text: str) -> None:
        """Append a block of text, say a traceback, to the log of a CCD only; `key` empty: to the run's."""
        (self._file(key) if key else self._run).write(text.rstrip() + "\n")

    def _file(self, key: str) -> IO[str]:
        if key not in self._ccds:
            self._ccds[key] = self.path_of(key).open("a", encoding="utf-8", buffering=1)
        return self._ccds[key]

    def finish(self, key: str) -> None:
        """Close the log of a CCD."""
        file = self._ccds.pop(key, None)
        if file is not None:
            file.close()

    def close(self) -> None:
        """Close all files."""
        for key in list(self._ccds):
            self.finish(key)
        self._run.close()
