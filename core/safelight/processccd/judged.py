"""The report of a rerun with what observers think of its CCDs: the rows that triage shows and that are exported."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from safelight.processccd.alarms import ringing_rows
from safelight.processccd.outliers import outliers_of_ccds
from safelight.processccd.report import COLUMNS, render_report, report_rows

if TYPE_CHECKING:
    from safelight.processccd.alarms import Alarm
    from safelight.processccd.ledger import RecordedCcd
    from safelight.processccd.marks import MarkBook

__all__ = ["EXPORT_FORMATS", "ExportFormat", "id_text", "judged_rows", "render_export"]

ExportFormat = Literal["id", "csv", "ecsv"]
EXPORT_FORMATS: tuple[ExportFormat, ...] = ("id", "csv", "ecsv")


def judged_rows(ccds: Iterable[RecordedCcd], book: MarkBook, alarms: Sequence[Alarm] = ()) -> list[dict[str, Any]]:
    """Rows of `report_rows` with verdict, verdicts, comment, observers, marked, outliers and alarms.

    `outliers` are names of metrics, `alarms` the texts of those thresholds that the row is beyond.
    Marks on CCDs that the rerun has no result of come last, with the status "absent".
    """
    ccds = list(ccds)
    rows = report_rows(ccds)
    rest = dict(book.ccds)
    for row, ccd in zip(rows, ccds, strict=True):
        marks = book.of(ccd.data_id)
        if marks is not None:
            rest = {key: value for key, value in rest.items() if value is not marks}
        row |= _of_marks(marks)
    for marks in rest.values():
        empty = {column.name: None for column in COLUMNS}
        rows.append({**marks.data_id, "status": "absent", "caveats": "", "code": "", "message": "", **empty})
        rows[-1] |= _of_marks(marks)
    for row, names, ringing in zip(rows, outliers_of_ccds(rows), ringing_rows(rows, alarms), strict=True):
        row["outliers"] = names
        row["alarms"] = ringing
    return rows


def _of_marks(marks: Any) -> dict[str, Any]:
    if marks is None:
        return {"verdict": "", "verdicts": (), "comment": "", "observers": "", "marked": ""}
    verdicts = tuple(dict.fromkeys(one.verdict for one in marks.opinions if one.verdict))
    return {
        "verdict": "disputed" if marks.disputed else marks.verdict or "",
        "verdicts": verdicts,
        "comment": marks.comment,
        "observers": " ".join(marks.users),
        "marked": marks.time,
    }


def id_text(data_ids: Iterable[Mapping[str, Any]]) -> str:
    """Data IDs as ``--id`` text, one group a line: the CCDs of a visit together, ``--id visit=903986 ccd=16^22``.

    Given to a shell as a whole it selects exactly these CCDs.
    """
    from safelight.dataid.words import quote

    visits: dict[Any, list[Any]] = {}
    lines: list[str] = []
    for data_id in data_ids:
        if "visit" in data_id and "ccd" in data_id:
            visits.setdefault(data_id["visit"], []).append(data_id["ccd"])
        else:
            lines.append("--id " + " ".join(quote(f"{key}={value}") for key, value in data_id.items()))
    for visit, ccds in visits.items():
        values = "^".join(str(ccd) for ccd in dict.fromkeys(ccds))
        lines.append(f"--id visit={visit} ccd={values}")
    return "".join(f"{line}\n" for line in lines)


def render_export(rows: Sequence[Mapping[str, Any]], form: ExportFormat, *, meta: Mapping[str, str]) -> str:
    """The rows as ``--id`` text, CSV or ECSV."""
    if form == "id":
        return id_text([_identity(row) for row in rows])
    flat = [{key: " ".join(value) if isinstance(value, tuple) else value for key, value in row.items()} for row in rows]
    if form == "csv":
        return _csv(flat)
    return render_report(flat, "ecsv", meta=meta)


def _identity(row: Mapping[str, Any]) -> dict[str, Any]:
    both = {key: row[key] for key in ("visit", "ccd") if key in row}
    if len(both) == 2:
        return both
    measured = {column.name for column in COLUMNS} | {"status", "caveats", "code", "message", "outliers", "alarms"}
    measured |= {"verdict", "verdicts", "comment", "observers", "marked"}
    return {key: value for key, value in row.items() if key not in measured}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, restval="", lineterminator="\n")
    writer.writeheader()
    # A spreadsheet takes a comment that begins with one of these for a formula.
    writer.writerows({name: _harmless(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def _harmless(value: Any) -> Any:
    if value is None:
        return ""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value
