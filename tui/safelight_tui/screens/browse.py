"""Browse: the repository as a tree, the data IDs of the selection as a table, and what is known of the one chosen."""

from __future__ import annotations

from collections.abc import Collection

from textual.app import ComposeResult

from safelight_tui.actions import ACTIONS
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.data_id_model import DataIdModel
from safelight_tui.widgets.line_table import LineTable

__all__ = ["BrowseScreen"]


class BrowseScreen(ModeScreen):
    """The first screen."""

    MODE = "browse"
    PURPOSE = "choose the frames that the other screens are about."
    BINDINGS = ACTIONS.bindings("searching", "data_ids", "browse", "following")

    def compose_body(self) -> ComposeResult:
        """The table."""
        yield LineTable(empty_text="reading the registry", id="data-ids")

    @property
    def focus_name(self) -> str:
        """The pane in focus."""
        return "browse table"

    def holding(self) -> Collection[str]:
        """Whether there are rows."""
        return ("rows",) if self.session is not None and len(self.session.selection) else ()

    def on_mount(self) -> None:
        """Focus the table."""
        self.query_one(LineTable).focus()

    def session_changed(self, what: frozenset[str]) -> None:
        """Show the selection."""
        session = self.session
        if session is not None and what & {"session", "catalogue", "selection", "feed"}:
            self.query_one(LineTable).show(DataIdModel(session))
