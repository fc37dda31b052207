"""CCDs that are tried a second time with what their visits know: failed alone for lack of stars, or off their place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from safelight.processccd.ccd import CcdJob, job_of
from safelight.processccd.outcome import CcdOutcome

if TYPE_CHECKING:
    from safelight.calibrate.visit_prior import VisitPrior
    from safelight.processccd.plan import PlannedCcd

__all__ = ["SecondAttempts"]


class SecondAttempts:
    """First failures by key, and what their visits know of them."""

    def __init__(self) -> None:
        self._held: dict[str, CcdOutcome] = {}
        self._priors: dict[str, VisitPrior] = {}
        self._begun: set[str] = set()

    def hold(self, failed: CcdOutcome) -> None:
        """Keep a failure until its visit is judged."""
        self._held[failed.key] = failed

    def learn(self, priors: Mapping[str, VisitPrior]) -> None:
        """Take what visits know of CCDs that failed."""
        self._priors.update(priors)

    def helpless(self) -> list[CcdOutcome]:
        """Take out the failures of which their visits know nothing."""
        return [self._held.pop(key) for key in list(self._held) if key not in self._priors]

    def abandon(self) -> list[CcdOutcome]:
        """Take out all failures that are still held: the run is over."""
        return [self._held.pop(key) for key in list(self._held)]

    def begin(self, planned: Iterable[PlannedCcd]) -> list[CcdJob]:
        """The jobs of the second attempts, in the order of the plan."""
        jobs = [
            replace(job_of(ccd), visit=self._priors[ccd.key])
            for ccd in planned
            if ccd.key in self._held or (self.is_revision(ccd.key) and ccd.raw is not None and ccd.action != "blocked")
        ]
        self._begun = {job.key for job in jobs}
        return jobs

    def begun(self, key: str) -> bool:
        """Whether a CCD is, or was, in its second attempt."""
        return key in self._begun

    def is_revision(self, key: str) -> bool:
        """Whether the second attempt of a CCD may only improve a result that it has."""
        prior = self._priors.get(key)
        return key not in self._held and prior is not None and prior.first is not None

    def settled(self, outcome: CcdOutcome) -> CcdOutcome:
        """What a CCD comes to: if its second attempt failed too, its first failure, with what was tried."""
        if outcome.key not in self._begun or outcome.key not in self._held:
            return outcome
        first = self._held.pop(outcome.key)
        outcome.seconds += first.seconds
        if outcome.status.startswith("done"):
            return outcome
        assert first.failure is not None
        why = outcome.failure.message if outcome.failure is not None else "it was cancelled."
        message = f"{first.failure.message} Solving it from its visit failed too: {why}"
        first.failure = replace(first.failure, message=message)
        first.seconds = outcome.seconds
        first.outputs = outcome.outputs or first.outputs  # a post-ISR exposure is written anew
        return first
