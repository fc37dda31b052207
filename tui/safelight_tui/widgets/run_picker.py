"""Choosing which run to watch."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime

from textual.app import ComposeResult

from safelight_tui.session.reruns import RunView
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["RunPicker", "run_state"]


def run_state(run: RunView) -> tuple[str, str]:
    """A word for what a run is doing or how it ended, and its tone."""
    if run.died:
        return "DIED", "bad"
    if run.live:
        word = "stopping" if run.stopping else "paused" if run.paused else "running"
        return word, "new" if word == "running" else "caveat"
    return {0: ("done", "good"), 130: ("cancelled", "caveat")}.get(run.exit_code or 0, ("failed", "bad"))


class RunPicker(RunDialog[tuple[str, str] | None]):
    """Gives (rerun, run) back."""

    HEADING = "Runs, wherever they were started"
    KEYS = "Enter: watch   ^G: give up"

    DEFAULT_CSS = """
    RunPicker LineTable { height: 14; }
    """

    def __init__(self, runs: Sequence[RunView], current: tuple[str, str] | None) -> None:
        super().__init__()
        self._runs = list(runs)
        self._current = current

    def compose_dialog(self) -> ComposeResult:
        """The list."""
        columns = (
            Column("rerun", "rerun", 20, frozen=True),
            Column("state", "state", 9),
            Column("done", "done", 9, right=True),
            Column("failed", "failed", 6, right=True),
            Column("started", "started (UTC)", 16),
            Column("command", "command", 60),
        )
        yield LineTable(RowsModel(columns, [self._row(run) for run in self._runs]), empty_text="nothing was run yet")

    @staticmethod
    def _row(run: RunView) -> list[Cell]:
        word, tone = run_state(run)
        return [
            Cell(run.rerun),
            Cell(word, tone),
            Cell(f"{run.done}/{len(run.ccds)}"),
            Cell(str(run.failures), "bad" if run.failures else "dim"),
            Cell(datetime.fromtimestamp(run.started, UTC).strftime("%Y-%m-%d %H:%M")),
            Cell(shlex.join(run.command_line)),
        ]

    def on_mount(self) -> None:
        """Focus the list, at the run in view."""
        table = self.query_one(LineTable)
        table.focus()
        place = next((k for k, run in enumerate(self._runs) if (run.rerun, run.run) == self._current), 0)
        table.move_to(place)

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Take it."""
        event.stop()
        run = self._runs[event.row_id]
        self.dismiss((run.rerun, run.run))
