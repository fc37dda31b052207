"""Triage: metrics of CCDs and visits, plots of what is behind them, and the observer's marks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.events import Resize
from textual.timer import Timer
from textual.widget import Widget

from safelight.errors import DataIdError, SafelightError
from safelight.processccd.narrowing import Narrowing, parse_narrowing
from safelight_tui.actions import ACTIONS
from safelight_tui.marks.reading import Judged, read_judged, read_signature, undo_last, write_verdict
from safelight_tui.metrics.detail import detail_lines
from safelight_tui.metrics.plots import PLOTS, Draw, color_plot, magnitude_plot, night_plot, sentence, wcs_plot
from safelight_tui.metrics.residuals import Residuals, read_residuals
from safelight_tui.metrics.rows import METRICS, data_id_of, full_id, is_problem
from safelight_tui.metrics.table import MetricsTable, by_visit
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.session.reruns import RerunView
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.narrow_bar import NarrowBar
from safelight_tui.widgets.plot_view import PlotView
from safelight_tui.widgets.prompt_line import PromptLine
from safelight_tui.widgets.text_pane import TextPane

__all__ = ["TriageScreen"]

MARKS_EVERY_S = 3.0
"""How often marks of other observers are looked for."""
SETTLE_S = 0.15
"""Rest of the cursor before a CCD's residuals are read."""
_KEPT = 64


