"""The mask planes of an image: a list at the right of it in which each is switched on and off."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

from safelight_tui.images.planes import PlaneCount
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.switch_table import SwitchTable, switch_cell
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["MaskPlanesScreen"]

_COLUMNS = (
    Column("on", "", 3),
    Column("letter", "", 1),
    Column("name", "plane", 17),
    Column("pixels", "pixels", 9, right=True),
    Column("part", "%", 6, right=True),
)
#: The tones of a table nearest to those in which the letters stand on the image.
_TONES = {"mask-bad": "bad", "mask-saturated": "caveat", "mask-ray": "new", "mask-other": ""}


class MaskPlanesScreen(ModalScreen[None]):
    """A list of planes beside the image; Space or Enter switches one, A all, q or p closes.

    Parameters
    ----------
    planes : sequence of PlaneCount
    total : int
        Pixels of the image.
    shown : collection of str
        Names of the planes that are drawn.
    changed : callable
        Called with the names after each change.
    """

    DEFAULT_CSS = """
    MaskPlanesScreen { align: right middle; background: $background 0%; }
    MaskPlanesScreen Vertical { width: 46; height: auto; max-height: 80%; border: solid $primary; }
    MaskPlanesScreen Vertical { background: $surface; }
    MaskPlanesScreen LineTable { height: auto; min-height: 14; }
    MaskPlanesScreen Static { height: auto; padding: 0 1; background: $panel; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("q,p,backspace,ctrl+g,escape", "dismiss", "Close")]

    def __init__(
        self,
        planes: Sequence[PlaneCount],
        total: int,
        shown: Collection[str],
        changed: Callable[[frozenset[str]], None],
    ) -> None:
        super().__init__()
        self._planes = list(planes)
        self._total = max(total, 1)
        self._shown = frozenset(shown)
        self._changed = changed

    def compose(self) -> ComposeResult:
        """The list, and what the plane under the cursor means."""
        with Vertical():
            yield SwitchTable(empty_text="this image has no mask")
            yield Static("", markup=False)

    def on_mount(self) -> None:
        """Fill the list."""
        self._fill()
        self.query_one(SwitchTable).focus()
        self._explain()

    def _fill(self) -> None:
        rows = []
        for one in self._planes:
            on = one.name in self._shown
            tone = _TONES.get(one.plane.tone, "") if on else "dim"
            part = 100.0 * one.pixels / self._total
            rows.append(
                [
                    switch_cell(on, tone),
                    Cell(one.plane.letter, tone),
                    Cell(one.name, tone),
                    Cell(str(one.pixels), "" if one.pixels else "dim"),
                    Cell(f"{part:.3f}" if part < 10 else f"{part:.2f}", "" if one.pixels else "dim"),
                ]
            )
        self.query_one(SwitchTable).show(RowsModel(_COLUMNS, rows))

    def _explain(self) -> None:
        place = self.query_one(SwitchTable).cursor
        one = self._planes[place] if place < len(self._planes) else None
        meaning = (one.plane.meaning or "a plane of its own") if one else ""
        self.query_one(Static).update(f"{meaning}\nSpace switches, A all, q closes")

    def _switch(self, shown: frozenset[str]) -> None:
        self._shown = shown
        self._fill()
        self._changed(shown)

    def on_switch_table_all_wanted(self) -> None:
        """All on, or all off where all are on."""
        names = frozenset(one.name for one in self._planes)
        self._switch(frozenset() if names <= self._shown else names)

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Switch a plane."""
        event.stop()
        self._switch(self._shown ^ {self._planes[event.place].name})

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Say what it means."""
        event.stop()
        self._explain()
