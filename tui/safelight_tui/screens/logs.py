"""Logs: of a whole run or of one CCD, filtered, followed or paused. They are plain files, and said where they lie."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from safelight_tui.actions import ACTIONS
from safelight_tui.screens.log_filtering import LogFiltering
from safelight_tui.session.reruns import RunView
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.log_model import LogListModel
from safelight_tui.widgets.log_view import LogView
from safelight_tui.widgets.run_picker import run_state

__all__ = ["LogsScreen"]


class LogsScreen(LogFiltering):
    """The list of logs of a rerun's runs, and one of them."""

    MODE = "logs"
    PURPOSE = "read the log of a run or of one of its CCDs, live or afterwards."
    BINDINGS = ACTIONS.bindings("searching", "following")

    DEFAULT_CSS = """
    LogsScreen #logs-head {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
        background: $panel; color: $foreground;
    }
    LogsScreen #logs-list { width: 28; height: 1fr; border-right: solid $primary; }
    LogsScreen.-narrow Horizontal { layout: vertical; }
    LogsScreen.-narrow #logs-list { width: 100%; height: 7; border-right: none; border-bottom: solid $primary; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._path: Path | None = None
        self._wanted: str = ""  # the CCD whose log is to be shown

    def compose_body(self) -> ComposeResult:
        """Where it is, filter, list, log."""
        yield Static("", id="logs-head", markup=False)
        yield self.log_filter()
        with Horizontal():
            yield LineTable(empty_text="nothing was run yet", id="logs-list")
            yield LogView(empty_text="no log", id="logs-view")

    def panes_made(self) -> None:
        """Focus the log."""
        self.query_one(LogView).focus()

    def on_resize(self, event: events.Resize) -> None:
        """The list stands above the log where the lines of the log need the width."""
        super().on_resize(event)
        self.set_class(event.size.width < 110, "-narrow")

    def first_pane(self) -> LogView:
        """The log."""
        return self.query_one(LogView)

    def holding(self) -> Collection[str]:
        """What the log in view allows."""
        view = self.query_one(LogView)
        holds = ["rows"]
        if view.filter is not None:
            holds.append("search")
        if view.state.problem_count:
            holds.append("problems")
        return holds

    @property
    def runs(self) -> list[RunView]:
        """Runs, those of the chosen rerun first, the newest first."""
        session = self.session
        if session is None:
            return []
        here = session.rerun.name if session.rerun is not None else ""
        return sorted(session.feed.runs, key=lambda run: run.rerun != here)

    def session_changed(self, what: frozenset[str]) -> None:
        """Show new runs; go to the CCD under the cursor of the other screens when that was changed."""
        session = self.session
        if session is None or not what & {"session", "feed", "cursor"}:
            return
        model = LogListModel(self.runs)
        table = self.query_one(LineTable)
        table.show(model)
        if "cursor" in what and session.cursor_row is not None and session.cursor_row < session.catalogue.size:
            name = session.catalogue.name(session.cursor_row)
            if name != self._wanted:
                self._wanted = name
                place = model.newest_of(name)
                if place is not None:
                    table.move_to(place)
        self._open()

    def _open(self) -> None:
        table = self.query_one(LineTable)
        model, row = table.model, table.row_id
        if not isinstance(model, LogListModel) or row is None:
            self.query_one("#logs-head", Static).update("nothing was run in this repository yet")
            return
        entry = model.entry(row)
        word, _ = run_state(entry.run)
        lies = "/".join(entry.path.parts[-3:])
        view = self.query_one(LogView)
        follow = "following" if view.follow else "staying"
        text = self.log_trouble or f"{entry.run.rerun}   {word}, {follow}   {lies}"
        self.query_one("#logs-head", Static).update(text)
        if entry.path != self._path:
            self._path = entry.path
            view.show(entry.path)

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Show the log of the row."""
        self._open()

    def log_in_view(self) -> Path | None:
        """The one that is shown."""
        return self._path

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Read it."""
        self.query_one(LogView).focus()

    def on_log_view_follow_changed(self, event: LogView.FollowChanged) -> None:
        """Say whether it follows."""
        self._open()

    def on_log_view_state_changed(self, event: LogView.StateChanged) -> None:
        """Problems may be there now."""
        self.refresh_footer()

    # --- filter -----------------------------------------------------------------------------------------------------

    def log_filter_changed(self) -> None:
        """Say what is wrong with an expression that is not valid."""
        self._open()
        self.refresh_footer()

    def action_give_up(self) -> None:
        """Take the filter away."""
        self.leave_log_filter()
        self.query_one(LogView).focus()

    def action_follow(self) -> None:
        """Follow the newest line, or stay."""
        self.query_one(LogView).action_follow()

    def action_next_problem(self) -> None:
        """The next line that warns."""
        self.query_one(LogView).action_next_problem()

    def action_previous_problem(self) -> None:
        """The one before."""
        self.query_one(LogView).action_previous_problem()
