"""Plan: what a run of the selection would do with each CCD, and why; its configuration, its command. Writes nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from textual import events
from textual.app import ComposeResult
from textual.widgets import Input, Static

from safelight.errors import DataIdError, EmptySelection, SafelightError
from safelight_tui.actions import ACTIONS
from safelight_tui.runs.figures import duration
from safelight_tui.runs.request import RunRequest, free_rerun_name
from safelight_tui.screens.launching import SCRATCH, LaunchingScreen, default_processes
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.plan_model import SORTS, plan_model
from safelight_tui.widgets.text_pane import TextLine, TextPane

if TYPE_CHECKING:
    from safelight.processccd.plan import PlannedCcd
    from safelight_tui.runs.planning import PlanPicture

__all__ = ["PlanScreen"]

AUTOMATIC = 5000
"""Selections larger than this are planned when the key is pressed, not by themselves."""

DEFAULT_RERUN = "default"


class PlanScreen(LaunchingScreen):
    """The dry run."""

    MODE = "plan"
    PURPOSE = "see what a run of the selection would do, change its configuration and rerun, and start it."
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
        self.request: RunRequest | None = None
        self.picture: PlanPicture | None = None
        self._shown: list[PlannedCcd] = []
        self._filter = ""
        self._sort: tuple[str, bool] | None = None
        self._planning = False
        self._trouble = ""
        self._just_edited = False  # the next plan shows whether the rerun takes what was edited

    def compose_body(self) -> ComposeResult:
        """Summary, filter, table, detail."""
        yield Static("", id="summary", markup=False)
        yield LineInput("", placeholder="ccd=16 filter=HSC-I, or: run skip blocked", id="plan-filter")
        yield LineTable(empty_text="no plan yet: p makes one", id="plan-table")
        yield TextPane(id="plan-detail")

    def on_mount(self) -> None:
        """Focus the table."""
        self.query_one(LineTable).focus()

    def on_resize(self, event: events.Resize) -> None:
        """Fit the columns again."""
        super().on_resize(event)
        self.set_class(event.size.height < 32, "-short")
        self.call_after_refresh(self._fill)

    def first_pane(self) -> LineTable:
        """The table."""
        return self.query_one(LineTable)

    def holding(self) -> Collection[str]:
        """What this plan allows."""
        holds = []
        if self._shown:
            holds.append("rows")
        if any(ccd.action == "blocked" for ccd in self._shown):
            holds.append("problems")
        if self.picture is not None:
            holds += ["plan", *(("runnable",) if self.picture.runnable else ())]
        return holds

    # --- following the session --------------------------------------------------------------------------------------

    def session_changed(self, what: frozenset[str]) -> None:
        """Plan again when the selection is another one, or when the screen comes into view."""
        session = self.session
        if session is None or not session.catalogue.size:
            return
        if self.request is not None and self.request.root != session.root:
            self.request = self.picture = None
        if self._planning and self.request is not None and self.request.id_text == session.chosen_id_text():
            return
        if not what & {"session", "selection"} and self.request is not None:
            return
        rows = len(session.filter.view)
        if rows and (rows <= AUTOMATIC or self.intended):
            self._plan_selection()
        elif rows and self.request is None:
            self._summarize(f"{rows} CCDs are selected: p makes the plan")

    def _plan_selection(self) -> None:
        session = self.session
        if session is None:
            return
        ids = session.chosen_id_text()
        chosen = session.chosen_rerun or (session.rerun.name if session.rerun else DEFAULT_RERUN)
        if self.request is None or (self.request.rerun != chosen and not self._named_here):
            request = RunRequest(session.root, chosen, id_text=ids, processes=default_processes())
            self._plan(request, as_the_rerun=True)
        else:
            self._plan(replace(self.request, id_text=ids))

    @property
    def _named_here(self) -> bool:
        """Whether the rerun was named on this screen and does not exist yet."""
        session = self.session
        return self.request is not None and session is not None and self.request.rerun not in session.feed.reruns

    def _plan(self, request: RunRequest, *, as_the_rerun: bool = False) -> None:
        self.request = request
        self._planning, self._trouble = True, ""
        self._summarize()
        self.make_plan(request, self._planned, as_the_rerun=as_the_rerun)

    def _planned(self, picture: PlanPicture) -> None:
        self._planning = False
        self.picture, self.request = picture, picture.request
        self._fill()
        self._summarize()
        self._detail()
        self.refresh_footer()
        if self._just_edited:
            self._just_edited = False
            self._offer_rerun(picture)
        self.do_intended()

    def plan_failed(self, error: Exception) -> None:
        """Say why there is no plan."""
        self.forget_intended()
        self._planning = False
        self.picture = None
        self._trouble = error.message if isinstance(error, SafelightError) else str(error)
        hint = error.hint if isinstance(error, SafelightError) else ""
        self._fill()
        self._summarize()
        lines = [TextLine(self._trouble, "bad"), TextLine(hint, "dim")]
        self.query_one("#plan-detail", TextPane).show(lines)
        self.refresh_footer()

    # --- what is shown ----------------------------------------------------------------------------------------------

    def _summarize(self, instead: str = "") -> None:
        line = self.query_one("#summary", Static)
        request, picture = self.request, self.picture
        if instead or request is None:
            line.update(instead or "no plan yet")
            return
        head = f"rerun {f'{request.parent}:' if request.parent else ''}{request.rerun}"
        if self._planning:
            line.update(f"{head}   planning ...")
            return
        if picture is None:
            line.update(f"{head}   no plan")
            return
        plan = picture.plan
        counts = plan.counts()
        seconds = plan.estimated_seconds
        about = "time unknown" if seconds is None else f"~{duration(seconds / max(1, request.processes))}"
        parts = [
            head + ("" if picture.exists else " (new)"),
            f"RUN {counts['run']} SKIP {counts['skip']} BLOCKED {counts['blocked']}",
            f"{about} -j{request.processes}",
            f"disk {plan.disk_needed_bytes / 1e9:.1f}/{plan.disk_free_bytes / 1e9:.0f}GB",
        ]
        if request.redo:
            parts.append("REDO")
        line.update("   ".join(parts))

    def _fill(self) -> None:
        picture = self.picture
        table = self.query_one(LineTable)
        if picture is None:
            self._shown = []
            table.show(plan_model([], table.size.width, {}))
            return
        ccds: list[PlannedCcd] = self._filtered(list(picture.plan.ccds))
        if self._sort is not None:
            column, reverse = self._sort
            if column in SORTS:
                ccds.sort(key=SORTS[column], reverse=reverse)
        self._shown = ccds
        wanted = {kind: picture.config[f"isr.do{kind.title()}"].value == "True" for kind in ("bias", "dark", "flat")}
        table.show(plan_model(ccds, table.size.width - 2, wanted))

    def _filtered(self, ccds: list[PlannedCcd]) -> list[PlannedCcd]:
        """The rows that the filter wants; with an invalid one, all."""
        actions = {word for word in self._filter.split() if word in ("run", "skip", "blocked")}
        words = [word for word in self._filter.split() if word not in actions]
        if actions:
            ccds = [ccd for ccd in ccds if ccd.action in actions]
        if not words or not ccds:
            return ccds
        from safelight.dataid import select_rows

        keys: dict[str, Any] = {key: type(value) for key, value in ccds[0].data_id.items() if value is not None}
        rows: list[Mapping[str, Any]] = [{**ccd.data_id, "\0": place} for place, ccd in enumerate(ccds)]
        try:
            return [ccds[row["\0"]] for row in select_rows(words, rows, keys)]
        except EmptySelection:
            return []
        except DataIdError as error:
            self._summarize(error.message)
            return ccds

    @property
    def ccd(self) -> PlannedCcd | None:
        """The CCD under the cursor."""
        row = self.query_one(LineTable).row_id
        return self._shown[row] if row is not None and row < len(self._shown) else None

    def _detail(self) -> None:
        picture, request = self.picture, self.request
        if picture is None or request is None:
            return
        lines = [TextLine(f"$ {request.command()}", "new")]
        differing = picture.differing
        given = len(request.config)
        if differing:
            lines.append(TextLine(f"config: {len(differing)} differ from the rerun's; a run would be refused", "bad"))
            lines += [
                TextLine(f"{v.value} | the rerun has {v.frozen} | set by {v.source}", "caveat", f"  {v.path} ")
                for v in differing
            ]
        elif given:
            lines.append(TextLine(f"config: {given} set with -c" + (", as the rerun has it" if picture.exists else "")))
        else:
            lines.append(TextLine("config: the camera's" + (", as the rerun has it" if picture.exists else ""), "dim"))
        lines += self._about_ccd()
        lines += [TextLine(note, "caveat") for note in picture.notes]
        self.query_one("#plan-detail", TextPane).show(lines, keep_place=False)

    def _about_ccd(self) -> list[TextLine]:
        ccd = self.ccd
        if ccd is None:
            return []
        lines = [TextLine(f"{ccd.key}: {ccd.reason}", "bad" if ccd.action == "blocked" else "title")]
        if ccd.hint:
            lines.append(TextLine(ccd.hint, "dim"))
        for master in ccd.masters:
            valid = f"{master.calib_date}, valid {master.valid_start}..{master.valid_end}"
            lines.append(TextLine(valid, label=f"  {master.kind:<5}"))
        for catalog in ccd.catalogs:
            missing = f", {len(catalog.missing)} missing" if catalog.missing else ""
            lines.append(TextLine(f"{catalog.name}, {len(catalog.shards)} shards{missing}", label=f"  {catalog.role} "))
        if ccd.outputs and ccd.state != "absent":
            lines.append(TextLine(str(next(iter(ccd.outputs.values())).parent), label="  outputs "))
        return lines

    # --- the table and the filter -----------------------------------------------------------------------------------

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Explain the CCD."""
        self._detail()

    def on_line_table_sort_requested(self, event: LineTable.SortRequested) -> None:
        """Sort."""
        self._sort = (event.column, event.reverse)
        self._fill()

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Read why."""
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
            self.query_one(LineTable).focus()

    def action_give_up(self) -> None:
        """Leave the filter and take it away."""
        line = self.query_one("#plan-filter", LineInput)
        line.value = ""
        line.remove_class("-open")
        self.query_one(LineTable).focus()

    def _go_to_problem(self, step: int) -> None:
        table = self.query_one(LineTable)
        places = [place for place, ccd in enumerate(self._shown) if ccd.action == "blocked"]
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

    def action_plan(self) -> None:
        """Plan again."""
        self._plan_selection()

    def action_toggle_redo(self) -> None:
        """Do finished CCDs again, or skip them."""
        if self.request is not None:
            self._plan(replace(self.request, redo=not self.request.redo))

    def action_run(self) -> None:
        """Run, after the question; while a plan is being made, when it is there."""
        if self._planning:
            self.intend("run")
        elif self.picture is not None:
            self.confirm(self.picture)
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
        self.make_plan(trial, self.confirm)

    def action_choose_rerun(self) -> None:
        """Choose the rerun to write to, or name one."""
        from safelight_tui.widgets.run_rerun_picker import RerunPicker

        session = self.session
        if session is None:
            return

        def chosen(name: str | None) -> None:
            if name is not None and self.session is not None:
                self._write_to(name)

        self.app.push_screen(RerunPicker(session.feed.reruns, "Write to which rerun?"), chosen)

    def _write_to(self, name: str) -> None:
        """Write to a rerun: to one that exists with its own configuration, to a new one with the present one."""
        session = self.session
        if session is None:
            return
        exists = name in session.feed.reruns
        request = self.request or RunRequest(session.root, name, processes=default_processes())
        self.request = replace(request, rerun=name, parent="", id_text=session.chosen_id_text())
        self.shell.controller.choose_rerun(name)
        self._plan(self.request, as_the_rerun=exists)

    def action_chain_rerun(self) -> None:
        """Read from the rerun and write to a new one."""
        from safelight_tui.widgets.run_rerun_picker import RerunPicker

        session, request = self.session, self.request
        if session is None or request is None:
            return
        parent = request.rerun if request.rerun in session.feed.reruns else session.rerun and session.rerun.name
        if not parent:
            return
        proposal = free_rerun_name(session.feed.reruns, f"{parent}-2")

        def named(name: str | None) -> None:
            if name is not None and self.request is not None:
                self._plan(replace(self.request, rerun=name, parent=parent))

        heading = f"Read from rerun {parent} and write to which new one?"
        self.app.push_screen(RerunPicker(session.feed.reruns, heading, proposal, only_new=True), named)

    def action_edit_config(self) -> None:
        """Edit the configuration; a rerun that has another one is left alone, and a new name offered."""
        from safelight_tui.widgets.config_editor import ConfigEditor

        picture, request = self.picture, self.request
        if picture is None or request is None:
            return

        def edited(given: dict[str, str] | None) -> None:
            if given is not None and given != dict(request.config):
                self._just_edited = True
                self._plan(replace(request, config=given))

        self.app.push_screen(ConfigEditor(picture.config, request.config), edited)

    def _offer_rerun(self, picture: PlanPicture) -> None:
        """The edited configuration is not the rerun's: it needs a rerun of its own."""
        session = self.session
        if not picture.differing or session is None:
            return
        from safelight_tui.widgets.run_rerun_picker import RerunPicker

        old = picture.request.rerun
        proposal = free_rerun_name(session.feed.reruns, f"{old}-2")
        fields = ", ".join(value.path for value in picture.differing[:4])
        heading = f"Rerun {old} has another configuration ({fields}) and stays as it is. Write to which new rerun?"

        def named(name: str | None) -> None:
            if name is not None:
                self._plan(replace(picture.request, rerun=name, parent=""))

        self.app.push_screen(RerunPicker(session.feed.reruns, heading, proposal, only_new=True), named)

    def action_copy_command(self) -> None:
        """Copy the command line of this plan."""
        if self.request is not None:
            self.copy(self.request.command(), "the command")

    def action_copy_ids(self) -> None:
        """Copy the marked CCDs, or the one under the cursor, as --id text."""
        from safelight_tui.session.session import id_text

        table, session = self.query_one(LineTable), self.session
        places = table.marked_ids
        if session is not None and places:
            text = id_text([self._shown[place].data_id for place in places], session.catalogue.identity)
            self.copy(text, "data IDs")

    def action_open_log(self) -> None:
        """The log of the CCD under the cursor."""
        if self.ccd is not None:
            self.show_row(self.ccd.key, "logs")

    def action_open_image(self) -> None:
        """The pixels of the CCD under the cursor."""
        if self.ccd is not None:
            self.show_row(self.ccd.key, "image")
