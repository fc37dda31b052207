"""When all CCDs of a visit are over: do they agree, and what do they tell those that failed for lack of stars?

This reads and computes; what follows (caveats, second attempts) is done by the run (`visitstage`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from safelight.caveats import Caveat
from safelight.processccd.ledger import RecordedCcd
from safelight.processccd.visitreading import VisitMember, VisitReader

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.calibrate.visit_prior import VisitPrior
    from safelight.calibrate.visit_wcs import VisitWcs
    from safelight.calibrate.visit_zeropoints import VisitZeropoints
    from safelight.processccd.config import ProcessCcdConfig

__all__ = ["JUDGE_CODES", "VisitJudgement", "is_solvable", "judge_visit"]

#: Caveats that only the judgement of a visit gives, and takes back.
JUDGE_CODES = frozenset(
    {"VISIT_WCS_OFF", "VISIT_WCS_CONTRADICTED", "VISIT_ZEROPOINT_JUMP", "VISIT_ZEROPOINT_CONTRADICTED"}
)
#: Failures, by stage, for want of stars: what neighbours know may help.
SOLVABLE = {
    "wcs": frozenset({"TOO_FEW_STARS", "WCS_NO_MATCH", "WCS_UNSUPPORTED"}),
    "zeropoint": frozenset({"TOO_FEW_PHOTOMETRIC_STARS"}),
}


def is_solvable(step: str, code: str) -> bool:
    """Whether a failure may be made good by the visit's other CCDs."""
    return code in SOLVABLE.get(step, ())


@dataclass(slots=True)
class VisitJudgement:
    """What is to be said of a visit's CCDs, by their keys."""

    caveats: dict[str, list[Caveat]] = field(default_factory=dict)  # of every CCD that has a result
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    priors: dict[str, VisitPrior] = field(default_factory=dict)  # of CCDs that failed
    refusals: dict[str, str] = field(default_factory=dict)  # why one that failed gets none
    summary: list[str] = field(default_factory=list)  # sentences
    problems: list[str] = field(default_factory=list)  # sentences: CCDs that were left out
    details: dict[str, Any] = field(default_factory=dict)


def judge_visit(ccds: Sequence[RecordedCcd], butler: Butler, config: ProcessCcdConfig) -> VisitJudgement:
    """Compare the CCDs of one visit, and predict those that failed for want of stars.

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
    wcs = _judge_wcs([member for member in members if member.has_wcs], config, judgement)
    zeropoints = _judge_zeropoints([member for member in members if member.has_zeropoint], members, config, judgement)
    for member in members:
        if member.ccd.failure is not None:
            _predict(member, wcs, zeropoints, members, judgement)
    return judgement


def _judge_wcs(members: Sequence[VisitMember], config: ProcessCcdConfig, judgement: VisitJudgement) -> VisitWcs | None:
    from safelight.calibrate.visit_wcs import CcdWcs, judge_visit_wcs

    if len(members) < 2:
        return None
    ccds = []
    for member in members:
        assert member.fitted is not None
        error, scale = member.metric("wcs_error_mas"), member.first.pixel_scale
        ccds.append(CcdWcs(member.first.wcs, member.fitted, member.width, member.height, error, scale))
    found = judge_visit_wcs(ccds, config.visit)
    for k, member in enumerate(members):
        distance, sigma = float(found.distance_mas[k]), float(found.sigma_mas[k])
        if not math.isfinite(sigma):
            continue
        judgement.metrics.setdefault(member.key, {})["visit_wcs_distance_mas"] = distance
        if found.off[k]:
            judgement.caveats[member.key].append(_wcs_caveat(found, len(members), distance, sigma))
    _tell_wcs(found, len(members), judgement)
    return found


def _wcs_caveat(found: VisitWcs, n: int, distance: float, sigma: float) -> Caveat:
    if not found.majority:
        return Caveat(
            "VISIT_WCS_CONTRADICTED",
            f"The WCSs of the {n} CCDs of this visit contradict each other; this one is {distance / 1000.0:.2f} arcsec "
            f"from where the others put it ({sigma:.0f} mas expected). Which is wrong cannot be said.",
        )
    return Caveat(
        "VISIT_WCS_OFF",
        f"The WCS is {distance:.0f} mas from where {n - sum(found.off)} other CCDs of the visit put this CCD "
        f"({sigma:.0f} mas expected): a wrong match, or has the CCD moved in the camera?",
    )


def _tell_wcs(found: VisitWcs, n: int, judgement: VisitJudgement) -> None:
    if found.model is None:
        judgement.summary.append(f"the WCSs of {n} CCDs contradict each other: none can be called right")
        return
    agreeing = [float(d) for d, off in zip(found.distance_mas, found.off, strict=True) if not off]
    text = f"{len(agreeing)} of {n} CCDs agree on one camera, to {np.median(agreeing):.1f} mas"
    if n == 2:
        text += " (of two, none could have been told wrong alone)"
    judgement.summary.append(text)
    model = found.model
    judgement.details["wcs"] = {
        "degree": model.degree,
        "scatter_mas": round(1000.0 * model.scatter, 3),
        "agreeing": model.n_ccds,
        "boresight_shift_arcsec": round(_shift(found), 3),
        "rotation_deg": round(model.alignment.rotation_deg, 6),
        "scale": round(model.alignment.scale, 9),
    }


def _shift(found: VisitWcs) -> float:
    from safelight.exposure.wcs import angular_separation

    model = found.model
    assert model is not None
    before, after = model.first_plane, model.plane
    return 3600.0 * float(angular_separation(before.ra_deg, before.dec_deg, after.ra_deg, after.dec_deg))


def _places(members: Iterable[VisitMember], all_members: Sequence[VisitMember]) -> np.ndarray:
    """(n, 2): centres of the CCDs in the plane about the first of the visit's CCDs, arcsec."""
    plane = all_members[0].first.plane
    return np.array([np.ravel(plane.project(m.first.plane.ra_deg, m.first.plane.dec_deg)) for m in members])


