"""Browse: the repository as a tree, the data IDs of the selection as a table, and what is known of the one chosen."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget

from safelight.errors import DataIdError, SafelightError
from safelight_tui.actions import ACTIONS
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.session import details
from safelight_tui.session.completion import Completion, complete
from safelight_tui.session.disktree import DiskTree, Entry, KnownFiles, list_directory
from safelight_tui.session.facets import constrain, facets, toggle
from safelight_tui.session.nodedetails import node_lines
from safelight_tui.session.repositorytree import RepositoryTree, branch_values
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


class BrowseScreen(ModeScreen):
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
    BrowseScreen.-wide #tree { width: 36; }
    BrowseScreen.-tall #detail { height: 14; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._disk = False
        self._listings: dict[Path, Sequence[Entry]] = {}
        self._known: KnownFiles | None = None
        self._placed = False
        self._stale = False
        self._subject: tuple[str, Hashable] | None = None

    def compose_body(self) -> ComposeResult:
        """Filter bar; tree and table; details."""
        yield FilterBar(self._complete, id="filter")
        with Horizontal(id="panes"):
            yield TreeView(id="tree")
            yield LineTable(empty_text="reading the registry", id="data-ids")
        yield DetailPane(details.TABS, id="detail")

    # --- panes ------------------------------------------------------------------------------------------------------

    @property
    def table(self) -> LineTable:
        """The table of data IDs."""
        return self.query_one("#data-ids", LineTable)

    @property
    def tree_pane(self) -> TreeView:
        """The tree."""
        return self.query_one("#tree", TreeView)

    @property
    def detail(self) -> DetailPane:
        """The details."""
        return self.query_one("#detail", DetailPane)

    @property
    def bar(self) -> FilterBar:
        """The filter bar."""
        return self.query_one("#filter", FilterBar)

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
        """Whether there are rows and problems among them."""
        session = self.session
        if session is None or not len(session.selection):
            return ()
        rerun = session.rerun
        problems = rerun is not None and any(status.problem for status in rerun.counts)
        return ("rows", "problems") if problems else ("rows",)

    def on_mount(self) -> None:
        """Focus the table."""
        self.tree_pane.opened |= {("raw",), ("rerun",)}
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
        if "session" in what and self._subject is not None and self._known is not None:
            self._listings, self._known = {}, None
        if what & {"session", "catalogue", "selection", "feed"}:
            self._show_table(session)
            self._show_tree(session)
        if what & {"session", "catalogue", "selection"} and not self.bar.is_open:
            self.bar.set_text(session.filter.text)
            self._show_count(session)
        if self.bar.is_open and what & {"session", "catalogue"}:
            self._apply(self.bar.text)  # typed before the frames were there
        if "cursor" in what and self._placed and self.shell.night.following:
            self._go_to_followed(session)
        if what & {"feed", "cursor", "session", "catalogue", "selection"}:
            self._show_detail(again="feed" in what)

    def _show_table(self, session: Session) -> None:
        self.table.empty_text = self._why_nothing(session)
        self.table.show(DataIdModel(session), stale=self._stale)
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
        """At first: where the cursor was left, else on the first CCD of the newest visit."""
        remembered = self.shell.remembered.of(session.root).cursor
        row = session.catalogue.row_of(remembered) if remembered else None
        place = session.selection.place_of(row) if row is not None else None
        if place is not None:
            self.table.move_to(place)
        else:
            self._go_to_newest(session)
        self._placed = session.catalogue.complete
        session.cursor_row = self.table.row_id

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

    def _show_tree(self, session: Session) -> None:
        tree = self.tree_pane
        tree.show(DiskTree(session.root, self._listings) if self._disk else RepositoryTree(session))

    def _show_count(self, session: Session) -> None:
        result = session.filter
        narrowed = len(result.view) if result.narrowing else None
        self.bar.show_count(len(result.rows), session.catalogue.size, narrowed=narrowed)

    # --- the filter -------------------------------------------------------------------------------------------------

    def _complete(self, text: str, cursor: int) -> Completion:
        session = self.session
        if session is None:
            return Completion(cursor, cursor, ())
        return complete(text, cursor, session.catalogue, session.rerun)

    def action_filter(self) -> None:
        """Open the filter bar."""
        session = self.session
        self.bar.open(self.shell.remembered.of(session.root).history if session is not None else ())

    def on_filter_bar_changed(self, event: FilterBar.Changed) -> None:
        """Select as it is typed; while the text is invalid the last valid selection stays, greyed."""
        self._apply(event.text)

    def _apply(self, text: str) -> bool:
        session = self.session
        if session is None:
            return False
        try:
            result = session.set_filter(text)
        except DataIdError as error:
            self._stale = True
            self._show_table(session)
            self.bar.show_error(error)
            return False
        self._stale = False
        self.bar.show_error(None)
        self.bar.show_note(result.why_empty)
        self.shell.tell("selection")
        self._show_count(session)
        return True

    def on_filter_bar_kept(self, event: FilterBar.Kept) -> None:
        """Keep the filter, remember it, go to the table."""
        if self.session is not None:
            self.shell.remembered.add_to_history(self.session.root, event.text)
        self.table.focus()
        self.shell.save_state()

    def on_filter_bar_given_up(self, event: FilterBar.GivenUp) -> None:
        """Back to the filter from before."""
        self._apply(event.text)
        self.table.focus()

    def _set_filter(self, text: str) -> None:
        self.bar.set_text(text)
        if self._apply(text) and self.session is not None:
            self.shell.remembered.add_to_history(self.session.root, text)

    def action_facets(self) -> None:
        """Choose values from lists."""
        from safelight_tui.screens.facets import FacetsScreen

        session = self.session
        if session is None:
            return

        def switched(key: str, value: str) -> None:
            self._set_filter(toggle(session.filter.text, key, value))
            screen.show(facets(session.filter.text, session.catalogue, session.rerun), session.filter.text)

        screen = FacetsScreen(
            facets(session.filter.text, session.catalogue, session.rerun), session.filter.text, switched
        )
        self.app.push_screen(screen)

    # --- the tree ---------------------------------------------------------------------------------------------------

    def action_tree_kind(self) -> None:
        """Switch between registries and directories."""
        session = self.session
        if session is None:
            return
        self._disk = not self._disk
        tree = self.tree_pane
        if self._disk:
            tree.opened.add(("disk", session.root))
            self._listings = {}
            self.shell.controller.ask(KnownFiles.of, self._known_read, group="known files")
        self._show_tree(session)

    def _known_read(self, known: KnownFiles) -> None:
        self._known = known
        for key in list(self.tree_pane.opened):
            if isinstance(key, tuple) and key[0] == "disk":
                self._list(key[1])

    def _list(self, path: Path) -> None:
        known = self._known
        if known is None:
            return  # it is listed when they are read

        def listed(entries: list[Entry]) -> None:
            self._listings[path] = entries
            if self.session is not None:
                self._show_tree(self.session)

        def refused(error: SafelightError) -> None:
            self._listings[path] = []
            self.shell.show_error(error)

        self.shell.controller.ask(lambda butler: list_directory(path, known), listed, failed=refused)

    def on_tree_view_branch_opened(self, event: TreeView.BranchOpened) -> None:
        """Read a directory when it is opened."""
        if isinstance(event.key, tuple) and event.key[0] == "disk":
            self._list(event.key[1])

    def on_tree_view_cursor_moved(self, event: TreeView.CursorMoved) -> None:
        """Say what is known of the line."""
        if self.focused is self.tree_pane:
            self._subject = ("node", event.key)
            self._show_detail()

    def on_tree_view_item_opened(self, event: TreeView.ItemOpened) -> None:
        """Select a branch of the raw frames, or a rerun; open or close everything else."""
        session, key = self.session, event.key
        values = branch_values(key)
        if session is None:
            return
        if values is not None:
            self._set_filter(constrain(session.filter.text, values))
            self.tree_pane.open_branch(key)
        elif isinstance(key, tuple) and key[0] in ("rerun", "run") and len(key) > 1:
            self.shell.controller.choose_rerun(str(key[1]))
        elif key in self.tree_pane.opened:
            self.tree_pane.action_move_left()
        else:
            self.tree_pane.action_move_right()

    # --- the table --------------------------------------------------------------------------------------------------

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Show the frame under the cursor."""
        session = self.session
        if session is None or not self._placed:
            return
        session.cursor_row = event.row_id
        self._subject = ("row", event.row_id)
        self._show_detail()

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Go to the history of the frame: why it failed, where it did."""
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

    def action_plan(self) -> None:
        """Show what a run would do."""
        self.shell.go("plan")

    async def action_run(self) -> None:
        """Plan first: the run is confirmed there."""
        self.shell.go("plan")

    def action_open_image(self) -> None:
        """Show pixels."""
        self.shell.go("image")

    def action_open_log(self) -> None:
        """Show the log."""
        self.shell.go("logs")

    def action_compare(self) -> None:
        """Compare reruns where metrics are."""
        self.shell.go("triage")

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

    _shown: tuple[str, str] | None = None

    def _read_detail(self, tab: str, name: str, data_id: dict[str, Any]) -> None:
        def read(lines: list[TextLine]) -> None:
            self._shown = (tab, name)
            self.detail.show(name, lines)

        def refused(error: SafelightError) -> None:
            read([TextLine(f"{error.message} {error.hint}".strip(), "bad")])

        reader = _READERS[tab]
        self.shell.controller.ask(lambda butler: reader(butler, data_id), read, failed=refused, group="detail")
