"""A session's selection as a table: data-ID columns, frozen, then the status in each rerun, then the rest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from safelight_tui.session.reruns import RerunView
from safelight_tui.session.session import Session
from safelight_tui.widgets.table_model import Cell, Column

__all__ = ["DataIdModel"]

_FROZEN = ("visit", "ccd", "filter", "dateObs")
_RERUNS_SHOWN = 8
_STATUS_WIDTH = 26
_WIDEST = 24


class DataIdModel:
    """A `TableModel` of the rows in view, with the row numbers of the catalogue as ids.

    Parameters
    ----------
    session : Session
        Its selection, catalogue and reruns at the time of the call are what is shown.
    """

    def __init__(self, session: Session) -> None:
        self._catalogue = session.catalogue
        self._selection = session.selection
        self._reruns = session.reruns_newest_first()[:_RERUNS_SHOWN]
        keys = [key for key in _FROZEN if key in self._catalogue.keys]
        self._frozen = keys or list(self._catalogue.keys)[:3]
        self._others = [key for key in self._catalogue.keys if key not in self._frozen]
        self.columns: Sequence[Column] = self._make_columns()

    def _make_columns(self) -> list[Column]:
        columns = [self._column(key, frozen=True) for key in self._frozen]
        columns += [Column(f"rerun/{r.name}", f"rerun/{r.name}", _STATUS_WIDTH) for r in self._reruns]
        return columns + [self._column(key) for key in self._others]

    def _column(self, key: str, *, frozen: bool = False) -> Column:
        width = min(_WIDEST, max(len(key), self._catalogue.width(key)))
        return Column(key, key, width, right=self._catalogue.keys[key] is not str, frozen=frozen)

    @property
    def id_count(self) -> int:
        """Rows of the catalogue."""
        return self._catalogue.size

    def __len__(self) -> int:
        return len(self._selection)

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        """Cells of some rows."""
        return [self._cells(int(row)) for row in self._selection.window(start, stop)]

    def _cells(self, row: int) -> list[Cell]:
        name = self._catalogue.name(row)
        values = [self._value(row, key) for key in self._frozen]
        return [
            *values,
            *(_status(rerun, name) for rerun in self._reruns),
            *(self._value(row, k) for k in self._others),
        ]

    def _value(self, row: int, key: str) -> Cell:
        value = self._catalogue.columns[key][row]
        return Cell("-", "dim") if value is None else Cell(str(value))

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        """Rows of the catalogue."""
        return self._selection.window(start, stop)

    def place_of(self, row_id: int) -> int | None:
        """Where a row of the catalogue stands."""
        return self._selection.place_of(row_id) if row_id < self._catalogue.size else None


def _status(rerun: RerunView, name: str) -> Cell:
    state = rerun.states.get(name)
    return Cell("-", "dim") if state is None else Cell(state.words, state.tone)
