"""When all CCDs of a visit are over: do they agree, and what do they tell those that failed, or that are off?

This reads and computes; what follows (caveats, second attempts) is done by the run (`visitstage`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from safelight.processccd.ledger import RecordedCcd
from safelight.processccd.visitcompare import VisitJudgement, ZeropointSets, compare_wcs, compare_zeropoints
from safelight.processccd.visitreading import VisitMember, VisitReader

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.calibrate.visit_prior import VisitPrior
    from safelight.calibrate.visit_wcs import VisitWcs
    from safelight.processccd.config import ProcessCcdConfig

__all__ = ["JUDGE_CODES", "VisitJudgement", "is_solvable", "judge_visit"]

#: Caveats that only the judgement of a visit gives, and takes back.
JUDGE_CODES = frozenset(
    {"VISIT_WCS_OFF", "VISIT_WCS_CONTRADICTED", "VISIT_ZEROPOINT_JUMP", "VISIT_ZEROPOINT_CONTRADICTED"}
)
#: Failures, by stage, for want of stars or for a place that may be wrong: what neighbours know may help.
SOLVABLE = {
    "wcs": frozenset({"TOO_FEW_STARS", "WCS_NO_MATCH", "WCS_UNSUPPORTED", "WCS_AMBIGUOUS", "WCS_CONTRADICTED"}),
    "zeropoint": frozenset({"TOO_FEW_PHOTOMETRIC_STARS"}),
}


def is_solvable(step: str, code: str) -> bool:
    """Whether a failure may be made good by the visit's other CCDs."""
    return code in SOLVABLE.get(step, ())


def judge_visit(ccds: Sequence[RecordedCcd], butler: Butler, config: ProcessCcdConfig) -> VisitJudgement:
    """Compare the CCDs of one visit, and predict those that failed for want of stars or that are off their place.

    Parameters
    ----------
    ccds
        All that the rerun has of the visit.
    butler, config
        Repository and configuration of the run.
    """
    done = [ccd for ccd in ccds if ccd.status.startswith("done")]
    failed = [ccd for ccd in ccds if ccd.failure is not None and is_solvable(ccd.failure.step, ccd.failure.code)]
    reader = VisitReader(butler, config)
    members = reader.members([*done, *failed])
    judgement = VisitJudgement(
        problems=reader.problems, caveats={member.key: [] for member in members if member.ccd.status.startswith("done")}
    )
    with_wcs = [member for member in members if member.has_wcs]
    wcs = compare_wcs(with_wcs, config.visit, judgement)
    zeropoints = compare_zeropoints(members, config.visit, judgement)
    if config.visit.doSolve:
        predictor = _Predictor(wcs, zeropoints, config)
        for member in members:
            if member.ccd.failure is not None:
                predictor.predict_failed(member, judgement)
        if wcs is not None and wcs.model is not None:
            for k, member in enumerate(with_wcs):
                if wcs.off[k]:
                    judgement.priors[member.key] = predictor.prior_of_displaced(member, float(wcs.distance_mas[k]))
    return judgement


class _Predictor:
    """What the others tell a CCD."""

    def __init__(self, wcs: VisitWcs | None, zeropoints: ZeropointSets, config: ProcessCcdConfig) -> None:
        self._model = wcs.model if wcs is not None else None
        self._zeropoints = zeropoints
        self._limits = config.visit

    def predict_failed(self, member: VisitMember, judgement: VisitJudgement) -> None:
        """A prior for a CCD that failed, or why the others tell nothing."""
        failure = member.ccd.failure
        assert failure is not None
        of_zeropoint = failure.step == "zeropoint"
        prior = self._prior(member, with_wcs=not of_zeropoint)
        if of_zeropoint and not math.isfinite(prior.zeropoint_mag):
            judgement.refusals[member.key] = (
                "no two other CCDs of the visit, with flats that were built with its own, agree on a zeropoint"
            )
        elif not of_zeropoint and prior.model is None:
            judgement.refusals[member.key] = "no two other CCDs of the visit agree on where the camera looked"
        else:
            judgement.priors[member.key] = prior

    def prior_of_displaced(self, member: VisitMember, distance_mas: float) -> VisitPrior:
        """A prior for a CCD whose WCS is `distance_mas` from where the others put it."""
        from dataclasses import replace

        from safelight.calibrate.visit_prior import FirstResult

        first = FirstResult(int(member.metric("wcs_matches")), distance_mas)
        return replace(self._prior(member, with_wcs=True), first=first)

    def _prior(self, member: VisitMember, *, with_wcs: bool) -> VisitPrior:
        from safelight.calibrate.visit_prior import VisitPrior

        return VisitPrior(
            self._model if with_wcs else None,
            *self._zeropoints.expected(member),
            tolerance_arcsec=self._limits.wcsTolerance * member.first.pixel_scale,
            n_sigma=self._limits.wcsSigma,
        )
