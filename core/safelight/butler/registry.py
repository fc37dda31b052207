"""The registry of raw frames, ``registry.sqlite3`` in the Gen2 schema, for reading."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from safelight.butler.sqlite import ReadOnlyDatabase, affinity
from safelight.dataid import KeyType, TypedConstraint, TypedGroup, quote_column, where
from safelight.dataid.values import Scalar
from safelight.errors import RepositoryError

__all__ = ["RAW_COLUMNS", "RAW_KEYS", "RAW_TABLE", "Registry", "TableSource"]

RAW_TABLE = "raw"

#: Columns of the table `raw`, after its `id`, of a camera whose file does not say otherwise.
RAW_COLUMNS: Mapping[str, str] = {
    "field": "text",
    "visit": "int",
    "ccd": "int",
    "filter": "text",
    "dateObs": "text",
    "taiObs": "text",
    "expTime": "double",
    "dataType": "text",
}

#: Data-ID keys in the order of listings, of a camera whose file does not say otherwise.
RAW_KEYS: tuple[str, ...] = ("field", "dateObs", "pointing", "filter", "visit", "ccd", "taiObs", "expTime")


class TableSource:
    """Counts and values of one table, for explaining empty selections."""

    def __init__(self, database: ReadOnlyDatabase, table: str) -> None:
        self._database = database
        self._table = quote_column(table)

    def count(self, constraints: Sequence[TypedConstraint]) -> int:
        """Number of rows that satisfy all `constraints`."""
        condition, parameters = where(constraints)
        sql = f"SELECT count(*) FROM {self._table}" + (f" WHERE {condition}" if condition else "")
        return int(self._database.fetch(sql, parameters)[0][0])

    def values(self, key: str, constraints: Sequence[TypedConstraint], limit: int) -> list[Any]:
        """Up to `limit` distinct values of `key`, ascending, in the rows that satisfy all `constraints`."""
        condition, parameters = where(constraints)
        column = quote_column(key)
        both = f"{column} IS NOT NULL" + (f" AND {condition}" if condition else "")
        sql = f"SELECT DISTINCT {column} FROM {self._table} WHERE {both} ORDER BY {column} LIMIT ?"
        return [value for (value,) in self._database.fetch(sql, [*parameters, limit])]

    def neighbours(
        self, key: str, value: Scalar, constraints: Sequence[TypedConstraint]
    ) -> tuple[Any | None, Any | None]:
        """The largest value of `key` below and the smallest above `value`; None where there is none."""
        condition, parameters = where(constraints)
        column = quote_column(key)
        found = []
        for function, comparison in (("max", "<"), ("min", ">")):
            both = f"{column} {comparison} ?" + (f" AND {condition}" if condition else "")
            sql = f"SELECT {function}({column}) FROM {self._table} WHERE {both}"
            found.append(self._database.fetch(sql, [value, *parameters])[0][0])
        return found[0], found[1]


class Registry:
    """The registry file of a repository (or of the nearest parent that has one).

    Parameters
    ----------
    path : Path
        A ``registry.sqlite3``. It is opened read-only, and only when asked something.
    keys : mapping, optional
        The camera's data-ID keys, key -> type name; by default the usual keys among the columns.
    """

    def __init__(self, path: Path, keys: Mapping[str, str] | None = None) -> None:
        self.path = path
        self.database = ReadOnlyDatabase(path)
        self._stated_keys = dict(keys or {})

    def close(self) -> None:
        """Let go of the file."""
        self.database.close()

    def raw_columns(self) -> dict[str, str]:
        """Columns of the table of raw frames with their SQL types; raises `RepositoryError` if there is none."""
        columns = self.database.columns(RAW_TABLE)
        if not columns:
            raise RepositoryError(
                "BAD_REGISTRY",
                f"{self.path} has no table of raw frames.",
                "Make the registry anew: safelight ingest images ROOT FILES --create",
            )
        return columns

    def keys(self) -> dict[str, KeyType]:
        """The data-ID keys of raw frames with their types, in the order of listings."""
        types: dict[str, KeyType] = {"str": str, "int": int, "float": float}
        columns = self.raw_columns()
        if self._stated_keys:
            return {key: types[name] for key, name in self._stated_keys.items() if key in columns}
        return {key: affinity(columns[key]) for key in RAW_KEYS if key in columns}

    def all_keys(self) -> dict[str, KeyType]:
        """The data-ID keys and the further columns that a constraint may name."""
        others = {name: affinity(sql) for name, sql in self.raw_columns().items() if name != "id"}
        return {**self.keys(), **{name: kind for name, kind in others.items() if name not in self.keys()}}

    def source(self) -> TableSource:
        """The raw frames as a source of explanations."""
        return TableSource(self.database, RAW_TABLE)

    def rows(self, group: TypedGroup, columns: Sequence[str]) -> list[dict[str, Any]]:
        """The rows that satisfy `group`, in the order of their ingest, with the named columns."""
        condition, parameters = group.sql()
        selected = ", ".join(quote_column(column) for column in columns)
        # The plus sign keeps SQLite from scanning the whole table in order of id instead of using an index.
        order = "WHERE " + condition + " ORDER BY +id" if condition else "ORDER BY id"
        rows = self.database.fetch(f"SELECT {selected} FROM {RAW_TABLE} {order}", parameters)
        return [dict(zip(columns, row)) for row in rows]

    def count(self) -> int:
        """Number of raw frames."""
        return int(self.database.fetch(f"SELECT count(*) FROM {RAW_TABLE}")[0][0])

    def batches(self, columns: Sequence[str], *, after: int = 0, size: int = 20_000) -> Iterator[list[tuple[Any, ...]]]:
        """All rows with an id above `after` in the order of their ingest, `size` at a time: (id, the named columns).

        Each batch is a query of its own, so that a reader of millions of rows keeps no writer waiting.
        """
        selected = ", ".join(["id", *map(quote_column, columns)])
        sql = f"SELECT {selected} FROM {RAW_TABLE} WHERE id > ? ORDER BY id LIMIT ?"
        while rows := self.database.fetch(sql, [after, size]):
            yield rows
            after = rows[-1][0]

    def lookup(self, data_id: Mapping[str, Any], wanted: Sequence[str]) -> list[dict[str, Any]]:
        """Distinct combinations of the `wanted` columns in rows that agree with `data_id`; foreign keys are ignored."""
        columns = self.raw_columns()
        if any(key not in columns for key in wanted):
            return []
        given = {key: value for key, value in data_id.items() if key in columns and value is not None}
        condition = " AND ".join(f"{quote_column(key)} = ?" for key in given)
        selected = ", ".join(quote_column(key) for key in wanted)
        sql = f"SELECT DISTINCT {selected} FROM {RAW_TABLE}" + (f" WHERE {condition}" if condition else "")
        rows = self.database.fetch(sql, list(given.values()))
        return [dict(zip(wanted, row, strict=True)) for row in rows]
