"""Two reruns CCD by CCD: what has become better or worse."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from safelight.processccd.narrowing import Narrowing
from safelight.processccd.outliers import outlier_scores
from safelight.processccd.report import COLUMNS
from safelight_tui.terminal.text import number
from safelight_tui.widgets.table_model import Cell, Column
from safelight_tui.widgets.text_pane import TextLine

__all__ = ["COMPARED", "Comparison", "as_judged", "compare_rows", "median_difference", "row_lines"]

Row = Mapping[str, Any]

COMPARED = (
    "fwhm_arcsec", "ellipticity", "sky_level_e", "depth_5sigma_mag", "zeropoint_mag", "zeropoint_rms_mag",
    "wcs_reserved_median_mas", "wcs_rms_mas", "wcs_matches", "zeropoint_stars", "n_sources", "n_psf_stars",
)  # fmt: skip
_HEADS = {
    "fwhm_arcsec": "seeing", "ellipticity": "ellip", "sky_level_e": "sky e-", "depth_5sigma_mag": "depth",
    "zeropoint_mag": "zp", "zeropoint_rms_mag": "zp rms", "wcs_reserved_median_mas": "wcs mas",
    "wcs_rms_mas": "fit mas", "wcs_matches": "matches", "zeropoint_stars": "zp stars", "n_sources": "sources",
    "n_psf_stars": "psf st",
}  # fmt: skip
_DECIMALS = {column.name: column.decimals for column in COLUMNS}
_CHANGED_SIGMAS = 5.0


@dataclass(frozen=True)
class Comparison:
    """Rows of differences, second rerun minus first, and a summary."""

    first: str
    second: str
    rows: tuple[dict[str, Any], ...]
    summary: tuple[str, ...]

    @property
    def columns(self) -> list[Column]:
        """Data ID and both states stay in view; then differences."""
        visit = max(8, *(len(str(row["visit"])) for row in self.rows), 0)
        frozen = [
            Column("visit", "visit", visit, right=True, frozen=True),
            Column("ccd", "ccd", 4, right=True, frozen=True),
            Column("filter", "filter", 6, frozen=True),
            Column("states", "states", 7, frozen=True),
        ]
        return frozen + [
            Column(name, f"Δ {_HEADS[name]}", max(8, len(_HEADS[name]) + 3), right=True) for name in COMPARED
        ]

    def sorted_by(self, key: str, reverse: bool) -> Comparison:
        """In the order of a column; CCDs without a difference last."""

        def value(row: Row) -> Any:
            return row["differences"].get(key) if key in COMPARED else row.get(key)

        present = [row for row in self.rows if value(row) is not None]
        present.sort(key=value, reverse=reverse)
        return replace(self, rows=(*present, *(row for row in self.rows if value(row) is None)))

    def narrowed(self, words: Narrowing) -> Comparison:
        """Only the CCDs that have all the words: see `as_judged`."""
        return replace(self, rows=tuple(row for row in self.rows if words.matches(as_judged(row))))

    def cells(self) -> list[list[Cell]]:
        """For a table of rows."""
        return [self._cells(row) for row in self.rows]

    def _cells(self, row: Row) -> list[Cell]:
        cells = [Cell(str(row.get(key, ""))) for key in ("visit", "ccd", "filter")]
        same = row["states"].count(row["states"][0]) == len(row["states"]) and len(row["states"]) == 3
        cells.append(Cell(row["states"], "" if same or row["states"][0] == row["states"][-1] else "bad"))
        for name in COMPARED:
            value = row["differences"].get(name)
            if value is None:
                cells.append(Cell("--", "dim"))
            else:
                text = _signed(value, _DECIMALS[name])
                cells.append(Cell(f"!{text}", "bad") if name in row["changed"] else Cell(text))
        return cells


def as_judged(row: Row) -> dict[str, Any]:
    """A row of differences as words see it: ``fwhm_arcsec>0.1`` is about the difference, ``outlier`` about what
    changed otherwise than elsewhere, ``failed`` about either rerun; other text is looked for in filter and states."""
    return {
        **row["differences"],
        **{key: row[key] for key in ("visit", "ccd") if row[key] != ""},
        "status": "failed" if "F" in row["states"] else "done",
        "message": f"{row['filter']} {row['states']}",
        "outliers": row["changed"],
    }


def compare_rows(first: Sequence[Row], second: Sequence[Row], names: tuple[str, str]) -> Comparison:
    """Compare the judged rows of two reruns.

    A difference is marked as changed where it stands apart from the differences of the other CCDs of its filter.
    """
    ours = {_key(row): row for row in first}
    theirs = {_key(row): row for row in second}
    both = [key for key in ours if key in theirs]
    keys = [*both, *(key for key in ours if key not in theirs), *(key for key in theirs if key not in ours)]
    rows = []
    for key in keys:
        a, b = ours.get(key), theirs.get(key)
        some = a or b or {}
        row = {name: some.get(name, "") for name in ("visit", "ccd", "filter")}
        row["states"] = f"{_letter(a)}>{_letter(b)}"
        row["differences"] = {name: _difference(a, b, name) for name in COMPARED}
        row["values"] = {name: (_value(a, name), _value(b, name)) for name in COMPARED}
        row["scores"] = {}
        row["data_id"] = {name: some[name] for name in ("visit", "ccd", "filter") if name in some}
        rows.append(row)
    filters = [row["filter"] for row in rows]
    changed: list[list[str]] = [[] for _ in rows]
    for name in COMPARED:
        values = [row["differences"][name] for row in rows]
        scores = outlier_scores(values, filters, 0.5 * 10.0 ** -_DECIMALS[name])
        for place, score in enumerate(scores):
            if math.isfinite(score):
                rows[place]["scores"][name] = score
            if abs(score) > _CHANGED_SIGMAS:
                changed[place].append(name)
    for row, which in zip(rows, changed, strict=True):
        row["changed"] = tuple(which)
    return Comparison(*names, tuple(rows), tuple(_summary(rows, ours, theirs, names)))


def _key(row: Row) -> tuple[Any, ...]:
    both = tuple(row[key] for key in ("visit", "ccd") if key in row)
    return both or tuple(str(value) for value in list(row.values())[:3])


def _letter(row: Row | None) -> str:
    letters = {"done": "D", "done-with-caveats": "V", "failed": "F", "cancelled": "X"}
    return "-" if row is None else letters.get(str(row.get("status")), "-")


def _value(row: Row | None, name: str) -> float | None:
    value = row.get(name) if row is not None else None
    return float(value) if value is not None and math.isfinite(value) else None


def _difference(a: Row | None, b: Row | None, name: str) -> float | None:
    first, second = _value(a, name), _value(b, name)
    return None if first is None or second is None else second - first


def _signed(value: float, decimals: int) -> str:
    text = number(value, decimals)
    if not text.strip("-0."):  # nothing at this many decimals has no sign
        return text.lstrip("-")
    return text if text.startswith("-") else f"+{text}"


def row_lines(row: Mapping[str, Any], names: tuple[str, str]) -> list[TextLine]:
    """One CCD in full: both values, their difference, and how far it stands from those of the other CCDs."""
    where = " ".join(str(row[key]) for key in ("visit", "ccd", "filter") if row.get(key) != "")
    widths = [max(10, len(name)) for name in names]
    head = f"{'':<20}{names[0]:>{widths[0]}}  {names[1]:>{widths[1]}}  difference  from the others"
    lines = [TextLine(f"{where}  {row['states']}", "title"), TextLine(head, "dim")]
    for name in COMPARED:
        pair, difference = row["values"][name], row["differences"][name]
        if pair == (None, None):
            continue
        decimals = _DECIMALS[name]
        texts = ["--" if value is None else number(value, decimals) for value in pair]
        score = row["scores"].get(name)
        changed = name in row["changed"]
        apart = "" if score is None else f"{score:+.1f} sigma" + (" !" if changed else "")
        delta = "--" if difference is None else _signed(difference, decimals)
        text = f"{texts[0]:>{widths[0]}}  {texts[1]:>{widths[1]}}  {delta:>10}  {apart}".rstrip()
        lines.append(TextLine(text, "bad" if changed else "", f"{_HEADS[name]:<20}"))
    return lines


def median_difference(values: Sequence[float], least_scatter: float) -> tuple[float, float, float]:
    """Median of differences, its error, and how many errors it is from zero.

    The error is that of the median of normal numbers with the robust scatter of these (but at least `least_scatter`):
    1.2533 scatter / sqrt(N).
    """
    numbers = np.asarray(values, np.float64)
    middle = float(np.median(numbers))
    scatter = max(1.4826 * float(np.median(np.abs(numbers - middle))), least_scatter)
    error = 1.2533 * scatter / math.sqrt(len(numbers))
    return middle, error, abs(middle) / error


def _summary(
    rows: Sequence[dict[str, Any]], ours: Mapping[Any, Row], theirs: Mapping[Any, Row], names: tuple[str, str]
) -> list[str]:
    both = sum(1 for key in ours if key in theirs)
    lines = [f"{names[1]} minus {names[0]}: {both} CCDs in both, {len(ours) - both} only in the first, "
             f"{len(theirs) - both} only in the second"]  # fmt: skip
    parts = []
    for name in COMPARED[:8]:
        values = [row["differences"][name] for row in rows if row["differences"][name] is not None]
        if values:
            decimals = _DECIMALS[name]
            middle, error, sigmas = median_difference(values, 0.5 * 10.0**-decimals)
            sign = "!" if sigmas > _CHANGED_SIGMAS and len(values) > 2 else ""
            told = f"{_HEADS[name]} {sign}{_signed(middle, decimals)}+/-{number(error, decimals + 1)}"
            parts.append(told.replace(" ", "\u00a0"))  # not to be parted at the end of a line
    return [*lines, "medians: " + "   ".join(parts)] if parts else lines
