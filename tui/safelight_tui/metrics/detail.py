"""A row of triage in full: marks with comments, caveats or failure, and every metric with its unit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from safelight.processccd.report import COLUMNS
from safelight_tui.terminal.text import number
from safelight_tui.widgets.text_pane import TextLine

__all__ = ["detail_lines"]

_UNITS = ("_arcsec", "_mag", "_mas", "_e")  # at the end of a name; the unit stands after the value


def _label(name: str) -> str:
    return next((name.removesuffix(unit) for unit in _UNITS if name.endswith(unit)), name)


_LABEL = max(len(_label(column.name)) for column in COLUMNS)


def detail_lines(row: Mapping[str, Any]) -> list[TextLine]:
    """Lines for a `TextPane`."""
    name = " ".join(str(row[key]) for key in ("visit", "ccd", "filter") if row.get(key) is not None)
    lines = [TextLine(name, "title")]
    if row.get("code"):
        lines += [TextLine(str(row["code"]), "bad"), TextLine(str(row.get("message") or ""))]
    if row.get("caveats"):
        lines.append(TextLine(str(row["caveats"]), "caveat"))
    lines += [TextLine(f"alarm {text}", "bad") for text in row.get("alarms", ())]
    if row.get("verdict"):
        who = f" by {row['observers']}" if row.get("observers") else ""
        lines.append(TextLine(f"{row['verdict']}{who}", "new"))
    if row.get("comment"):
        lines.append(TextLine(str(row["comment"]), "new"))
    outliers = row.get("outliers", ())
    for column in COLUMNS:
        value = row.get(column.name)
        if value is None:
            continue
        unit = f" {column.unit}" if column.unit else ""
        text = f"{number(value, column.decimals)}{unit}"
        outlier = column.name in outliers
        lines.append(
            TextLine(f"{text} !" if outlier else text, "bad" if outlier else "", f"{_label(column.name):<{_LABEL}} ")
        )
    return lines
