"""The hours of a night: from when to when, pauses, and what was lost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite
from statistics import median
from typing import Any

from safelight.processccd.markdown import cell, some

__all__ = ["clock", "hours_lines", "visit_seconds"]

Row = Mapping[str, Any]

NIGHT_GAP_H = 6.0
"""Hours without a visit that end a night."""
PAUSE_FACTOR, PAUSE_S = 3.0, 300.0
"""A pause is told where the shutter was shut this many times longer than usual, and at least so long."""
_DAY_S = 86400.0
_MJD_0 = datetime(1858, 11, 17, tzinfo=UTC)


def hours_lines(rows: Sequence[Row], times: Mapping[Any, float]) -> list[str]:
    """From when to when, the pauses, and how much of the time the shutter was shut or the frames are no good."""
    seconds = visit_seconds(rows)
    nights: list[list[Any]] = []
    for visit in sorted(
        (visit for visit in seconds if visit in times and isfinite(times[visit])), key=times.__getitem__
    ):
        if nights and (times[visit] - times[nights[-1][-1]]) * 24.0 < NIGHT_GAP_H:
            nights[-1].append(visit)
        else:
            nights.append([visit])
    parts = [_one_night(night, seconds, times) for night in nights if len(night) > 1]
    lost = _lost(rows, seconds)
    return [*parts, *([lost] if lost else [])]


def _one_night(visits: Sequence[Any], seconds: Mapping[Any, float], times: Mapping[Any, float]) -> str:
    begin = [times[visit] - 0.5 * seconds[visit] / _DAY_S for visit in visits]
    end = [times[visit] + 0.5 * seconds[visit] / _DAY_S for visit in visits]
    shut = [(begin[k + 1] - end[k]) * _DAY_S for k in range(len(visits) - 1)]
    usual = max(0.0, median(shut))
    span, opened = (end[-1] - begin[0]) * _DAY_S, sum(seconds[visit] for visit in visits)
    lines = [
        f"- {clock(begin[0], date=True)} to {clock(end[-1])} UTC: shutter open {_minutes(opened)} of "
        f"{_minutes(span)} "
        f"({100.0 * opened / span:.0f} %), usually {usual:.0f} s between exposures."
    ]
    for k, pause in enumerate(shut):
        if pause > max(PAUSE_FACTOR * usual, PAUSE_S):
            lines.append(
                f"- Pause {clock(end[k])} to {clock(begin[k + 1])} UTC, {_minutes(pause)}, before visit "
                f"{cell(visits[k + 1])}."
            )
    return "\n".join(lines)


def _lost(rows: Sequence[Row], seconds: Mapping[Any, float]) -> str:
    """Exposure of visits all of whose CCDs failed or were marked bad."""
    good = {row.get("visit") for row in rows if row.get("status") != "failed" and row.get("verdict") != "bad"}
    lost = [visit for visit in seconds if visit not in good]
    if not lost:
        return ""
    spent = sum(seconds[visit] for visit in lost)
    return f"- {len(lost)} visits ({spent:.0f} s) failed or were marked bad as a whole: {some(list(map(cell, lost)))}."


def clock(mjd: float, *, date: bool = False) -> str:
    """Time of day of an MJD (UTC), to the minute, with the date if wanted."""
    when = _MJD_0 + timedelta(days=mjd)
    return (when + timedelta(seconds=30)).strftime("%Y-%m-%d %H:%M" if date else "%H:%M")


def _minutes(seconds: float) -> str:
    if seconds < 600.0:
        return f"{seconds / 60.0:.1f}".removesuffix(".0") + " min"
    minutes = round(seconds / 60.0)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def visit_seconds(rows: Iterable[Row]) -> dict[Any, float]:
    """Exposure of each visit in seconds."""
    return {row["visit"]: float(row["expTime"]) for row in rows if row.get("visit") is not None and row.get("expTime")}
