"""Ingesting raw frames: from headers to rows of the registry and files in their places."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.butler.datasettypes import DatasetTypes
from safelight.butler.files import compression_suffix, existing_file
from safelight.butler.fitsheaders import read_fits_headers
from safelight.butler.ingestfiles import gather
from safelight.butler.ingestreport import BadFile, IngestedFile, IngestReport
from safelight.butler.placement import Mode, Placements, free_space_needed, is_same_file, place_or_note
from safelight.butler.pointings import POINTING_WORDS, parse_pointing, store_pointing
from safelight.butler.registry import RAW_COLUMNS
from safelight.butler.registryedit import create_raw_tables, edit_registry, ingest_lock, update_visits
from safelight.butler.repository import (
    MAPPER_NAME,
    REGISTRY_NAME,
    create_repository,
    instrument_of,
    is_repository,
    mapper_of,
    open_repository,
)
from safelight.butler.sqlite import ReadOnlyDatabase, affinity
from safelight.dataid import ExpressionLike, TypedGroup, bind, parse, quote_column
from safelight.dataid.values import cast
from safelight.errors import ProcessingError, RepositoryError, SafelightError, UsageError

if TYPE_CHECKING:
    from safelight.instruments import Instrument

__all__ = ["ingest_images"]

Progress = Callable[[int, int, Path], None]


def ingest_images(
    root: str | Path,
    files: Iterable[str | Path],
    *,
    mode: Mode = "link",
    dry_run: bool = False,
    create: bool = False,
    ignore_ingested: bool = False,
    bad_id: Sequence[ExpressionLike] = (),
    bad_file: Sequence[str] = (),
    instrument: str | Path | None = None,
    values: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> IngestReport:
    """Register raw frames in ``root/registry.sqlite3`` and bring them to their places below `root`.

    Files come to their places first, then the registry is renamed into place: whatever happens in between, no row lacks
    its file, and the same command completes the work. A file that is bad is named in the report and the others go on.

    Parameters
    ----------
    root : path
        The repository; made if absent, of the camera of the first good file or of `instrument`.
    files : iterable of path or glob
        Raw frames.
    mode : {"link", "copy", "move", "skip"}
        link: symbolic links to the absolute sources; skip: register only, the files are in place already.
    dry_run : bool
        Only say what would be done.
    create : bool
        Begin with an empty registry.
    ignore_ingested : bool
        Pass silently over frames that are registered already, whatever file they come from.
    bad_id, bad_file : sequence
        Data-ID expressions and globs of base names that are left out.
    instrument : str or path, optional
        The camera, by name or YAML file, for a new repository.
    values : mapping, optional
        Texts that replace or complete what headers say: registry columns, and ``ra``, ``dec``, ``angle``, ``scale``,
        ``mirrored`` (see `safelight.butler.pointings`).
    progress : callable, optional
        Called with (files done, files in all, file).

    Raises
    ------
    RepositoryError
        The repository cannot be used or written; nothing was registered and no new file is left.
    UsageError
        UNKNOWN_COLUMN, UNCASTABLE_VALUE or BAD_POINTING in `values`.
    DataIdError
        A `bad_id` cannot be understood.
    """
    root = Path(root)
    report = IngestReport(root, dry_run=dry_run, mode=mode)
    paths = gather(files, bad_file, report)
    camera, is_new = _camera(root, paths, instrument, report)
    if camera is None:
        return report
    plan = _Plan(root, camera, report, values or {})
    excluded = [group for item in bad_id for group in bind(parse(item), plan.key_types())]
    for index, path in enumerate(paths):
        if progress is not None:
            progress(index, len(paths), path)
        plan.add(path, excluded, mode)
    plan.sort_out_registered(create, ignore_ingested)
    if not dry_run and plan.items:
        if is_new:
            create_repository(root, instrument if instrument is not None else camera.name)
        with ingest_lock(root):
            plan.execute(mode, create)
    report.ingested = [item.described() for item in plan.items]
    return report


def _camera(
    root: Path, paths: Sequence[Path], name: str | Path | None, report: IngestReport
) -> tuple[Instrument | None, bool]:
    """The camera of the repository, and whether the repository has yet to be made; None when no file tells."""
    from safelight.instruments import identify_instrument, load_instrument, read_raw_header

    if root.is_dir() and is_repository(root) and mapper_of(open_repository(root)):
        present = instrument_of(open_repository(root))
        if name is not None and load_instrument(name).name != present.name:
            raise RepositoryError(
                "OTHER_CAMERA",
                f"{root} is a repository of camera {present.name}, not {load_instrument(name).name}.",
                f"Leave --instrument away, or choose another directory ({MAPPER_NAME} holds the camera).",
            )
        return present, False
    if name is not None:
        return load_instrument(name), True
    problem: SafelightError | None = None
    for path in paths:
        try:
            return identify_instrument(read_raw_header(path)), True
        except ProcessingError:
            continue  # a bad file is reported in its turn, if any other tells the camera
        except SafelightError as error:
            problem = problem or error
    if problem is not None:
        raise problem
    report.bad += [BadFile.of(path, error) for path, error in _errors_of(paths)]
    return None, True


def _errors_of(paths: Sequence[Path]) -> Iterable[tuple[Path, SafelightError]]:
    for path in paths:
        try:
            read_fits_headers(path)
        except SafelightError as error:
            yield path, error
        else:
            yield path, ProcessingError("UNKNOWN_CAMERA", f"The camera of {path} is not known.")


@dataclass(slots=True)
class _Item:
    source: Path
    destination: Path
    row: dict[str, Any]
    pointing: dict[str, float] = field(default_factory=dict)

    def described(self) -> IngestedFile:
        return IngestedFile(self.source, self.destination, self.row)


class _Plan:
    """What is to be done with each file."""

    def __init__(self, root: Path, camera: Instrument, report: IngestReport, values: Mapping[str, str]) -> None:
        self._root = root
        self._camera = camera
        self._report = report
        self._template = DatasetTypes(camera.templates)["raw"].template
        self._columns = dict(camera.registry_columns or RAW_COLUMNS)
        self._given, self._pointing = self._sort_values(values)
        stated = {name: rule for name, rule in camera.header.columns.items() if name not in self._given}
        header = camera.header.model_copy(update={"columns": stated})
        self._translating = camera.model_copy(update={"header": header})
        self.items: list[_Item] = []
        self._seen: dict[tuple[int, int], Path] = {}

    def key_types(self) -> dict[str, Any]:
        """The columns and their Python types."""
        return {name: affinity(kind) for name, kind in self._columns.items()}

    def _sort_values(self, values: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, float]]:
        types = self.key_types()
        given: dict[str, Any] = {}
        for name, text in values.items():
            if name in POINTING_WORDS:
                continue
            if name not in types:
                raise UsageError(
                    "UNKNOWN_COLUMN",
                    f"{name!r} is neither a column of the registry nor about the pointing.",
                    f"The columns are {', '.join(types)}; the pointing is {', '.join(POINTING_WORDS)}.",
                )
            try:
                given[name] = cast(text, types[name])
            except ValueError:
                raise UsageError(
                    "UNCASTABLE_VALUE", f"{name}={text} is not a value of type {types[name].__name__}."
                ) from None
        return given, parse_pointing({name: text for name, text in values.items() if name in POINTING_WORDS})

    def add(self, path: Path, excluded: Sequence[TypedGroup], mode: Mode) -> None:
        """Plan one file, or say why not."""
        try:
            row = self._row(path)
            destination = self._root / (self._template.format(row) + compression_suffix(path))
        except SafelightError as error:
            self._report.bad.append(BadFile.of(path, error))
            return
        group = next((group for group in excluded if group.matches(row)), None)
        if group is not None:
            self._report.skipped.append((path, f"it matches --badId {group}"))
            return
        twin = self._seen.setdefault((row["visit"], row["ccd"]), path)
        if twin is not path:
            message = f"{path} is visit={row['visit']} ccd={row['ccd']}, as is {twin}."
            self._report.bad.append(BadFile(path, "SAME_FRAME", message))
            return
        if mode == "skip" and not destination.exists():
            message = f"{path} is to be registered where it is, but its place is {destination}."
            self._report.bad.append(BadFile(path, "NOT_IN_PLACE", message))
            return
        self.items.append(_Item(path, destination, row, self._pointing))

    def _row(self, path: Path) -> dict[str, Any]:
        from safelight.instruments import read_raw_header, translate_header

        read_fits_headers(path)  # the whole file is there
        row = {**translate_header(self._translating, read_raw_header(path)), **self._given}
        lacking = [name for name in ("visit", "ccd") if row.get(name) is None]
        if lacking:
            raise ProcessingError("MISSING_KEYWORD", f"The header does not tell {' and '.join(lacking)}.")
        return {name: row.get(name) for name in self._columns}

    def sort_out_registered(self, create: bool, ignore: bool) -> None:
        """Take out the frames that are registered already."""
        registry = self._root / REGISTRY_NAME
        if create or not registry.is_file():
            return
        known = self._registered(ReadOnlyDatabase(registry))
        kept = []
        for item in self.items:
            place = known.get((item.row["visit"], item.row["ccd"]))
            if place is None:
                kept.append(item)
            elif is_same_file(item.source, place):
                self._report.already.append(item.source)
            elif ignore:
                self._report.skipped.append((item.source, "its visit and ccd are registered already"))
            else:
                name = f"visit={item.row['visit']} ccd={item.row['ccd']}"
                message = f"{item.source} is {name}, which is registered already with another file, {place}."
                self._report.bad.append(BadFile(item.source, "ALREADY_INGESTED", message))
        self.items = kept

    def _registered(self, database: ReadOnlyDatabase) -> dict[tuple[int, int], Path]:
        """Where the file of each registered frame lies; places follow from the rows, not from the new headers."""
        keys = list(dict.fromkeys(["visit", "ccd", *self._template.keys]))
        places: dict[tuple[int, int], Path] = {}
        try:
            if database.columns("raw"):
                for values in database.fetch(f"SELECT {', '.join(map(quote_column, keys))} FROM raw"):
                    path = self._root / self._template.format(dict(zip(keys, values, strict=True)))
                    places[values[0], values[1]] = existing_file(path) or path
        finally:
            database.close()
        return places

    def execute(self, mode: Mode, create: bool) -> None:
        """Place the files, then register them all at once; on an error nothing new is left."""
        free_space_needed([(item.source, item.destination) for item in self.items], mode)
        placements = Placements(mode)
        try:
            self.items = [item for item in self.items if place_or_note(placements, item, self._report)]
            with edit_registry(self._root / REGISTRY_NAME) as connection:
                create_raw_tables(connection, self._columns, anew=create)
                for item in self.items:
                    self._insert(connection, item)
                update_visits(connection)
        except BaseException:
            placements.undo()
            raise
        placements.finish()

    def _insert(self, connection: sqlite3.Connection, item: _Item) -> None:
        names = ", ".join(map(quote_column, item.row))
        marks = ", ".join("?" * len(item.row))
        connection.execute(f"INSERT INTO raw ({names}) VALUES ({marks})", list(item.row.values()))
        if item.pointing:
            store_pointing(connection, item.row["visit"], item.row["ccd"], item.pointing)
