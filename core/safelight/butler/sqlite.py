"""SQLite files opened so that nothing is made or changed by looking."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safelight.errors import RepositoryError

__all__ = ["ReadOnlyDatabase", "affinity", "database_errors"]

_BUSY_SECONDS = 30.0


@contextmanager
def database_errors(path: Path) -> Iterator[None]:
    """Turn SQLite's errors about the file `path` into `RepositoryError`s."""
    try:
        yield
    except sqlite3.Error as error:
        text = str(error)
        if "disk is full" in text or "database or disk" in text:
            code, hint = "DISK_FULL", "Free some space, then give the same command again."
        elif "readonly" in text or "unable to open" in text:
            code, hint = "NOT_WRITABLE", "Check that the file and its directory exist and may be used."
        elif "locked" in text:
            code, hint = "DATABASE_BUSY", "Another process holds it; try again when that has ended."
        else:
            code, hint = "BAD_DATABASE", "Check that it is a whole SQLite file."
        raise RepositoryError(code, f"{path} cannot be used: {text}.", hint) from error


class ReadOnlyDatabase:
    """Queries on one SQLite file, which is never written; usable from several threads.

    The file is opened at the first query, and again when it was replaced since.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._columns: dict[str, dict[str, str]] = {}

    def __del__(self) -> None:
        # Python warns of connections that are never closed.
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["path"])  # type: ignore[misc]

    def fetch(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """All rows of a query; raises `RepositoryError` when the file is absent, damaged or busy."""
        with self._lock, database_errors(self.path):
            return self._connect().execute(sql, parameters).fetchall()

    def columns(self, table: str) -> dict[str, str]:
        """The columns of `table` with their declared types; empty if there is no such table."""
        with self._lock, database_errors(self.path):
            connection = self._connect()
            if table not in self._columns:
                rows = connection.execute("SELECT name, type FROM pragma_table_info(?)", [table]).fetchall()
                self._columns[table] = {name: declared.lower() for name, declared in rows}
            return self._columns[table]

    def tables(self) -> list[str]:
        """The names of the tables."""
        return [name for (name,) in self.fetch("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")]

    def close(self) -> None:
        """Let go of the file; the next query opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._columns = {}

    def _connect(self) -> sqlite3.Connection:
        try:
            status = self.path.stat()
        except OSError as error:
            self._close()
            raise RepositoryError(
                "NO_REGISTRY", f"There is no file {self.path}.", "Ingest some frames first."
            ) from error
        identity = (status.st_dev, status.st_ino)
        if self._connection is None or identity != self._identity:
            self._close()
            uri = self.path.absolute().as_uri() + "?mode=ro"
            self._connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, check_same_thread=False)
            self._identity = identity
        return self._connection


def affinity(declared: str) -> type[str] | type[int] | type[float]:
    """The Python type of a column from its declared SQL type, by SQLite's rules."""
    if "int" in declared:
        return int
    if any(word in declared for word in ("char", "clob", "text")):
        return str
    if any(word in declared for word in ("real", "floa", "doub")):
        return float
    return str
