"""The CCDs of a visit beside each other: their WCSs and their zeropoints, and what is to be said where one is off."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from safelight.caveats import Caveat
from safelight.processccd.visitreading import VisitMember

if TYPE_CHECKING:
    from safelight.calibrate.visit_config import VisitConfig
    from safelight.calibrate.visit_prior import VisitPrior
    from safelight.calibrate.visit_wcs import VisitWcs
    from safelight.calibrate.visit_zeropoints import VisitZeropoints

__all__ = ["VisitJudgement", "ZeropointSets", "compare_wcs", "compare_zeropoints"]


@dataclass(slots=True)
class VisitJudgement:
    """What is to be said of a visit's CCDs, by their keys."""

    caveats: dict[str, list[Caveat]] = field(default_factory=dict)  # of every CCD that has a result
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    priors: dict[str, VisitPrior] = field(default_factory=dict)  # of CCDs that are worth a second attempt
    refusals: dict[str, str] = field(default_factory=dict)  # why one that failed gets none
    summary: list[str] = field(default_factory=list)  # sentences
    problems: list[str] = field(default_factory=list)  # sentences: what could not be compared, and why
    details: dict[str, Any] = field(default_factory=dict)

    def note(
        self,
        members: Sequence[VisitMember],
        metric: str,
        values: Iterable[float],
        sigmas: Iterable[float],
        off: Iterable[bool],
        caveat: Callable[[float, float], Caveat],
    ) -> None:
        """Note how far CCDs are from where the others put them, with a caveat on those that are off.

        Nothing is noted where the expected distance (`sigmas`) is infinite: the others say nothing then.
        """
        for member, value, sigma, is_off in zip(members, map(float, values), map(float, sigmas), off, strict=True):
            if math.isfinite(sigma):
                self.metrics.setdefault(member.key, {})[metric] = value
                if is_off:
                    self.caveats[member.key].append(caveat(value, sigma))


def compare_wcs(members: Sequence[VisitMember], config: VisitConfig, judgement: VisitJudgement) -> VisitWcs | None:
    """Fit one camera to the CCDs' WCSs; None where fewer than two have one."""
    from safelight.calibrate.visit_wcs import CcdWcs, judge_visit_wcs

    if len(members) < 2:
        return None
    ccds = []
    for member in members:
        assert member.fitted is not None
        error, scale = member.metric("wcs_error_mas"), member.first.pixel_scale
        ccds.append(CcdWcs(member.first.wcs, member.fitted, member.width, member.height, error, scale))
    found = judge_visit_wcs(ccds, config)

    def caveat(distance: float, sigma: float) -> Caveat:
        return _wcs_caveat(found, distance, sigma)

    judgement.note(members, "visit_wcs_distance_mas", found.distance_mas, found.sigma_mas, found.off, caveat)
    _tell_wcs(found, judgement)
    return found


def _wcs_caveat(found: VisitWcs, distance: float, sigma: float) -> Caveat:
    n = len(found.off)
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


def _tell_wcs(found: VisitWcs, judgement: VisitJudgement) -> None:
    n, model = len(found.off), found.model
    if model is None:
        judgement.summary.append(f"the WCSs of {n} CCDs contradict each other: none can be called right")
        return
    agreeing = [float(d) for d, off in zip(found.distance_mas, found.off, strict=True) if not off]
    text = f"{len(agreeing)} of {n} CCDs agree on one camera, to {np.median(agreeing):.1f} mas"
    if n == 2:
        text += " (of two, none could have been told wrong alone)"
    judgement.summary.append(text)
    judgement.details["wcs"] = {
        "degree": model.degree,
        "scatter_mas": round(1000.0 * model.scatter, 3),
        "agreeing": model.n_ccds,
        "boresight_shift_arcsec": round(model.shift_arcsec, 3),
        "rotation_deg": round(model.alignment.rotation_deg, 6),
        "scale": round(model.alignment.scale, 9),
    }


@dataclass(frozen=True, slots=True)
class ZeropointSets:
    """The zeropoints of a visit, compared among CCDs whose flats were built together."""

    _all_members: Sequence[VisitMember]
    _found: dict[str, VisitZeropoints]  # by the set of flats

    def expected(self, member: VisitMember) -> tuple[float, float, int]:
        """Zeropoint of a CCD, its standard deviation (mag) and the number of CCDs behind it; NaN, NaN, 0 if unknown."""
        found = self._found.get(member.flats) if member.flats is not None else None
        if found is None:
            return math.nan, math.nan, 0
        x, y = _places([member], self._all_members)[0]
        return *found.expected(x, y), int(found.fit.agree.sum())


