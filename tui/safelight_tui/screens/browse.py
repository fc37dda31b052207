"""Browse: the repository as a tree, the data IDs of the selection as a table, and what is known of the one chosen."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from pathlib import Path
from typing import Any, final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget

from safelight.errors import SafelightError
from safelight_tui.actions import ACTIONS
from safelight_tui.catalogue import Bitset
from safelight_tui.screens.browse_tree import BrowseTree
from safelight_tui.screens.why import tell_why
from safelight_tui.session import details
from safelight_tui.session.nodedetails import node_lines
from safelight_tui.session.session import Session
from safelight_tui.widgets.data_id_model import DataIdModel
from safelight_tui.widgets.detail_pane import DetailPane
from safelight_tui.widgets.filter_bar import FilterBar
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.text_pane import TextLine
from safelight_tui.widgets.tree_view import TreeView

__all__ = ["BrowseScreen"]

_READERS = {
    "header": details.header_lines,
    "inputs": details.input_lines,
    "calibrations": details.calibration_lines,
}


@final
class BrowseScreen(BrowseTree):
    """The first screen."""

    MODE = "browse"
    PURPOSE = (
        "choose the frames that the other screens are about. Tree (Enter selects a branch, or a rerun), table of data "
        "IDs, details (left and right change the tab)."
    )
    BINDINGS = ACTIONS.bindings("searching", "data_ids", "browse", "following")

    DEFAULT_CSS = """
    BrowseScreen #panes { height: 1fr; }
    BrowseScreen #tree { width: 22; border-right: solid $panel; }
    BrowseScreen #data-ids { width: 1fr; }
    BrowseScreen #detail { height: 6; }
    BrowseScreen.-wide #tree { width: 46; }
    BrowseScreen.-tall #detail { height: 14; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._root: Path | None = None
        self._placed = False
        self._placed_at: int | None = None
        self._subject: tuple[str, Hashable] | None = None
        self._shown: tuple[str, str] | None = None

    def compose_body(self) -> ComposeResult:
        """Filter bar; tree and table; details."""
        yield FilterBar(self.complete, id="filter")
        with Horizontal(id="panes"):
            yield TreeView(id="tree")
            yield LineTable(empty_text="reading the registry", id="data-ids")
        yield DetailPane(details.TABS, id="detail")

    # --- panes ------------------------------------------------------------------------------------------------------

    @property
    def detail(self) -> DetailPane:
        """The details."""
        return self.query_one("#detail", DetailPane)

    @property
    def focus_name(self) -> str:
        """The pane in focus."""
        if self.focused is not None and self.focused is self.tree_pane:
            return "browse tree"
        return "browse detail" if self.focused is self.detail.text else "browse table"

    def first_pane(self) -> Widget | None:
        """The table."""
        return self.table

    def holding(self) -> Collection[str]:
        """Whether there are rows, problems among them, and a filter to search for."""
        session = self.session
        if session is None or not len(session.selection):
            return ()
        rerun = session.rerun
        problems = rerun is not None and any(status.problem for status in rerun.counts)
        return ("rows", *(("problems",) if problems else ()), *(("search",) if self.searched else ()))

    def panes_made(self) -> None:
        """Focus the table."""
        self.table.focus()

    def on_resize(self, event: Any) -> None:
        """Give more room to the side panes where there is some."""
        super().on_resize(event)
        self.set_class(event.size.width >= 110, "-wide")
        self.set_class(event.size.height >= 34, "-tall")

    # --- showing ----------------------------------------------------------------------------------------------------

    def session_changed(self, what: frozenset[str]) -> None:
        """Show what the session holds now."""
        session = self.session
        if session is None:
            return
        if session.root != self._root:
            self._forget(session)
        if what & {"session", "catalogue", "selection", "feed"}:
            self.show_table(session)
            self.show_tree(session)
        if what & {"session", "catalogue", "selection"} and not self.bar.is_open:
            self.bar.set_text(session.filter.text)
            self.show_count(session)
        if self.bar.is_open and what & {"session", "catalogue"}:
            self.apply(self.bar.text)  # typed before the frames were there
        if what & {"feed", "catalogue"}:
            self.read_directories()
        if "cursor" in what and self._placed and self.shell.night.following:
            self._go_to_followed(session)
        if what & {"feed", "cursor", "session", "catalogue", "selection"}:
            self._show_detail(again="feed" in what)

    def _forget(self, session: Session) -> None:
        """Another repository is open: nothing of the one before stays."""
        self._root = session.root
        self._placed, self._placed_at, self._subject, self._shown = False, None, None, None
        self.stale = False
        self.forget_tree()
        self.table.marks = Bitset.none(0)
        self.bar.show_error(None)

    def show_table(self, session: Session) -> None:
        """Show the rows of the session."""
        self.table.empty_text = self._why_nothing(session)
        self.table.show(DataIdModel(session), stale=self.stale)
        if not self._placed and len(session.selection):
            self._place_cursor(session)
        elif self.shell.night.following:
            self._go_to_followed(session)
        row = self.table.row_id
        if self._placed and row is not None:  # another selection puts other frames under a cursor that did not move
            session.cursor_row = row

    @staticmethod
    def _why_nothing(session: Session) -> str:
        if not session.catalogue.complete:
            return session.feed.trouble or "reading the registry"
        if not session.catalogue.size:
            return "no raw frame yet: safelight ingest images"
        return "nothing is selected"

    def _place_cursor(self, session: Session) -> None:
        """At first: where the cursor was left, else on the first CCD of the newest visit; not once the user moved."""
        if self._placed_at is not None and self._placed_at != self.table.row_id:
            self._placed = session.catalogue.complete
            session.cursor_row = self.table.row_id
            return
        remembered = self.shell.remembered.of(session.root).cursor
        row = session.catalogue.row_of(remembered) if remembered else None
        place = session.selection.place_of(row) if row is not None else None
        if place is not None:
            self.table.move_to(place)
        else:
            self._go_to_newest(session)
        self._placed = session.catalogue.complete
        session.cursor_row = self._placed_at = self.table.row_id

    def _go_to_newest(self, session: Session) -> None:
        catalogue, count = session.catalogue, len(session.selection)
        if not count or "visit" not in catalogue.columns:
            self.table.move_to(count - 1)
            return
        rows = session.selection.window(max(0, count - 500), count)
        codes = catalogue.columns["visit"].codes
        newest = max(int(codes[row]) for row in rows)
        first = next(row for row in rows if int(codes[row]) == newest)
        self.table.move_to(session.selection.place_of(int(first)) or 0)

    # --- tree and table -----------------------------------------------------------------------------------------------

    def on_tree_view_cursor_moved(self, event: TreeView.CursorMoved) -> None:
        """Say what is known of the line."""
        if self.focused is self.tree_pane:
            self._subject = ("node", event.key)
            self._show_detail()

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Show the frame under the cursor."""
        session = self.session
        if session is None or not self._placed:
            return
        session.cursor_row = event.row_id
        self._subject = ("row", event.row_id)
        self._show_detail()

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Say why the frame failed in the chosen rerun; of others, show the history over the reruns."""
        session, rerun = self.session, self.session.rerun if self.session is not None else None
        state = session.state(event.row_id) if session is not None else None
        if session is not None and rerun is not None and state is not None and state.status.letter in "FB":
            session.cursor_row = event.row_id
            tell_why(self.shell, rerun.path, session.catalogue.name(event.row_id), state)
            return
        self.detail.choose("history")
        self.detail.text.focus()

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        """Marked rows are what actions are about."""
        if self.session is not None:
            self.session.marked = event.table.marks
            self.shell.tell("marks")

    def on_line_table_sort_requested(self, event: LineTable.SortRequested) -> None:
        """Sort by a column of the registry, or by the status in a rerun."""
        session = self.session
        if session is None:
            return
        if event.column.startswith("rerun/"):
            self.shell.controller.sort_by_status(session, event.column.removeprefix("rerun/"), reverse=event.reverse)
        else:
            identity = [key for key in session.catalogue.identity if key != event.column]
            self.shell.controller.sort(session, [event.column, *identity], reverse=event.reverse)

    def action_next_problem(self) -> None:
        """To the next row whose CCD has failed or has a caveat."""
        self._go_to_problem(1)

    def action_previous_problem(self) -> None:
        """To the one before."""
        self._go_to_problem(-1)

    def _go_to_problem(self, step: int) -> None:
        session = self.session
        rerun = session.rerun if session is not None else None
        if session is None or rerun is None:
            return
        problems = [state.data_id for state in rerun.states.values() if state.status.problem]
        places = sorted(
            place
            for row in session.catalogue.rows_of(problems)
            if (place := session.selection.place_of(row)) is not None
        )
        here = self.table.cursor
        further = [place for place in places if (place - here) * step > 0]
        if further:
            self.table.move_to(further[0] if step > 0 else further[-1])
        else:
            self.notify(f"No {'further' if step > 0 else 'earlier'} failure or caveat in view.", markup=False)

    def action_follow(self) -> None:
        """Follow the newest visit, or stay."""
        self.shell.night.toggle_following()

    def followed_panes(self) -> Collection[Widget]:
        """The table."""
        return (self.table,)

    def _go_to_followed(self, session: Session) -> None:
        place = session.selection.place_of(session.cursor_row) if session.cursor_row is not None else None
        if place is not None:
            self.table.move_to(place)

    # --- what is done with data IDs ---------------------------------------------------------------------------------

    def _acted_on(self) -> list[int]:
        """The marked rows in view; without marks the one under the cursor."""
        session = self.session
        if session is None:
            return []
        marked = session.marked & session.filter.view if session.marked.size == session.filter.view.size else None
        if marked:
            rows: list[int] = marked.rows().tolist()
            return rows
        return [] if self.table.row_id is None else [self.table.row_id]

    def action_copy_ids(self) -> None:
        """Copy --id text."""
        session = self.session
        rows = self._acted_on()
        if session is not None and rows:
            self.shell.controller.copy(session.id_text(rows))

    def action_copy_command(self) -> None:
        """Copy the command that runs the selection."""
        session = self.session
        if session is not None:
            self.shell.controller.copy(session.command_line())

    def action_write_file(self) -> None:
        """Write the rows in view."""
        session = self.session
        if session is not None:
            self.shell.controller.write_list(session)

    def _leave_for(self, mode: str, intend: str = "") -> None:
        """Go to a screen that is about the row under the cursor, wherever that has just been moved."""
        if self.session is not None and self.table.row_id is not None:
            self.session.cursor_row = self.table.row_id
        self.shell.go(mode, intend=intend)

    def action_plan(self) -> None:
        """Show what a run would do."""
        self._leave_for("plan")

    def action_run(self) -> None:
        """Plan, then confirm: the confirmation shows the command."""
        self._leave_for("plan", intend="run")

    def action_open_image(self) -> None:
        """Show pixels."""
        self._leave_for("image")

    def action_open_log(self) -> None:
        """Show the log."""
        self._leave_for("logs")

    def action_compare(self) -> None:
        """Compare the chosen rerun with another: in Triage, where metrics are."""
        self._leave_for("triage", intend="compare")

    # --- details ----------------------------------------------------------------------------------------------------

    def on_detail_pane_tab_chosen(self, event: DetailPane.TabChosen) -> None:
        """Show another tab, of the frame under the cursor of the table."""
        if self.table.row_id is not None:
            self._subject = ("row", self.table.row_id)
        self._show_detail()

    def _show_detail(self, *, again: bool = False) -> None:
        session = self.session
        if session is None:
            return
        if self._subject is not None and self._subject[0] == "node":
            self.detail.show("", node_lines(session, self._subject[1]), keep_place=again)
            return
        row = self.table.row_id
        if row is None or row >= session.catalogue.size:
            self.detail.show("", [TextLine(session.filter.why_empty or session.feed.trouble, "caveat")])
            return
        name = session.catalogue.name(row)
        tab = self.detail.tab
        if tab == "history":
            self.detail.show(name, details.history_lines(session.reruns_newest_first(), name), keep_place=again)
        elif not again or self._shown != (tab, name):
            self._read_detail(tab, name, session.catalogue.data_id(row))

    def _read_detail(self, tab: str, name: str, data_id: dict[str, Any]) -> None:
        def read(lines: list[TextLine]) -> None:
            self._shown = (tab, name)
            self.detail.show(name, lines)

        def refused(error: SafelightError) -> None:
            read([TextLine(f"{error.message} {error.hint}".strip(), "bad")])

        reader = _READERS[tab]
        self.shell.controller.ask(lambda butler: reader(butler, data_id), read, failed=refused, group="detail")
