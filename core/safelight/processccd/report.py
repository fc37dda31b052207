"""One row a CCD: what was measured, with what reservations, or why there is no result."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from safelight.processccd.journal import finite

if TYPE_CHECKING:
    from safelight.processccd.ledger import RecordedCcd

__all__ = ["COLUMNS", "REPORT_FORMATS", "Column", "render_report", "report_rows"]

ReportFormat = Literal["table", "json", "csv", "ecsv"]
REPORT_FORMATS: tuple[ReportFormat, ...] = ("table", "json", "csv", "ecsv")


@dataclass(frozen=True, slots=True)
class Column:
    """One measured column: its name, unit and number of decimals in a table."""

    name: str
    unit: str
    decimals: int
    description: str


COLUMNS = (
    Column("n_sources", "", 0, "sources in src"),
    Column("n_psf_stars", "", 0, "stars that the PSF model was fitted to"),
    Column("fwhm_arcsec", "arcsec", 2, "full width at half maximum of the PSF at the centre of the CCD"),
    Column("ellipticity", "", 3, "1 - b/a of the PSF at the centre of the CCD"),
    Column("sky_level_e", "electron", 1, "median sky level"),
    Column("sky_rms_e", "electron", 2, "noise of the sky, one pixel"),
    Column("n_cosmic_rays", "", 0, "cosmic rays found"),
    Column("saturated_fraction", "", 5, "fraction of saturated pixels"),
    Column("wcs_matches", "", 0, "sources matched to the astrometric reference catalogue"),
    Column("wcs_rms_mas", "mas", 1, "rms residual of the fitted stars, both axes together"),
    Column("wcs_reserved_median_mas", "mas", 1, "median distance of the stars kept out of the fit"),
    Column("wcs_error_mas", "mas", 1, "estimated error of the WCS"),
    Column("wcs_offset_arcsec", "arcsec", 2, "distance of the fitted centre from the header's pointing"),
    Column("wcs_rotation_deg", "deg", 4, "rotation of the fitted WCS from the header's pointing"),
    Column("zeropoint_mag", "mag", 3, "magnitude of 1 ADU/s"),
    Column("zeropoint_error_mag", "mag", 4, "estimated error of the zeropoint"),
    Column("zeropoint_rms_mag", "mag", 4, "scatter of the stars kept out of the zeropoint"),
    Column("zeropoint_stars", "", 0, "stars that the zeropoint was fitted to"),
    Column("depth_5sigma_mag", "mag", 2, "magnitude of a point source of five times its error"),
    Column("seconds_isr", "s", 2, "wall time of instrument signature removal"),
    Column("seconds_characterize", "s", 2, "wall time of characterization"),
    Column("seconds_calibrate", "s", 2, "wall time of WCS and zeropoint"),
    Column("seconds_io", "s", 2, "wall time of reading and writing"),
    Column("peak_rss_mb", "MB", 0, "peak resident memory of the process"),
)


#: What a table has no room for; the other forms have it. The message stands below the table.
_LEFT_OUT = ("message", "field", "dateObs", "taiObs", "pointing", "expTime")
_KEYS = ("visit", "ccd")  # they stand at the left of each part of a folded table
_GAP = "  "


def report_rows(ccds: Iterable[RecordedCcd]) -> list[dict[str, Any]]:
    """Rows with the data ID's keys, status, caveats, code, message and all of `COLUMNS` (None where not measured)."""
    rows = []
    for ccd in ccds:
        failure = ccd.failure
        first = {key: ccd.data_id[key] for key in ("visit", "ccd", "filter") if key in ccd.data_id}
        row: dict[str, Any] = first | ccd.data_id
        row["status"] = ccd.status
        row["caveats"] = " ".join(caveat.code for caveat in ccd.caveats)
        row["code"] = failure.code if failure else ""
        row["message"] = failure.message if failure else ""
        for column in COLUMNS:
            value = finite(ccd.metrics.get(column.name))
            row[column.name] = int(value) if value is not None and column.decimals == 0 else value
        rows.append(row)
    return rows


