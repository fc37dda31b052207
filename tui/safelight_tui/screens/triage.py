"""Triage: metrics of CCDs and visits, plots of what is behind them, and the observer's marks."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, final

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize
from textual.widget import Widget

from safelight.errors import SafelightError
from safelight.processccd.outliers import COMPARED_WITH
from safelight_tui.actions import ACTIONS
from safelight_tui.marks.reading import Judged, read_judged, read_signature
from safelight_tui.metrics.detail import detail_lines
from safelight_tui.metrics.rows import METRICS, data_id_of, full_id, is_problem
from safelight_tui.metrics.table import MetricsTable, by_visit
from safelight_tui.screens.triage_judging import JudgingScreen
from safelight_tui.screens.why import tell_why
from safelight_tui.session.reruns import RerunView
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.narrow_bar import NarrowBar
from safelight_tui.widgets.plot_view import PlotView
from safelight_tui.widgets.prompt_line import PromptLine
from safelight_tui.widgets.text_pane import TextPane

__all__ = ["TriageScreen"]

MARKS_EVERY_S = 3.0
"""How often marks of other observers are looked for."""


@final
class TriageScreen(JudgingScreen):
    """Table above, plot and details below."""

    MODE = "triage"
    PURPOSE = (
        f"judge the results of a rerun. Table of metrics (! is far from {COMPARED_WITH}; a visit with ! is far from "
        "the other visits of its filter; A is beyond an alarm; D done, V with caveats, F failed; + good, - bad, "
        "= look again, ? disputed), a plot, details of the CCD under the cursor."
    )
    BINDINGS = ACTIONS.bindings("searching", "data_ids", "triage", "following")
    NUMBERS = METRICS

    DEFAULT_CSS = """
    TriageScreen #metrics { height: 1fr; }
    TriageScreen #below { height: 45%; border-top: solid $panel; }
    TriageScreen #plot { width: 2fr; }
    TriageScreen #detail { width: 1fr; border-left: solid $panel; display: none; }
    TriageScreen.-wide #detail { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._source: RerunView | None = None
        self._sort: tuple[str, bool] | None = None
        self._reading = self._read_again = False

    def compose_body(self) -> ComposeResult:
        """Words; metrics; plot and details."""
        yield NarrowBar("words: failed bad outlier alarm fwhm_arcsec>0.9")
        yield LineTable(empty_text="no rerun yet: plan and run something first", id="metrics")
        with Horizontal(id="below"):
            yield PlotView(id="plot")
            yield TextPane(id="detail")
        yield PromptLine()

    def panes_made(self) -> None:
        """Focus the table; look for marks of others now and then."""
        self.table.focus()
        self.set_interval(MARKS_EVERY_S, self._look_for_marks)

    def on_resize(self, event: Resize) -> None:
        """Details stand beside the plot where there is room."""
        super().on_resize(event)
        self.set_class(event.size.width >= 100, "-wide")

    def first_pane(self) -> Widget | None:
        """The table."""
        return self.table

    def holding(self) -> Collection[str]:
        """Whether there are rows, marks of the user, problems."""
        holds = ["search"] if self._searched else []
        if len(self._table):
            holds += ["rows", "data_ids"]
        if self._judged is not None and self._judged.undoable:
            holds.append("marked_by_me")
        if any(is_problem(row) for row in self._table.rows):
            holds.append("problems")
        return holds

    # --- reading ----------------------------------------------------------------------------------------------------

    def session_changed(self, what: frozenset[str]) -> None:
        """Read the rerun again when it has changed."""
        session = self.session
        rerun = session.rerun if session is not None else None
        if rerun is None:
            self._judged = self._source = None
            self.show_rows()
        elif rerun is not self._source or "marks" in what:
            self._source = rerun
            self.read()
        if self.intended and self._judged is not None and not self._reading:
            self.do_intended()

    def read(self) -> None:
        """Read the rerun that is shown; while it is being read, once more afterwards."""
        rerun = self._source
        if rerun is None:
            return
        if self._reading:  # during a run changes come faster than rows are read: none may displace another for ever
            self._read_again = True
            return
        name, path, alarms = rerun.name, rerun.path, self.shell.night.alarms.alarms
        job = self.shell.controller.ask(
            lambda butler: read_judged(name, path, alarms), self._take, failed=self._not_read
        )
        self._reading = job is not None

    def _not_read(self, error: SafelightError) -> None:
        self._reading = False
        self.forget_intended()
        self.shell.show_error(error)

    def _take(self, judged: Judged) -> None:
        self._reading = False
        before = self._judged
        self._judged = judged
        if before is not None and before.rerun != judged.rerun:
            self.forget_plots()
        self.show_rows()
        self.do_intended()
        if self._read_again:
            self._read_again = False
            self.read()

    def _look_for_marks(self) -> None:
        judged = self._judged
        if judged is None or not self.is_current:
            return

        def compare(signature: tuple[tuple[str, int], ...]) -> None:
            if self._judged is not None and signature != self._judged.signature:
                self.read()

        self.shell.controller.ask(lambda butler: read_signature(judged.path), compare, group="triage marks")

    # --- the table --------------------------------------------------------------------------------------------------

    def show_rows(self) -> None:
        """Show the CCDs, or visits, that have all the words, in the order that was asked for."""
        rows: Sequence[Mapping[str, Any]] = by_visit(self.rows) if self._per_visit else self.rows
        kept = [row for row in rows if self._narrowing.matches(row)] if self._per_visit else rows
        table = MetricsTable.of(kept, per_visit=self._per_visit)
        if self._narrowing and not self._per_visit:
            table = table.narrowed(self._narrowing)
        if self._sort is not None:
            table = table.sorted_by(self._sort[0], reverse=self._sort[1])
        self._table = table
        self.table.empty_text = "no CCD has all these words" if self.rows else "nothing has been processed yet"
        self.table.show(table)
        if self.shell.night.following:
            self._go_to_newest()
        self._note()
        self._show_current()
        self.refresh_footer()

    def _note(self) -> None:
        name = self._judged.rerun if self._judged is not None else "no rerun"
        total = len(by_visit(self.rows)) if self._per_visit else len(self.rows)
        what = "visits" if self._per_visit else "CCDs"
        self.bar.note(f"{len(self._table)} of {total} {what}  {name}")

    def on_line_table_sort_requested(self, event: LineTable.SortRequested) -> None:
        """Sort."""
        self._sort = (event.column, event.reverse)
        self.show_rows()

    def action_by_visit(self) -> None:
        """Visits or CCDs."""
        self._per_visit = not self._per_visit
        self.table.set_marks(self.table.marks - self.table.marks)
        self.show_rows()

    def action_next_problem(self) -> None:
        """To the next failure, caveat or outlier."""
        self._seek(1)

    def action_previous_problem(self) -> None:
        """To the previous one."""
        self._seek(-1)

    def _seek(self, step: int) -> None:
        places = [place for place, row in enumerate(self.rows_in_view()) if is_problem(row)]
        beyond = [place for place in places if (place - self.table.cursor) * step > 0]
        if beyond:
            self.table.move_to(min(beyond, key=lambda place: abs(place - self.table.cursor)))

    # --- the CCD under the cursor -----------------------------------------------------------------------------------

    def on_line_table_cursor_moved(self) -> None:
        """Show plot and details of another CCD; its row is the one that other screens show."""
        self._show_current()

    def _show_current(self) -> None:
        row = self.current
        self.query_one("#detail", TextPane).show(detail_lines(row) if row is not None else [])
        session = self.session
        if row is not None and session is not None and not self._per_visit:
            found = session.catalogue.row_of(data_id_of(row))
            session.cursor_row = session.cursor_row if found is None else found
        self._draw()

    # --- leaving the screen -----------------------------------------------------------------------------------------

    def on_line_table_row_opened(self) -> None:
        """Enter: a visit's CCDs; a CCD's image, or why it failed."""
        row = self.current
        if row is None:
            return
        if self._per_visit:
            self._per_visit = False
            self.bar.input.value = ""
            self.show_rows()
            place = next((p for p, r in enumerate(self._table.rows) if r.get("visit") == row.get("visit")), 0)
            self.table.move_to(self._table.place_of(place) or 0)
        elif row.get("status") == "failed":
            self._why(row)
        else:
            self.action_open_image()

    def _why(self, row: Mapping[str, Any]) -> None:
        from safelight.processccd.outcome import ccd_key

        name, rerun = ccd_key(full_id(row)), self._source
        state = rerun.states.get(name) if rerun is not None else None
        if rerun is not None and state is not None:
            tell_why(self.shell, rerun.path, name, state)

    def action_follow(self) -> None:
        """Follow the newest visit, or stay."""
        self.shell.night.toggle_following()
        self.show_rows()

    def followed_panes(self) -> Collection[Widget]:
        """The table."""
        return (self.table,)

    def _go_to_newest(self) -> None:
        """To the newest visit that has results, and in it to the CCD that was looked at."""
        rows = list(enumerate(self.rows_in_view()))
        visits = [row["visit"] for _, row in rows if row.get("visit") is not None]
        if not visits:
            return
        newest = max(visits)
        ccd = (self.current or {}).get("ccd")
        of_visit = [(place, row) for place, row in rows if row.get("visit") == newest]
        same = next((place for place, row in of_visit if row.get("ccd") == ccd), of_visit[0][0])
        self.table.move_to(same)

    def action_open_image(self) -> None:
        """Look at the CCD's pixels."""
        self._go("image")

    def action_open_log(self) -> None:
        """Read the CCD's log."""
        self._go("logs")

    def _go(self, mode: str) -> None:
        self._show_current()
        self.shell.go(mode)

    def _choose_rows(self) -> None:
        """Make the chosen CCDs the marked rows of the session, which Plan and Run take."""
        from safelight_tui.catalogue import Bitset

        session = self.session
        if session is not None:
            rows = session.catalogue.rows_of(self.chosen())
            session.marked = Bitset.from_rows(rows, session.catalogue.size)
            self.shell.tell("marks")

    def action_plan(self) -> None:
        """Plan the chosen CCDs."""
        self._choose_rows()
        self.shell.go("plan")

    def action_run(self) -> None:
        """Running begins with a plan."""
        self._choose_rows()
        self.shell.go("plan", intend="run")

    def action_compare(self) -> None:
        """Compare with another rerun."""
        from safelight_tui.screens.compare import CompareScreen

        if self._judged is not None:
            self.app.push_screen(CompareScreen(self._judged))
