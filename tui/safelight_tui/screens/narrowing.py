"""Narrowing a table of CCDs by words, on every screen that has one under a `NarrowBar`; ``n`` and ``N`` search."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, ClassVar

from safelight.errors import DataIdError
from safelight.processccd.narrowing import Narrowing, parse_narrowing
from safelight_tui.screens.matching import go_to_match
from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.narrow_bar import NarrowBar

__all__ = ["NarrowingScreen"]


class NarrowingScreen(ModeScreen):
    """A screen with a table of judged rows and a `NarrowBar` above it."""

    NUMBERS: ClassVar[Collection[str]] = ()
    """Columns that words may compare with a number."""

    def __init__(self) -> None:
        super().__init__()
        self._narrowing = Narrowing()
        self._searched = Narrowing()  # the words that were kept last

    @property
    @abstractmethod
    def table(self) -> LineTable:
        """The table that is narrowed."""

    @abstractmethod
    def show_rows(self) -> None:
        """Show the rows that have all the words."""

    @abstractmethod
    def rows_in_view(self) -> Sequence[Mapping[str, Any]]:
        """The judged rows of the table, in its order."""

    @property
    def bar(self) -> NarrowBar:
        """The line above the table."""
        return self.query_one(NarrowBar)

    def action_filter(self) -> None:
        """Narrow by words."""
        self.bar.open()

    def on_narrow_bar_changed(self, event: NarrowBar.Changed) -> None:
        """Narrow while typing; what cannot be understood leaves the rows as they were."""
        try:
            self._narrowing = parse_narrowing(event.text, self.NUMBERS)
        except DataIdError as error:
            self.bar.note(error.message, wrong=True)
            return
        self.show_rows()

    def on_narrow_bar_left(self) -> None:
        """Back to the table."""
        self._searched = self._narrowing or self._searched
        self.table.focus()

    def action_next_match(self) -> None:
        """To the next row that has the last words."""
        self._go_to_match(1)

    def action_previous_match(self) -> None:
        """To the one before."""
        self._go_to_match(-1)

    def _go_to_match(self, step: int) -> None:
        places = [place for place, row in enumerate(self.rows_in_view()) if self._searched.matches(row)]
        go_to_match(self, self.table, places, str(self._searched), step)
