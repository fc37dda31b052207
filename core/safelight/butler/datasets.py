"""What a rerun has made: its files with sizes and checksums, and the status of each CCD.

``.safelight/datasets.sqlite3`` in the rerun. One transaction a CCD, with SQLite's rollback journal (its write-ahead log
does not work on network file systems) and a long busy time-out. A rerun never gets a ``registry.sqlite3``, which would
hide its parent's.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from safelight.butler.atomic import make_directory
from safelight.butler.sqlite import ReadOnlyDatabase, database_errors
from safelight.caveats import Caveat
from safelight.errors import RepositoryError

__all__ = ["LEDGER_PATH", "CcdRecord", "DatasetLedger", "FileProblem", "FileRecord", "ccd_identity", "file_record"]

LEDGER_PATH = Path(".safelight") / "datasets.sqlite3"
SCHEMA_VERSION = 1
_BUSY_SECONDS = 60.0

_SCHEMA = (
    """CREATE TABLE ccd (
        identity TEXT PRIMARY KEY, data_id TEXT NOT NULL, status TEXT NOT NULL, caveats TEXT NOT NULL,
        step TEXT NOT NULL, code TEXT NOT NULL, message TEXT NOT NULL, hint TEXT NOT NULL,
        config_hash TEXT NOT NULL, inputs_hash TEXT NOT NULL, inputs TEXT NOT NULL, metrics TEXT NOT NULL,
        run_id TEXT NOT NULL, started TEXT NOT NULL, finished TEXT NOT NULL)""",
    """CREATE TABLE file (
        path TEXT PRIMARY KEY, dataset_type TEXT NOT NULL, identity TEXT NOT NULL, size INTEGER NOT NULL,
        sha256 TEXT NOT NULL)""",
    "CREATE INDEX file_of_ccd ON file (identity)",
)


class WrittenFile(Protocol):
    """Anything that describes a written file: `FileRecord`, or a step's own."""

    @property
    def dataset_type(self) -> str:
        """Its dataset type."""
        ...

    @property
    def path(self) -> Path:
        """Where it is: absolute, or relative to the rerun."""
        ...

    @property
    def size(self) -> int:
        """Bytes."""
        ...

    @property
    def sha256(self) -> str:
        """Hexadecimal."""
        ...


@dataclass(frozen=True, slots=True)
class FileRecord:
    """A file as it was when written."""

    dataset_type: str
    path: Path
    size: int
    sha256: str


@dataclass(slots=True)
class CcdRecord:
    """The status of one CCD in a rerun. Times are ISO, UTC."""

    data_id: dict[str, Any]
    status: str  # done, done-with-caveats, failed, cancelled
    caveats: list[Caveat] = field(default_factory=list)
    step: str = ""  # of a failure
    code: str = ""
    message: str = ""
    hint: str = ""
    config_hash: str = ""
    inputs_hash: str = ""
    inputs: list[dict[str, Any]] = field(default_factory=list)  # fingerprints of what the result was made from
    metrics: dict[str, Any] = field(default_factory=dict)
    run_id: str = ""
    started: str = ""
    finished: str = ""


@dataclass(frozen=True, slots=True)
class FileProblem:
    """A file that is not as it was written."""

    path: Path
    dataset_type: str
    code: str  # FILE_MISSING, FILE_SIZE, FILE_CHECKSUM
    message: str


def ccd_identity(data_id: Mapping[str, Any]) -> str:
    """What makes two data IDs the same CCD: visit and ccd if they have both, otherwise everything."""
    keys = ("visit", "ccd") if all(key in data_id for key in ("visit", "ccd")) else sorted(data_id)
    return json.dumps({key: data_id[key] for key in keys}, default=_plain)


def _plain(value: Any) -> Any:
    """Numpy's scalars and paths for JSON."""
    return value.item() if hasattr(value, "item") else str(value)


