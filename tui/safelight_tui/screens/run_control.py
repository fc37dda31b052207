"""The part of Run that acts on runs: pause, cancel, resume, retry. A run is asked through a file of its rerun."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from safelight_tui.runs.request import RunRequest, calib_of
from safelight_tui.screens.run_watching import WatchingScreen
from safelight_tui.session.reruns import RunView
from safelight_tui.session.session import id_text

if TYPE_CHECKING:
    from safelight.processccd.control import RequestWord

__all__ = ["ControllingScreen"]


class ControllingScreen(WatchingScreen):
    """A watching screen whose run can be asked for something."""

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
        wanted = RunRequest(
            session.root,
            run.rerun,
            id_text=ids,
            calib=calib_of(run.command_line, run.directory),
            failed=failed,
            processes=max(1, run.processes),
        )
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
