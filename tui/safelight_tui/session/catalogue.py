"""The raw frames of a repository in memory: dictionary-coded columns, read in batches by a thread."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight_tui.catalogue import Bitset, CodedColumn

if TYPE_CHECKING:
    from safelight.butler.registry import Registry
    from safelight.dataid import KeyType

__all__ = ["Catalogue", "CatalogueLoader"]

_BATCH = 5_000
_PAUSE_S = 0.001
"""Between batches, so that keys are answered while millions of rows are coded."""


class Catalogue:
    """Rows of the registry, in the order of their ingest. Immutable: a longer one takes its place.

    Parameters
    ----------
    columns : mapping of str to CodedColumn
        All of one length.
    keys : mapping
        The data-ID keys and their types, in the order of listings.
    further : mapping
        The other columns that a constraint may name.
    complete : bool
        Whether the registry has been read to its end.
    """

    def __init__(
        self,
        columns: Mapping[str, CodedColumn],
        keys: Mapping[str, KeyType],
        further: Mapping[str, KeyType],
        *,
        complete: bool = True,
    ) -> None:
        self.columns = dict(columns)
        self.keys = dict(keys)
        self.all_keys = {**keys, **further}
        self.complete = complete
        self._widths: dict[str, int] = {}
        self.size = len(next(iter(columns.values()))) if columns else 0
        self.identity: tuple[str, ...] = tuple(key for key in ("visit", "ccd") if key in self.keys) or tuple(self.keys)

    @classmethod
    def empty(cls) -> Catalogue:
        """Before anything was read."""
        return cls({}, {}, {}, complete=False)

    def __len__(self) -> int:
        return self.size

    def value(self, row: int, key: str) -> Any:
        """One value; None where the registry has none."""
        return self.columns[key][row]

    def data_id(self, row: int) -> dict[str, Any]:
        """The full data ID of a row."""
        return {key: self.columns[key][row] for key in self.keys}

    def width(self, key: str) -> int:
        """Characters of the longest of a column's first distinct values."""
        if key not in self._widths:
            self._widths[key] = max((len(str(value)) for value in self.columns[key].values[:2000]), default=0)
        return self._widths[key]

    def name(self, row: int) -> str:
        """What journals call the CCD of a row: ``visit=903986 ccd=16``."""
        return " ".join(f"{key}={self.columns[key][row]}" for key in self.identity)

    def names(self, rows: Iterable[int]) -> Iterator[str]:
        """`name` of several rows."""
        return map(self.name, rows)

    @cached_property
    def _codes(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """One number for the identity of each row, and the order that sorts them."""
        codes = np.zeros(self.size, np.int64)
        for key in self.identity:
            column = self.columns[key]
            codes = codes * max(len(column.values), 1) + column.codes
        return codes, np.argsort(codes, kind="stable")

    @cached_property
    def default_order(self) -> NDArray[np.int64] | None:
        """All rows by visit and CCD; None where they were ingested in that order."""
        codes, order = self._codes
        return None if bool(np.all(codes[1:] >= codes[:-1])) else order

    def prepare(self) -> None:
        """Make what `row_of` and the table need; called in the loading thread."""
        _ = self.default_order

    def row_of(self, data_id: Mapping[str, Any]) -> int | None:
        """The row of a data ID (of its identifying keys); None if there is none."""
        code = 0
        for key in self.identity:
            column = self.columns.get(key)
            place = None if column is None else column.place(data_id.get(key))
            if column is None or place is None:
                return None
            code = code * max(len(column.values), 1) + place
        codes, order = self._codes
        at = int(np.searchsorted(codes, code, sorter=order))
        if at >= self.size or codes[order[at]] != code:
            return None
        return int(order[at])

    def rows_of(self, data_ids: Iterable[Mapping[str, Any]]) -> list[int]:
        """Rows of those data IDs that the catalogue has."""
        found = (self.row_of(data_id) for data_id in data_ids)
        return [row for row in found if row is not None]

    def everything(self) -> Bitset:
        """All rows."""
        return Bitset.all(self.size)

    def sort_keys(self, keys: Sequence[str], *, reverse: bool = False) -> NDArray[np.int64]:
        """All rows in the order of one or more columns, the first counting most; missing values last."""
        order = np.arange(self.size, dtype=np.int64)
        for key in reversed(keys):
            codes = self.columns[key].codes[order]
            if reverse:
                codes = codes.max(initial=0) - codes.astype(np.int64)
            order = order[np.argsort(codes, kind="stable")]
        return order


class CatalogueLoader:
    """Reads a registry in batches and goes on from where it was when rows are added.

    It lives in the feed's thread; what it gives out is immutable.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._keys = registry.keys()
        self._further = {key: kind for key, kind in registry.all_keys().items() if key not in self._keys}
        self._names = [*self._keys, *self._further]
        self._codings = [_Coding() for _ in self._names]
        self._last_id = 0
        self._size = 0

    def read(self) -> Iterator[Catalogue]:
        """A first small catalogue at once, then the whole one.

        Gives nothing when no row was added. Rows that were removed or replaced make it begin anew.
        """
        if self._registry.count() < self._size:
            self.__init__(self._registry)  # type: ignore[misc]
        added = False
        for batch in self._registry.batches(self._names, after=self._last_id, size=_BATCH):
            first = not self._size
            self._add(batch)
            added = True
            time.sleep(_PAUSE_S)
            if first:
                yield self._catalogue(complete=False)
        if self._registry.count() < self._size:  # rows were replaced: their old ids were counted too
            self.__init__(self._registry)  # type: ignore[misc]
            yield from self.read()
        elif added or not self._size:
            yield self._catalogue(complete=True)

    def _add(self, batch: list[tuple[Any, ...]]) -> None:
        _, *columns = zip(*batch, strict=True)
        for coding, values in zip(self._codings, columns, strict=True):
            coding.add(values)
        self._last_id = batch[-1][0]
        self._size += len(batch)

    def _catalogue(self, *, complete: bool) -> Catalogue:
        columns = {name: coding.column() for name, coding in zip(self._names, self._codings, strict=True)}
        catalogue = Catalogue(columns, self._keys, self._further, complete=complete)
        catalogue.prepare()
        return catalogue


class _Coding:
    """A column that grows."""

    def __init__(self) -> None:
        self._places: dict[Any, int] = {}
        self._codes: list[NDArray[np.int64]] = []

    def add(self, values: Sequence[Any]) -> None:
        places = self._places
        self._codes.append(np.fromiter((places.setdefault(value, len(places)) for value in values), np.int64))

    def column(self) -> CodedColumn:
        self._codes = [np.concatenate(self._codes)] if self._codes else [np.zeros(0, np.int64)]
        # Text among numbers (SQLite does not mind) sorts after them.
        ordered = sorted(self._places, key=lambda value: (value is None, isinstance(value, str), _sortable(value)))
        new_code = np.empty(len(ordered), np.int64)
        for code, value in enumerate(ordered):
            new_code[self._places[value]] = code
        kind = np.min_scalar_type(max(len(ordered) - 1, 0))
        raw = self._codes[0]
        return CodedColumn((new_code[raw] if len(raw) else raw).astype(kind), ordered)


def _sortable(value: Any) -> Any:
    return 0 if value is None else value
