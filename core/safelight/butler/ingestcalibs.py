"""Ingesting master calibrations: kind, CCD, filter and date from headers, validity from the dates."""

from __future__ import annotations

import difflib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.butler.calibrations import CALIB_REGISTRY_NAME
from safelight.butler.datasettypes import CALIBRATION_TYPES, DatasetTypes
from safelight.butler.files import compression_suffix
from safelight.butler.fitsheaders import read_fits_headers
from safelight.butler.ingestfiles import gather
from safelight.butler.ingestreport import BadFile, IngestedFile, IngestReport
from safelight.butler.placement import Mode, Placements, free_space_needed, is_same_file, place_or_note
from safelight.butler.registryedit import create_calib_tables, edit_registry, ingest_lock
from safelight.butler.repository import instrument_of, open_repository
from safelight.butler.sqlite import ReadOnlyDatabase
from safelight.butler.validity import symmetric_validity, until_superseded
from safelight.dataid import quote_column
from safelight.errors import ProcessingError, SafelightError, UsageError

if TYPE_CHECKING:
    from safelight.instruments import Instrument

__all__ = ["UNTIL_SUPERSEDED", "CalibrationItem", "calib_root_of", "ingest_calibs", "register_calibrations"]

#: Kinds that hold from their own date until the next one's.
UNTIL_SUPERSEDED = frozenset({"defects"})

#: Part of OBSTYPE (or of the frame type), lower case -> kind of calibration; the first that fits counts.
_KIND_WORDS: Mapping[str, str] = {
    "flat": "flat",
    "zero": "bias",
    "bias": "bias",
    "dark": "dark",
    "fringe": "fringe",
    "sky": "sky",
    "defect": "defects",
    "bfkernel": "bfKernel",
}
_NO_FILTER = "NONE"
_CALIB_ID_KEYS = ("ccd", "filter", "calibDate")


@dataclass(slots=True)
class CalibrationItem:
    """One calibration file on its way into the repository."""

    source: Path
    destination: Path
    kind: str
    filter: str
    ccd: int
    calib_date: str

    @property
    def key(self) -> tuple[str, str, int, str]:
        """What makes it unique."""
        return self.kind, self.filter, self.ccd, self.calib_date

    @property
    def row(self) -> dict[str, Any]:
        """Its columns."""
        return {"filter": self.filter, "ccd": self.ccd, "calibDate": self.calib_date}


def calib_root_of(root: Path, calib_root: Path | None) -> Path:
    """Where calibrations go: as given, else ``root/CALIB``."""
    return Path(calib_root) if calib_root is not None else root / "CALIB"


def ingest_calibs(
    root: str | Path,
    calib_root: str | Path | None,
    files: Iterable[str | Path],
    *,
    validity_days: int,
    mode: Mode = "move",
    dry_run: bool = False,
    create: bool = False,
    ignore_ingested: bool = False,
    bad_file: Sequence[str] = (),
    kind: str | None = None,
    values: Mapping[str, str] | None = None,
) -> IngestReport:
    """Register master calibrations in ``calibRegistry.sqlite3`` and bring them to their places beside it.

    The kind comes from the card OBSTYPE (else from what the camera's header rules say of the frame); ccd, filter and
    calibDate from the card CALIB_ID (``filter=HSC-I calibDate=2013-11-03 ccd=16``) where there is one, else from the
    camera's header rules. Each is valid `validity_days` before and after its date, trimmed at the middle between
    neighbours of the same CCD and filter; defects hold until superseded.

    Parameters
    ----------
    root : path
        The repository, which tells the camera.
    calib_root : path or None
        Where calibrations go; None: ``root/CALIB``.
    files : iterable of path or glob
        Master frames and defect lists.
    validity_days : int
        Days before and after.
    mode, dry_run, create, ignore_ingested, bad_file
        As for `ingest_images`; `create` empties the tables of the kinds that are ingested.
    kind : str, optional
        The kind of all `files`, whatever their headers say.
    values : mapping, optional
        ``ccd``, ``filter``, ``calibDate`` for all `files`, whatever their headers say.

    Raises
    ------
    RepositoryError
        The repository cannot be used or written; nothing was registered.
    UsageError
        UNKNOWN_CALIBRATION for `kind`, UNKNOWN_COLUMN for `values`, BAD_VALIDITY.
    """
    root = Path(root)
    if validity_days < 0:
        raise UsageError("BAD_VALIDITY", f"A validity of {validity_days} days is negative.", "Give days, e.g. 180.")
    target = calib_root_of(root, Path(calib_root) if calib_root is not None else None)
    report = IngestReport(target, dry_run=dry_run, mode=mode)
    reader = _Reader(instrument_of(open_repository(root)), target, kind, dict(values or {}))
    items: dict[tuple[str, str, int, str], CalibrationItem] = {}
    for path in gather(files, bad_file, report):
        try:
            item = reader.read(path)
        except SafelightError as error:
            report.bad.append(BadFile.of(path, error))
            continue
        twin = items.setdefault(item.key, item)
        if twin is not item:
            message = f"{path} is the same {item.kind} ({_describe(item)}) as {twin.source}."
            report.bad.append(BadFile(path, "SAME_FRAME", message))
    return register_calibrations(
        target, list(items.values()), report, validity_days, create=create, ignore_ingested=ignore_ingested
    )


