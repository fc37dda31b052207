"""What rows of triage are about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from safelight.processccd.report import COLUMNS

__all__ = ["METRICS", "data_id_of", "full_id", "is_problem"]

METRICS = tuple(column.name for column in COLUMNS)
"""Names of the metrics."""


def is_problem(row: Mapping[str, Any]) -> bool:
    """Whether someone should look: not plainly done, far from the others of its filter, or beyond an alarm."""
    return row.get("status") in ("failed", "done-with-caveats", "cancelled") or bool(
        row.get("outliers") or row.get("alarms")
    )


def full_id(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row's data ID without what was measured."""
    stop = {"status", "caveats", "code", "message", *METRICS, "verdict", "verdicts", "comment", "observers", "marked"}
    return {key: value for key, value in row.items() if key not in stop | {"outliers", "alarms"}}


def data_id_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """What identifies the row's CCD."""
    both = {key: row[key] for key in ("visit", "ccd") if key in row}
    return both if len(both) == 2 else full_id(row)
