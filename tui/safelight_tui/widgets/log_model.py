"""The logs of runs as a list: each run, and below it its CCDs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from safelight.processccd.logs import ccd_log, log_folder
from safelight_tui.session.reruns import RunView
from safelight_tui.widgets.table_model import Cell, Column

__all__ = ["LogEntry", "LogListModel"]


class LogEntry(NamedTuple):
    """One log; `name` is empty for that of the whole run."""

    run: RunView
    name: str
    path: Path


class LogListModel:
    """A `TableModel` whose rows are logs. CCDs that a run has not begun have none."""

    def __init__(self, runs: Sequence[RunView]) -> None:
        self.columns: Sequence[Column] = (Column("log", "log", 17, frozen=True), Column("state", "", 5))
        self._runs = list(runs)

    @cached_property
    def _entries(self) -> list[LogEntry]:
        entries = []
        for run in self._runs:
            folder = log_folder(run.journal.parents[2], run.run)
            entries.append(LogEntry(run, "", folder / "run.log"))
            entries += [
                LogEntry(run, name, folder / ccd_log(name))
                for name, state in run.ccds.items()
                if state.started or state.code
            ]
        return entries

    def entry(self, row: int) -> LogEntry:
        """The log of a row."""
        return self._entries[row]

    def newest_of(self, name: str) -> int | None:
        """The first row of a CCD's log."""
        return next((row for row, entry in enumerate(self._entries) if entry.name == name), None)

    @property
    def id_count(self) -> int:
        """Rows."""
        return len(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of some rows."""
        return [self._row(entry) for entry in self._entries[start:stop]]

    @staticmethod
    def _row(entry: LogEntry) -> list[Cell]:
        if entry.name:
            state = entry.run.ccds[entry.name]
            label = " ".join(f"{value}" for key, value in state.data_id.items() if key in ("visit", "ccd"))
            return [Cell(f" {label}"), Cell(state.status.letter, state.tone)]
        when = datetime.fromtimestamp(entry.run.started, UTC).strftime("%d %H:%M")
        return [Cell(f"{entry.run.rerun}"[:17], "new"), Cell(when.split()[1], "dim")]

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Places are ids."""
        return np.arange(start, min(stop, len(self._entries)))

    def place_of(self, row_id: int) -> int | None:
        """Ids are places."""
        return row_id if 0 <= row_id < len(self._entries) else None
