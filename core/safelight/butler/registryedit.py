"""Editing a registry so that it is either as before or as wanted.

The registry is copied to a temporary file beside it, the copy is edited in one transaction, flushed and renamed into
place. A lock keeps two ingests into one directory apart.
"""

from __future__ import annotations

import fcntl
import shutil
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from safelight.butler.atomic import atomic_path, make_directory, writing_errors
from safelight.butler.sqlite import database_errors
from safelight.dataid import quote_column
from safelight.errors import RepositoryError

__all__ = ["create_calib_tables", "create_raw_tables", "edit_registry", "ingest_lock", "update_visits"]

#: Columns of `raw_visit`, the table of visits, in Gen2's order.
VISIT_COLUMNS = ("visit", "field", "filter", "dateObs", "taiObs")

#: A group may ingest together, as in Gen2.
_PERMISSIONS = 0o664


@contextmanager
def ingest_lock(root: Path) -> Iterator[None]:
    """Hold the right to ingest into `root`; raises `RepositoryError` INGEST_RUNNING when another process does."""
    path = root / ".safelight" / "ingest.lock"
    make_directory(path.parent)
    with writing_errors(path), path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RepositoryError(
                "INGEST_RUNNING", f"Another ingest into {root} is at work.", "Wait until it has ended."
            ) from None
        yield


@contextmanager
def edit_registry(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection to a copy of the registry `path` (empty if there is none), which replaces it when all goes well."""
    with atomic_path(path) as temporary, database_errors(path):
        if path.exists():
            shutil.copyfile(path, temporary)
        connection = sqlite3.connect(temporary, isolation_level=None)
        try:
            # The copy is thrown away when anything fails, so it needs no journal of its own.
            connection.execute("PRAGMA journal_mode = OFF")
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")
        finally:
            connection.close()
        temporary.chmod(_PERMISSIONS)


def create_raw_tables(connection: sqlite3.Connection, columns: Mapping[str, str], *, anew: bool = False) -> None:
    """Make the tables `raw` and `raw_visit` where they are absent; with `anew` drop the old ones first.

    Raises
    ------
    RepositoryError
        OTHER_COLUMNS when an existing table lacks a column.
    """
    if anew:
        for table in ("raw", "raw_visit", "pointing"):
            connection.execute(f"DROP TABLE IF EXISTS {table}")
    listed = ",".join(f"{quote_column(name)} {kind}" for name, kind in columns.items())
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS raw (id integer primary key autoincrement, {listed}, unique(visit,ccd))"
    )
    visits = ",".join(f"{name} {columns[name]}" for name in VISIT_COLUMNS if name in columns)
    connection.execute(f"CREATE TABLE IF NOT EXISTS raw_visit ({visits}, unique(visit))")
    present = [name for _, name, *_ in connection.execute("PRAGMA table_info(raw)")]
    lacking = [name for name in columns if name not in present]
    if lacking:
        raise RepositoryError(
            "OTHER_COLUMNS",
            f"The registry has no column {', '.join(lacking)}: it was made for another camera or camera file.",
            "Make it anew with --create, or ingest into another repository.",
        )


def update_visits(connection: sqlite3.Connection) -> None:
    """Add the visits of `raw` that `raw_visit` lacks."""
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(raw_visit)")]
    listed = ", ".join(quote_column(name) for name in columns)
    # One row a visit, whatever its frames say: the earliest ingested.
    connection.execute(
        f"INSERT INTO raw_visit ({listed}) SELECT {listed} FROM raw WHERE id IN "
        "(SELECT min(id) FROM raw WHERE visit NOT IN (SELECT visit FROM raw_visit) GROUP BY visit)"
    )


def create_calib_tables(connection: sqlite3.Connection, kinds: Sequence[str], *, anew: bool = False) -> None:
    """Make the pair of tables of each kind of calibration where they are absent; with `anew` drop the old ones."""
    for kind in kinds:
        table, visits = quote_column(kind), quote_column(f"{kind}_visit")
        if anew:
            connection.execute(f"DROP TABLE IF EXISTS {table}")
            connection.execute(f"DROP TABLE IF EXISTS {visits}")
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (id integer primary key autoincrement, filter text,ccd int,"
            "validStart text,calibDate text,validEnd text, unique(filter,ccd,calibDate))"
        )
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {visits} (calibDate text,filter text, unique(calibDate,filter))"
        )
