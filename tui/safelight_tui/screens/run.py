"""Run: the focal plane, the CCDs by stage, rate and time left, the log of a CCD; pause, cancel, retry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widgets import Input, Static

from safelight.errors import UsageError
from safelight_tui.actions import ACTIONS
from safelight_tui.logs import LineFilter
from safelight_tui.runs.figures import duration, elapsed, per_hour, seconds_left, stage_line
from safelight_tui.runs.request import RunRequest
from safelight_tui.screens.launching import LaunchingScreen
from safelight_tui.session.reruns import CcdState, RunView
from safelight_tui.session.session import id_text
from safelight_tui.widgets.focal_plane import CellState, FocalPlane, MetricScale
from safelight_tui.widgets.footer_line import FooterLine
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.log_view import LogView
from safelight_tui.widgets.notices_dialog import notice_lines
from safelight_tui.widgets.run_metric_picker import STATUS_ONLY, MetricPicker
from safelight_tui.widgets.run_model import RunModel
from safelight_tui.widgets.run_picker import RunPicker, run_state
from safelight_tui.widgets.status import ALARM_SIGN, Status
from safelight_tui.widgets.text_pane import TextLine, TextPane

if TYPE_CHECKING:
    from safelight.processccd.control import RequestWord
    from safelight_tui.widgets.focal_layout import PlaneCell

__all__ = ["RunScreen"]

DEFAULT_METRIC = "fwhm_arcsec"
_SHORT = {
    Status.WAITING: "wait",
    Status.READ: "read",
    Status.ISR: "ISR",
    Status.CHARACTERIZE: "PSF",
    Status.WCS: "WCS",
    Status.ZEROPOINT: "ZP",
    Status.WRITE: "write",
    Status.DONE: "done",
    Status.CAVEAT: "cav.",
    Status.SKIPPED: "skip",
    Status.FAILED: "fail",
    Status.BLOCKED: "stuck",
    Status.CANCELLED: "canc.",
}
"""Words of at most five letters, for the narrow pane of figures."""
TALL = 32
"""Rows from which on there is room for the table of CCDs."""


class RunScreen(LaunchingScreen):
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
    RunScreen #run-filter { display: none; }
    RunScreen #run-filter.-open { display: block; }
    RunScreen.-short #run-table { display: none; }
    RunScreen.-short #run-log { height: 1fr; }
    RunScreen.-list #run-top, RunScreen.-list #run-plane, RunScreen.-list #run-side { height: 6; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._visit: object = None
        self._ccd: str = ""  # name of the CCD under the cursor
        self._metric: str | None = None  # coloured by; None: by status
        self._cells: list[PlaneCell] | None = None
        self._asked: dict[tuple[str, str], str] = {}
        self._follow = True
        self._shown_run: tuple[str, str] | None = None

    def compose_body(self) -> ComposeResult:
        """Head, focal plane and figures, stages, table, log."""
        yield Static("", id="run-head", markup=False)
        with Horizontal(id="run-top"):
            yield FocalPlane(id="run-plane")
            yield TextPane(id="run-side")
        yield Static("", id="run-stages", markup=False)
        yield LineTable(empty_text="no CCDs", id="run-table")
        yield LineInput("", placeholder="regular expression; ! inverts", id="run-filter")
        yield LogView(empty_text="no log of this CCD", id="run-log")

    def on_mount(self) -> None:
        """Focus the focal plane; keep the times going."""
        self.query_one(FocalPlane).focus()
        self.set_interval(1.0, self._tick)

    def on_resize(self, event: events.Resize) -> None:
        """Leave the table out where there is no room."""
        super().on_resize(event)
        self.set_class(event.size.height < TALL, "-short")
        self.call_after_refresh(self._show)

    def first_pane(self) -> FocalPlane:
        """The focal plane."""
        return self.query_one(FocalPlane)

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

    # --- which run --------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> list[RunView]:
        """All runs, live ones first, then the newest first."""
        session = self.session
        if session is None:
            return []
        found = [run for rerun in session.feed.reruns.values() for run in rerun.runs if run.started]
        return sorted(found, key=lambda run: (not run.live, -run.started))

    @property
    def run_view(self) -> RunView | None:
        """The run chosen or started here last; else the newest of the chosen rerun; else the newest."""
        runs, session = self.runs, self.session
        if session is None or not runs:
            return None
        chosen = next((run for run in runs if (run.rerun, run.run) == LaunchingScreen.latest), None)
        if chosen is not None:
            return chosen
        here = session.chosen_rerun
        return next((run for run in runs if run.rerun == here), runs[0])

    def session_changed(self, what: frozenset[str]) -> None:
        """Show the run as it is now."""
        if "session" in what and self._cells is None and self.session is not None and self.session.butler is not None:
            self._place_cells()
        if what & {"session", "feed"}:
            self._show()

    def _place_cells(self) -> None:
        def work(butler: object) -> list[PlaneCell]:
            from safelight_tui.runs.camera import camera_cells

            return camera_cells(butler.instrument)  # type: ignore[attr-defined]

        def placed(cells: list[PlaneCell]) -> None:
            self._cells = cells
            plane = self.query_one(FocalPlane)
            plane.show(cells)
            self.set_class(len(cells) <= 4, "-list")
            self._show()

        self.shell.controller.ask(work, placed, group="camera")

    # --- showing ----------------------------------------------------------------------------------------------------

    def _tick(self) -> None:
        run = self.run_view
        if run is not None and run.live and self.is_current:
            self._show_head(run)
            self._show_stages(run)
            self.query_one(LineTable).refresh()

    def _show(self) -> None:
        run = self.run_view
        if run is None:
            self.query_one("#run-head", Static).update("nothing was run in this repository yet: p plans, x runs")
            return
        key = (run.rerun, run.run)
        if key != self._shown_run:
            self._shown_run, self._visit, self._ccd = key, None, ""
        self._follow_newest(run)
        if self._ccd not in run.ccds:
            self._ccd = next(iter(run.ccds), "")
        if self._ccd:
            self._visit = run.ccds[self._ccd].data_id.get("visit")
        self._show_head(run)
        self._show_plane(run)
        self._show_side(run)
        self._show_stages(run)
        self._show_table(run)
        self._show_log(run)

    def _follow_newest(self, run: RunView) -> None:
        """While following, the cursor goes with the CCD that was begun last."""
        if not self._follow or not run.live:
            return
        at_work = [(state.started, name) for name, state in run.ccds.items() if state.status.at_work]
        current = run.ccds.get(self._ccd)
        if at_work and (current is None or not current.status.at_work):
            self._ccd = max(at_work)[1]

    def _now(self, run: RunView) -> float:
        """The time; of a run that is over or dead, when it was last heard of."""
        return self.shell.clock() if run.live else run.last_event

    def _show_head(self, run: RunView) -> None:
        word, _ = run_state(run)
        now = self._now(run)
        letters = {"D": "done", "V": "caveats", "F": "failed", "B": "blocked", "S": "skipped", "X": "cancelled"}
        by_letter = {status.letter: number for status, number in run.counts.items()}
        counts = " ".join(f"{letter}{by_letter[letter]}" for letter in letters if by_letter.get(letter))
        left = seconds_left(run, now)
        over = run.done - run.counts.get(Status.CANCELLED, 0)
        parts = [f"rerun {run.rerun}", word, f"{over}/{len(run.ccds)} {counts}".strip()]
        if run.live:
            rate = per_hour(run, now)
            parts += [f"ETA {duration(left)}", f"{rate:.0f}/h" if rate else ""]
        elif run.died:
            parts.append("process gone; x resumes")
        parts.append(f"{duration(elapsed(run, now))} -j{run.processes}")
        others = sum(other.live for other in self.runs) - run.live
        if others > 0:
            parts.append(f"+{others} live: o")
        self.query_one("#run-head", Static).update("   ".join(part for part in parts if part))

    def _show_plane(self, run: RunView) -> None:
        plane = self.query_one(FocalPlane)
        if self._cells is None:
            return
        metric = self._metric or DEFAULT_METRIC
        states = {cell.key: CellState(Status.ABSENT) for cell in self._cells}
        values = []
        for state in run.ccds.values():
            value = state.metrics.get(metric)
            if value is not None:
                values.append(value)
            if state.data_id.get("visit") == self._visit:
                alarm = bool(self._ringing(run, state))
                states[int(state.data_id.get("ccd", 0))] = CellState(state.status, value, alarm)
        if self._metric is not None and values:
            ordered = sorted(values)
            low, high = ordered[len(ordered) // 20], ordered[-1 - len(ordered) // 20]
            plane.show_metric(MetricScale(low, high))
        elif plane.scale is not None:
            plane.show_metric(None)
        plane.update_cells(states)
        ccd = run.ccds[self._ccd].data_id.get("ccd") if self._ccd else None
        if isinstance(ccd, int) and plane.cursor != ccd:
            plane.cursor = ccd

    def _ringing(self, run: RunView, state: CcdState) -> list[str]:
        """Sentences of the alarms that a CCD is beyond."""
        session = self.session
        rerun = session.feed.reruns.get(run.rerun) if session is not None else None
        return [sentence for _, sentence in self.shell.night.alarms.of(rerun, state)]

    def _show_side(self, run: RunView) -> None:
        visits = list(dict.fromkeys(state.data_id.get("visit") for state in run.ccds.values()))
        place = visits.index(self._visit) + 1 if self._visit in visits else 0
        wide = self.query_one("#run-side", TextPane).size.width > 30
        lines = [TextLine(f"{self._visit}", "title"), TextLine(f"visit {place}/{len(visits)}", "dim")]
        for status in Status:
            number = run.counts.get(status, 0)
            if number:
                tone = {"running": "new", "skipped": "dim"}.get(status.tone, status.tone)
                word = status.word if wide else _SHORT.get(status, "")
                lines.append(TextLine(f"{status.letter} {number:>3} {word}", tone))
        metric = self._metric or DEFAULT_METRIC
        lines.append(TextLine(f"below: {metric}" if wide else metric[:11], "dim"))
        if wide:
            lines += [
                TextLine(""),
                TextLine(f"{run.host}:{run.pid}", label="process "),
                TextLine(run.run, label="run     "),
                TextLine(" ".join(run.command_line), "dim"),
                *notice_lines(list(self.shell.night.notices), run.rerun)[:4],
            ]
        self.query_one("#run-side", TextPane).show(lines, keep_place=True)

    def _show_stages(self, run: RunView) -> None:
        state = run.ccds.get(self._ccd)
        text = ""
        if state is not None:
            what = stage_line(state, self._now(run))
            if state.status.letter in "FB":
                what = f"{state.words}: {state.message}" if state.status is Status.BLOCKED else what + f"  {state.code}"
            head = " ".join(str(state.data_id.get(key, "")) for key in ("visit", "ccd"))
            alarms = [f"{ALARM_SIGN} {sentence}" for sentence in self._ringing(run, state)]
            text = "  ".join([f"{head} | {what}", *alarms])
        self.query_one("#run-stages", Static).update(text)

    def _show_table(self, run: RunView) -> None:
        table = self.query_one(LineTable)
        if self.has_class("-short"):
            return
        model = RunModel(run, partial(self._now, run), table.size.width, partial(self._ringing, run))
        table.show(model)
        place = model.place_of_name(self._ccd)
        if place is not None and table.cursor != place:
            table.move_to(place)

    def _show_log(self, run: RunView) -> None:
        from safelight.processccd.logs import ccd_log, log_folder

        state = run.ccds.get(self._ccd)
        folder = log_folder(run.journal.parents[2], run.run)
        begun = state is not None and (state.started or state.finished)
        self.query_one(LogView).show(folder / (ccd_log(self._ccd) if begun else "run.log"))

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

    def _why(self) -> None:
        from safelight.processccd.logs import ccd_log, log_folder
        from safelight_tui.widgets.run_failure import WhyDialog

        run, name = self.run_view, self._ccd
        if run is None or name not in run.ccds:
            return
        path = log_folder(run.journal.parents[2], run.run) / ccd_log(name)
        state = run.ccds[name]

        def work(job: object) -> list[str]:
            if not path.is_file():
                return ["(it has none)"]
            with path.open("rb") as file:
                file.seek(max(0, path.stat().st_size - 32768))
                return file.read().decode(errors="replace").splitlines()[-20:]

        def read(lines: list[str]) -> None:
            self.app.push_screen(WhyDialog(name, state, lines))

        self.shell.jobs.start(work, read, failed=self.shell.show_error, group="why")

    def _step(self, wanted: Callable[[CcdState], bool], step: int) -> None:
        run = self.run_view
        if run is None:
            return
        names = list(run.ccds)
        here = names.index(self._ccd) if self._ccd in names else 0
        order = names[here + 1 :] if step > 0 else names[:here][::-1]
        found = next((name for name in order if wanted(run.ccds[name])), None)
        if found is not None:
            self._go_to(found)

    def action_next_problem(self) -> None:
        """The next failure or caveat."""
        self._step(lambda state: state.status.problem, 1)

    def action_previous_problem(self) -> None:
        """The one before."""
        self._step(lambda state: state.status.problem, -1)

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

    # --- log filter -------------------------------------------------------------------------------------------------

    def action_filter(self) -> None:
        """Filter the log."""
        line = self.query_one("#run-filter", LineInput)
        line.add_class("-open")
        line.focus()

    def on_log_view_filter_requested(self, event: LogView.FilterRequested) -> None:
        """Filter the log."""
        self.action_filter()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed; an expression that is not valid yet changes nothing."""
        if event.input.id != "run-filter":
            return
        try:
            wanted = LineFilter(event.value) if event.value else None
        except UsageError:
            return
        self.query_one(LogView).set_filter(wanted)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the log."""
        if event.input.id == "run-filter":
            event.input.set_class(bool(event.value), "-open")
            self.query_one(LogView).focus()

    def action_give_up(self) -> None:
        """Take the filter away."""
        line = self.query_one("#run-filter", LineInput)
        line.value = ""
        line.remove_class("-open")
        self.query_one(FocalPlane).focus()

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

    def action_pause_run(self) -> None:
        """Pause, or go on."""
        run = self.run_view
        if run is not None:
            self._ask(run, "resume" if run.paused else "pause")

    def action_cancel_run(self) -> None:
        """End after the CCDs in work; the second time, now."""
        run = self.run_view
        if run is None:
            return
        again = run.stopping or self._asked.get((run.rerun, run.run), "").startswith("cancel")
        self._ask(run, "cancel-now" if again else "cancel")

    def _ask(self, run: RunView, word: RequestWord) -> None:
        if not run.live:
            self.notify("This run is over.", severity="warning")
            return
        self._asked[run.rerun, run.run] = word

        def work(job: object) -> None:
            from safelight.processccd.control import request

            request(run.journal.parents[2], run.run, word)

        says = {
            "pause": "Pausing: the CCDs in work are finished.",
            "resume": "Going on.",
            "cancel": "Cancelling: the CCDs in work are finished; X again ends them now.",
            "cancel-now": "Ending now.",
        }
        self.shell.jobs.start(work, lambda _: self.notify(says[word], timeout=4), failed=self.shell.show_error)

    def action_plan(self) -> None:
        """Plan the selection for the rerun of this run."""
        run = self.run_view
        if run is not None:
            self.shell.controller.choose_rerun(run.rerun)
        self.shell.go("plan")

    def action_run(self) -> None:
        """The CCDs of this run once more: only what is missing or has changed is done, so it resumes a dead run."""
        run = self.run_view
        if run is not None:
            self._run_again(run, [state.data_id for state in run.ccds.values()], failed=False)

    def _run_again(self, run: RunView, data_ids: Sequence[Mapping[str, Any]], *, failed: bool) -> None:
        session = self.session
        if session is None or not data_ids:
            return
        ids = id_text([dict(data_id) for data_id in data_ids], session.catalogue.identity or ("visit", "ccd"))
        wanted = RunRequest(session.root, run.rerun, id_text=ids, failed=failed, processes=max(1, run.processes))
        self.make_plan(wanted, self.confirm, as_the_rerun=True)

    def action_retry_failures(self) -> None:
        """The failures again, with the rerun's configuration."""
        run, session = self.run_view, self.session
        if run is None or session is None:
            return
        rerun = session.feed.reruns.get(run.rerun)
        failed = [s.data_id for s in (rerun.states if rerun else {}).values() if s.status.letter in "FB"]
        if not failed:
            self.notify(f"Nothing has failed in rerun {run.rerun}.", severity="warning", markup=False)
            return
        self._run_again(run, failed, failed=True)

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
