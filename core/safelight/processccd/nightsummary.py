"""The night in one page of Markdown: how much, how good, what failed, what stands apart, what the observers said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from statistics import median
from typing import Any

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


def night_summary(rows: Sequence[Row], *, rerun: str, repository: str, written: datetime | None = None) -> str:
    """The summary of judged rows (`judged.judged_rows`).

    Parameters
    ----------
    rerun, repository : str
        Named in the heading.
    written : datetime, optional
        The time told; now, if left out.
    """
    time = (written or datetime.now(UTC)).strftime("%Y-%m-%d %H:%M")
    parts = [f"# Rerun {_text(rerun)}\n\nRepository `{repository}`, summary written {time} UTC.\n"]
    if not rows:
        return parts[0] + "\nNothing has been processed yet.\n"
    parts.append(_counts(rows))
    parts.append(_by("filter", rows, "Filters"))
    if any("visit" in row for row in rows):
        parts.append(_by("visit", rows, "Visits"))
    parts += [_failures(rows), _caveats(rows), _outliers(rows), _marks(rows)]
    return "\n".join(part for part in parts if part)


def _counts(rows: Sequence[Row]) -> str:
    counter = Counter(str(row.get("status")) for row in rows)
    nights = sorted({str(row["dateObs"]) for row in rows if row.get("dateObs")})
    seconds = _visit_seconds(rows)
    words = ", ".join(f"{count} {status}" for status, count in counter.most_common())
    lines = [f"**{len(rows)} CCDs**: {words}."]
    if nights:
        lines.append(f"Night{'s' if len(nights) > 1 else ''} of {', '.join(nights)}.")
    if seconds:
        lines.append(f"{len(seconds)} visits, {sum(seconds.values()):.0f} s of exposure.")
    return " ".join(lines) + "\n"


def _visit_seconds(rows: Iterable[Row]) -> dict[Any, float]:
    return {row["visit"]: float(row["expTime"]) for row in rows if row.get("visit") is not None and row.get("expTime")}


def _by(key: str, rows: Sequence[Row], heading: str) -> str:
    """Medians of the metrics for each value of a key."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get(key), []).append(row)
    extra = ["filter"] if key == "visit" else []
    heads = [key, *extra, "CCDs", "failed", *(head for head, _, _ in _SHOWN)]
    lines = []
    for value, members in groups.items():
        failed = sum(1 for row in members if row.get("status") == "failed")
        cells = [_text(value), *(_text(members[0].get(name)) for name in extra), str(len(members)), str(failed or "")]
        lines.append([*cells, *(_median(members, name, decimals) for _, name, decimals in _SHOWN)])
    return f"## {heading}\n\n" + _table(heads, lines, left=1 + len(extra))


def _median(rows: Iterable[Row], name: str, decimals: int) -> str:
    values = [float(row[name]) for row in rows if row.get(name) is not None]
    return f"{median(values):.{decimals}f}" if values else ""


def _failures(rows: Iterable[Row]) -> str:
    lines = [
        [_name(row), _text(row.get("code")), _text(row.get("message"))] for row in rows if row.get("status") == "failed"
    ]
    return "## Failures\n\n" + _table(["CCD", "code", "why"], lines, left=3) if lines else ""


def _caveats(rows: Iterable[Row]) -> str:
    where: dict[str, list[str]] = {}
    for row in rows:
        for code in str(row.get("caveats") or "").split():
            where.setdefault(code, []).append(_name(row))
    lines = [[_text(code), str(len(names)), _some(names)] for code, names in sorted(where.items())]
    return "## Caveats\n\n" + _table(["caveat", "CCDs", "which"], lines, left=1) if lines else ""


def _outliers(rows: Iterable[Row]) -> str:
    lines = []
    for row in rows:
        named = [f"{name} {row[name]:.6g}" for name in row.get("outliers", ()) if row.get(name) is not None]
        if named:
            lines.append([_name(row), _text(row.get("filter")), ", ".join(named)])
    if not lines:
        return ""
    return "## Far from the others of their filter\n\n" + _table(["CCD", "filter", "what"], lines, left=3)


def _marks(rows: Iterable[Row]) -> str:
    lines = [
        [_name(row), _text(row["verdict"]), _text(row.get("comment")), _text(row.get("observers")), row["marked"][:16]]
        for row in rows
        if row.get("verdict") or row.get("comment")
    ]
    return "## Marks\n\n" + _table(["CCD", "verdict", "comment", "who", "UTC"], lines, left=5) if lines else ""


def _name(row: Row) -> str:
    return " ".join(_text(row[key]) for key in ("visit", "ccd") if key in row) or _text(dict(row).get("field", "?"))


def _some(names: Sequence[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _text(value: Any) -> str:
    """`value` as one cell: no line breaks, nothing that Markdown takes for its own."""
    text = " ".join(str("" if value is None else value).split())
    for character in "\\|*_<[`":
        text = text.replace(character, "\\" + character)
    return text


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Aligned, so that it reads well as plain text too; the first `left` columns are text."""
    widths = [max(3, *(len(row[k]) for row in [heads, *rows])) for k in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        aligned = (c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths)))
        return "| " + " | ".join(aligned) + " |"

    rule = "|" + "|".join("-" * (w + 2) if k < left else "-" * (w + 1) + ":" for k, w in enumerate(widths)) + "|"
    return "\n".join([line(heads), rule, *map(line, rows)]) + "\n"
