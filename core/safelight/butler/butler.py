"""The butler: where data live, read through reruns and their parents, written atomically to one output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.butler.atomic import atomic_path
from safelight.butler.calibrationfinder import CalibrationFinder
from safelight.butler.calibrations import CalibrationChoice, find_calib_root
from safelight.butler.datasets import DatasetLedger, FileRecord, file_record
from safelight.butler.datasettypes import DatasetType, DatasetTypes
from safelight.butler.files import existing_file
from safelight.butler.formatters import read_dataset, read_header, write_dataset
from safelight.butler.outputs import open_output, write_output_cfg
from safelight.butler.query import query_registry
from safelight.butler.registry import Registry
from safelight.butler.repository import REGISTRY_NAME, Repository, instrument_of, open_repository, with_parents
from safelight.butler.roots import resolve_roots
from safelight.butler.selection import Selection
from safelight.dataid import ExpressionLike, KeyType
from safelight.errors import DatasetNotFound, RepositoryError, UsageError

if TYPE_CHECKING:
    from safelight.instruments import Box, Instrument, Pointing

__all__ = ["Butler"]

DataId = Mapping[str, Any]


class Butler:
    """Access to one repository, alone or with an output.

    Opening looks at the disk but writes nothing; an output is made by the first `put` or by `create_output`.

    Parameters
    ----------
    root : path
        The repository.
    rerun : str, optional
        ``"a"``: write to ``root/rerun/a``; ``"a:b"``: read from rerun a, write to rerun b. An existing rerun is read
        through the parents that it was made with, also when they are not named again.
    output : path, optional
        An output anywhere, instead of a rerun.
    calib : path, optional
        The directory of the calibration registry; by default ``CALIB`` in the repository or one of its parents.

    Raises
    ------
    RepositoryError
        No repository (NO_SUCH_DIRECTORY, NOT_A_REPOSITORY, PARENT_MISSING, BAD_REPOSITORY_CFG), or an output made from
        other parents (OTHER_PARENTS).
    UsageError
        BAD_RERUN, RERUN_AND_OUTPUT.
    """

    def __init__(
        self,
        root: str | Path,
        *,
        rerun: str | None = None,
        output: str | Path | None = None,
        calib: str | Path | None = None,
    ) -> None:
        # The environment's roots are for command lines; see `resolve_roots`.
        self._arguments = {"rerun": rerun, "output": output, "calib": calib}
        roots = resolve_roots(root, rerun=rerun, output=output, calib=calib, environment={})
        self.root = roots.root
        self._given_calib = roots.calib
        source = open_repository(roots.input)
        chained = rerun is not None and ":" in rerun
        self.output, self._parents = open_output(source, roots.output, chained=chained)
        #: Repositories in the order in which they are searched: an existing output first.
        self._repositories = self._ordered()
        self.search_path: list[Path] = [repository.root for repository in self._repositories]

    def _ordered(self) -> list[Repository]:
        starts = list(self._parents)
        if self.output is not None and self._has_cfg(self.output):
            starts.insert(0, open_repository(self.output))
        ordered = {repository.root.resolve(): repository for start in starts for repository in with_parents(start)}
        return list(ordered.values())

    @staticmethod
    def _has_cfg(path: Path) -> bool:
        return any((path / name).exists() for name in ("repositoryCfg.yaml", "_parent", "_mapper"))

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.root, self._arguments)

    def __repr__(self) -> str:
        return f"Butler({str(self.root)!r}, output={str(self.output) if self.output else None!r})"

    # ---- what is there ------------------------------------------------------------------------------------------

    @cached_property
    def instrument(self) -> Instrument:
        """The camera."""
        return instrument_of(self._repositories[0])

    @cached_property
    def dataset_types(self) -> DatasetTypes:
        """The dataset types of the camera."""
        return DatasetTypes(self.instrument.templates)

    @cached_property
    def registry(self) -> Registry:
        """The registry of raw frames; raises `RepositoryError` NO_REGISTRY if no repository searched has one."""
        for repository in self._repositories:
            if repository.has_registry:
                return Registry(repository.root / REGISTRY_NAME, self.instrument.data_id_keys)
        raise RepositoryError(
            "NO_REGISTRY",
            f"There is no {REGISTRY_NAME} in {' nor in '.join(map(str, self.search_path))}.",
            f"Ingest raw frames first: safelight ingest images {self.root} FILES",
        )

    @cached_property
    def _calibrations(self) -> CalibrationFinder:
        inputs = [path for path in self.search_path if path != self.output]
        root, places = find_calib_root(self._given_calib, inputs)
        return CalibrationFinder(root, places, self.dataset_types, lambda: self.registry)

    @property
    def calib_root(self) -> Path | None:
        """The directory of the calibration registry; None if none is found."""
        return self._calibrations.root

    @cached_property
    def ledger(self) -> DatasetLedger:
        """The record of what the output holds; raises `UsageError` NO_OUTPUT if the butler has none."""
        return DatasetLedger(self.require_output())

    def keys(self, dataset_type: str = "raw") -> dict[str, KeyType]:
        """The data-ID keys of a dataset type and their types: a raw frame's in the order of listings."""
        if dataset_type == "raw":
            return self.registry.keys()
        keys = self.registry.keys()
        return {key: keys.get(key, kind) for key, kind in self.dataset_types[dataset_type].template.keys.items()}

    def query(
        self,
        expression: ExpressionLike = "",
        dataset_type: str = "raw",
        *,
        check_files: bool = True,
        columns: Sequence[str] = (),
    ) -> Selection:
        """The data IDs that `expression` selects and whose file exists.

        Rows come group after group, within a group in the order in which its ``=`` values are named (the last key
        varies fastest), otherwise in the order of ingest. A row that several groups select comes once.

        Parameters
        ----------
        expression : str, sequence, mapping or DataIdExpression
            See `safelight.dataid.parse`. Besides the data-ID keys any column of the registry may be named.
        dataset_type : str
            Whose file must exist, e.g. ``"calexp"`` for the finished CCDs of a rerun.
        check_files : bool
            False: do not look at the disk.
        columns : sequence of str
            Further columns of the registry wanted in the rows.

        Raises
        ------
        DataIdError
            The expression cannot be understood, or names a key or value that cannot be.
        EmptySelection
            Nothing is selected; the message says which constraint left nothing and the hint what exists.
        """
        kind = self.dataset_types[dataset_type]
        if kind.is_calibration:
            raise UsageError(
                "NOT_SELECTABLE",
                f"{dataset_type} is chosen by validity, not selected by data IDs.",
                "Use find_calibration for the one that fits an exposure.",
            )

        def exists(row: DataId) -> bool:
            return self._find(kind, row) is not None

        return query_registry(
            self.registry,
            expression,
            exists=exists if check_files else None,
            what=dataset_type,
            columns=columns,
        )

    # ---- where it is --------------------------------------------------------------------------------------------

    def path_for(self, dataset_type: str, data_id: DataId | None = None, **rest: Any) -> Path:
        """Where the dataset is written (in the output, or without one in the repository), existing or not.

        Raises
        ------
        UsageError
            UNKNOWN_DATASET_TYPE, INCOMPLETE_DATA_ID.
        DatasetNotFound
            NO_UNIQUE_LOOKUP when missing keys cannot be looked up.
        """
        kind = self.dataset_types[dataset_type]
        full = self.complete(kind, {**(data_id or {}), **rest})
        return (self.output or self.root) / kind.template.format(full)

    def uri(self, dataset_type: str, data_id: DataId | None = None, **rest: Any) -> Path:
        """The existing file of a dataset: in the output, else in its parents; as named, or with ``.gz`` or ``.fz``.

        A calibration without a calibDate is chosen by validity (`find_calibration`).

        Raises
        ------
        DatasetNotFound
            NO_DATASET naming every path tried, or why a calibration cannot be chosen.
        """
        kind = self.dataset_types[dataset_type]
        full = {**(data_id or {}), **rest}
        if kind.is_calibration and "calibDate" not in full:
            return self.find_calibration(dataset_type, full).path
        full = self.complete(kind, full)
        found = self._find(kind, full)
        if found is None:
            relative = kind.template.format(full)
            places = ", ".join(str(root) for root in self._roots(kind))
            raise DatasetNotFound(
                "NO_DATASET",
                f"There is no {dataset_type} {relative} (nor .gz, .fz) in {places}.",
                "Check the data ID, or make it first.",
                full,
            )
        return found

    def exists(self, dataset_type: str, data_id: DataId | None = None, *, write: bool = False, **rest: Any) -> bool:
        """Whether a dataset's file exists; with `write` only in the output itself, not in its parents."""
        kind = self.dataset_types[dataset_type]
        full = {**(data_id or {}), **rest}
        try:
            if write:
                path = self.require_output() / kind.template.format(self.complete(kind, full))
                return existing_file(path) is not None
            self.uri(dataset_type, full)
        except DatasetNotFound:
            return False
        return True

    def complete(self, kind: DatasetType, data_id: DataId) -> dict[str, Any]:
        """`data_id` with the keys of the template that it lacks, looked up in the registry.

        Raises
        ------
        DatasetNotFound
            NO_UNIQUE_LOOKUP unless exactly one combination agrees with `data_id`.
        """
        missing = kind.template.missing(data_id)
        if not missing or any(key not in self.registry.raw_columns() for key in missing):
            return dict(data_id)
        rows = self.registry.lookup(data_id, missing)
        if len(rows) != 1:
            given = " ".join(f"{key}={value}" for key, value in data_id.items()) or "nothing"
            raise DatasetNotFound(
                "NO_UNIQUE_LOOKUP",
                f"No unique {', '.join(missing)} for {given}: {len(rows)} matches in {self.registry.path}.",
                "Name the frame by visit and ccd." if rows else "Check the data ID against --show data.",
                data_id,
            )
        return {**data_id, **rows[0]}

    def _roots(self, kind: DatasetType) -> list[Path]:
        if kind.is_calibration and self.calib_root is not None:
            return [self.calib_root, *self.search_path]
        return self.search_path

    def _find(self, kind: DatasetType, data_id: DataId) -> Path | None:
        relative = kind.template.format(data_id)
        found = (existing_file(root / relative) for root in self._roots(kind))
        return next((path for path in found if path is not None), None)

    # ---- calibrations and catalogues ----------------------------------------------------------------------------

    def find_calibration(self, kind: str, data_id: DataId) -> CalibrationChoice:
        """The master calibration whose validity holds for an exposure, and why.

        Raises
        ------
        DatasetNotFound
            NO_CALIB_ROOT, NO_BIAS (NO_DARK, …), AMBIGUOUS_CALIBRATION, CALIBRATION_FILE_MISSING: what was looked for,
            by which criterion, and what exists.
        """
        return self._calibrations.find(kind, data_id)

    def defects(self, data_id: DataId) -> tuple[list[Box], str]:
        """The bad rectangles of a CCD at the time of an exposure, and where the list comes from.

        A list in the calibration registry is taken; without one for this CCD, the camera's curated list; else none.
        """
        return self._calibrations.defects(data_id, self.instrument)

    def pointing(self, data_id: DataId) -> Pointing | None:
        """Where a frame points as told at its ingest, for cameras whose headers do not say; None if nothing was."""
        from safelight.butler.pointings import read_pointing

        return read_pointing(self.registry.database, data_id)

    def reference_catalogs(self) -> dict[str, Path]:
        """The reference catalogues, name -> directory of shards; the first found in the search path wins."""
        found: dict[str, Path] = {}
        for root in self.search_path:
            base = root / "ref_cats"
            if base.is_dir():
                for entry in sorted(base.iterdir()):
                    if entry.is_dir() and not entry.name.startswith("."):
                        found.setdefault(entry.name, entry)
        return found

    # ---- reading and writing ------------------------------------------------------------------------------------

    def get(self, dataset_type: str, data_id: DataId | None = None, **rest: Any) -> Any:
        """Read a dataset.

        Besides the dataset types: ``camera`` (the instrument), ``X_filename`` (the path of X), ``X_md`` (its header).
        ``raw`` is a `RawFrame`; exposures, masters, tables, backgrounds, defects (list of Box), YAML and text are read
        in their own types.
        """
        full = {**(data_id or {}), **rest}
        if dataset_type == "camera":
            return self.instrument
        if dataset_type not in self.dataset_types.names():
            for suffix, read in (("_filename", Path), ("_md", read_header)):
                base = dataset_type.removesuffix(suffix)
                if base != dataset_type and base in self.dataset_types.names():
                    return read(self.uri(base, full))
        kind = self.dataset_types[dataset_type]
        path = self.uri(dataset_type, full)
        if kind.storage == "raw":
            return self._read_raw(path, self.complete(kind, full))
        return read_dataset(kind.storage, path)

    def _read_raw(self, path: Path, data_id: dict[str, Any]) -> Any:
        from safelight.instruments import read_raw

        frame = read_raw(
            path,
            self.instrument,
            ccd=data_id.get("ccd"),
            filter_name=data_id.get("filter"),
            pointing=self.pointing(data_id),
        )
        frame.data_id = {**frame.data_id, **data_id}
        return frame

    def put(
        self, thing: Any, dataset_type: str, data_id: DataId | None = None, *, record: bool = True, **rest: Any
    ) -> FileRecord:
        """Write a dataset to the output, atomically, and record its size and checksum in the output's ledger.

        Parameters
        ----------
        record : bool
            False: leave the recording to the caller, who may store several files with a CCD's status in one
            transaction (`DatasetLedger.record_ccd`).

        Raises
        ------
        UsageError
            NO_OUTPUT when the butler has neither rerun nor output.
        RepositoryError
            DISK_FULL, NOT_WRITABLE; the old file, if any, is then untouched.
        """
        self.require_output()
        kind = self.dataset_types[dataset_type]
        path = self.path_for(dataset_type, data_id, **rest)
        self.create_output()
        with atomic_path(path) as temporary:
            write_dataset(kind.storage, temporary, thing)
        written = file_record(dataset_type, path)
        if record:
            self.ledger.record_files([written], data_id)
        return written

    def create_output(self) -> Path:
        """Make the output a repository that Gen2 can read too (``repositoryCfg.yaml`` with its parents)."""
        output = self.require_output()
        if not self._has_cfg(output):
            write_output_cfg(output, self._parents)
            self._repositories = self._ordered()
            self.search_path = [repository.root for repository in self._repositories]
        return output

    def require_output(self) -> Path:
        """The output; raises `UsageError` NO_OUTPUT if the butler has none."""
        if self.output is None:
            raise UsageError(
                "NO_OUTPUT", "Nothing can be written: no output is given.", "Open the repository with rerun=NAME."
            )
        return self.output


def _reopen(root: Path, arguments: dict[str, Any]) -> Butler:
    return Butler(root, **arguments)
