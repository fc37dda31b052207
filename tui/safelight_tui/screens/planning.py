"""Making the plan of the selection: in the background, chunk by chunk, to be given up at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.message import Message

from safelight.errors import SafelightError
from safelight_tui.jobs import Job
from safelight_tui.runs.request import RunRequest
from safelight_tui.screens.launching import LaunchingScreen, default_processes

if TYPE_CHECKING:
    from safelight.processccd.plan import PlannedCcd
    from safelight_tui.runs.planning import PlanPicture

__all__ = ["PlanningScreen"]

DEFAULT_RERUN = "default"


class PlanningScreen(LaunchingScreen):
    """A screen with a plan. Subclasses draw it: see `plan_shown`, `plan_growing` and `plan_missing`."""

    class Grown(Message):
        """More CCDs are planned."""

        def __init__(self, job: Job, ccds: Sequence[PlannedCcd]) -> None:
            super().__init__()
            self.job, self.ccds = job, ccds

    def __init__(self) -> None:
        super().__init__()
        self.request: RunRequest | None = None
        self.picture: PlanPicture | None = None
        self.growing: list[PlannedCcd] = []
        """What is planned so far while a plan is being made."""
        self.expected = 0  # CCDs that the plan being made will have
        self.given_up = False
        self._making: Job | None = None
        self._just_edited = False  # the next plan shows whether the rerun takes what was edited

    # --- for subclasses ---------------------------------------------------------------------------------------------

    def plan_shown(self) -> None:
        """There is a new picture: draw it."""

    def plan_growing(self) -> None:
        """A plan is being made: say how far it has come."""

    def plan_missing(self, sentence: str, hint: str = "") -> None:
        """There is no plan: say why."""

    def rerun_refuses(self, picture: PlanPicture) -> None:
        """What was edited is not the configuration of the rerun."""

    # --- following the session --------------------------------------------------------------------------------------

    def session_changed(self, what: frozenset[str]) -> None:
        """Plan again when the selection is another one, or when the screen comes into view."""
        session = self.session
        if session is None or not session.catalogue.size:
            return
        if self.request is not None and self.request.root != session.root:
            self.request = self.picture = None
        if not what & {"session", "selection"} and self.request is not None:
            return
        if self.making and not self._selection_is_new:
            return
        if self.given_up and not self._selection_is_new and not self.intended:
            return
        if session.filter.view:
            self.plan_selection()

    @property
    def making(self) -> bool:
        """Whether a plan is being made."""
        return self._making is not None

    @property
    def _selection_is_new(self) -> bool:
        session = self.session
        return session is not None and (self.request is None or session.chosen_id_text() != self.request.id_text)

    def plan_selection(self) -> None:
        """Plan what is selected now, for the rerun that is chosen now."""
        session = self.session
        if session is None:
            return
        ids = session.chosen_id_text()
        chosen = session.chosen_rerun or (session.rerun.name if session.rerun else DEFAULT_RERUN)
        if self.request is None or (self.request.rerun != chosen and not self._named_here):
            request = RunRequest(session.root, chosen, id_text=ids, processes=default_processes())
            self.plan(request, as_the_rerun=True)
        else:
            self.plan(replace(self.request, id_text=ids))

    @property
    def _named_here(self) -> bool:
        """Whether the rerun was named on this screen and does not exist yet."""
        session = self.session
        return self.request is not None and session is not None and self.request.rerun not in session.feed.reruns

    # --- making -----------------------------------------------------------------------------------------------------

    def plan(self, request: RunRequest, *, as_the_rerun: bool = False) -> None:
        """Plan a request; a plan that is being made is given up for it."""
        session = self.session
        self.request = request
        self.growing, self.given_up = [], False
        self.expected = len(session.chosen_rows()) if session is not None else 0
        self._making = self.make_plan(request, self._planned, as_the_rerun=as_the_rerun, watch=self._grow)
        self.plan_growing()

    def _grow(self, job: Job, ccds: Sequence[PlannedCcd]) -> None:
        self.post_message(self.Grown(job, ccds))

    def on_planning_screen_grown(self, event: Grown) -> None:
        """Show how far it has come."""
        if event.job is self._making:
            self.growing += event.ccds
            self.plan_growing()

    def _planned(self, picture: PlanPicture) -> None:
        self._making = None
        self.growing = []
        self.picture, self.request = picture, picture.request
        self.plan_shown()
        self.refresh_footer()
        if self._just_edited:
            self._just_edited = False
            if picture.differing:
                self.rerun_refuses(picture)
        self.do_intended()

    def plan_failed(self, error: SafelightError) -> None:
        """Say why there is no plan."""
        self.forget_intended()
        self._making = None
        self.growing = []
        self.picture = None
        self.plan_missing(error.message, error.hint)
        self.refresh_footer()

    def give_up_planning(self) -> bool:
        """Give up the plan that is being made; whether there was one."""
        job, self._making = self._making, None
        if job is None:
            return False
        self.forget_intended()
        job.cancelled.set()
        self.given_up = True
        self.picture = None
        self.plan_missing(f"given up after {len(self.growing)} of {self.expected} CCDs; p plans again")
        self.growing = []
        self.refresh_footer()
        return True

    def action_plan(self) -> None:
        """Plan again."""
        self.plan_selection()
