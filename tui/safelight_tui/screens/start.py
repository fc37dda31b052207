"""Start: the repositories opened before, the demonstration, and a picker of directories."""

from __future__ import annotations

from textual.app import ComposeResult

from safelight_tui.actions import ACTIONS
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["StartScreen"]


class StartScreen(ModeScreen):
    """Shown when no repository is given."""

    MODE = "start"
    PURPOSE = "choose a repository."
    BINDINGS = ACTIONS.bindings("searching")

    def compose_body(self) -> ComposeResult:
        """The list."""
        yield LineTable(empty_text="no repository was opened yet")

    def on_mount(self) -> None:
        """Fill the list."""
        recent = self.shell.remembered.recent
        columns = (Column("path", "repository", 70),)
        table = self.query_one(LineTable)
        table.show(RowsModel(columns, [[Cell(path)] for path in recent]))
        table.focus()