def render_report(
    rows: Sequence[Mapping[str, Any]], form: ReportFormat, *, meta: Mapping[str, str], width: int | None = None
) -> str:
    """The rows as text; `meta` says where they come from (kept in ECSV).

    A table wider than `width` characters goes on below itself; None: it is as wide as it needs to be.
    """
    if form == "json":
        return json.dumps([dict(row) for row in rows], indent=1, ensure_ascii=False, default=str) + "\n"
    if form == "csv":
        return _csv(rows)
    if form == "ecsv":
        return _ecsv(rows, meta)
    return _table(rows, width)


def _names(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = dict.fromkeys(name for row in rows for name in row)
    return list(names)


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, _names(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: "" if value is None else value for name, value in row.items()} for row in rows)
    return text.getvalue()


def _ecsv(rows: Sequence[Mapping[str, Any]], meta: Mapping[str, str]) -> str:
    from astropy.table import MaskedColumn, Table

    table = Table(meta=dict(meta))
    described = {column.name: column for column in COLUMNS}
    for name in _names(rows):
        values = [row.get(name) for row in rows]
        if name in described:
            column = described[name]
            kind = int if column.decimals == 0 else float
            filled = [kind(0) if value is None else kind(value) for value in values]
            mask = [value is None for value in values]
            unit = column.unit or None
            table[name] = MaskedColumn(filled, mask=mask, unit=unit, description=column.description, dtype=kind)
        else:
            table[name] = values
    text = io.StringIO()
    table.write(text, format="ascii.ecsv")
    return text.getvalue()


def _table(rows: Sequence[Mapping[str, Any]], width: int | None) -> str:
    """Aligned columns in plain text; what does not fit is not cut, so that it can be searched and piped."""
    names = [name for name in _names(rows) if any(row.get(name) not in (None, "") for row in rows)]
    columns = [_text_column(name, rows) for name in names if name not in _LEFT_OUT]
    blocks = [_block(block, len(rows)) for block in _folded(columns, width)]
    failures = [f"{row['code']}: {row['message']}" for row in rows if row.get("code")]
    return "\n\n".join([*blocks, *(["\n".join(dict.fromkeys(failures))] if failures else [])]) + "\n"


@dataclass(frozen=True, slots=True)
class _TextColumn:
    name: str
    head: list[str]  # one word a line
    cells: list[str]
    numeric: bool

    @property
    def width(self) -> int:
        return max(map(len, [*self.head, *self.cells]))

    def padded(self, text: str) -> str:
        return text.rjust(self.width) if self.numeric else text.ljust(self.width)


def _text_column(name: str, rows: Sequence[Mapping[str, Any]]) -> _TextColumn:
    decimals = {column.name: column.decimals for column in COLUMNS}
    cells = [_cell(row.get(name), decimals.get(name)) for row in rows]
    return _TextColumn(name, name.split("_") if name in decimals else [name], cells, name in decimals)


def _folded(columns: Sequence[_TextColumn], width: int | None) -> list[list[_TextColumn]]:
    """The columns in groups that are no wider than `width`, each after the first with visit and CCD before it."""
    keys = [column for column in columns if column.name in _KEYS]
    groups: list[list[_TextColumn]] = [[]]
    for column in columns:
        taken = sum(each.width + len(_GAP) for each in groups[-1])
        if width is not None and taken + column.width > width and len(groups[-1]) > len(keys):
            groups.append(list(keys))
        groups[-1].append(column)
    return groups


def _block(columns: Sequence[_TextColumn], n_rows: int) -> str:
    depth = max((len(column.head) for column in columns), default=1)
    heads = [[""] * (depth - len(column.head)) + column.head for column in columns]
    lines = [[head[level] for head in heads] for level in range(depth)]
    lines += [[column.cells[k] for column in columns] for k in range(n_rows)]
    return "\n".join(
        _GAP.join(column.padded(text) for column, text in zip(columns, line, strict=True)).rstrip() for line in lines
    )


def _cell(value: Any, decimals: int | None) -> str:
    if value is None or value == "":
        return "-"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    return str(value)
