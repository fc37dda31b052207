"""Facets: filters, fields, nights, CCDs and states that are switched on and off in the expression."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from safelight_tui.session.facets import Facet
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.switch_table import SwitchTable, switch_cell
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["FacetsScreen"]

_COLUMNS = (
    Column("key", "facet", 8),
    Column("on", "", 3),
    Column("value", "value", 24),
    Column("count", "rows", 9, right=True),
)


class FacetsScreen(ModalScreen[None]):
    """A list of values; Space or Enter switches one, A takes a facet out of the filter, q or t closes.

    Parameters
    ----------
    facets : sequence of Facet
        Of the filter as it is.
    text : str
        The filter.
    switched : callable
        Called with key and value of each choice, and with a key alone where all of its values are wanted; it gives
        new facets by `show`.
    """

    DEFAULT_CSS = """
    FacetsScreen { align: center middle; }
    FacetsScreen Vertical { width: 54; height: 85%; border: solid $primary; background: $surface; }
    FacetsScreen Static { height: auto; padding: 0 1; background: $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("q,backspace,ctrl+g,escape,t", "dismiss", "Close")]

    def __init__(self, facets: Sequence[Facet], text: str, switched: Callable[[str, str | None], None]) -> None:
        super().__init__()
        self._facets = list(facets)
        self._text = text
        self._switched = switched

    def compose(self) -> ComposeResult:
        """The expression, the list."""
        with Vertical():
            yield Static("", markup=False)
            yield SwitchTable(empty_text="nothing to choose from")

    def on_mount(self) -> None:
        """Fill the list."""
        self.show(self._facets, self._text)
        self.query_one(SwitchTable).focus()

    def show(self, facets: Sequence[Facet], text: str) -> None:
        """Show the facets of another filter; the cursor stays on its value."""
        table = self.query_one(SwitchTable)
        before = self._facets[table.cursor] if table.cursor < len(self._facets) else None
        self._facets = list(facets)
        rows, last = [], ""
        for facet in facets:
            tone = "new" if facet.on else ""
            rows.append(
                [
                    Cell(facet.key if facet.key != last else "", "dim"),
                    switch_cell(facet.on, tone),
                    Cell(facet.value, tone),
                    Cell(str(facet.count), "" if facet.count else "dim"),
                ]
            )
            last = facet.key
        table.show(RowsModel(_COLUMNS, rows))
        self.query_one(Static).update(f"/ {text or 'everything'}\nSpace switches, A all of a facet, q closes")
        places = [i for i, f in enumerate(facets) if before and (f.key, f.value) == (before.key, before.value)]
        if places:
            table.move_to(places[0])

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Switch a value."""
        event.stop()
        facet = self._facets[event.place]
        self._switched(facet.key, facet.value)

    def on_switch_table_all_wanted(self) -> None:
        """Let the filter say nothing about the facet under the cursor."""
        place = self.query_one(SwitchTable).cursor
        if place < len(self._facets):
            self._switched(self._facets[place].key, None)
