"""The CCDs of a plan as a table. Cells are made for the rows in view only: a plan may have many thousands."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.processccd.plan import PlannedCcd
from safelight_tui.widgets.table_model import Cell, Column

__all__ = ["SORTS", "PlanModel"]

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
_VERDICTS = {"good": Cell("+", "good"), "bad": Cell("-", "bad"), "look": Cell("=", "caveat")}

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


class PlanModel:
    """A `TableModel` of a plan; ids are places in the plan, whatever is filtered away or sorted.

    Parameters
    ----------
    ccds : sequence of PlannedCcd
        The whole plan.
    rows : sequence of int, optional
        The places in the plan that are in view, in their order; default: all.
    width : int
        Characters that the table has: the reason takes what the other columns leave.
    wanted : mapping of str to bool
        Whether each kind of calibration is wanted at all (``bias``: isr.doBias ...).
    left_out : collection of str
        Keys of the CCDs that are not to be run.
    verdicts : mapping of str to str
        What observers think of the results, by key.
    """

    def __init__(
        self,
        ccds: Sequence[PlannedCcd],
        rows: Sequence[int] | None = None,
        *,
        width: int = 80,
        wanted: Mapping[str, bool] | None = None,
        left_out: Collection[str] = (),
        verdicts: Mapping[str, str] | None = None,
    ) -> None:
        self._ccds = ccds
        self._rows = np.arange(len(ccds)) if rows is None else np.asarray(rows, dtype=np.int64)
        self._places: dict[int, int] | None = None
        self._wanted = wanted or {}
        self._left_out = left_out
        self._verdicts = verdicts or {}
        visit = max(7, *(len(str(ccd.data_id.get("visit", ""))) for ccd in ccds[:500]), 0)
        self.columns: Sequence[Column] = (
            Column("visit", "visit", visit, right=True, frozen=True),
            Column("ccd", "ccd", 3, right=True, frozen=True),
            Column("action", "action", 7),
            Column("why", "why", max(17, width - 60 - visit)),
            *(Column(kind, kind, 4) for kind in _KINDS),
            Column("ref", "ref", 3, right=True),
            Column("est", "est", 5, right=True),
            Column("outputs", "outputs", 9),
            Column("filter", "filter", 8),
        )

    @property
    def id_count(self) -> int:
        """CCDs of the plan."""
        return len(self._ccds)

    def __len__(self) -> int:
        return len(self._rows)

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of some rows."""
        return [self._row(self._ccds[row]) for row in self._rows[start:stop]]

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Places in the plan."""
        return self._rows[start:stop]

    def place_of(self, row_id: int) -> int | None:
        """Where a CCD of the plan stands."""
        if self._places is None:
            self._places = {int(row): place for place, row in enumerate(self._rows)}
        return self._places.get(row_id)

    def _row(self, ccd: PlannedCcd) -> list[Cell]:
        action = {"run": Cell("run"), "skip": Cell("skip", "dim"), "blocked": Cell("BLOCKED", "bad")}[ccd.action]
        tone = "bad" if ccd.action == "blocked" or ccd.state == "failed" else action.tone
        if ccd.key in self._left_out:
            action, tone = Cell("out", "dim"), "dim"
        return [
            Cell(str(ccd.data_id.get("visit", ""))),
            Cell(str(ccd.data_id.get("ccd", ""))),
            action,
            Cell(_PLACE.sub("", ccd.reason), tone),
            *(_calibration(ccd, kind, wanted=self._wanted.get(kind, True)) for kind in _KINDS),
            _references(ccd),
            Cell(f"{ccd.estimated_seconds:.1f}s" if ccd.estimated_seconds is not None else "-", "dim"),
            self._outputs(ccd),
            Cell(str(ccd.data_id.get("filter", ""))),
        ]

    def _outputs(self, ccd: PlannedCcd) -> Cell:
        """The state of the outputs, and the observers' verdict as Triage writes it."""
        state, tone = _STATES[ccd.state]
        verdict = _VERDICTS.get(self._verdicts.get(ccd.key, ""))
        return Cell(f"{state} {verdict.text}", verdict.tone) if verdict is not None else Cell(state, tone)


def _lacks(ccd: PlannedCcd, kind: str) -> bool:
    return any(item.kind == kind for item in ccd.obstacles)


def _calibration(ccd: PlannedCcd, kind: str, *, wanted: bool) -> Cell:
    """``ok``, ``--`` for one that is missing, ``off`` for one that is not wanted, ``in`` for a bias in the dark."""
    if _lacks(ccd, kind):
        return Cell("--", "bad")
    if any(master.kind == kind for master in ccd.masters):
        return Cell("ok", "good")
    if not wanted:
        return Cell("off", "dim")
    return Cell("in" if kind == "bias" and ccd.masters else "", "dim")


def _references(ccd: PlannedCcd) -> Cell:
    if _lacks(ccd, "reference catalogue"):
        return Cell("--", "bad")
    shards = sum(len(catalog.shards) for catalog in ccd.catalogs)
    return Cell("ok", "good") if shards else Cell("", "dim")
