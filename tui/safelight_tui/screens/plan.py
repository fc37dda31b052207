"""Plan: what a run of the selection would do with each CCD, and why; its configuration, its command. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.widgets import Input, Static

from safelight.errors import DataIdError, EmptySelection
from safelight_tui.actions import ACTIONS
from safelight_tui.catalogue import Bitset
from safelight_tui.runs.request import free_rerun_name
from safelight_tui.screens.matching import go_to_match
from safelight_tui.screens.plan_choices import ChoosingScreen
from safelight_tui.screens.why import tell_why
from safelight_tui.session.reruns import SCRATCH
from safelight_tui.session.session import id_text
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.plan_detail import head, plan_lines, plan_summary
from safelight_tui.widgets.plan_model import SORTS, PlanModel
from safelight_tui.widgets.status import Status
from safelight_tui.widgets.text_pane import TextLine, TextPane

if TYPE_CHECKING:
    from safelight.processccd.plan import PlannedCcd
    from safelight_tui.runs.planning import PlanPicture

__all__ = ["PlanScreen"]

_WORDS = ("run", "skip", "blocked", "out")


class PlanScreen(ChoosingScreen):
    """The dry run."""

    MODE = "plan"
    PURPOSE = (
        "see what a run of the selection would do, leave CCDs out (their rows are marked), change its configuration "
        "and rerun, and start it."
    )
    BINDINGS = ACTIONS.bindings("searching", "data_ids", "plan")

    DEFAULT_CSS = """
    PlanScreen #summary {
        height: 1; padding: 0 1; text-wrap: nowrap; text-overflow: ellipsis;
        background: $panel; color: $foreground;
    }
    PlanScreen #plan-filter { display: none; }
    PlanScreen #plan-filter.-open { display: block; }
    PlanScreen #plan-detail { height: 10; border-top: solid $primary; scrollbar-gutter: stable; }
    PlanScreen.-short #plan-detail { height: 7; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.left_out: frozenset[str] = frozenset()
        """Keys of the CCDs that are not to be run."""
        self._left_out_of: str | None = None  # the selection that they were left out of
        self._chosen: PlanPicture | None = None
        self._trouble = ""  # why there is no plan
        self._filter = ""
        self._searched = ""  # the filter that was kept last
        self._sort: tuple[str, bool] | None = None

    def compose_body(self) -> ComposeResult:
        """Summary, filter, table, detail."""
        yield Static("", id="summary", markup=False)
        yield LineInput("", placeholder="ccd=16 filter=HSC-I, or: run skip blocked out", id="plan-filter")
        yield LineTable(empty_text="no plan yet: p makes one", mark="x", id="plan-table")
        yield TextPane(id="plan-detail")

    def panes_made(self) -> None:
        """Focus the table."""
        self.query_one(LineTable).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the columns again."""
        super().on_resize(event)
        self.set_class(event.size.height < 32, "-short")
        self.when_drawn(self._fill)

    def first_pane(self) -> LineTable:
        """The table."""
        return self.query_one(LineTable)

    def holding(self) -> Collection[str]:
        """What this plan allows."""
        chosen = self.chosen
        holds = ["rows"] if len(self.query_one(LineTable).model) else []
        holds += ["search"] if self._searched else []
        if chosen is not None:
            holds += ["plan", *(("runnable",) if chosen.runnable else ())]
            holds += ["problems"] if chosen.plan.counts()["blocked"] else []
        return holds

    # --- what is shown ----------------------------------------------------------------------------------------------

    @property
    def chosen(self) -> PlanPicture | None:
        """The plan without the CCDs left out: what would be run, copied and launched."""
        picture, session = self.picture, self.session
        if picture is None or session is None or not self.left_out:
            return picture
        if self._chosen is None:
            kept = [dict(ccd.data_id) for ccd in picture.plan.ccds if ccd.key not in self.left_out]
            self._chosen = picture.without(self.left_out, id_text(kept, session.catalogue.identity))
        return self._chosen

    @property
    def ccds(self) -> Sequence[PlannedCcd]:
        """All CCDs of the plan, those left out too; of one that is being made, those planned so far."""
        return self.growing if self.growing else self.picture.plan.ccds if self.picture is not None else ()

    def plan_shown(self) -> None:
        """Show the whole plan; what was left out of the same selection stays left out."""
        picture = self.picture
        if picture is None:
            return
        another = picture.request.id_text != self._left_out_of
        if another:
            self._left_out_of, self.left_out = picture.request.id_text, frozenset()
        self.left_out &= {ccd.key for ccd in picture.plan.ccds}
        self._chosen = None
        places = [place for place, ccd in enumerate(picture.plan.ccds) if ccd.key in self.left_out]
        self.query_one(LineTable).marks = Bitset.from_rows(places, len(picture.plan.ccds))
        self._show()
        if another:
            self._go_to_cursor()

    def _go_to_cursor(self) -> None:
        """To the CCD under the cursor of the other screens, where it is planned."""
        session, table = self.session, self.query_one(LineTable)
        row = session.cursor_row if session is not None else None
        if session is None or row is None or row >= session.catalogue.size:
            return
        name = session.catalogue.name(row)
        places = (table.model.place_of(place) for place, ccd in enumerate(self.ccds) if ccd.key == name)
        place = next(places, None)
        if place is not None:
            table.move_to(place)

    def plan_growing(self) -> None:
        """How many CCDs are planned; the first ones can be read already."""
        if self.request is not None:
            far = f" {len(self.growing)} of {self.expected}; ^G gives up" if self.growing else ""
            self.query_one("#summary", Static).update(f"{head(self.request)}   planning{far} ...")
        if self.growing:
            self._fill()

    def plan_missing(self, sentence: str, hint: str = "") -> None:
        """Why there is no plan."""
        self._chosen, self._trouble = None, sentence
        self._fill()
        self._summarize()
        self.query_one("#plan-detail", TextPane).show([TextLine(sentence, "bad"), TextLine(hint, "dim")])

    def _show(self) -> None:
        self._fill()
        self._summarize()
        self._detail()

    def _summarize(self) -> None:
        chosen = self.chosen
        if chosen is not None:
            text = plan_summary(chosen, len(self.left_out))
        else:
            text = f"{head(self.request)}   no plan" if self.request is not None else "no plan yet"
        self.query_one("#summary", Static).update(text)

    def _fill(self) -> None:
        table, ccds, picture = self.query_one(LineTable), self.ccds, self.picture
        rows = self._filtered(ccds, self._filter)
        if self._sort is not None and self._sort[0] in SORTS:
            column, reverse = self._sort
            rows.sort(key=lambda row: SORTS[column](ccds[row]), reverse=reverse)
        wanted = {}
        if picture is not None:
            kinds = ("bias", "dark", "flat")
            wanted = {kind: picture.config[f"isr.do{kind.title()}"].value == "True" for kind in kinds}
        verdicts = picture.verdicts if picture is not None else {}
        width = table.size.width - 2
        table.show(PlanModel(ccds, rows, width=width, wanted=wanted, left_out=self.left_out, verdicts=verdicts))

    def _filtered(self, ccds: Sequence[PlannedCcd], text: str) -> list[int]:
        """The places that a filter wants; with an invalid one, all."""
        actions = {word for word in text.split() if word in _WORDS}
        words = [word for word in text.split() if word not in actions]
        rows = list(range(len(ccds)))
        if actions:
            rows = [row for row in rows if self._action(ccds[row]) in actions]
        if not words or not rows:
            return rows
        from safelight.dataid import select_rows

        keys: dict[str, Any] = {key: type(value) for key, value in ccds[0].data_id.items() if value is not None}
        data_ids: list[Mapping[str, Any]] = [{**ccds[row].data_id, "\0": row} for row in rows]
        try:
            return [row["\0"] for row in select_rows(words, data_ids, keys)]
        except EmptySelection:
            return []
        except DataIdError as error:
            self.query_one("#summary", Static).update(error.message)
            return rows

    def _action(self, ccd: PlannedCcd) -> str:
        return "out" if ccd.key in self.left_out else ccd.action

    @property
    def ccd(self) -> PlannedCcd | None:
        """The CCD under the cursor."""
        row = self.query_one(LineTable).row_id
        return self.ccds[row] if row is not None and row < len(self.ccds) else None

    def _detail(self) -> None:
        chosen = self.chosen
        if chosen is not None and not self.growing:
            lines = plan_lines(chosen, self.ccd, len(self.left_out))
            self.query_one("#plan-detail", TextPane).show(lines, keep_place=False)

    # --- leaving CCDs out -------------------------------------------------------------------------------------------

    def on_line_table_marks_changed(self, event: LineTable.MarksChanged) -> None:
        """The rows marked are left out."""
        if self.picture is None or self.making:
            event.table.marks = Bitset.none(event.table.model.id_count)  # not before the whole plan is there
            event.table.refresh()
            return
        ccds = self.picture.plan.ccds
        self._leave_out(frozenset(ccds[row].key for row in event.table.marks.rows().tolist()))

    def _leave_out(self, keys: frozenset[str]) -> None:
        self.left_out, self._chosen = keys, None
        self._show()
        self.refresh_footer()

    def action_leave_out_bad(self) -> None:
        """Leave out every CCD that was marked bad in Triage, besides those that are left out already."""
        if self.picture is None:
            return
        bad = {key for key, verdict in self.picture.verdicts.items() if verdict == "bad"}
        if not bad:
            self.notify("No CCD of this plan is marked bad.", severity="warning")
            return
        self.left_out |= bad
        self.plan_shown()

    # --- the table and the filter -----------------------------------------------------------------------------------

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Explain the CCD."""
        self._detail()

    def on_line_table_sort_requested(self, event: LineTable.SortRequested) -> None:
        """Sort."""
        self._sort = (event.column, event.reverse)
        self._fill()

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Say why it failed in the rerun; of others, read what the plan says."""
        session, ccd, picture = self.session, self.ccd, self.picture
        rerun = session.feed.reruns.get(picture.request.rerun) if session is not None and picture is not None else None
        state = rerun.states.get(ccd.key) if rerun is not None and ccd is not None else None
        if rerun is not None and ccd is not None and state is not None and state.status is Status.FAILED:
            tell_why(self.shell, rerun.path, ccd.key, state)
        else:
            self.query_one("#plan-detail").focus()

    def action_filter(self) -> None:
        """Filter the plan."""
        line = self.query_one("#plan-filter", LineInput)
        line.add_class("-open")
        line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow while it is typed."""
        if event.input.id == "plan-filter":
            self._filter = event.value
            self._summarize()
            self._fill()
            self._detail()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Back to the table."""
        if event.input.id == "plan-filter":
            event.input.set_class(bool(event.value), "-open")
            self._searched = event.value.strip() or self._searched
            self.query_one(LineTable).focus()

    def action_give_up(self) -> None:
        """Give up the plan that is being made; else leave the filter and take it away."""
        line = self.query_one("#plan-filter", LineInput)
        if not line.has_focus and self.give_up_planning():
            return
        line.value = ""
        line.remove_class("-open")
        self.query_one(LineTable).focus()

    def _go_to_match(self, step: int) -> None:
        table, wanted = self.query_one(LineTable), set(self._filtered(self.ccds, self._searched))
        shown = table.model.row_ids(0, len(table.model)).tolist()
        places = [place for place, row in enumerate(shown) if row in wanted]
        go_to_match(self, table, places, self._searched, step)

    def action_next_match(self) -> None:
        """To the next CCD that the last filter selects."""
        self._go_to_match(1)

    def action_previous_match(self) -> None:
        """To the one before."""
        self._go_to_match(-1)

    def _go_to_problem(self, step: int) -> None:
        table, ccds = self.query_one(LineTable), self.ccds
        rows = table.model.row_ids(0, len(table.model)).tolist()
        places = [place for place, row in enumerate(rows) if self._action(ccds[row]) == "blocked"]
        ahead = [place for place in places if (place - table.cursor) * step > 0]
        if ahead:
            table.move_to(min(ahead) if step > 0 else max(ahead))

    def action_next_problem(self) -> None:
        """The next CCD that cannot run."""
        self._go_to_problem(1)

    def action_previous_problem(self) -> None:
        """The one before."""
        self._go_to_problem(-1)

    # --- what can be done -------------------------------------------------------------------------------------------

    def action_run(self) -> None:
        """Run, after the question; while a plan is being made, when it is there."""
        if self.making:
            self.intend("run")
        elif self.chosen is not None:
            self.confirm(self.chosen)
        else:
            self.shell.say(self._trouble or "There is no plan yet: p makes one.", severity="warning")

    def action_try_ccd(self) -> None:
        """The CCD under the cursor, into a scratch rerun, in this program."""
        ccd, request, session = self.ccd, self.request, self.session
        if ccd is None or request is None or session is None:
            return
        wish = SCRATCH + "-".join(part.partition("=")[2] for part in ccd.key.split())
        name = free_rerun_name(session.feed.reruns, wish)
        trial = replace(request, rerun=name, parent="", id_text=ccd.key, in_process=True, redo=True, processes=1)
        self.make_plan(trial, self.confirm, group="trial")

    def action_copy_command(self) -> None:
        """Copy the command line of this plan."""
        chosen = self.chosen
        if chosen is None:
            return
        if chosen.plan.ccds:
            self.copy(chosen.request.command(), "the command")
        else:
            self.notify("Every CCD is left out: there is nothing to run.", severity="warning")

    def action_copy_ids(self) -> None:
        """Copy the marked CCDs, or the one under the cursor, as --id text."""
        table, session = self.query_one(LineTable), self.session
        places = table.marked_ids
        if session is not None and places:
            text = id_text([dict(self.ccds[place].data_id) for place in places], session.catalogue.identity)
            self.copy(text, "data IDs")

    def action_open_log(self) -> None:
        """The log of the CCD under the cursor."""
        if self.ccd is not None:
            self.show_row(self.ccd.key, "logs")

    def action_open_image(self) -> None:
        """The pixels of the CCD under the cursor."""
        if self.ccd is not None:
            self.show_row(self.ccd.key, "image")
