"""Choosing the metric that the focal plane shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from textual.app import ComposeResult

from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["STATUS_ONLY", "MetricPicker"]

STATUS_ONLY = "(status)"


class MetricPicker(RunDialog[str | None]):
    """Gives the name of a metric back, or `STATUS_ONLY`."""

    HEADING = "Colour the focal plane by which metric?"
    KEYS = "Enter: choose   ^G: give up"

    DEFAULT_CSS = """
    MetricPicker LineTable { height: 16; }
    """

    def __init__(self, values: Mapping[str, Sequence[float]], current: str | None) -> None:
        super().__init__()
        self._names = [STATUS_ONLY, *sorted(values)]
        self._values = values
        self._current = current

    def compose_dialog(self) -> ComposeResult:
        """The list with the spread of each metric."""
        columns = (
            Column("metric", "metric", 36, frozen=True),
            Column("median", "median", 10, right=True),
            Column("low", "lowest", 10, right=True),
            Column("high", "highest", 10, right=True),
        )
        rows = []
        for name in self._names:
            found = self._values.get(name, ())
            figures = (median(found), min(found), max(found)) if found else ()
            rows.append([Cell(name), *(Cell(f"{value:.4g}") for value in figures), *[Cell("")] * (3 - len(figures))])
        yield LineTable(RowsModel(columns, rows))

    def on_mount(self) -> None:
        """Focus the list at the metric in view."""
        table = self.query_one(LineTable)
        table.focus()
        if self._current in self._names:
            table.move_to(self._names.index(self._current))

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Take it."""
        event.stop()
        self.dismiss(self._names[event.row_id])
