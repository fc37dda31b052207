"""Run: the focal plane, the CCDs by stage, rate and time left, the log of a CCD; pause, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Static

from safelight_tui.actions import ACTIONS
from safelight_tui.screens.launching import LaunchingScreen
from safelight_tui.screens.run_control import ControllingScreen
from safelight_tui.screens.why import tell_why
from safelight_tui.session.reruns import CcdState
from safelight_tui.session.session import id_text
from safelight_tui.widgets.focal_plane import FocalPlane
from safelight_tui.widgets.footer_line import FooterLine
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.log_view import LogView
from safelight_tui.widgets.run_metric_picker import STATUS_ONLY, MetricPicker
from safelight_tui.widgets.run_model import RunModel
from safelight_tui.widgets.run_picker import RunPicker
from safelight_tui.widgets.text_pane import TextPane

__all__ = ["RunScreen"]

TALL = 32
"""Rows from which on there is room for the table of CCDs."""


class RunScreen(ControllingScreen):
    """A run, live or over, wherever it was started."""

    MODE = "run"
    PURPOSE = "watch runs, see what fails and why, pause, cancel, and retry."
    BINDINGS = ACTIONS.bindings("searching", "data_ids", "run", "following")

    DEFAULT_CSS = """
    RunScreen #run-head, RunScreen #run-stages { text-wrap: nowrap; text-overflow: ellipsis; }
    RunScreen #run-head { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    RunScreen #run-top { height: 16; }
    RunScreen #run-plane { width: 68; height: 16; }
    RunScreen #run-side { width: 1fr; height: 16; padding: 0 0 0 1; }
    RunScreen #run-stages { height: 1; background: $panel; color: $foreground; padding: 0 1; }
    RunScreen #run-table { height: 1fr; }
    RunScreen #run-log { height: 8; }
    RunScreen.-short #run-table { display: none; }
    RunScreen.-short #run-log { height: 1fr; }
    RunScreen.-list #run-plane { display: none; }
    RunScreen.-list #run-top, RunScreen.-list #run-side { height: 6; }
    RunScreen.-list.-short #run-top { display: none; }
    RunScreen.-list #run-table { display: block; height: 1fr; }
    RunScreen.-list.-short #run-log { height: 8; }
    """

    def compose_body(self) -> ComposeResult:
        """Head, focal plane and figures, stages, table, log."""
        yield Static("", id="run-head", markup=False)
        with Horizontal(id="run-top"):
            yield FocalPlane(id="run-plane")
            yield TextPane(id="run-side")
        yield Static("", id="run-stages", markup=False)
        yield LineTable(empty_text="no CCDs", id="run-table")
        yield self.log_filter()
        yield LogView(empty_text="no log of this CCD", id="run-log")

    def panes_made(self) -> None:
        """Focus the focal plane; keep the times going."""
        self.query_one(FocalPlane).focus()
        self.set_interval(1.0, self._tick)

    def on_resize(self, event: events.Resize) -> None:
        """Leave the table out where there is no room."""
        super().on_resize(event)
        self.set_class(event.size.height < TALL, "-short")
        self.when_drawn(self._show)

    def first_pane(self) -> FocalPlane | LineTable:
        """The focal plane; of a camera without one, the list."""
        return self.query_one(LineTable) if self.lists_only else self.query_one(FocalPlane)

    def holding(self) -> Collection[str]:
        """What the run in view allows."""
        run = self.run_view
        holds = ["search"] if self.query_one(LogView).filter is not None else []
        if run is None:
            return holds
        if run.ccds:
            holds += ["rows", "data_ids"]
        if any(state.status.problem for state in run.ccds.values()):
            holds.append("problems")
        return holds

    def refresh_footer(self) -> None:
        """The keys of this screen come first: there is not always room for all."""
        registry = self.shell.actions
        if not self.is_mounted:
            return
        holding = self.shell.holding()
        shown = [action for action in registry.active(self.focus_name) if action.shown]
        shown.sort(key=lambda action: action.context not in ("run", "following"))
        self.query_one(FooterLine).show([(a, registry.why_not(a.name, holding) is None) for a in shown])

    # --- moving -----------------------------------------------------------------------------------------------------

    def _go_to(self, name: str) -> None:
        self._ccd = name
        run = self.run_view
        if self._follow and run is not None and run.live:
            self.notify("Following is paused: you moved. f follows again.", timeout=4)
        self._follow = False
        self._show()

    def on_focal_plane_cursor_moved(self, event: FocalPlane.CursorMoved) -> None:
        """The CCD of this visit under the cursor, if the run has it."""
        run = self.run_view
        if run is None:
            return
        current = run.ccds.get(self._ccd)
        if current is not None and current.data_id.get("ccd") == event.key:
            return
        for name, state in run.ccds.items():
            if state.data_id.get("ccd") == event.key and state.data_id.get("visit") == self._visit:
                self._go_to(name)
                return
        self.query_one("#run-stages", Static).update(f"{self._visit} {event.key} | not in this run")

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """The CCD of the row."""
        model = event.table.model
        if isinstance(model, RunModel) and model.name(event.row_id) != self._ccd:
            self._go_to(model.name(event.row_id))

    def on_focal_plane_cell_opened(self, event: FocalPlane.CellOpened) -> None:
        """Say what happened to the CCD."""
        self._why()

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Say what happened to the CCD."""
        self._why()

    def log_in_view(self) -> Path | None:
        """The log below the focal plane."""
        return self.query_one(LogView).path

    def _why(self) -> None:
        run, session = self.run_view, self.session
        if run is None or session is None or self._ccd not in run.ccds:
            return
        state = run.ccds[self._ccd]
        row = session.catalogue.row_of(state.data_id)
        session.cursor_row = session.cursor_row if row is None else row  # where the dialog's keys lead to
        tell_why(self.shell, run.journal.parents[2], self._ccd, replace(state, run=run.run))

    def _step(self, wanted: Callable[[CcdState], bool], step: int, *, around: bool = False) -> None:
        run = self.run_view
        if run is None:
            return
        names = list(run.ccds)[::step]
        here = names.index(self._ccd) if self._ccd in names else 0
        order = [*names[here + 1 :], *(names[:here] if around else ())]
        found = next((name for name in order if wanted(run.ccds[name])), None)
        if found is not None:
            self._go_to(found)

    def action_next_problem(self) -> None:
        """The next failure or caveat, of any visit, round and round."""
        self._step(lambda state: state.status.problem, 1, around=True)

    def action_previous_problem(self) -> None:
        """The one before."""
        self._step(lambda state: state.status.problem, -1, around=True)

    def action_next_visit(self) -> None:
        """The next visit of the run."""
        self._step(lambda state: state.data_id.get("visit") != self._visit, 1)

    def action_previous_visit(self) -> None:
        """The visit before."""
        self._step(lambda state: state.data_id.get("visit") != self._visit, -1)

    def action_follow(self) -> None:
        """Go with the CCDs as they are begun, or stay."""
        self._follow = not self._follow
        self.notify("Following the CCDs as they are begun." if self._follow else "Staying here.", timeout=2)
        self._show()

    def action_give_up(self) -> None:
        """Take the filter of the log away."""
        self.leave_log_filter()
        self.first_pane().focus()

    # --- what can be done -------------------------------------------------------------------------------------------

    def action_choose_run(self) -> None:
        """Watch another run."""

        def chosen(key: tuple[str, str] | None) -> None:
            if key is not None:
                LaunchingScreen.latest = key
                self._follow = True
                self.shell.controller.choose_rerun(key[0])
                self._show()

        self.app.push_screen(RunPicker(self.runs, self._shown_run), chosen)

    def action_plan(self) -> None:
        """Plan the selection for the rerun of this run."""
        run = self.run_view
        if run is not None:
            self.shell.controller.choose_rerun(run.rerun)
        self.shell.go("plan")

    def action_choose_metric(self) -> None:
        """Choose what the focal plane is coloured by."""
        run = self.run_view
        if run is None:
            return
        values: dict[str, list[float]] = {}
        for state in run.ccds.values():
            for name, value in state.metrics.items():
                if isinstance(value, int | float) and value == value:
                    values.setdefault(name, []).append(float(value))

        def chosen(name: str | None) -> None:
            if name is not None:
                self._metric = None if name == STATUS_ONLY else name
                self._show()

        self.app.push_screen(MetricPicker(values, self._metric or STATUS_ONLY), chosen)

    def action_open_log(self) -> None:
        """The log of the CCD on the whole screen."""
        if self._ccd:
            self.show_row(self._ccd, "logs")

    def action_open_image(self) -> None:
        """The pixels of the CCD."""
        if self._ccd:
            self.show_row(self._ccd, "image")

    def action_copy_command(self) -> None:
        """Copy the command line of the run."""
        import shlex

        run = self.run_view
        if run is not None:
            self.copy(shlex.join(run.command_line), "the command")

    def action_copy_ids(self) -> None:
        """Copy the CCD under the cursor as --id text."""
        run, session = self.run_view, self.session
        if run is not None and session is not None and self._ccd in run.ccds:
            self.copy(id_text([dict(run.ccds[self._ccd].data_id)], session.catalogue.identity), "the data ID")