def _judge_zeropoints(
    members: Sequence[VisitMember],
    all_members: Sequence[VisitMember],
    config: ProcessCcdConfig,
    judgement: VisitJudgement,
) -> VisitZeropoints | None:
    from safelight.calibrate.visit_zeropoints import judge_visit_zeropoints

    if len(members) < 2:
        return None
    x, y = _places(members, all_members).T
    zeropoint = np.array([member.metric("zeropoint_mag") for member in members])
    error = np.array([member.metric("zeropoint_error_mag") for member in members])
    found = judge_visit_zeropoints(x, y, zeropoint, error, config.visit)
    for k, member in enumerate(members):
        difference, sigma = float(found.difference_mag[k]), float(found.sigma_mag[k])
        if not math.isfinite(sigma):
            continue
        judgement.metrics.setdefault(member.key, {})["visit_zeropoint_difference_mag"] = difference
        if found.off[k]:
            judgement.caveats[member.key].append(_zeropoint_caveat(found, len(members), difference, sigma))
    if found.majority:
        scatter = np.median(np.abs(found.difference_mag[~np.array(found.off)]))
        judgement.summary.append(f"their zeropoints to {1000.0 * scatter:.1f} mmag")
        judgement.details["zeropoint"] = {
            "terms": found.terms,
            "scatter_mag": round(found.fit.scatter, 5),
            "agreeing": int(found.fit.agree.sum()),
        }
    else:
        judgement.summary.append(f"the zeropoints of {len(members)} CCDs contradict each other")
    return found


def _zeropoint_caveat(found: VisitZeropoints, n: int, difference: float, sigma: float) -> Caveat:
    jump = f"{1000.0 * difference:+.0f} mmag ({abs(difference) / sigma:.1f} sigma)"
    if not found.majority:
        return Caveat(
            "VISIT_ZEROPOINT_CONTRADICTED",
            f"The zeropoints of the {n} CCDs of this visit contradict each other; this one is {jump} from the others. "
            "Which is wrong cannot be said.",
        )
    return Caveat(
        "VISIT_ZEROPOINT_JUMP",
        f"The zeropoint is {jump} from what {n - sum(found.off)} other CCDs of the visit lead to expect: "
        "a wrong flat or gain, cloud, or too few stars?",
    )


def _predict(
    member: VisitMember,
    wcs: VisitWcs | None,
    zeropoints: VisitZeropoints | None,
    members: Sequence[VisitMember],
    judgement: VisitJudgement,
) -> None:
    """What the others tell a CCD that failed, or why they tell nothing."""
    from safelight.calibrate.visit_prior import VisitPrior

    failure = member.ccd.failure
    assert failure is not None
    expected, error = float("nan"), float("nan")
    if zeropoints is not None:
        x, y = _places([member], members)[0]
        expected, error = zeropoints.expected(x, y)
    n = int(zeropoints.fit.agree.sum()) if zeropoints is not None else 0
    if failure.step == "zeropoint":
        if math.isfinite(expected):
            judgement.priors[member.key] = VisitPrior(None, expected, error, n)
        else:
            judgement.refusals[member.key] = "no two other CCDs of the visit agree on a zeropoint"
        return
    if wcs is None or wcs.model is None:
        judgement.refusals[member.key] = "no two other CCDs of the visit agree on where the camera looked"
        return
    judgement.priors[member.key] = VisitPrior(wcs.model, expected, error, n)
