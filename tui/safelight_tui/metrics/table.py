"""The table of triage: one row a CCD or a visit, sorted by any column, outliers and verdicts told by a sign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.processccd.narrowing import Narrowing
from safelight.processccd.report import COLUMNS
from safelight_tui.terminal.text import number
from safelight_tui.widgets.status import ALARM_SIGN, Status
from safelight_tui.widgets.table_model import Cell, Column

__all__ = ["MetricsTable", "by_visit"]

Row = Mapping[str, Any]

#: Metric and heading, in the order of the table; the rest of the report's columns follow.
_SHORT = {
    "fwhm_arcsec": "seeing",
    "ellipticity": "ellip",
    "sky_level_e": "sky e-",
    "depth_5sigma_mag": "depth",
    "zeropoint_mag": "zp",
    "zeropoint_rms_mag": "zp rms",
    "wcs_reserved_median_mas": "wcs mas",
    "sky_rms_e": "noise",
    "wcs_rms_mas": "fit mas",
    "wcs_matches": "matches",
    "zeropoint_stars": "zp stars",
    "n_psf_stars": "psf st",
    "n_sources": "sources",
    "n_cosmic_rays": "cosmics",
    "saturated_fraction": "satur %",
    "wcs_error_mas": "err mas",
    "wcs_offset_arcsec": "offset",
    "wcs_rotation_deg": "rot",
    "zeropoint_error_mag": "zp err",
    "seconds_isr": "s isr",
    "seconds_characterize": "s char",
    "seconds_calibrate": "s cal",
    "seconds_io": "s io",
    "peak_rss_mb": "MB",
}
_FIRST = 7
"""Metrics that stand before the caveats."""
_DECIMALS = {column.name: column.decimals for column in COLUMNS} | {"saturated_fraction": 2}
_SCALE = {"saturated_fraction": 100.0}
_VERDICT_SIGNS = {"good": ("+", "good"), "bad": ("-", "bad"), "look": ("=", "caveat"), "disputed": ("?", "caveat")}
_STATUS_SIGNS = {
    "done": (Status.DONE.letter, "good"),
    "done-with-caveats": (Status.CAVEAT.letter, "caveat"),
    "failed": (Status.FAILED.letter, "bad"),
    "cancelled": (Status.CANCELLED.letter, "caveat"),
    "absent": (Status.ABSENT.letter, "dim"),
}
OUTLIER_SIGN = "!"


@dataclass(frozen=True)
class MetricsTable:
    """A `TableModel` over judged rows.

    Parameters
    ----------
    rows : sequence of mappings
        `safelight.processccd.judged.judged_rows`, or those of `by_visit`.
    order : (N,) int
        Rows in view, in order.
    """

    rows: Sequence[Row]
    order: NDArray[np.integer]
    per_visit: bool = False

    @classmethod
    def of(cls, rows: Sequence[Row], *, per_visit: bool = False) -> MetricsTable:
        """All rows in their own order."""
        return cls(rows, np.arange(len(rows)), per_visit)

    def narrowed(self, narrowing: Narrowing) -> MetricsTable:
        """Only the rows that match."""
        kept = [row for row in self.order.tolist() if narrowing.matches(self.rows[row])]
        return replace(self, order=np.array(kept, np.int64))

    def sorted_by(self, key: str, *, reverse: bool = False) -> MetricsTable:
        """In the order of a column; rows without a value last, ties as they were."""
        present = [row for row in self.order.tolist() if _sort_value(self.rows[row], key) is not None]
        absent = [row for row in self.order.tolist() if _sort_value(self.rows[row], key) is None]
        present.sort(key=lambda row: _comparable(_sort_value(self.rows[row], key)), reverse=reverse)
        return replace(self, order=np.array([*present, *absent], np.int64))

    # --- what a table asks ------------------------------------------------------------------------------------------

    @property
    def columns(self) -> Sequence[Column]:
        """Data ID, status and verdict stay in view; then metrics, caveats, comment."""
        keys = [key for key in ("visit", "ccd") if any(key in row for row in self.rows)]
        if not keys and self.rows:
            keys = [next(iter(self.rows[0]))]
        if self.per_visit:
            keys = [key for key in keys if key != "ccd"]
        frozen = [Column(key, key, self._width(key), right=self._is_number(key), frozen=True) for key in keys]
        frozen.append(Column("filter", "filter", max(6, self._width("filter")), frozen=True))
        frozen.append(Column("status", "CCDs" if self.per_visit else "S", 6 if self.per_visit else 1, frozen=True))
        frozen.append(Column("verdict", "marks" if self.per_visit else "M", 5 if self.per_visit else 1, frozen=True))
        metrics = [Column(name, head, max(7, len(head) + 1), right=True) for name, head in _SHORT.items()]
        caveats = Column("caveats", "caveats, failure", 24)
        return [*frozen, *metrics[:_FIRST], caveats, *metrics[_FIRST:], Column("comment", "comment", 40)]

    def _width(self, key: str) -> int:
        return max([len(key) + 1, *(len(str(row.get(key, ""))) for row in self.rows[:500])])

    def _is_number(self, key: str) -> bool:
        return all(isinstance(row.get(key), int | float) for row in self.rows[:100])

    @property
    def id_count(self) -> int:
        """Places in `rows` are ids."""
        return len(self.rows)

    def __len__(self) -> int:
        return len(self.order)

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of some rows."""
        return [self._cells(self.rows[row]) for row in self.order[start:stop].tolist()]

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Ids of those rows."""
        return self.order[start:stop]

    def place_of(self, row_id: int) -> int | None:
        """Where a row stands in this view."""
        found = np.flatnonzero(self.order == row_id)
        return int(found[0]) if len(found) else None

    def _cells(self, row: Row) -> list[Cell]:
        outliers, alarms = row.get("outliers", ()), " ".join(row.get("alarms", ()))
        rung = metrics_of(row)
        cells = []
        for column in self.columns:
            if column.key in _SHORT:
                cells.append(_metric_cell(row, column.key, column.key in outliers, column.key in rung))
            elif column.key == "status" and not self.per_visit:
                cells.append(Cell(*_STATUS_SIGNS.get(str(row.get("status")), ("?", ""))))
            elif column.key == "verdict" and not self.per_visit:
                cells.append(Cell(*_VERDICT_SIGNS.get(str(row.get("verdict")), ("", ""))))
            elif column.key == "caveats":
                failed = row.get("status") == "failed"
                text = str(row.get("code") if failed else row.get("caveats") or "")
                told = f"{ALARM_SIGN} {alarms} {text}".strip() if alarms else text
                cells.append(Cell(told, "bad" if failed or alarms else "caveat"))
            else:
                value = row.get(column.key)
                cells.append(Cell("" if value is None else str(value)))
        return cells


def metrics_of(row: Row) -> frozenset[str]:
    """Metrics in which a row is beyond an alarm."""
    from safelight.processccd.alarms import parse_alarms

    return frozenset(alarm.metric for alarm in parse_alarms(row.get("alarms", ())))


def _metric_cell(row: Row, name: str, outlier: bool, alarm: bool = False) -> Cell:
    value = row.get(name)
    if value is None:
        return Cell("--", "dim")
    text = number(float(value) * _SCALE.get(name, 1.0), _DECIMALS[name])
    sign = ALARM_SIGN if alarm else OUTLIER_SIGN if outlier else ""
    return Cell(sign + text, "bad") if sign else Cell(text)


def _sort_value(row: Row, key: str) -> Any:
    if key == "caveats":
        return row.get("code") or row.get("caveats") or None
    value = row.get(key)
    if key in ("verdict", "comment") and not value:
        return None
    return None if isinstance(value, float) and value != value else value


def _comparable(value: Any) -> tuple[bool, Any]:
    """Text after numbers, so that a column with both can be sorted."""
    return isinstance(value, str), value


def by_visit(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """One row a visit: medians of the metrics, counts of states and verdicts; outliers are those of visits."""
    from safelight.processccd.outliers import outliers_of_visits

    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get("visit"), []).append(row)
    visits = [_visit(members) for members in groups.values()]
    for visit, names in zip(visits, outliers_of_visits(visits), strict=True):
        visit["outliers"] = names
    return visits


def _visit(rows: Sequence[Row]) -> dict[str, Any]:
    first = {key: rows[0].get(key) for key in ("visit", "filter", "dateObs", "field")}
    summary: dict[str, Any] = {key: value for key, value in first.items() if value is not None}
    failed = sum(row.get("status") == "failed" for row in rows)
    summary["status"] = f"{len(rows)}" + (f" {failed}F" if failed else "")
    signs = [_VERDICT_SIGNS[str(row["verdict"])][0] for row in rows if row.get("verdict") in _VERDICT_SIGNS]
    summary["verdict"] = " ".join(f"{signs.count(sign)}{sign}" for sign in dict.fromkeys(signs))
    summary["verdicts"] = tuple(dict.fromkeys(v for row in rows for v in row.get("verdicts", ())))
    summary["caveats"] = " ".join(dict.fromkeys(c for row in rows for c in str(row.get("caveats") or "").split()))
    summary["code"] = " ".join(dict.fromkeys(str(row["code"]) for row in rows if row.get("code")))
    summary["comment"] = "; ".join(dict.fromkeys(str(row["comment"]) for row in rows if row.get("comment")))
    summary["alarms"] = tuple(dict.fromkeys(text for row in rows for text in row.get("alarms", ())))
    for name in _SHORT:
        values = [float(row[name]) for row in rows if row.get(name) is not None]
        summary[name] = median(values) if values else None
    return summary
