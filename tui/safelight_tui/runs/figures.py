"""Figures of a run as the feed sees it: rate, time left, stages, words for its state."""

from __future__ import annotations

from statistics import median

from safelight_tui.session.reruns import CcdState, RunView, status_of
from safelight_tui.widgets.status import Status

__all__ = ["STAGES", "duration", "gigabytes", "per_hour", "seconds_left", "stage_line"]

STAGES: tuple[tuple[Status, str], ...] = (
    (Status.READ, "read"),
    (Status.ISR, "ISR"),
    (Status.CHARACTERIZE, "PSF"),
    (Status.WCS, "WCS"),
    (Status.ZEROPOINT, "ZP"),
    (Status.WRITE, "write"),
)
"""The stages of a CCD in their order."""

_DONE = (Status.DONE, Status.CAVEAT)


def duration(seconds: float | None) -> str:
    """A time span in at most six characters: ``50s``, ``4m10s``, ``2h05m``, ``3d04h``; ``--`` where unknown."""
    if seconds is None:
        return "--"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def gigabytes(size: int) -> str:
    """Bytes in GB: ``412``, ``41``, ``3.1``, ``0.04``, so that a nearly full disk is not taken for an empty one."""
    value = size / 1e9
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def _times(run: RunView) -> list[float]:
    return [ccd.seconds for ccd in run.ccds.values() if ccd.finished and ccd.seconds > 0]


def elapsed(run: RunView, now: float) -> float:
    """Seconds that a run has worked."""
    end = now if run.live else (run.finished or run.last_event)
    return max(0.0, end - run.started)


def per_hour(run: RunView, now: float) -> float | None:
    """CCDs an hour by what the run has done; None before the first."""
    count = len(_times(run))
    span = elapsed(run, now)
    return 3600 * count / span if count and span > 0 else None


def seconds_left(run: RunView, now: float) -> float | None:
    """Seconds until the run will be over; None where nothing is known, 0 when it is over."""
    if not run.live:
        return 0.0
    ahead = () if run.stopping else (Status.WAITING, Status.VISIT)  # a second attempt takes as long at the most
    waiting = sum(run.counts.get(status, 0) for status in ahead)
    working = [ccd for ccd in run.ccds.values() if ccd.status.at_work]
    times = _times(run)
    planned = sum(ccd.status not in (Status.SKIPPED, Status.BLOCKED) for ccd in run.ccds.values())
    if times:
        typical = median(times)
    elif run.estimated_seconds is not None and planned:
        typical = run.estimated_seconds / planned
    else:
        return None
    work = waiting * typical + sum(max(0.1 * typical, typical - (now - ccd.started)) for ccd in working)
    return work / max(1, min(run.processes or 1, waiting + len(working)))


def stage_line(ccd: CcdState, now: float, *, brief: bool = False) -> str:
    """The stages of one CCD: ``read ok > ISR ok > PSF 4s.. > WCS > ZP > write | 6.1s``.

    Parameters
    ----------
    brief : bool
        Only the stage that it is at, or came to: ``PSF 4s.. | 6.1s``.
    """
    at = next((rank for rank, (status, _) in enumerate(STAGES) if status is ccd.status), None)
    if ccd.status in _DONE:
        at = len(STAGES)
    failed = ccd.status is Status.FAILED
    if failed:
        step = status_of(ccd.step)
        at = next((rank for rank, (status, _) in enumerate(STAGES) if status is step), 0)
    if at is None:
        return ccd.status.word
    again = "second attempt | " if ccd.attempt > 1 else ""
    parts = []
    for rank, (_, name) in enumerate(STAGES):
        if rank < at:
            parts.append(f"{name} ok")
        elif rank == at:
            parts.append(f"{name} FAILED" if failed else f"{name} {duration(max(0.0, now - ccd.stage_since))}..")
        else:
            parts.append(name)
    if brief:
        parts = parts[at : at + 1] or [ccd.status.word]
    spent = ccd.seconds or (now - ccd.started if ccd.started else 0.0)
    return again + " > ".join(parts) + (f" | {spent:.1f}s" if spent else "")
