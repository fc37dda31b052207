"""The part of Run that shows a run, live or over: focal plane, figures, stages, table, log."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from textual.widgets import Static

from safelight_tui.runs.figures import duration, elapsed, per_hour, seconds_left, stage_line
from safelight_tui.screens.launching import LaunchingScreen
from safelight_tui.screens.log_filtering import LogFiltering
from safelight_tui.session.reruns import CcdState, RunView
from safelight_tui.widgets.focal_plane import CellState, FocalPlane, MetricScale
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.log_view import LogView
from safelight_tui.widgets.notices_dialog import notice_lines
from safelight_tui.widgets.run_model import RunModel
from safelight_tui.widgets.run_picker import run_state
from safelight_tui.widgets.status import ALARM_SIGN, Status
from safelight_tui.widgets.text_pane import TextLine, TextPane

if TYPE_CHECKING:
    from safelight_tui.widgets.focal_layout import PlaneCell

__all__ = ["DEFAULT_METRIC", "WatchingScreen"]

DEFAULT_METRIC = "fwhm_arcsec"
MOST_LISTED = 4
"""CCDs up to which a camera has a list and no focal plane."""
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
    Status.VISIT: "visit",
    Status.INTERRUPTED: "cut",
}
"""Words of at most five letters, for the narrow pane of figures."""


class WatchingScreen(LogFiltering, LaunchingScreen):
    """A screen with the panes ``#run-head``, ``#run-plane``, ``#run-side``, ``#run-stages``, a table and a log."""

    def __init__(self) -> None:
        super().__init__()
        self._visit: object = None
        self._ccd: str = ""  # name of the CCD under the cursor
        self._metric: str | None = None  # coloured by; None: by status
        self._cells: list[PlaneCell] | None = None
        self._asked: dict[tuple[str, str], str] = {}
        self._follow = True
        self._shown_run: tuple[str, str] | None = None

    @property
    def lists_only(self) -> bool:
        """Whether the camera has too few CCDs for a focal plane to tell anything: then the table takes its place."""
        return self.has_class("-list")

    # --- which run --------------------------------------------------------------------------------------------------

    @property
    def runs(self) -> list[RunView]:
        """All runs, live ones first, then the newest first."""
        session = self.session
        return sorted(session.feed.runs, key=lambda run: not run.live) if session is not None else []

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
            self.set_class(len(cells) <= MOST_LISTED, "-list")
            if self.lists_only and plane.has_focus:
                self.query_one(LineTable).focus()
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
        letters = {
            "D": "done",
            "V": "caveats",
            "F": "failed",
            "B": "blocked",
            "S": "skipped",
            "X": "cancelled",
            "I": "interrupted",
        }
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
        lines = [
            TextLine("no CCDs" if self._visit is None else f"{self._visit}", "title"),
            TextLine(f"visit {place}/{len(visits)}", "dim"),
        ]
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
            room = self.size.width - 2
            text = self._stages(run, state)
            text = text if len(text) <= room else self._stages(run, state, brief=True)
        self.query_one("#run-stages", Static).update(text)

    def _stages(self, run: RunView, state: CcdState, *, brief: bool = False) -> str:
        what = stage_line(state, self._now(run), brief=brief)
        if state.status is Status.BLOCKED:
            what = f"{state.words}: {state.message}"
        elif state.status is Status.FAILED:
            what += f"  {state.code}"
        head = " ".join(str(state.data_id.get(key, "")) for key in ("visit", "ccd"))
        alarms = [f"{ALARM_SIGN} {sentence}" for sentence in self._ringing(run, state)]
        return "  ".join([f"{head} | {what}", *alarms])

    def _show_table(self, run: RunView) -> None:
        table = self.query_one(LineTable)
        if self.has_class("-short") and not self.lists_only:
            return
        metric = self._metric or DEFAULT_METRIC
        model = RunModel(run, partial(self._now, run), table.size.width, partial(self._ringing, run), metric)
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
