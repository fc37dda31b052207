"""The night in one page of Markdown: how much, how good, time lost, what failed, what rang, what observers said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from statistics import median
from typing import Any

from safelight.processccd.markdown import cell, some, table
from safelight.processccd.nighthours import clock, hours_lines, visit_seconds
from safelight.processccd.outliers import COMPARED_WITH

__all__ = ["night_summary"]

Row = Mapping[str, Any]

#: Heading, metric, decimals.
_SHOWN = (
    ("seeing ″", "fwhm_arcsec", 2),
    ("ellipticity", "ellipticity", 3),
    ("sky e⁻", "sky_level_e", 0),
    ("zeropoint", "zeropoint_mag", 3),
    ("depth 5σ", "depth_5sigma_mag", 2),
    ("WCS mas", "wcs_reserved_median_mas", 1),
)


def night_summary(
    rows: Sequence[Row],
    *,
    rerun: str,
    repository: str,
    written: datetime | None = None,
    times: Mapping[Any, float] | None = None,
) -> str:
    """The summary of judged rows (`judged.judged_rows`).

    Parameters
    ----------
    rerun, repository : str
        Named in the heading.
    written : datetime, optional
        The time told; now, if left out.
    times : mapping, optional
        Visit -> MJD (UTC) in the middle of its exposure (`visittimes.visit_times`); tells pauses and time lost.
    """
    time = (written or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M")
    parts = [f"# Rerun {cell(rerun)}\n\nRepository {cell(repository)}, summary written {time} UTC.\n"]
    if not rows:
        return parts[0] + "\nNothing has been processed yet.\n"
    parts.append(_counts(rows))
    hours = hours_lines(rows, times or {})
    parts.append("## Time\n\n" + "\n".join(hours) + "\n" if hours else "")
    parts.append(_by("filter", rows, "Filters: median (least to most)", spread=True))
    if any("visit" in row for row in rows):
        parts.append(_by("visit", rows, "Visits: medians", times=times or {}))
    parts += [_failures(rows), _alarms(rows), _caveats(rows), _outliers(rows), _marks(rows)]
    return "\n".join(part for part in parts if part)


def _counts(rows: Sequence[Row]) -> str:
    counter = Counter(str(row.get("status")) for row in rows)
    nights = sorted({str(row["dateObs"]) for row in rows if row.get("dateObs")})
    seconds = visit_seconds(rows)
    words = ", ".join(f"{count} {status}" for status, count in counter.most_common())
    lines = [f"**{len(rows)} CCDs**: {words}."]
    if nights:
        lines.append(f"Night{'s' if len(nights) > 1 else ''} of {', '.join(nights)}.")
    if seconds:
        lines.append(f"{len(seconds)} visit{'s' * (len(seconds) > 1)}, {sum(seconds.values()):.0f} s of exposure.")
    return " ".join(lines) + "\n"


def _by(
    key: str, rows: Sequence[Row], heading: str, *, spread: bool = False, times: Mapping[Any, float] | None = None
) -> str:
    """Medians of the metrics for each value of a key, with their range or the time of day."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get(key), []).append(row)
    extra = ["filter"] if key == "visit" else []
    hour = ["UTC"] if times else []
    heads = [key, *extra, *hour, "CCDs", "failed", *(head for head, _, _ in _SHOWN)]
    lines = []
    for value, members in groups.items():
        failed = sum(1 for row in members if row.get("status") == "failed")
        cells = [cell(value), *(cell(members[0].get(name)) for name in extra)]
        if times:
            when = times.get(value)
            cells.append(clock(when) if when is not None and isfinite(when) else "")
        cells += [str(len(members)), str(failed or "")]
        lines.append([*cells, *(_median(members, name, decimals, spread=spread) for _, name, decimals in _SHOWN)])
    return f"## {heading}\n\n" + table(heads, lines, left=1 + len(extra) + len(hour))


def _median(rows: Iterable[Row], name: str, decimals: int, *, spread: bool) -> str:
    values = [float(row[name]) for row in rows if row.get(name) is not None]
    if not values:
        return ""
    middle = f"{median(values):.{decimals}f}"
    least, most = f"{min(values):.{decimals}f}", f"{max(values):.{decimals}f}"
    return f"{middle} ({least} to {most})" if spread and least != most else middle


def _failures(rows: Iterable[Row]) -> str:
    lines = [
        [_name(row), cell(row.get("code")), cell(row.get("message"))] for row in rows if row.get("status") == "failed"
    ]
    return "## Failures\n\n" + table(["CCD", "code", "why"], lines, left=3) if lines else ""


def _alarms(rows: Iterable[Row]) -> str:
    where: dict[str, list[str]] = {}
    for row in rows:
        for text in row.get("alarms", ()):
            where.setdefault(text, []).append(_name(row))
    lines = [[cell(text), str(len(names)), some(names)] for text, names in where.items()]
    return "## Alarms\n\n" + table(["threshold", "CCDs", "which"], lines, left=1) if lines else ""


def _caveats(rows: Iterable[Row]) -> str:
    where: dict[str, list[str]] = {}
    for row in rows:
        for code in str(row.get("caveats") or "").split():
            where.setdefault(code, []).append(_name(row))
    lines = [[cell(code), str(len(names)), some(names)] for code, names in sorted(where.items())]
    return "## Caveats\n\n" + table(["caveat", "CCDs", "which"], lines, left=1) if lines else ""


def _outliers(rows: Iterable[Row]) -> str:
    lines = []
    for row in rows:
        named = [f"{name} {row[name]:.6g}" for name in row.get("outliers", ()) if row.get(name) is not None]
        if named:
            lines.append([_name(row), cell(row.get("filter")), ", ".join(named)])
    if not lines:
        return ""
    return f"## Outliers: far from {COMPARED_WITH}\n\n" + table(["CCD", "filter", "what"], lines, left=3)


def _marks(rows: Iterable[Row]) -> str:
    lines = [
        [_name(row), cell(row["verdict"]), cell(row.get("comment")), cell(row.get("observers")), row["marked"][:16]]
        for row in rows
        if row.get("verdict") or row.get("comment")
    ]
    return "## Marks\n\n" + table(["CCD", "verdict", "comment", "who", "UTC"], lines, left=5) if lines else ""


def _name(row: Row) -> str:
    return " ".join(cell(row[key]) for key in ("visit", "ccd") if key in row) or cell(dict(row).get("field", "?"))
