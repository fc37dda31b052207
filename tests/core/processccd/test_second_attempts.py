"""CCDs that failed alone for lack of stars, in a run whose executor and visits are stand-ins."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from safelight.calibrate.visit_prior import FirstResult, VisitPrior
from safelight.caveats import Caveat
from safelight.processccd import events
from safelight.processccd.executor import Control, Job, Observer
from safelight.processccd.ledger import OutcomeLedger
from safelight.processccd.outcome import CcdOutcome, Failure
from safelight.processccd.plan import Plan, PlannedCcd
from safelight.processccd.provenance import Provenance
from safelight.processccd.runner import Runner, RunSummary
from safelight.processccd.visitjudge import VisitJudgement
from safelight.processccd.visitstage import JudgedVisit

PRIOR = VisitPrior(None, 27.0, 0.01, 3)
OFF = VisitPrior(None, first=FirstResult(30, 2000.0))  # of a CCD that is done, but off its place
Ending = Callable[[Job], CcdOutcome]


def failed(job: Job, code: str = "TOO_FEW_STARS", message: str = "Only 3 usable sources.") -> CcdOutcome:
    return CcdOutcome(job.key, job.data_id, "failed", failure=Failure("wcs", code, message, "Look."), seconds=2.0)


def done(job: Job) -> CcdOutcome:
    return CcdOutcome(job.key, job.data_id, "done", seconds=1.0)


def solved(job: Job) -> CcdOutcome:
    caveat = Caveat("WCS_FROM_VISIT", "It comes from its neighbours.")
    return CcdOutcome(job.key, job.data_id, "done-with-caveats", caveats=[caveat], seconds=1.5)


class Script:
    """An executor that plays the endings of each CCD, one after the other."""

    def __init__(self, endings: dict[int, list[Ending]]) -> None:
        self._endings = endings
        self.rounds: list[list[Any]] = []

    def run(self, jobs: Sequence[Job], observer: Observer, control: Control) -> None:
        self.rounds.append(list(jobs))
        for job in jobs:
            observer.started(job, 1)
            observer.finished(job, self._endings[job.data_id["ccd"]].pop(0)(job))


class Visits:
    """Knows of one visit, whose CCD 2 its other CCDs can help, or not."""

    def __init__(self, prior: VisitPrior | None) -> None:
        self._prior = prior
        self._open = {"visit=1 ccd=0", "visit=1 ccd=1", "visit=1 ccd=2"}

    def solvable(self, outcome: CcdOutcome) -> bool:
        return outcome.failure is not None and outcome.failure.code == "TOO_FEW_STARS"

    def over(self, key: str, data_id: dict[str, Any]) -> bool:
        self._open.discard(key)
        return not self._open

    def idle(self) -> list[Any]:
        return []

    def explain(self, data_id: dict[str, Any], sentence: str) -> None:
        assert sentence

    def judge(self, visit: Any) -> JudgedVisit:
        priors = {} if self._prior is None else {"visit=1 ccd=2": self._prior}
        return JudgedVisit(visit, (), VisitJudgement(priors=priors))


def play(
    tmp_path: Path, endings: dict[int, list[Ending]], prior: VisitPrior | None = PRIOR, control: Control | None = None
) -> tuple[RunSummary, Script, list[events.Event], dict[int, Any]]:
    ccds = [
        PlannedCcd(f"visit=1 ccd={ccd}", {"visit": 1, "ccd": ccd}, "run", "NEW", "", "absent", raw=tmp_path / "raw")
        for ccd in (0, 1, 2)
    ]
    plan = Plan(tmp_path, tmp_path / "rerun", "test", tuple(ccds), "hash")
    provenance = Provenance("run", ["run"], str(tmp_path), "", "", "test", 1, {}, {}, "hash")
    script, heard = Script(endings), []
    with OutcomeLedger(plan.output) as ledger:
        runner = Runner(plan, ledger, provenance, listener=heard.append, visits=Visits(prior))  # type: ignore[arg-type]
        summary = runner.execute(script, control or Control())
        return summary, script, heard, {ccd.data_id["ccd"]: ccd for ccd in ledger.ccds()}


def ends(heard: list[events.Event]) -> list[tuple[int, str]]:
    return [(event.data_id["ccd"], event.status) for event in heard if isinstance(event, events.CcdFinished)]


def test_a_second_attempt_that_succeeds_is_the_result(tmp_path: Path) -> None:
    summary, script, heard, ledger = play(tmp_path, {0: [done], 1: [done], 2: [failed, solved]})
    assert summary.exit_code == 0
    assert summary.counts == {"done": 2, "done-with-caveats": 1}
    assert [job.visit for job in script.rounds[1]] == [PRIOR]
    assert ends(heard) == [(0, "done"), (1, "done"), (2, "done-with-caveats")]
    assert ledger[2].status == "done-with-caveats"
    assert ledger[2].seconds == pytest.approx(3.5), "both attempts took their time"


def test_a_second_attempt_that_fails_keeps_the_first_failure_and_says_what_was_tried(tmp_path: Path) -> None:
    second = [failed, lambda job: failed(job, "WCS_AGAINST_VISIT", "Its stars are elsewhere.")]
    summary, _, heard, ledger = play(tmp_path, {0: [done], 1: [done], 2: second})
    assert summary.exit_code == 1
    assert ends(heard)[-1] == (2, "failed")
    failure = ledger[2].failure
    assert failure.code == "TOO_FEW_STARS"
    assert "Only 3 usable sources. Solving it from its visit failed too: Its stars are elsewhere." in failure.message


def test_without_help_there_is_no_second_attempt(tmp_path: Path) -> None:
    summary, script, heard, _ = play(tmp_path, {0: [done], 1: [done], 2: [failed]}, prior=None)
    assert summary.exit_code == 1
    assert len(script.rounds) == 1
    assert ends(heard)[-1] == (2, "failed")


def test_a_failure_of_another_kind_is_over_at_once(tmp_path: Path) -> None:
    unreadable: Ending = lambda job: failed(job, "FITS_TRUNCATED", "The file is cut short.")  # noqa: E731
    summary, script, heard, _ = play(tmp_path, {0: [done], 1: [done], 2: [unreadable]})
    assert summary.exit_code == 1
    assert len(script.rounds) == 1
    assert not [event for event in heard if isinstance(event, events.StageStarted) and event.stage == "visit"]


def test_a_cancelled_run_begins_no_second_attempt_and_loses_no_failure(tmp_path: Path) -> None:
    control = Control()

    def last(job: Job) -> CcdOutcome:
        control.stop = True
        return failed(job)

    summary, script, heard, ledger = play(tmp_path, {0: [done], 1: [done], 2: [last]}, control=control)
    assert summary.exit_code == 130
    assert len(script.rounds) == 1
    assert ends(heard) == [(0, "done"), (1, "done"), (2, "failed")]
    assert ledger[2].failure.code == "TOO_FEW_STARS"


def test_the_time_limit_of_a_run_holds_for_second_attempts_too(tmp_path: Path) -> None:
    late: Ending = lambda job: failed(job, "TIMEOUT", "The time limit was reached.")  # noqa: E731
    summary, script, heard, _ = play(tmp_path, {0: [done], 1: [late], 2: [failed]})
    assert summary.exit_code == 1
    assert len(script.rounds) == 1
    assert sorted(ends(heard)) == [(0, "done"), (1, "failed"), (2, "failed")]


def test_a_ccd_off_its_place_takes_a_better_result_and_is_over_once(tmp_path: Path) -> None:
    summary, script, heard, ledger = play(tmp_path, {0: [done], 1: [done], 2: [done, solved]}, prior=OFF)
    assert (summary.exit_code, summary.counts) == (0, {"done": 2, "done-with-caveats": 1})
    assert [job.key for job in script.rounds[1]] == ["visit=1 ccd=2"]
    assert ends(heard) == [(0, "done"), (1, "done"), (2, "done")]
    judged = [event for event in heard if isinstance(event, events.CcdJudged)]
    assert [(event.status, event.caveats[0]["code"]) for event in judged] == [("done-with-caveats", "WCS_FROM_VISIT")]
    assert ledger[2].status == "done-with-caveats"


@pytest.mark.parametrize("code", ["VISIT_NO_BETTER", "NO_MEMORY"])
def test_a_ccd_off_its_place_keeps_its_result_where_none_is_better(tmp_path: Path, code: str) -> None:
    second: list[Ending] = [done, lambda job: failed(job, code, "Nothing was better.")]
    summary, _, heard, ledger = play(tmp_path, {0: [done], 1: [done], 2: second}, prior=OFF)
    assert (summary.exit_code, summary.counts) == (0, {"done": 3})
    assert (ledger[2].status, ledger[2].failure) == ("done", None)
    assert isinstance([e for e in heard if getattr(e, "ccd", "") == "visit=1 ccd=2"][-1], events.CcdJudged)
    said = [event.message for event in heard if isinstance(event, events.LogRecorded)]
    assert "Its first result stays. Nothing was better." in said


def test_a_ccd_whose_second_look_is_cut_short_is_shown_with_its_first_result(tmp_path: Path) -> None:
    def interrupted(job: Job) -> CcdOutcome:
        raise KeyboardInterrupt

    summary, _, heard, ledger = play(tmp_path, {0: [done], 1: [done], 2: [done, interrupted]}, prior=OFF)
    assert (summary.exit_code, summary.counts) == (130, {"done": 3})
    last = [event for event in heard if getattr(event, "ccd", "") == "visit=1 ccd=2"][-1]
    assert isinstance(last, events.CcdJudged)
    assert (last.status, ledger[2].status) == ("done", "done")