def register_calibrations(
    target: Path,
    items: Sequence[CalibrationItem],
    report: IngestReport,
    validity_days: int,
    *,
    create: bool = False,
    ignore_ingested: bool = False,
) -> IngestReport:
    """Place and register `items` in the directory `target`, all or none; fills and returns `report`."""
    mode: Mode = report.mode  # type: ignore[assignment]
    registry = target / CALIB_REGISTRY_NAME
    pending = [item for item in items if create or not _is_registered(registry, item, report, ignore_ingested)]
    if mode == "skip":
        pending = [item for item in pending if _is_in_place(item, report)]
    if pending and not report.dry_run:
        with ingest_lock(target):
            pending = _execute(registry, pending, report, mode, validity_days, create)
    report.ingested += [IngestedFile(item.source, item.destination, item.row, item.kind) for item in pending]
    return report


class _Reader:
    """Tells from a file's headers what it is."""

    def __init__(self, camera: Instrument, target: Path, kind: str | None, values: dict[str, str]) -> None:
        if kind is not None and kind not in CALIBRATION_TYPES:
            near = difflib.get_close_matches(kind, CALIBRATION_TYPES, n=1)
            raise UsageError(
                "UNKNOWN_CALIBRATION",
                f"There is no kind of calibration {kind!r}.",
                (f"Did you mean {near[0]}? " if near else "") + f"The kinds are {', '.join(CALIBRATION_TYPES)}.",
            )
        unknown = [name for name in values if name not in _CALIB_ID_KEYS]
        if unknown:
            raise UsageError(
                "UNKNOWN_COLUMN",
                f"{unknown[0]!r} cannot be set for a calibration.",
                f"What can be set is {', '.join(_CALIB_ID_KEYS)}.",
            )
        self._camera = camera
        self._types = DatasetTypes(camera.templates)
        self._target = target
        self._kind = kind
        self._values = values

    def read(self, path: Path) -> CalibrationItem:
        headers = read_fits_headers(path, prefix="FILE")
        header: dict[str, Any] = {}
        for one in headers:
            header = {**one, **header}
        kind = self._kind or self._kind_of(header)
        identity = {**self._identity(header, kind), **self._values}
        try:
            ccd = int(identity["ccd"])
            date = str(identity["calibDate"])
            symmetric_validity([date], 0)
        except (KeyError, ValueError, OverflowError):
            raise ProcessingError(
                "NO_CALIB_ID",
                f"The header tells no whole ccd and calibDate (found {identity}).",
                "Give them: --set ccd=16 --set calibDate=2013-11-03",
            ) from None
        filter_ = str(identity.get("filter", _NO_FILTER))
        relative = self._types[kind].template.format({"ccd": ccd, "filter": filter_, "calibDate": date})
        destination = self._target / (relative + compression_suffix(path))
        return CalibrationItem(path, destination, kind, filter_, ccd, date)

    def _kind_of(self, header: Mapping[str, Any]) -> str:
        words = [str(header.get("OBSTYPE") or "")]
        rule = self._camera.header.columns.get("dataType")
        if rule is not None:
            try:
                words.append(str(rule.apply(header, "dataType")))
            except ProcessingError:
                words.append("")  # the frame type is then what OBSTYPE says, or unknown
        for word in words:
            kind = next((kind for part, kind in _KIND_WORDS.items() if part in word.lower()), None)
            if kind is not None:
                return kind
        seen = " and ".join(repr(word) for word in words if word) or "nothing"
        raise ProcessingError(
            "NOT_A_CALIBRATION",
            f"The header does not say what calibration this is: looked at OBSTYPE and the frame type, found {seen}.",
            f"Give --type, one of {', '.join(CALIBRATION_TYPES)}.",
        )

    def _identity(self, header: Mapping[str, Any], kind: str) -> dict[str, Any]:
        found = _parse_calib_id(str(header.get("CALIB_ID") or ""))
        found.setdefault("calibDate", header.get("CALIBDATE"))
        rules = self._camera.header.columns
        for key, column in (("ccd", "ccd"), ("filter", "filter"), ("calibDate", "dateObs")):
            if found.get(key) is None and key not in self._values and column in rules:
                found[key] = rules[column].apply(header, column)
        if "filter" not in CALIBRATION_TYPES[kind]:
            # Gen2 writes NONE for bias and dark, and Python's None for defects.
            found["filter"] = "None" if kind == "defects" else _NO_FILTER
        return {key: value for key, value in found.items() if value is not None}