def file_record(dataset_type: str, path: Path) -> FileRecord:
    """The record of a file as it is now."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = os.fstat(file.fileno()).st_size
    return FileRecord(dataset_type, path, size, digest)


class DatasetLedger:
    """The ledger of one rerun; made when first written, absent until then."""

    def __init__(self, rerun_root: Path) -> None:
        self.root = Path(rerun_root)
        self.path = self.root / LEDGER_PATH
        self._reader = ReadOnlyDatabase(self.path)

    def close(self) -> None:
        """Let go of the file."""
        self._reader.close()

    def record_ccd(self, record: CcdRecord, files: Iterable[WrittenFile] = ()) -> None:
        """Store the status of a CCD and its files in one transaction, replacing what was known of it."""
        identity = ccd_identity(record.data_id)
        with self._transaction() as connection:
            connection.execute("DELETE FROM file WHERE identity = ?", [identity])
            connection.execute(
                f"INSERT OR REPLACE INTO ccd VALUES ({', '.join('?' * 15)})",
                [
                    identity,
                    json.dumps(record.data_id, default=_plain),
                    record.status,
                    json.dumps([[caveat.code, caveat.message] for caveat in record.caveats]),
                    record.step,
                    record.code,
                    record.message,
                    record.hint,
                    record.config_hash,
                    record.inputs_hash,
                    json.dumps(record.inputs, default=_plain),
                    json.dumps(record.metrics, default=_plain),
                    record.run_id,
                    record.started,
                    record.finished,
                ],
            )
            self._insert_files(connection, identity, files)

    def record_files(self, files: Iterable[WrittenFile], data_id: Mapping[str, Any] | None = None) -> None:
        """Store files that are no CCD's (configuration, schemas), or add to those of a CCD."""
        with self._transaction() as connection:
            self._insert_files(connection, ccd_identity(data_id or {}), files)

    def forget_ccd(self, data_id: Mapping[str, Any]) -> None:
        """Remove a CCD and its files' rows."""
        identity = ccd_identity(data_id)
        with self._transaction() as connection:
            connection.execute("DELETE FROM file WHERE identity = ?", [identity])
            connection.execute("DELETE FROM ccd WHERE identity = ?", [identity])

    def ccds(self, visit: Any = None) -> list[CcdRecord]:
        """The status of every CCD, or of those of one visit, in the order of their data IDs."""
        where = "" if visit is None else "WHERE json_extract(identity, '$.visit') = ?"
        rows = self._fetch(
            f"SELECT * FROM ccd {where} ORDER BY json_extract(identity, '$.visit'), json_extract(identity, '$.ccd')",
            [] if visit is None else [visit],
        )
        return [_ccd_record(row) for row in rows]

    def ccd(self, data_id: Mapping[str, Any]) -> CcdRecord | None:
        """The status of one CCD; None if nothing is known."""
        rows = self._fetch("SELECT * FROM ccd WHERE identity = ?", [ccd_identity(data_id)])
        return _ccd_record(rows[0]) if rows else None

    def files(self, data_id: Mapping[str, Any] | None = None) -> list[FileRecord]:
        """The files of a CCD, or all of the rerun; paths are absolute."""
        sql = "SELECT dataset_type, path, size, sha256 FROM file"
        if data_id is None:
            rows = self._fetch(sql + " ORDER BY path")
        else:
            rows = self._fetch(sql + " WHERE identity = ? ORDER BY path", [ccd_identity(data_id)])
        return [FileRecord(kind, self.root / path, size, digest) for kind, path, size, digest in rows]

    def verify(self, data_id: Mapping[str, Any] | None = None, *, checksums: bool = True) -> list[FileProblem]:
        """The files that are missing or not as they were written; without `checksums` only sizes are compared."""
        problems = (_problem(record, checksums) for record in self.files(data_id))
        return [problem for problem in problems if problem is not None]

    def _insert_files(self, connection: sqlite3.Connection, identity: str, files: Iterable[WrittenFile]) -> None:
        connection.executemany(
            "INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)",
            [(self._relative(f.path), f.dataset_type, identity, f.size, f.sha256) for f in files],
        )

    def _relative(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def _fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        if not self.path.is_file():
            return []
        try:
            return self._read(sql, parameters)
        except RepositoryError:
            if not self.path.with_name(self.path.name + "-journal").exists():
                raise
        # A writer was killed in the middle of a transaction: only a writer can roll it back.
        self._reader.close()
        with self._transaction():
            pass
        return self._read(sql, parameters)

    def _read(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        ((version,),) = self._reader.fetch("PRAGMA user_version")
        if version == 0:  # made, but its first transaction never ended
            return []
        self._check_version(version)
        return self._reader.fetch(sql, parameters)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        make_directory(self.path.parent)
        with database_errors(self.path):
            connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS, isolation_level=None)
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    self._migrate(connection)
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
            finally:
                connection.close()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            for statement in _SCHEMA:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        else:
            self._check_version(version)

    def _check_version(self, version: int) -> None:
        if version > SCHEMA_VERSION:
            raise RepositoryError(
                "LEDGER_TOO_NEW",
                f"{self.path} has version {version}; this Safelight reads versions up to {SCHEMA_VERSION}.",
                "Use a newer Safelight for this rerun, or another rerun.",
            )


def _ccd_record(row: tuple[Any, ...]) -> CcdRecord:
    _, data_id, status, caveats, step, code, message, hint, config_hash, inputs_hash, inputs, metrics, *rest = row
    run_id, started, finished = rest
    return CcdRecord(
        json.loads(data_id),
        status,
        [Caveat(*pair) for pair in json.loads(caveats)],
        step,
        code,
        message,
        hint,
        config_hash,
        inputs_hash,
        json.loads(inputs),
        json.loads(metrics),
        run_id,
        started,
        finished,
    )


def _problem(record: FileRecord, checksums: bool) -> FileProblem | None:
    try:
        size = record.path.stat().st_size
    except OSError:
        return FileProblem(record.path, record.dataset_type, "FILE_MISSING", f"{record.path} is missing.")
    if size != record.size:
        message = f"{record.path} has {size} bytes; {record.size} were written."
        return FileProblem(record.path, record.dataset_type, "FILE_SIZE", message)
    if checksums and file_record(record.dataset_type, record.path).sha256 != record.sha256:
        message = f"{record.path} has another content than was written."
        return FileProblem(record.path, record.dataset_type, "FILE_CHECKSUM", message)
    return None
