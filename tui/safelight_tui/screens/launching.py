"""What the screens that start runs have in common: the question before it, the worker, and what the worker says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from safelight.errors import SafelightError
from safelight_tui.jobs import Job
from safelight_tui.runs.request import RunRequest
from safelight_tui.runs.worker import RunWorker
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.session.reruns import SCRATCH
from safelight_tui.widgets.line_table import LineTable

if TYPE_CHECKING:
    from safelight.processccd.plan import PlannedCcd
    from safelight_tui.runs.planning import PlanPicture

__all__ = ["LaunchingScreen", "default_processes"]


def default_processes() -> int:
    """As many as there are cores for this program."""
    import os

    return max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


class LaunchingScreen(ModeScreen):
    """A screen that starts runs."""

    latest: ClassVar[tuple[str, str] | None] = None
    """Rerun and name of the run that was started or chosen last, for the Run screen to show."""

    def make_plan(
        self,
        request: RunRequest,
        then: Callable[[PlanPicture], None],
        *,
        as_the_rerun: bool = False,
        watch: Callable[[Job, Sequence[PlannedCcd]], object] = lambda job, ccds: None,
        group: str = "",
    ) -> Job:
        """Plan in a thread; another plan of this screen (or of the group) takes its place.

        Parameters
        ----------
        as_the_rerun : bool
            With the configuration that the rerun has, whatever the request says.
        watch : callable
            Given each chunk as it is planned, in the thread.
        """

        def work(job: Job) -> PlanPicture:
            from safelight_tui.runs.planning import frozen_config, make_picture

            def look(ccds: Sequence[PlannedCcd]) -> None:
                if job.cancelled.is_set():
                    raise SafelightError("GIVEN_UP", "The plan was given up.")
                watch(job, ccds)

            wanted = replace(request, config=frozen_config(request), config_files=()) if as_the_rerun else request
            return make_picture(wanted, look)

        return self.shell.jobs.start(work, then, failed=self.plan_failed, group=group or f"plan for {self.MODE}")

    def plan_failed(self, error: SafelightError) -> None:
        """A plan cannot be made."""
        self.shell.show_error(error)

    def confirm(self, picture: PlanPicture) -> None:
        """Ask, then run."""
        from safelight_tui.widgets.run_confirm import ConfirmRun

        why_not = self.why_not_run(picture)
        if why_not:
            self.notify(why_not, severity="warning", markup=False)
            return

        def answered(request: RunRequest | None) -> None:
            if request is not None:
                self.launch(request, picture)

        self.app.push_screen(ConfirmRun(picture), answered)

    def why_not_run(self, picture: PlanPicture) -> str:
        """Why the plan cannot be run; empty when it can."""
        session = self.session
        if picture.differing:
            return "The configuration differs from that of the rerun. Take another rerun (r), or undo it (e)."
        if not picture.plan.with_action("run"):
            return "Nothing in this plan can run."
        view = session.feed.reruns.get(picture.request.rerun) if session else None
        if view is not None and view.live_run is not None:
            return f"A run goes on in rerun {picture.request.rerun}: wait for it, or write to another."
        return ""

    def launch(self, request: RunRequest, picture: PlanPicture) -> None:
        """Start the worker of a run."""
        worker = RunWorker(request, self.post_message, safety=picture.safety)
        self.shell.run_workers.add(worker)
        worker.start()
        self.notify(f"Starting the run in {request.rerun} ...", timeout=3, markup=False)

    def on_run_worker_began(self, event: RunWorker.Began) -> None:
        """Watch it."""
        if self.shell.feed is not None:
            self.shell.feed.nudge()
        rerun = event.worker.request.rerun
        LaunchingScreen.latest = (rerun, event.run)
        if not rerun.startswith(SCRATCH):  # a trial leaves the rerun that is worked on as it is
            self.shell.controller.choose_rerun(rerun)
        if self.shell.screen is self:
            self.shell.go("run")

    def on_run_worker_refused(self, event: RunWorker.Refused) -> None:
        """Say why."""
        self.shell.run_workers.discard(event.worker)
        lines = event.reason.strip().splitlines()
        self.notify("\n".join(lines[-4:]), title="The run was refused", severity="error", timeout=15, markup=False)

    def on_run_worker_ended(self, event: RunWorker.Ended) -> None:
        """The feed tells the rest."""
        self.shell.run_workers.discard(event.worker)
        if self.shell.feed is not None:
            self.shell.feed.nudge()

    def on_unmount(self) -> None:
        """Leave the runs alone."""
        self.shell.run_workers.leave()

    # --- copying ----------------------------------------------------------------------------------------------------

    def copy(self, text: str, what: str) -> None:
        """Copy to the clipboard and say so."""
        self.shell.controller.copy(text, what)

    def action_write_file(self) -> None:
        """Write the table of this screen as CSV into the directory the application was started in."""
        model = self.query_one(LineTable).model
        names = [column.key for column in model.columns]
        rows = [[cell.text for cell in row] for row in model.window(0, len(model))]
        session = self.session
        stem = f"{session.name if session else 'safelight'}-{self.MODE}"

        def work(job: object) -> Path:
            import csv
            import io

            from safelight_tui.terminal.clipboard import write_new_file

            if session is not None:
                session.refuse_inside(Path.cwd())
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows([names, *rows])
            return write_new_file(text.getvalue(), Path.cwd(), stem, ".csv")

        def written(path: Path) -> None:
            self.shell.say(f"Wrote {len(rows)} rows to {path}.")

        self.shell.jobs.start(work, written, failed=self.shell.show_error)

    def action_compare(self) -> None:
        """Reruns are compared in Triage."""
        self.shell.go("triage", intend="compare")

    def show_row(self, name: str, mode: str) -> None:
        """Put the cursor of all screens on a CCD, by its name, and go to a screen."""
        session = self.session
        if session is None:
            return
        row = next((row for row in range(session.catalogue.size) if session.catalogue.name(row) == name), None)
        if row is not None:
            session.cursor_row = row
            self.shell.tell("cursor")
        self.shell.go(mode)
