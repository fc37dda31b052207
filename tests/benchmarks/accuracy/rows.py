"""One figure of the table, and the table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Row", "spread", "table_text", "write_table"]


@dataclass(frozen=True)
class Row:
    """A measured figure; `median`, `worst` and `n` are over the frames (or cases) that it was measured on."""

    section: str
    quantity: str
    tool: str
    unit: str
    median: float
    p90: float = math.nan
    worst: float = math.nan
    n: int = 1
    demand: str = ""  # what is demanded of Safelight, in words; empty for peers and for what is only told
    met: bool | None = None
    note: str = ""


def spread(
    section: str,
    quantity: str,
    tool: str,
    unit: str,
    values: ArrayLike,
    *,
    demand: str = "",
    at_most: float | None = None,
    note: str = "",
) -> Row:
    """The row of a figure measured on many frames; `at_most` is what its median is held to."""
    numbers = np.asarray(values, dtype=np.float64)
    finite = numbers[np.isfinite(numbers)]
    if not len(finite):
        return Row(section, quantity, tool, unit, math.nan, n=0, demand=demand, met=None, note=note or "no value")
    worst = finite[np.argmax(np.abs(finite))]
    median = float(np.median(finite))
    met = None if at_most is None else bool(abs(median) <= at_most)
    return Row(
        section,
        quantity,
        tool,
        unit,
        median,
        float(np.percentile(np.abs(finite), 90)),
        float(worst),
        len(finite),
        demand,
        met,
        note,
    )


_COLUMNS = ("quantity", "tool", "median", "90 %", "worst", "n", "unit", "demand", "", "note")


def _cells(row: Row) -> tuple[str, ...]:
    def number(value: float) -> str:
        return "" if math.isnan(value) else f"{value:.4g}"

    verdict = "" if row.met is None else ("met" if row.met else "MISSED")
    figures = (number(row.median), number(row.p90), number(row.worst), str(row.n))
    return (row.quantity, row.tool, *figures, row.unit, row.demand, verdict, row.note)


def table_text(rows: Sequence[Row]) -> str:
    """The rows as a table of plain text, a heading for each section."""
    cells = [_cells(row) for row in rows]
    widths = [max(len(line[k]) for line in (*cells, _COLUMNS)) for k in range(len(_COLUMNS))]
    lines: list[str] = []
    section = ""
    for row, line in zip(rows, cells, strict=True):
        if row.section != section:
            section = row.section
            lines += ["", section, _joined(_COLUMNS, widths)]
        lines.append(_joined(line, widths))
    return "\n".join(lines).strip("\n")


def _joined(line: Sequence[str], widths: Sequence[int]) -> str:
    numeric = range(2, 6)
    parts = [text.rjust(w) if k in numeric else text.ljust(w) for k, (text, w) in enumerate(zip(line, widths))]
    return "  ".join(parts).rstrip()


def write_table(rows: Iterable[Row], path: Path) -> None:
    """Write all rows as ECSV, or as CSV where `path` ends so."""
    from astropy.table import Table

    taken = list(rows)
    names = list(Row.__dataclass_fields__)
    columns = {name: [getattr(row, name) for row in taken] for name in names}
    columns["met"] = ["" if value is None else str(value) for value in columns["met"]]
    form = "ascii.csv" if path.suffix == ".csv" else "ascii.ecsv"
    Table(columns).write(path, format=form, overwrite=True)
