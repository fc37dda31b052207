"""A table of any number of rows: only the lines on screen are ever asked for or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from safelight_tui.actions import ACTIONS
from safelight_tui.catalogue import Bitset
from safelight_tui.terminal.text import fit
from safelight_tui.widgets.moving import MovingByLines
from safelight_tui.widgets.styling import ComponentStyles
from safelight_tui.widgets.table_model import Cell, Column, RowsModel, TableModel

__all__ = ["LineTable"]

GUTTER = 2
"""Cells left of the first column: the mark, and the cursor (neither is told by colour alone)."""


class LineTable(MovingByLines, ScrollView, can_focus=True):
    """Rows of a `TableModel` with a cursor, marks and a sort column. It never sorts: it says what is wanted."""

    TONES: ClassVar[tuple[str, ...]] = ("good", "bad", "caveat", "dim", "new")

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "line-table--header",
        "line-table--cursor",
        "line-table--range",
        "line-table--marked",
        "line-table--good",
        "line-table--bad",
        "line-table--caveat",
        "line-table--dim",
        "line-table--new",
    }

    DEFAULT_CSS = """
    LineTable {
        height: 1fr;
        background: $surface;
        color: $foreground;
        scrollbar-size: 1 1;
        overflow-x: hidden;
        & .line-table--header { text-style: bold; background: $panel; color: $foreground; }
        & .line-table--cursor { background: $block-cursor-blurred-background; }
        &:focus .line-table--cursor { background: $block-cursor-background; color: $block-cursor-foreground; }
        & .line-table--range { background: $panel; }
        & .line-table--marked { text-style: bold; }
        & .line-table--good { color: $text-success; }
        & .line-table--bad { color: $text-error; text-style: bold; }
        & .line-table--caveat { color: $text-warning; }
        & .line-table--dim { color: $text-muted; }
        & .line-table--new { color: $text-accent; }
        &.-stale { color: $text-disabled; }
    }
    """

    BINDINGS = ACTIONS.bindings("moving", "table")

    cursor: reactive[int] = reactive(0, repaint=False)
    """Place of the row under the cursor, 0-based."""

    class CursorMoved(Message):
        """The cursor is on another row."""

        def __init__(self, table: LineTable, place: int, row_id: int) -> None:
            super().__init__()
            self.table, self.place, self.row_id = table, place, row_id

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class RowOpened(CursorMoved):
        """Enter was pressed on a row."""

    class MarksChanged(Message):
        """Rows were marked, or their marks were taken away."""

        def __init__(self, table: LineTable, count: int) -> None:
            super().__init__()
            self.table, self.count = table, count

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    class SortRequested(Message):
        """The rows are wanted in the order of a column; the owner sorts and gives a new model."""

        def __init__(self, table: LineTable, column: str, reverse: bool) -> None:
            super().__init__()
            self.table, self.column, self.reverse = table, column, reverse

        @property
        def control(self) -> LineTable:
            """The table."""
            return self.table

    def __init__(
        self,
        model: TableModel | None = None,
        *,
        empty_text: str = "nothing here",
        mark: str = "*",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.model: TableModel = model if model is not None else RowsModel((), ())
        self.empty_text = empty_text
        self.mark = mark
        self.marks = Bitset.none(self.model.id_count)
        self.sort_column: str | None = None
        self.sort_reverse = False
        self._range_from: int | None = None
        self._first_column = 0
        self._page: tuple[int, Sequence[Sequence[Cell]], Sequence[int]] = (0, (), ())
        self._style = ComponentStyles(self, "line-table")
        self.virtual_size = Size(0, len(self.model) + 1)

    # --- what it shows ----------------------------------------------------------------------------------------------

    def show(self, model: TableModel, *, stale: bool = False) -> None:
        """Show another model, or the same one after it changed.

        The cursor stays on its row where that is still in view, and marks stay with their rows.

        Parameters
        ----------
        stale : bool
            Grey the rows: they are not those of what is being typed.
        """
        row_id = self.row_id
        self.model = model
        if self.marks.size != model.id_count:
            self.marks = self.marks.resized(model.id_count)
        self._range_from = None
        self._first_column = min(self._first_column, max(0, len(self._moving_columns()) - 1))
        self.set_class(stale, "-stale")
        place = None if row_id is None else model.place_of(row_id)
        self._forget()
        self.virtual_size = Size(0, len(model) + 1)
        self.cursor = min(self.cursor if place is None else place, max(0, len(model) - 1))
        self._keep_cursor_in_view()
        self.refresh()

    @property
    def row_id(self) -> int | None:
        """Id of the row under the cursor; None in an empty table."""
        if self.cursor >= len(self.model):
            return None
        return int(self.model.row_ids(self.cursor, self.cursor + 1)[0])

    @property
    def marked_ids(self) -> list[int]:
        """Ids of the marked rows; without marks, of the row under the cursor."""
        if self.marks:
            rows: list[int] = self.marks.rows().tolist()
            return rows
        return [] if self.row_id is None else [self.row_id]

    def _moving_columns(self) -> list[Column]:
        return [column for column in self.model.columns if not column.frozen]

    def _columns_in_view(self) -> list[tuple[int, Column, int]]:
        """(number, column, width drawn) of the columns that fit."""
        # The size counts the column of the scroll bar, too.
        room, seen, out = self.scrollable_content_region.width - GUTTER, 0, []
        for number, column in enumerate(self.model.columns):
            if not column.frozen:
                seen += 1
                if seen <= self._first_column:
                    continue
            if room <= 0 or (column.right and not column.frozen and room < column.width):
                break  # half a number is another number
            out.append((number, column, min(column.width, room)))
            room -= column.width + 1
        return out

    # --- drawing ----------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget styles when the theme or the focus changes."""
        super().notify_style_update()
        self._style.clear()

    def _forget(self) -> None:
        self._page = (0, (), ())

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._header(width)
        place = y - 1 + self.scroll_offset.y
        if place >= len(self.model):
            if not len(self.model) and y == max(1, self.size.height // 2):
                return Strip([Segment(fit(self.empty_text.center(width), width), self._style("dim"))], width)
            return Strip.blank(width, self._style())
        cells, row_id = self._row(place)
        return self._line(place, cells, row_id, width)

    def _row(self, place: int) -> tuple[Sequence[Cell], int]:
        start, rows, ids = self._page
        if not start <= place < start + len(rows):
            start = max(0, min(place, self.scroll_offset.y))
            stop = start + max(self.size.height, place - start + 1)
            rows, ids = self.model.window(start, stop), self.model.row_ids(start, stop).tolist()
            self._page = (start, rows, ids)
        return rows[place - start], ids[place - start]

    def _header(self, width: int) -> Strip:
        style = self._style("header")
        words = []
        for _, column, room in self._columns_in_view():
            if column.key == self.sort_column:
                arrow = "▼" if self.sort_reverse else "▲"
                words.append(fit(column.header, room - 1, right=column.right) + arrow)
            else:
                words.append(fit(column.header, room, right=column.right))
        return Strip([Segment(fit(" " * GUTTER + " ".join(words), width), style)], width)

    def _line(self, place: int, cells: Sequence[Cell], row_id: int, width: int) -> Strip:
        marked = row_id in self.marks
        under = place == self.cursor
        layers = [name for name, on in (("cursor", under), ("range", self._in_range(place)), ("marked", marked)) if on]
        stale = self.has_class("-stale")
        plain = self._style(*layers)
        plain_only = stale or (under and self.has_focus)  # no tone can be read on the bar of the cursor
        gutter = (self.mark if marked else " ") + (">" if under else " ")
        segments, used = [Segment(gutter, plain)], GUTTER
        for number, column, room in self._columns_in_view():
            if used > GUTTER:
                segments.append(Segment(" ", plain))
                used += 1
            cell = cells[number] if number < len(cells) else Cell("")
            tone = cell.tone if cell.tone in self.TONES and not plain_only else ""
            style = self._style(*layers, tone) if tone else plain
            segments.append(Segment(fit(cell.text, room, right=column.right), style))
            used += room
        return Strip([*segments, Segment(" " * (width - used), plain)], width)

    def _in_range(self, place: int) -> bool:
        if self._range_from is None:
            return False
        return min(self._range_from, self.cursor) <= place <= max(self._range_from, self.cursor)

    # --- moving -----------------------------------------------------------------------------------------------------

    @property
    def page(self) -> int:
        """Rows in view, below the header."""
        return max(1, self.size.height - 1)

    def move_by(self, lines: int) -> None:
        """Move the cursor by so many rows."""
        self.move_to(self.cursor + lines)

    def move_to(self, place: int) -> None:
        """Put the cursor on a row, the nearest one that exists."""
        self.cursor = max(0, min(place, len(self.model) - 1))

    def watch_cursor(self, old: int, new: int) -> None:
        """Redraw the two rows, or the range between them, and say so."""
        if not self.is_mounted:
            return
        self._keep_cursor_in_view()
        if self._range_from is not None:
            self.refresh()
        else:
            for place in (old, new):
                self.refresh(Region(0, place - self.scroll_offset.y + 1, self.size.width, 1))
        if self.row_id is not None:
            self.post_message(self.CursorMoved(self, new, self.row_id))

    def _keep_cursor_in_view(self) -> None:
        top, rows = self.scroll_offset.y, self.page
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, force=True, immediate=True)
        elif self.cursor >= top + rows:
            self.scroll_to(y=self.cursor - rows + 1, animate=False, force=True, immediate=True)

    def on_resize(self) -> None:
        """Keep the cursor in view."""
        self._forget()
        self._keep_cursor_in_view()

    def action_move_first(self) -> None:
        """To the first row."""
        self.move_to(0)

    def action_move_last(self) -> None:
        """To the last row."""
        self.move_to(len(self.model) - 1)

    def action_move_left(self) -> None:
        """Scroll one column to the left."""
        self._scroll_columns(-1)

    def action_move_right(self) -> None:
        """Scroll one column to the right."""
        self._scroll_columns(1)

    def _scroll_columns(self, step: int) -> None:
        view = self._columns_in_view()
        if step > 0 and view and view[-1][0] == len(self.model.columns) - 1 and view[-1][2] == view[-1][1].width:
            return  # nothing more to see
        self._first_column = max(0, min(self._first_column + step, len(self._moving_columns()) - 1))
        self.refresh()

    # --- opening, marking, sorting ----------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Say that the row under the cursor is to be opened."""
        if self.row_id is not None:
            self.post_message(self.RowOpened(self, self.cursor, self.row_id))

    def set_marks(self, marks: Bitset) -> None:
        """Replace the marks."""
        self.marks = marks
        self.refresh()
        self.post_message(self.MarksChanged(self, len(marks)))

    def action_mark_row(self) -> None:
        """Mark the row under the cursor, or take its mark away; go on to the next."""
        if self.row_id is not None:
            self.set_marks(self.marks ^ Bitset.from_rows([self.row_id], self.marks.size))
            self.move_to(self.cursor + 1)

    def action_mark_range(self) -> None:
        """Begin a range at the cursor; the second time, mark it."""
        if not len(self.model):
            return
        if self._range_from is None:
            self._range_from = self.cursor
            self.refresh()
            return
        first, last = sorted((self._range_from, self.cursor))
        self._range_from = None
        self.set_marks(self.marks | Bitset.from_rows(self.model.row_ids(first, last + 1), self.marks.size))

    def action_mark_all(self) -> None:
        """Mark every row in view, or, when all are, take their marks away."""
        in_view = Bitset.from_rows(self.model.row_ids(0, len(self.model)), self.marks.size)
        self.set_marks(self.marks - in_view if not in_view - self.marks else self.marks | in_view)

    def give_up_range(self) -> bool:
        """Forget a range that was begun; whether there was one."""
        begun = self._range_from is not None
        self._range_from = None
        if begun:
            self.refresh()
        return begun

    def sort_by(self, column: str | None, *, reverse: bool = False, tell: bool = True) -> None:
        """Show the arrow of a sort column, and (unless it is done already) ask for that order."""
        self.sort_column, self.sort_reverse = column, reverse
        self.refresh()
        if tell and column is not None:
            self.post_message(self.SortRequested(self, column, reverse))

    def action_sort_previous(self) -> None:
        """Sort by the column to the left."""
        self._sort_step(-1)

    def action_sort_next(self) -> None:
        """Sort by the column to the right."""
        self._sort_step(1)

    def _sort_step(self, step: int) -> None:
        keys = [column.key for column in self.model.columns]
        if not keys:
            return
        if self.sort_column in keys:
            place = (keys.index(self.sort_column) + step) % len(keys)
        else:
            place = 0 if step > 0 else len(keys) - 1
        self.sort_by(keys[place], reverse=self.sort_reverse)

    def action_sort_reverse(self) -> None:
        """Reverse the order."""
        columns = self.model.columns
        if columns:
            self.sort_by(self.sort_column or columns[0].key, reverse=not self.sort_reverse)

    # --- mouse ------------------------------------------------------------------------------------------------------

    def on_click(self, event: events.Click) -> None:
        """Put the cursor on the row clicked; a click on a header sorts by it."""
        if event.y == 0:
            self._sort_at(event.x)
        elif event.y - 1 + self.scroll_offset.y < len(self.model):
            self.move_to(event.y - 1 + self.scroll_offset.y)
            if event.chain > 1:
                self.action_open()

    def _sort_at(self, x: int) -> None:
        edge = GUTTER
        for _, column, room in self._columns_in_view():
            if edge <= x < edge + room:
                self.sort_by(column.key, reverse=column.key == self.sort_column and not self.sort_reverse)
            edge += room + 1
