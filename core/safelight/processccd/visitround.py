"""Visits in a run: judged when their CCDs are over; then some of their CCDs are tried again with what the others know.

CCDs that failed alone are not over until their second attempt is. CCDs that were solved, but off their place in the
camera, keep their result unless the second attempt finds a better one.
"""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from safelight.processccd import events
from safelight.processccd.ccd import CcdJob
from safelight.processccd.outcome import CcdOutcome, ccd_key
from safelight.processccd.secondattempts import SecondAttempts
from safelight.processccd.visitjudge import JUDGE_CODES

if TYPE_CHECKING:
    from safelight.processccd.ledger import OutcomeLedger, RecordedCcd
    from safelight.processccd.plan import Plan
    from safelight.processccd.visitstage import VisitStage
    from safelight.processccd.voice import RunVoice

__all__ = ["VisitRound"]


class VisitRound:
    """Judgements and second attempts of one run.

    Parameters
    ----------
    stage
        Judges visits; None: nothing is judged, and nothing tried again.
    amended
        Called with a CCD whose status or caveats are others now.
    raise_failures
        An exception ends the run at once, so that nothing is tried again.
    """

    def __init__(
        self,
        plan: Plan,
        ledger: OutcomeLedger,
        run: str,
        voice: RunVoice,
        stage: VisitStage | None,
        amended: Callable[[RecordedCcd], None],
        *,
        raise_failures: bool,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._run = run
        self._voice = voice
        self._stage = stage
        self._amended = amended
        self._raise_failures = raise_failures
        self._second = SecondAttempts()
        self._said: dict[Any, str] = {}  # visit -> its judgement
        self._problems: set[str] = set()
        self._revised: dict[
            str, dict[str, Any]
        ] = {}  # data IDs of CCDs that are solved again though they have a result

    def settled(self, outcome: CcdOutcome) -> CcdOutcome:
        """What a CCD comes to, its second attempt considered."""
        return self._second.settled(outcome)

    def hold(self, outcome: CcdOutcome) -> bool:
        """Keep a failure until its visit is judged, if the others may help; whether it was kept."""
        if self._stage is None or self._second.begun(outcome.key) or self._raise_failures:
            return False
        if not self._stage.solvable(outcome):
            return False
        assert outcome.failure is not None
        self._second.hold(outcome)
        failure = outcome.failure
        self._tell(outcome.key, f"failed alone: {failure.message} [{failure.code}] It is tried again after its visit.")
        self._wait(outcome.key)
        return True

    def _tell(self, key: str, message: str) -> None:
        self._voice.record(key, logging.INFO, "processCcd", message)

    def _wait(self, key: str) -> None:
        self._voice.emit(events.StageStarted(time=time.time(), ccd=key, stage="visit"))

    def over(self, outcome: CcdOutcome) -> None:
        """A CCD is over: judge its visit if it was the last."""
        if self._stage is not None and self._stage.over(outcome.key, outcome.data_id):
            self.judge(outcome.data_id["visit"])

    def judge_idle(self) -> None:
        """Judge visits that an earlier run left unjudged."""
        for visit in self._stage.idle() if self._stage is not None else ():
            self.judge(visit)

    def judge(self, visit: Any) -> None:
        """Judge a visit, tell what was found, and learn what its CCDs know of others."""
        try:
            judged = self._stage.judge(visit) if self._stage is not None else None
        except Exception as error:  # its CCDs are done all the same; what was not kept is judged by the next run
            if self._raise_failures:
                raise
            self._voice.say(logging.ERROR, f"visit={visit} could not be judged: {type(error).__name__}: {error}")
            self._voice.logs.attach("", traceback.format_exc())
            return
        if judged is None:
            return
        for problem in judged.judgement.problems:
            if problem not in self._problems:
                self._problems.add(problem)
                self._voice.say(logging.WARNING, problem)
        said = "; ".join(judged.judgement.summary)
        if said and self._said.get(visit) != said:
            self._said[visit] = said
            self._voice.say(logging.INFO, f"visit={visit}: {said}")
        for ccd in judged.amended:
            self._tell_judged(ccd)
        self._second.learn(judged.judgement.priors)
        for key, why in judged.judgement.refusals.items():
            self._tell(key, f"cannot be solved from its visit: {why}")

    def _tell_judged(self, ccd: RecordedCcd) -> None:
        key = ccd_key(ccd.data_id)
        for caveat in ccd.caveats:
            if caveat.code in JUDGE_CODES:
                self._voice.record(key, logging.WARNING, "processCcd", f"{caveat.code}: {caveat.message}")
        self._voice.logs.finish(key)
        self._tell_result(ccd)

    def _tell_result(self, ccd: RecordedCcd) -> None:
        """The status and caveats that a CCD has now."""
        self._amended(ccd)
        self._voice.emit(
            events.CcdJudged(
                time=time.time(),
                ccd=ccd_key(ccd.data_id),
                data_id=ccd.data_id,
                status=ccd.status,
                caveats=[asdict(caveat) for caveat in ccd.caveats],
            )
        )

    # Second attempts.

    def helpless(self) -> list[CcdOutcome]:
        """Take out the failures of which their visits know nothing."""
        return self._second.helpless()

    def abandon(self) -> list[CcdOutcome]:
        """Take out all failures that are still held: the run is over."""
        return self._second.abandon()

    def begin(self) -> list[CcdJob]:
        """The jobs of the second attempts."""
        jobs = [] if self._raise_failures else self._second.begin(self._plan.ccds)
        for job in jobs:
            if self._second.is_revision(job.key):
                self._revised[job.key] = job.data_id
                self._tell(job.key, "is off its place in the camera: solved again from there")
                self._wait(job.key)
        return jobs

    def revise(self, outcome: CcdOutcome) -> bool:
        """Take a second result of a CCD that had one; False: the outcome is no such."""
        if outcome.key not in self._revised:
            return False
        if outcome.status.startswith("done"):
            self._ledger.record(outcome, self._run, self._plan.config_hash)
            self._voice.emit(events.MetricsMeasured(time=time.time(), ccd=outcome.key, values=dict(outcome.metrics)))
            for caveat in outcome.caveats:
                self._voice.record(outcome.key, logging.WARNING, "processCcd", f"{caveat.code}: {caveat.message}")
        else:
            if outcome.failure is not None and outcome.failure.code == "INTERNAL_ERROR":
                self._voice.logs.attach(outcome.key, outcome.traceback)
            self._record_rewritten(outcome)
            why = outcome.failure.message if outcome.failure is not None else "The second attempt was cancelled."
            self._tell(outcome.key, f"Its first result stays. {why}")
            if outcome.failure is not None and outcome.failure.code == "VISIT_NO_BETTER" and self._stage is not None:
                self._stage.explain(outcome.data_id, why)
        self._end_revision(outcome.key)
        return True

    def _record_rewritten(self, outcome: CcdOutcome) -> None:
        """What a second attempt wrote before it failed (a post-ISR exposure) is the same, but for its provenance."""
        first = self._ledger.ccd(outcome.data_id)
        if first is not None and outcome.outputs:
            self._ledger.amend(outcome.data_id, first.caveats, {}, outcome.outputs)

    def _end_revision(self, key: str) -> None:
        self._voice.logs.finish(key)
        now = self._ledger.ccd(self._revised.pop(key))
        if now is not None:
            self._tell_result(now)

    def close(self) -> None:
        """The run is over: CCDs whose second attempt was cut short have their first results."""
        for key in list(self._revised):
            self._end_revision(key)
