"""The rows of a plan as a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from safelight.processccd.plan import PlannedCcd
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["SORTS", "plan_model"]

_PLACE = re.compile(r"( in)? /\S+")
"""Paths in a reason: the detail below the table has them."""

_KINDS = ("bias", "dark", "flat")
_STATES = {
    "absent": ("none", "dim"),
    "done": ("done", "good"),
    "done-with-caveats": ("caveats", "caveat"),
    "failed": ("FAILED", "bad"),
    "stale": ("stale", "caveat"),
}
_ORDER = {"blocked": 0, "run": 1, "skip": 2}

SORTS: dict[str, Callable[[PlannedCcd], Any]] = {
    "visit": lambda ccd: (ccd.data_id.get("visit", 0), ccd.data_id.get("ccd", 0)),
    "ccd": lambda ccd: (ccd.data_id.get("ccd", 0), ccd.data_id.get("visit", 0)),
    "filter": lambda ccd: str(ccd.data_id.get("filter", "")),
    "action": lambda ccd: _ORDER[ccd.action],
    "why": lambda ccd: ccd.reason,
    "est": lambda ccd: ccd.estimated_seconds or 0.0,
    "outputs": lambda ccd: ccd.state,
}
"""What rows are sorted by, by column."""


def plan_model(ccds: Sequence[PlannedCcd], width: int, config: dict[str, bool]) -> RowsModel:
    """The table of a plan.

    Parameters
    ----------
    width : int
        Characters that the table has: the reason takes what the other columns leave.
    config : dict
        Whether each kind of calibration is wanted at all (``bias``: isr.doBias ...).
    """
    columns = [
        Column("visit", "visit", 7, right=True, frozen=True),
        Column("ccd", "ccd", 3, right=True, frozen=True),
        Column("action", "action", 7),
        Column("why", "why", max(17, width - 65)),
        *(Column(kind, kind, 4) for kind in _KINDS),
        Column("ref", "ref", 3, right=True),
        Column("est", "est", 5, right=True),
        Column("outputs", "outputs", 7),
        Column("filter", "filter", 8),
    ]
    return RowsModel(columns, [_row(ccd, config) for ccd in ccds])


def _row(ccd: PlannedCcd, config: dict[str, bool]) -> list[Cell]:
    action = {"run": Cell("run"), "skip": Cell("skip", "dim"), "blocked": Cell("BLOCKED", "bad")}[ccd.action]
    shards = sum(len(catalog.shards) for catalog in ccd.catalogs)
    state, tone = _STATES[ccd.state]
    return [
        Cell(str(ccd.data_id.get("visit", ""))),
        Cell(str(ccd.data_id.get("ccd", ""))),
        action,
        Cell(_PLACE.sub("", ccd.reason), action.tone),
        *(_calibration(ccd, kind, wanted=config.get(kind, True)) for kind in _KINDS),
        Cell("ok", "good") if shards else Cell("" if ccd.action == "blocked" else "--", "dim"),
        Cell(f"{ccd.estimated_seconds:.1f}s" if ccd.estimated_seconds is not None else "-", "dim"),
        Cell(state, tone),
        Cell(str(ccd.data_id.get("filter", ""))),
    ]


def _calibration(ccd: PlannedCcd, kind: str, *, wanted: bool) -> Cell:
    """``ok``, ``--`` for one that is missing, ``off``; blank where a blocked CCD was not asked further."""
    if any(master.kind == kind for master in ccd.masters):
        return Cell("ok", "good")
    if not wanted:
        return Cell("off", "dim")
    if ccd.action == "blocked":
        missing = kind in ccd.reason.casefold() or kind.upper() in ccd.code
        return Cell("--", "bad") if missing else Cell("")
    return Cell("in" if kind == "bias" and ccd.masters else "", "dim")  # the dark contains it