class TriageScreen(ModeScreen):
    """Table above, plot and details below."""

    MODE = "triage"
    PURPOSE = (
        "judge the results of a rerun. Table of metrics (! is far from the others of its filter; D done, V with "
        "caveats, F failed; + good, - bad, = look again, ? disputed), a plot, details of the CCD under the cursor."
    )
    BINDINGS = ACTIONS.bindings("searching", "data_ids", "triage")

    DEFAULT_CSS = """
    TriageScreen #metrics { height: 1fr; }
    TriageScreen #below { height: 45%; border-top: solid $panel; }
    TriageScreen #plot { width: 2fr; }
    TriageScreen #detail { width: 1fr; border-left: solid $panel; display: none; }
    TriageScreen.-wide #detail { display: block; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._judged: Judged | None = None
        self._source: RerunView | None = None
        self._table = MetricsTable.of(())
        self._narrowing = Narrowing()
        self._per_visit = False
        self._sort: tuple[str, bool] | None = None
        self._plot = "wcs"
        self._residuals: OrderedDict[tuple[str, str], Residuals | SafelightError] = OrderedDict()
        self._settling: Timer | None = None
        self._reading = self._read_again = False

    def compose_body(self) -> ComposeResult:
        """Words; metrics; plot and details."""
        yield NarrowBar("words: failed, bad, outlier, fwhm_arcsec>0.9, !caveat …")
        yield LineTable(empty_text="no rerun yet: plan and run something first", id="metrics")
        with Horizontal(id="below"):
            yield PlotView(id="plot")
            yield TextPane(id="detail")
        yield PromptLine()

    def on_mount(self) -> None:
        """Focus the table; look for marks of others now and then."""
        self.table.focus()
        self.set_interval(MARKS_EVERY_S, self._look_for_marks)

    def on_resize(self, event: Resize) -> None:
        """Details stand beside the plot where there is room."""
        super().on_resize(event)
        self.set_class(event.size.width >= 100, "-wide")

    @property
    def table(self) -> LineTable:
        """The table of metrics."""
        return self.query_one("#metrics", LineTable)

    def first_pane(self) -> Widget | None:
        """The table."""
        return self.table

    def holding(self) -> Collection[str]:
        """Whether there are rows, marks of the user, problems."""
        holds = []
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
            self._show_rows()
        elif rerun is not self._source or "marks" in what:
            self._source = rerun
            self._read(rerun)

    def _read(self, rerun: RerunView | None = None) -> None:
        rerun = rerun or self._source
        if rerun is None:
            return
        if self._reading:  # during a run changes come faster than rows are read: none may displace another for ever
            self._read_again = True
            return
        name, path = rerun.name, rerun.path
        job = self.shell.controller.ask(lambda butler: read_judged(name, path), self._take, failed=self._not_read)
        self._reading = job is not None

    def _not_read(self, error: SafelightError) -> None:
        self._reading = False
        self.shell.show_error(error)

    def _take(self, judged: Judged) -> None:
        self._reading = False
        before = self._judged
        self._judged = judged
        if before is not None and before.rerun != judged.rerun:
            self._residuals.clear()
        self._show_rows()
        if self._read_again:
            self._read_again = False
            self._read()

    def _look_for_marks(self) -> None:
        judged = self._judged
        if judged is None or not self.is_current:
            return

        def compare(signature: tuple[tuple[str, int], ...]) -> None:
            if self._judged is not None and signature != self._judged.signature:
                self._read()

        self.shell.controller.ask(lambda butler: read_signature(judged.path), compare, group="triage marks")

    # --- the table --------------------------------------------------------------------------------------------------

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """All CCDs of the rerun."""
        return self._judged.rows if self._judged is not None else ()

    def _show_rows(self) -> None:
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
        self._note()
        self._show_current()
        self.refresh_footer()

    def _note(self) -> None:
        name = self._judged.rerun if self._judged is not None else "no rerun"
        total = len(by_visit(self.rows)) if self._per_visit else len(self.rows)
        what = "visits" if self._per_visit else "CCDs"
        self.query_one(NarrowBar).note(f"{len(self._table)} of {total} {what}  {name}")

    def on_narrow_bar_changed(self, event: NarrowBar.Changed) -> None:
        """Narrow while typing; what cannot be understood leaves the rows as they were."""
        try:
            self._narrowing = parse_narrowing(event.text, METRICS)
        except DataIdError as error:
            self.query_one(NarrowBar).note(error.message, wrong=True)
            return
        self._show_rows()

    def on_narrow_bar_left(self) -> None:
        """Back to the table."""
        self.table.focus()

    def action_filter(self) -> None:
        """Narrow by words."""
        self.query_one(NarrowBar).open()

    def on_line_table_sort_requested(self, event: LineTable.SortRequested) -> None:
        """Sort."""
        self._sort = (event.column, event.reverse)
        self._show_rows()

    def action_by_visit(self) -> None:
        """Visits or CCDs."""
        self._per_visit = not self._per_visit
        self.table.set_marks(self.table.marks - self.table.marks)
        self._show_rows()

    def action_next_problem(self) -> None:
        """To the next failure, caveat or outlier."""
        self._seek(1)

    def action_previous_problem(self) -> None:
        """To the previous one."""
        self._seek(-1)

    def _seek(self, step: int) -> None:
        order = self._table.order.tolist()
        places = [place for place, row in enumerate(order) if is_problem(self._table.rows[row])]
        beyond = [place for place in places if (place - self.table.cursor) * step > 0]
        if beyond:
            self.table.move_to(min(beyond, key=lambda place: abs(place - self.table.cursor)))

    # --- the CCD under the cursor -----------------------------------------------------------------------------------

    @property
    def current(self) -> Mapping[str, Any] | None:
        """The row under the cursor."""
        row_id = self.table.row_id
        return self._table.rows[row_id] if row_id is not None and row_id < len(self._table.rows) else None

    def _ccds_of(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        if self._per_visit:
            return [data_id_of(one) for one in self.rows if one.get("visit") == row.get("visit")]
        return [data_id_of(row)]

    def chosen(self) -> list[dict[str, Any]]:
        """Data IDs that an action is about: of the marked rows, else of the row under the cursor."""
        rows = [self._table.rows[row_id] for row_id in self.table.marked_ids if row_id < len(self._table.rows)]
        return [data_id for row in rows for data_id in self._ccds_of(row)]

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

    def _draw(self) -> None:
        self.query_one("#plot", PlotView).show(self._drawing(self.current))

    def _drawing(self, row: Mapping[str, Any] | None) -> Draw:
        if self._plot in ("seeing", "zeropoint"):
            metric = "fwhm_arcsec" if self._plot == "seeing" else "zeropoint_mag"
            return night_plot(self.rows, metric, row.get("visit") if row else None)
        if row is None or self._per_visit:
            return sentence(f"{PLOTS[self._plot]} is of one CCD (t shows CCDs, m another plot)" if row else "")
        if not str(row.get("status")).startswith("done"):
            return sentence(str(row.get("message") or "no result"))
        found = self._residuals.get(self._key(row))
        if found is None:
            self._read_soon()
            return sentence(f"{PLOTS[self._plot]}: reading")
        if isinstance(found, SafelightError):
            return sentence(found.message)
        return {"wcs": wcs_plot, "magnitude": magnitude_plot, "color": color_plot}[self._plot](found)

    def _key(self, row: Mapping[str, Any]) -> tuple[str, str]:
        return (self._judged.rerun if self._judged else "", repr(data_id_of(row)))

    def _read_soon(self) -> None:
        if self._settling is not None:
            self._settling.stop()
        self._settling = self.set_timer(SETTLE_S, self._read_residuals)

    def _read_residuals(self) -> None:
        row, judged, session = self.current, self._judged, self.session
        if row is None or judged is None or session is None or self._key(row) in self._residuals:
            return
        key, data_id = self._key(row), full_id(row)
        root, rerun = session.root, judged.rerun

        def work(_: Any) -> Residuals:
            from safelight.butler.butler import Butler

            return read_residuals(Butler(root, rerun=rerun), data_id)

        self.shell.controller.ask(
            work,
            lambda found: self._keep(key, found),
            failed=lambda error: self._keep(key, error),
            group="triage residuals",
        )

    def _keep(self, key: tuple[str, str], found: Residuals | SafelightError) -> None:
        self._residuals[key] = found
        while len(self._residuals) > _KEPT:
            self._residuals.popitem(last=False)
        self._draw()

    def action_next_plot(self) -> None:
        """The next plot."""
        names = list(PLOTS)
        self._plot = names[(names.index(self._plot) + 1) % len(names)]
        self._draw()

    # --- marks ------------------------------------------------------------------------------------------------------

    def action_judge_good(self) -> None:
        """Mark as good."""
        self._judge("good")

    def action_judge_bad(self) -> None:
        """Mark as bad."""
        self._judge("bad")

    def action_judge_look(self) -> None:
        """Mark as to be looked at again."""
        self._judge("look")

    def _judge(self, verdict: Literal["good", "bad", "look"]) -> None:
        data_ids, path = self.chosen(), self._path()
        if data_ids and path is not None:
            self._write(lambda: write_verdict(path, data_ids, verdict))

    def action_comment(self) -> None:
        """Comment on the marked CCDs."""
        data_ids, path = self.chosen(), self._path()
        if not data_ids or path is None:
            return
        target = path

        def answered(text: str) -> None:
            self._write(lambda: write_verdict(target, data_ids, None, text))

        what = f"{len(data_ids)} CCDs" if len(data_ids) > 1 else " ".join(map(str, data_ids[0].values()))
        self.query_one(PromptLine).ask(f"comment on {what}:", answered)

    def action_undo(self) -> None:
        """Take back the last mark."""
        path = self._path()
        if path is not None:
            target = path
            self._write(lambda: undo_last(target))

    def _path(self) -> Path | None:
        return self._judged.path if self._judged is not None else None

    def _write(self, work: Any) -> None:
        def written(sentence_: str) -> None:
            self.notify(sentence_, markup=False, timeout=3)
            self._read()

        self.shell.controller.ask(lambda butler: work(), written)

    # --- leaving the screen -----------------------------------------------------------------------------------------

    def on_line_table_row_opened(self) -> None:
        """Enter: a visit's CCDs; a CCD's image, or why it failed."""
        row = self.current
        if row is None:
            return
        if self._per_visit:
            self._per_visit = False
            self.query_one(NarrowBar).input.value = ""
            self._show_rows()
            place = next((p for p, r in enumerate(self._table.rows) if r.get("visit") == row.get("visit")), 0)
            self.table.move_to(self._table.place_of(place) or 0)
        elif row.get("status") == "failed":
            self.action_open_log()
        else:
            self.action_open_image()

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
        self.action_plan()

    def action_copy_ids(self) -> None:
        """Copy the chosen CCDs as --id text."""
        from safelight.processccd.judged import id_text

        self.shell.controller.copy(id_text(self.chosen()).strip())

    def action_copy_command(self) -> None:
        """Copy the command that exports what is in view."""
        session = self.session
        if session is None or self._judged is None:
            return
        import shlex

        words = self.query_one(NarrowBar).input.value.strip()
        only = f" --only {shlex.quote(words)}" if words else ""
        root, rerun = shlex.quote(str(session.root)), shlex.quote(self._judged.rerun)
        self.shell.controller.copy(f"safelight export {root} --rerun {rerun}{only}")

    def action_write_file(self) -> None:
        """Write the rows in view to a file."""
        if self._judged is None:
            return
        self.query_one(PromptLine).ask(
            "write to (.txt --id, .csv, .ecsv, .md):", self._write_rows, f"{Path(self._judged.rerun).name}.csv"
        )

    def action_night_summary(self) -> None:
        """Write the summary of the night."""
        if self._judged is not None:
            name = f"{Path(self._judged.rerun).name}-night.md"
            self.query_one(PromptLine).ask("write the summary to:", self._write_rows, name)

    def _write_rows(self, name: str) -> None:
        judged, session = self._judged, self.session
        if judged is None or session is None or not name.strip():
            return
        from safelight_tui.marks.writing import write_rows

        path = Path(name.strip()).expanduser()
        rows = [self._table.rows[row] for row in self._table.order.tolist()]
        every = judged.rows if path.suffix == ".md" or self._per_visit else rows
        root = str(session.root)
        self.shell.controller.ask(
            lambda butler: write_rows(path, every, rerun=judged.rerun, repository=root),
            lambda sentence_: self.notify(sentence_, markup=False),
        )

    def action_compare(self) -> None:
        """Compare with another rerun."""
        from safelight_tui.screens.compare import CompareScreen

        if self._judged is not None:
            self.app.push_screen(CompareScreen(self._judged))
