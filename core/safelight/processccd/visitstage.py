"""The part of a run that follows the CCDs of a visit: its judgement, and a second attempt for those that lacked stars.

A visit is judged when the last of its CCDs in the run is over, with those that earlier runs of the rerun finished. What
was found is kept beside a fingerprint of the CCDs in ``.safelight/visits/VISIT.json``: a visit that has not changed is
not judged again, and one whose run was killed before its judgement is judged by the next.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.butler.atomic import make_directory, write_text
from safelight.processccd.journal import finite
from safelight.processccd.ledger import OutcomeLedger, RecordedCcd
from safelight.processccd.outcome import CcdOutcome, ccd_key
from safelight.processccd.outputs import amend_metadata
from safelight.processccd.plainvalues import plain
from safelight.processccd.visitjudge import JUDGE_CODES, VisitJudgement, is_solvable, judge_visit

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.caveats import Caveat
    from safelight.processccd.config import ProcessCcdConfig
    from safelight.processccd.plan import Plan, PlannedCcd

__all__ = ["JudgedVisit", "VisitStage", "visit_file"]


def visit_file(output: Path, visit: Any) -> Path:
    """Where the judgement of a visit lies in a rerun."""
    return output / ".safelight" / "visits" / f"{re.sub(r'[^A-Za-z0-9._-]+', '_', str(visit))}.json"


@dataclass(frozen=True, slots=True)
class JudgedVisit:
    """What a judgement changed and found."""

    visit: Any
    amended: tuple[RecordedCcd, ...]  # CCDs whose caveats are others now
    judgement: VisitJudgement


class VisitStage:
    """Knows which visits of a plan are complete, judges them, and keeps what was found."""

    def __init__(self, butler: Butler, config: ProcessCcdConfig, ledger: OutcomeLedger, plan: Plan) -> None:
        self._butler = butler
        self._config = config
        self._ledger = ledger
        self._output = plan.output
        self._hash = plan.config_hash
        self._on = config.visit.doJudge and config.doCalibrate
        self._planned: dict[Any, set[str]] = defaultdict(set)  # what is to run
        for ccd in plan.with_action("run"):
            if "visit" in ccd.data_id:
                self._planned[ccd.data_id["visit"]].add(ccd.key)
        self._explained: dict[str, str] = {}  # of CCDs off their place: what a second attempt in this run has shown
        self._open = {visit: set(keys) for visit, keys in self._planned.items()}
        self._recorded = self._by_visit(plan.ccds) if self._on else {}

    def _by_visit(self, ccds: Iterable[PlannedCcd]) -> dict[Any, list[RecordedCcd]]:
        """What the rerun has of the plan's visits, as the run begins."""
        found: dict[Any, list[RecordedCcd]] = {ccd.data_id["visit"]: [] for ccd in ccds if "visit" in ccd.data_id}
        for recorded in self._ledger.ccds():
            visit = recorded.data_id.get("visit")
            if visit in found:
                found[visit].append(recorded)
        return found

    def solvable(self, outcome: CcdOutcome) -> bool:
        """Whether a CCD that failed may be solved when the others of its visit are over: two are needed at least."""
        failure = outcome.failure
        if not (self._on and self._config.visit.doSolve and failure and is_solvable(failure.step, failure.code)):
            return False
        visit = outcome.data_id.get("visit")
        done = {ccd_key(ccd.data_id) for ccd in self._recorded.get(visit, ()) if ccd.status.startswith("done")}
        return len((done | self._planned.get(visit, set())) - {outcome.key}) >= 2

    def over(self, key: str, data_id: Mapping[str, Any]) -> bool:
        """Note the end of a CCD; whether it was the last of its visit to run."""
        waiting = self._open.get(data_id.get("visit"))
        if waiting is None or key not in waiting:
            return False
        waiting.discard(key)
        return not waiting

    def idle(self) -> list[Any]:
        """Visits of the plan that have not been judged as they are, although none of their CCDs is to run."""
        return [
            visit
            for visit, ccds in self._recorded.items()
            if visit not in self._planned and self._worth(ccds) and not self._known(visit, ccds)
        ]

    def judge(self, visit: Any) -> JudgedVisit | None:
        """Judge a visit and correct the caveats of its CCDs; None where it has a single one, or nothing has changed."""
        if not self._on:
            return None
        ccds = [ccd for ccd in self._ledger.visit(visit) if ccd.config_hash == self._hash]
        if not self._worth(ccds) or self._known(visit, ccds):
            return None
        judgement = judge_visit(ccds, self._butler, self._config)
        amended = tuple(self._amend(ccd, judgement) for ccd in ccds if self._differs(ccd, judgement))
        self._keep(visit, ccds, judgement)
        return JudgedVisit(visit, amended, judgement)

    @staticmethod
    def _worth(ccds: Iterable[RecordedCcd]) -> bool:
        done = [ccd for ccd in ccds if ccd.status.startswith("done")]
        return len(done) > 1 or any(caveat.code in JUDGE_CODES for ccd in done for caveat in ccd.caveats)

    def _known(self, visit: Any, ccds: Iterable[RecordedCcd]) -> bool:
        path = visit_file(self._output, visit)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return bool(kept["fingerprint"] == self._fingerprint(ccds))
        except FileNotFoundError:
            return False
        except (ValueError, KeyError, TypeError):
            return False  # not ours, or damaged: it is written anew

    def _fingerprint(self, ccds: Iterable[RecordedCcd]) -> str:
        facts = sorted(
            [ccd_key(ccd.data_id), ccd.run, ccd.finished, ccd.status == "failed"]
            for ccd in ccds
            if ccd.config_hash == self._hash
        )
        return hashlib.sha256(json.dumps([self._hash, facts]).encode()).hexdigest()

    def _caveats(self, ccd: RecordedCcd, judgement: VisitJudgement) -> list[Caveat]:
        own = [caveat for caveat in ccd.caveats if caveat.code not in JUDGE_CODES]
        return own + [self._told(ccd, caveat) for caveat in judgement.caveats[ccd_key(ccd.data_id)]]

    def _differs(self, ccd: RecordedCcd, judgement: VisitJudgement) -> bool:
        return ccd_key(ccd.data_id) in judgement.caveats and self._caveats(ccd, judgement) != ccd.caveats

    def _amend(self, ccd: RecordedCcd, judgement: VisitJudgement) -> RecordedCcd:
        return self._write(ccd, self._caveats(ccd, judgement), judgement.metrics.get(ccd_key(ccd.data_id), {}))

    def _write(self, ccd: RecordedCcd, caveats: list[Caveat], metrics: Mapping[str, float]) -> RecordedCcd:
        """Put caveats and metrics where the CCD's others stand."""
        path = self._butler.path_for("processCcd_metadata", ccd.data_id)
        files = [amend_metadata(path, caveats, metrics)] if path.is_file() else []
        return self._ledger.amend(ccd.data_id, caveats, metrics, files)

    def explain(self, data_id: Mapping[str, Any], sentence: str) -> None:
        """Add what a second attempt has shown to the caveat of a CCD that is off its place."""
        self._explained[ccd_key(dict(data_id))] = sentence
        ccd = self._ledger.ccd(data_id)
        if ccd is not None:
            self._write(ccd, [self._told(ccd, one) for one in ccd.caveats], {})

    def _told(self, ccd: RecordedCcd, caveat: Caveat) -> Caveat:
        said = self._explained.get(ccd_key(ccd.data_id), "") if caveat.code == "VISIT_WCS_OFF" else ""
        return replace(caveat, message=f"{caveat.message} {said}") if said else caveat

    def _keep(self, visit: Any, ccds: Iterable[RecordedCcd], judgement: VisitJudgement) -> None:
        content = {
            "visit": visit,
            "fingerprint": self._fingerprint(ccds),
            "summary": judgement.summary,
            **judgement.details,
            "ccds": {
                key: {**judgement.metrics.get(key, {}), "caveats": [asdict(caveat) for caveat in caveats]}
                for key, caveats in judgement.caveats.items()
            },
        }
        path = visit_file(self._output, visit)
        make_directory(path.parent)
        write_text(path, json.dumps(finite(plain(content)), indent=1, ensure_ascii=False) + "\n")
