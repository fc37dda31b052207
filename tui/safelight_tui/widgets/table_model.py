"""What a table shows: columns, and rows asked for by the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Cell", "Column", "RowsModel", "TableModel"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Parameters
    ----------
    key : str
        Its name in messages.
    header : str
        What is written above it.
    width : int
        Cells it takes, one blank to the next column not counted.
    right : bool
        Align to the right, as numbers are.
    frozen : bool
        Stays in view when the table is scrolled sideways; frozen columns come first.
    """

    key: str
    header: str
    width: int
    right: bool = False
    frozen: bool = False


class Cell(NamedTuple):
    """A cell: its text as it came from the data, and the name of a tone (see `LineTable.TONES`), for example "bad"."""

    text: str
    tone: str = ""


class TableModel(Protocol):
    """Rows in some order. Everything here is called in the event loop and must come out of memory."""

    @property
    def columns(self) -> Sequence[Column]:
        """The columns, frozen ones first."""

    @property
    def id_count(self) -> int:
        """Row ids are 0 .. id_count - 1, whatever is filtered away."""

    def __len__(self) -> int:
        """How many rows there are in view."""

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of the rows at the places `start` .. `stop` - 1."""

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Ids of those rows: what they are called in any order and under any filter."""

    def place_of(self, row_id: int) -> int | None:
        """Where a row stands in this view; None if it is not in it."""


class RowsModel:
    """A table small enough to be a list.

    Parameters
    ----------
    columns : sequence of Column
    rows : sequence of sequences of Cell or str
    """

    def __init__(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell | str]]) -> None:
        self.columns = tuple(columns)
        self._rows = [[cell if isinstance(cell, Cell) else Cell(cell) for cell in row] for row in rows]

    @property
    def id_count(self) -> int:
        """As many ids as rows."""
        return len(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of some rows."""
        return self._rows[start:stop]

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Places are ids."""
        return np.arange(start, min(stop, len(self._rows)))

    def place_of(self, row_id: int) -> int | None:
        """Ids are places."""
        return row_id if 0 <= row_id < len(self._rows) else None