def _parse_calib_id(text: str) -> dict[str, Any]:
    pairs = dict(word.split("=", 1) for word in text.split() if "=" in word)
    found: dict[str, Any] = {key: pairs[key] for key in _CALIB_ID_KEYS if key in pairs}
    if "ccd" not in found and "detector" in pairs:
        found["ccd"] = pairs["detector"]
    return found


def _is_registered(registry: Path, item: CalibrationItem, report: IngestReport, ignore: bool) -> bool:
    """Whether it is in the registry already; notes in `report` what that means for the file."""
    if not registry.is_file():
        return False
    database = ReadOnlyDatabase(registry)
    try:
        if not database.columns(item.kind):
            return False
        sql = f"SELECT count(*) FROM {quote_column(item.kind)} WHERE filter = ? AND ccd = ? AND calibDate = ?"
        if database.fetch(sql, [item.filter, item.ccd, item.calib_date])[0][0] == 0:
            return False
    finally:
        database.close()
    if is_same_file(item.source, item.destination):
        report.already.append(item.source)
    elif ignore:
        report.skipped.append((item.source, "its ccd, filter and date are registered already"))
    else:
        message = f"{item.source} is a {item.kind} ({_describe(item)}) that is registered already with another file."
        report.bad.append(BadFile(item.source, "ALREADY_INGESTED", message))
    return True


def _is_in_place(item: CalibrationItem, report: IngestReport) -> bool:
    if item.destination.exists():
        return True
    message = f"{item.source} is to be registered where it is, but its place is {item.destination}."
    report.bad.append(BadFile(item.source, "NOT_IN_PLACE", message))
    return False


def _describe(item: CalibrationItem) -> str:
    return f"ccd={item.ccd} filter={item.filter} calibDate={item.calib_date}"


def _execute(
    registry: Path,
    items: Sequence[CalibrationItem],
    report: IngestReport,
    mode: Mode,
    validity_days: int,
    create: bool,
) -> list[CalibrationItem]:
    free_space_needed([(item.source, item.destination) for item in items], mode)
    placements = Placements(mode)
    try:
        placed = [item for item in items if place_or_note(placements, item, report)]
        with edit_registry(registry) as connection:
            create_calib_tables(connection, sorted({item.kind for item in placed}), anew=create)
            for item in placed:
                connection.execute(
                    f"INSERT INTO {quote_column(item.kind)} (filter, ccd, calibDate) VALUES (?, ?, ?)",
                    [item.filter, item.ccd, item.calib_date],
                )
            for kind, filter_, ccd in sorted({(item.kind, item.filter, item.ccd) for item in placed}):
                _set_validity(connection, kind, filter_, ccd, validity_days, report)
    except BaseException:
        placements.undo()
        raise
    placements.finish()
    return placed


def _set_validity(
    connection: sqlite3.Connection, kind: str, filter_: str, ccd: int, days: int, report: IngestReport
) -> None:
    """Ranges of all rows of one kind, filter and CCD; the other rows of the table stay as they are."""
    table = quote_column(kind)
    rows = connection.execute(
        f"SELECT id, calibDate FROM {table} WHERE filter = ? AND ccd = ? ORDER BY calibDate", [filter_, ccd]
    ).fetchall()
    dates = [str(date) for _, date in rows]
    try:
        ranges = until_superseded(dates) if kind in UNTIL_SUPERSEDED else symmetric_validity(dates, days)
    except (ValueError, OverflowError):
        report.notes.append(f"No validity was set for {kind} of ccd {ccd}, filter {filter_}: a calibDate is no date.")
        return
    for (identifier, _), validity in zip(rows, ranges, strict=True):
        connection.execute(
            f"UPDATE {table} SET validStart = ?, validEnd = ? WHERE id = ?",
            [validity.start, validity.end, identifier],
        )
