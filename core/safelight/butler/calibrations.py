"""Finding master calibrations by validity, as Gen2 does.

``calibRegistry.sqlite3`` has one table a kind, with columns filter, ccd, calibDate, validStart, validEnd. A master fits
an exposure when ccd (and, for flat, fringe and sky, filter) agree and ``validStart <= taiObs <= validEnd``, all three
compared as text, both ends included. HSC's taiObs is a bare date, so a whole UT date belongs to one master. Exactly
one row must fit. Nothing is assumed about calibDate, which may lie outside its own range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safelight.butler.datasettypes import BUILT_TYPES, CALIBRATION_TYPES
from safelight.butler.sqlite import ReadOnlyDatabase
from safelight.dataid import quote_column
from safelight.errors import DatasetNotFound

__all__ = [
    "CALIB_REGISTRY_NAME",
    "CalibrationChoice",
    "CalibrationRegistry",
    "CalibrationRow",
    "find_calib_root",
    "no_calib_root",
]

CALIB_REGISTRY_NAME = "calibRegistry.sqlite3"


@dataclass(frozen=True, slots=True)
class CalibrationRow:
    """One row of the calibration registry."""

    filter: str
    ccd: int
    calib_date: str
    valid_start: str
    valid_end: str

    @property
    def validity(self) -> str:
        """The range in words."""
        return f"{self.valid_start} to {self.valid_end}"


@dataclass(frozen=True, slots=True)
class CalibrationChoice:
    """The master chosen for an exposure, and why."""

    kind: str
    path: Path
    calib_date: str
    valid_start: str
    valid_end: str
    reason: str


def find_calib_root(explicit: Path | None, roots: Sequence[Path]) -> tuple[Path | None, list[Path]]:
    """The directory of the calibration registry, and all places looked at.

    An explicit directory is the only place looked at; otherwise ``CALIB`` below each of `roots` (the repository, then
    its parents), then the parents themselves; the first with a ``calibRegistry.sqlite3`` is taken.
    """
    if explicit is not None:
        places = [explicit]
    else:
        places = [root / "CALIB" for root in roots] + list(roots[1:] or roots)
    found = next((place for place in places if (place / CALIB_REGISTRY_NAME).is_file()), None)
    return found, places


class CalibrationRegistry:
    """A ``calibRegistry.sqlite3``, opened read-only."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / CALIB_REGISTRY_NAME
        self._database = ReadOnlyDatabase(self.path)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()

    def kinds(self) -> list[str]:
        """The kinds of calibration that have a table."""
        return [name for name in self._database.tables() if {"calibDate", "validStart"} <= self._columns(name)]

    def _columns(self, kind: str) -> set[str]:
        return set(self._database.columns(kind))

    def rows(self, kind: str, where: Mapping[str, Any] | None = None) -> list[CalibrationRow]:
        """The rows of a kind whose columns equal `where`, by ccd, filter and calibDate."""
        if kind not in self.kinds():
            return []
        given = dict(where or {})
        condition = " AND ".join(f"{quote_column(key)} = ?" for key in given)
        sql = (
            f"SELECT DISTINCT filter, ccd, calibDate, validStart, validEnd FROM {quote_column(kind)}"
            + (f" WHERE {condition}" if condition else "")
            + " ORDER BY ccd, filter, calibDate"
        )
        fetched = self._database.fetch(sql, list(given.values()))
        return [
            CalibrationRow(str(filter_), ccd, str(date), str(start or ""), str(end or ""))
            for filter_, ccd, date, start, end in fetched
        ]

    def valid_rows(self, kind: str, data_id: Mapping[str, Any]) -> list[CalibrationRow]:
        """The rows that fit an exposure; `data_id` has ccd, taiObs and, where the kind needs it, filter."""
        date = str(data_id["taiObs"])
        return [row for row in self.rows(kind, _wanted(kind, data_id)) if row.valid_start <= date <= row.valid_end]

    def choose(self, kind: str, data_id: Mapping[str, Any]) -> CalibrationRow:
        """The one row that fits an exposure.

        Raises
        ------
        DatasetNotFound
            NO_CALIBRATION when none fits, AMBIGUOUS_CALIBRATION when several do; the message says what was looked
            for, by which criterion, and what exists.
        """
        found = self.valid_rows(kind, data_id)
        # As in Gen2, rows that lead to the same file (same date and filter) are one.
        distinct = {(row.calib_date, row.filter): row for row in found}
        if len(distinct) == 1:
            return found[0]
        wanted = _wanted(kind, data_id)
        sought = " ".join(f"{key}={value}" for key, value in wanted.items())
        criterion = f"validStart <= {data_id['taiObs']} <= validEnd (dates compared as text, both ends included)"
        if distinct:
            listed = "; ".join(f"{row.calib_date} valid {row.validity}" for row in distinct.values())
            raise DatasetNotFound(
                "AMBIGUOUS_CALIBRATION",
                f"{len(distinct)} {kind} masters for {sought} fit {criterion}: {listed}.",
                f"Exactly one must fit: ingest with a smaller --validity, or correct the ranges in {self.path}.",
                data_id,
            )
        raise DatasetNotFound(
            f"NO_{kind.upper()}",
            f"No {kind} in {self.path} has {sought} and {criterion}. {self._what_exists(kind, wanted)}",
            "Ingest one (safelight ingest calibs)"
            + (f" or build one (safelight calibs build {kind})." if kind in BUILT_TYPES else "."),
            data_id,
        )

    def _what_exists(self, kind: str, wanted: Mapping[str, Any]) -> str:
        if kind not in self.kinds():
            return f"It has no table {kind}; its tables are {', '.join(self.kinds()) or 'none'}."
        same = self.rows(kind, wanted)
        if same:
            listed = "; ".join(f"{row.calib_date} valid {row.validity}" for row in same)
            return f"There is {listed}."
        everything = self.rows(kind)
        if not everything:
            return f"There is no {kind} at all."
        parts = []
        if "filter" in wanted:
            of_ccd = sorted({row.filter for row in everything if row.ccd == wanted["ccd"]})
            if of_ccd:
                return f"For ccd={wanted['ccd']} there are filters {', '.join(of_ccd)}."
            parts.append("filters " + ", ".join(sorted({row.filter for row in everything})))
        parts.append("ccds " + _compact(sorted({row.ccd for row in everything})))
        return f"There are {kind} masters for {' and '.join(parts)}."


def _wanted(kind: str, data_id: Mapping[str, Any]) -> dict[str, Any]:
    return {key: data_id[key] for key in CALIBRATION_TYPES[kind] if key != "taiObs"}


def _compact(numbers: Sequence[int]) -> str:
    """Ascending integers with runs written as ranges: 0..3, 5."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return ", ".join(f"{a}..{b}" if b > a else str(a) for a, b in runs)


def no_calib_root(places: Sequence[Path], kind: str, data_id: Mapping[str, Any]) -> DatasetNotFound:
    """The error for a repository without calibrations."""
    return DatasetNotFound(
        "NO_CALIB_ROOT",
        f"A {kind} is wanted but there is no {CALIB_REGISTRY_NAME} in {' nor in '.join(map(str, places))}.",
        "Link the calibrations to ROOT/CALIB, give --calib PATH, or ingest some (safelight ingest calibs).",
        data_id,
    )