def compare_zeropoints(
    all_members: Sequence[VisitMember], config: VisitConfig, judgement: VisitJudgement
) -> ZeropointSets:
    """Compare zeropoints of CCDs whose flats have one level; where they have not, that is said once."""
    from safelight.calibrate.visit_zeropoints import judge_visit_zeropoints

    members = [member for member in all_members if member.has_zeropoint]
    sets: dict[str, list[VisitMember]] = {}
    for member in members:
        if member.flats is not None:
            sets.setdefault(member.flats, []).append(member)
    sets = {name: ccds for name, ccds in sets.items() if len(ccds) > 1}
    _tell_apart(members, sets, judgement)
    result = ZeropointSets(all_members, {})
    for name, ccds in sets.items():
        x, y = _places(ccds, all_members).T
        zeropoint = np.array([member.metric("zeropoint_mag") for member in ccds])
        error = np.array([member.metric("zeropoint_error_mag") for member in ccds])
        found = result._found[name] = judge_visit_zeropoints(x, y, zeropoint, error, config)
        _note_zeropoints(ccds, found, judgement)
    return result


def _note_zeropoints(members: Sequence[VisitMember], found: VisitZeropoints, judgement: VisitJudgement) -> None:
    def caveat(difference: float, sigma: float) -> Caveat:
        return _zeropoint_caveat(found, difference, sigma)

    metric = "visit_zeropoint_difference_mag"
    judgement.note(members, metric, found.difference_mag, found.sigma_mag, found.off, caveat)
    if not found.majority:
        judgement.summary.append(f"the zeropoints of {len(members)} CCDs contradict each other")
        return
    scatter = np.median(np.abs(found.difference_mag[~np.array(found.off)]))
    judgement.summary.append(
        f"the zeropoints of {int(found.fit.agree.sum())} of {len(members)} to {1e3 * scatter:.1f} mmag"
    )
    judgement.details.setdefault("zeropoint", []).append(
        {
            "terms": found.terms,
            "scatter_mag": round(found.fit.scatter, 5),
            "agreeing": int(found.fit.agree.sum()),
        }
    )


def _tell_apart(members: Sequence[VisitMember], sets: dict[str, list[VisitMember]], judgement: VisitJudgement) -> None:
    """Say which zeropoints cannot be compared for want of flats with one level."""
    n, sizes = len(members), [len(ccds) for ccds in sets.values()]
    if n < 2 or sizes == [n]:
        return
    if all(member.flats is None for member in members):
        judgement.summary.append(
            f"the zeropoints of {n} CCDs were not compared, for without flats each CCD has a level of its own"
        )
        return
    compared = f"compared only in groups of {' and '.join(map(str, sizes))}" if sizes else "not compared"
    judgement.problems.append(
        f"The zeropoints of the {n} CCDs of a visit were {compared}, for flats that are built apart have no common "
        "level. To compare all, build the flats of all CCDs in one command (safelight calibs build flat)."
    )


def _zeropoint_caveat(found: VisitZeropoints, difference: float, sigma: float) -> Caveat:
    n = len(found.off)
    jump = f"{1000.0 * difference:+.0f} mmag ({abs(difference) / sigma:.1f} sigma)"
    if not found.majority:
        return Caveat(
            "VISIT_ZEROPOINT_CONTRADICTED",
            f"The zeropoints of {n} CCDs of this visit contradict each other; this one is {jump} from the others. "
            "Which is wrong cannot be said: flats without a common level, or clouds?",
        )
    return Caveat(
        "VISIT_ZEROPOINT_JUMP",
        f"The zeropoint is {jump} from what {n - sum(found.off)} other CCDs of the visit lead to expect: "
        "a wrong flat or gain, cloud, or too few stars?",
    )


def _places(members: Iterable[VisitMember], all_members: Sequence[VisitMember]) -> np.ndarray:
    """(n, 2): centres of the CCDs in the plane about the first of the visit's CCDs, arcsec."""
    plane = all_members[0].first.plane
    return np.array([np.ravel(plane.project(m.first.plane.ra_deg, m.first.plane.dec_deg)) for m in members])
