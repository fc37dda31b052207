"""Two reruns side by side, CCD by CCD: differences of the metrics, what came and what went."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

from textual.app import ComposeResult
from textual.widget import Widget

from safelight_tui.actions import ACTIONS
from safelight_tui.marks.reading import Judged, read_judged
from safelight_tui.metrics.compare import COMPARED, Comparison, as_judged, compare_rows, row_lines
from safelight_tui.screens.narrowing import NarrowingScreen
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.narrow_bar import NarrowBar
from safelight_tui.widgets.table_model import RowsModel
from safelight_tui.widgets.text_pane import TextLine, TextPane

__all__ = ["CompareScreen"]


@final
class CompareScreen(NarrowingScreen):
    """Opened from Triage; q goes back there.

    Parameters
    ----------
    judged : Judged
        The rerun that others are compared with.
    """

    MODE = "triage"
    PURPOSE = (
        "differences of two reruns: second minus first; ! marks what changed otherwise than in the other CCDs of its "
        "filter, and medians that are five times their error from zero; below, the CCD under the cursor; states are "
        "D done, V with caveats, F failed, - absent."
    )
    BINDINGS = ACTIONS.bindings("searching", "compare")
    NUMBERS = (*COMPARED, "visit", "ccd")

    DEFAULT_CSS = """
    CompareScreen #summary { height: auto; min-height: 2; max-height: 5; background: $panel; }
    CompareScreen #differences { height: 1fr; }
    CompareScreen #pair { height: 40%; max-height: 15; border-top: solid $panel; }
    """

    def __init__(self, judged: Judged) -> None:
        super().__init__()
        self._first = judged
        self._second: str | None = None
        self._comparison: Comparison | None = None
        self._in_view: Comparison | None = None
        self._sort: tuple[str, bool] | None = None

    @property
    def focus_name(self) -> str:
        """In the table of actions."""
        return "compare"

    def compose_body(self) -> ComposeResult:
        """Summary and table."""
        summary = TextPane(id="summary")
        summary.can_focus = False
        yield summary
        yield NarrowBar("words: failed outlier ccd=16 fwhm_arcsec>0.1 (of the difference)")
        yield LineTable(empty_text="reading both reruns", id="differences")
        yield TextPane(id="pair")

    @property
    def table(self) -> LineTable:
        """The differences."""
        return self.query_one("#differences", LineTable)

    def first_pane(self) -> Widget | None:
        """The table."""
        return self.table

    def holding(self) -> Collection[str]:
        """Whether there are rows, and words to search for."""
        rows = ("rows",) if self._comparison is not None and self._comparison.rows else ()
        return (*rows, *(("search",) if self._searched else ()))

    def panes_made(self) -> None:
        """Compare with the newest other rerun."""
        self.table.focus()
        self.action_next_rerun()

    def _others(self) -> list[str]:
        session = self.session
        names = [rerun.name for rerun in session.reruns_newest_first()] if session is not None else []
        return [name for name in names if name != self._first.rerun]

    def action_next_rerun(self) -> None:
        """Take the next of the other reruns."""
        others, session = self._others(), self.session
        if not others or session is None:
            self.query_one("#summary", TextPane).show([TextLine("There is no other rerun to compare with.")])
            return
        place = (others.index(self._second) + 1) % len(others) if self._second in others else 0
        self._second = others[place]
        name, path = self._second, session.feed.reruns[self._second].path
        self.shell.controller.ask(lambda butler: read_judged(name, path), self._take, group="compare")

    def _take(self, second: Judged) -> None:
        self._comparison = compare_rows(self._first.rows, second.rows, (self._first.rerun, second.rerun))
        lines = [TextLine(text, "title" if index == 0 else "") for index, text in enumerate(self._comparison.summary)]
        self.query_one("#summary", TextPane).show(lines)
        self.show_rows()

    def rows_in_view(self) -> Sequence[Mapping[str, Any]]:
        """The compared CCDs, as the language of words knows them."""
        return [as_judged(row) for row in self._in_view.rows] if self._in_view is not None else []

    def on_line_table_sort_requested(self, event: LineTable.SortRequested) -> None:
        """Sort by a difference."""
        self._sort = (event.column, event.reverse)
        self.show_rows()

    def show_rows(self) -> None:
        """Show the differences that have all the words, in the order that was asked for."""
        comparison = self._comparison
        if comparison is None:
            return
        total = len(comparison.rows)
        if self._narrowing:
            comparison = comparison.narrowed(self._narrowing)
        if self._sort is not None:
            comparison = comparison.sorted_by(*self._sort)
        self.bar.note(f"{len(comparison.rows)} of {total} CCDs")
        self._in_view = comparison
        self.table.empty_text = "no CCD has all these words" if total else "neither rerun has results"
        self.table.show(RowsModel(comparison.columns, comparison.cells()))
        self._show_pair()
        self.refresh_footer()

    def on_line_table_cursor_moved(self) -> None:
        """Show another CCD in full."""
        self._show_pair()

    def _show_pair(self) -> None:
        comparison, place = self._in_view, self.table.row_id
        if comparison is None or place is None or place >= len(comparison.rows):
            return
        names = (comparison.first, comparison.second)
        self.query_one("#pair", TextPane).show(row_lines(comparison.rows[place], names))
