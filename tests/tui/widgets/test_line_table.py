"""The table shows only what is on screen, moves, marks and asks for an order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from textual.app import App, ComposeResult
from textual.message import Message
from textual.strip import Strip

from safelight_tui.actions import ACTIONS
from safelight_tui.catalogue import Bitset, Selection
from safelight_tui.terminal.cells import split_cells
from safelight_tui.terminal.text import width_of
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

COLUMNS = (
    Column("visit", "visit", 7, right=True, frozen=True),
    Column("ccd", "ccd", 3, right=True, frozen=True),
    Column("filter", "filter", 6),
    Column("object", "object", 12),
    Column("seeing", "seeing", 6, right=True),
    Column("note", "note", 60),
)


class Many:
    """A million rows that are never made, and a count of those asked for."""

    columns = COLUMNS
    id_count = 1_000_000

    def __init__(self, rows: Bitset | None = None) -> None:
        self.selection = Selection(rows if rows is not None else Bitset.all(self.id_count))
        self.asked = 0

    def __len__(self) -> int:
        return len(self.selection)

    def window(self, start: int, stop: int) -> Sequence[Sequence[Cell]]:
        rows = self.selection.window(start, stop)
        self.asked += len(rows)
        return [
            [Cell(str(900000 + row)), Cell(str(row % 112)), Cell("HSC-I"), Cell("M31"), Cell("0.71", "good"), Cell("x")]
            for row in rows
        ]

    def row_ids(self, start: int, stop: int) -> NDArray[np.integer]:
        return self.selection.window(start, stop)

    def place_of(self, row_id: int) -> int | None:
        return self.selection.place_of(row_id)


class Host(App[None]):
    def __init__(self, table: LineTable) -> None:
        super().__init__()
        self.table = table
        self.seen: list[Message] = []

    def compose(self) -> ComposeResult:
        yield self.table

    def on_mount(self) -> None:
        self.table.focus()

    def on_line_table_cursor_moved(self, message: LineTable.CursorMoved) -> None:
        self.seen.append(message)

    def on_line_table_row_opened(self, message: LineTable.RowOpened) -> None:
        self.seen.append(message)

    def on_line_table_marks_changed(self, message: LineTable.MarksChanged) -> None:
        self.seen.append(message)

    def on_line_table_sort_requested(self, message: LineTable.SortRequested) -> None:
        self.seen.append(message)


def lines(table: LineTable) -> list[str]:
    strips: list[Strip] = [table.render_line(y) for y in range(table.size.height)]
    assert all(width_of(strip.text) == table.size.width for strip in strips)
    return [strip.text.rstrip() for strip in strips]


async def test_header_rows_and_cursor_fit_eighty_columns() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)):
        shown = lines(host.table)
    assert shown[0].split() == ["visit", "ccd", "filter", "object", "seeing", "note"]
    assert shown[1].startswith(" > 900000   0 HSC-I  M31")
    assert shown[2].startswith("   900001   1")
    assert len(shown) == 24


async def test_a_million_rows_cost_no_more_than_a_screenful() -> None:
    model = Many()
    host = Host(LineTable(model))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("G")
        assert lines(host.table)[23].startswith(" >1899999")
        await pilot.press("k", "pageup", "ctrl+u", "home", "j", "ctrl+d", "pagedown")
        assert host.table.cursor == 1 + 11 + 22
        assert model.asked < 1000


async def test_keys_of_vi_and_arrows_do_the_same() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "down", "k", "up", "k")
        assert host.table.cursor == 0
        places = [message.place for message in host.seen if isinstance(message, LineTable.CursorMoved)]
        assert places == [1, 2, 1, 0]


async def test_frozen_columns_stay_when_scrolled_sideways() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(40, 10)) as pilot:
        await pilot.press("l", "l", "l", "l", "l")
        shown = lines(host.table)
        assert shown[0].split() == ["visit", "ccd", "note"]
        assert shown[1].startswith(" > 900000   0 x")
        await pilot.press("h")
        assert lines(host.table)[0].split() == ["visit", "ccd", "seeing", "note"]


async def test_columns_that_all_fit_do_not_scroll() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(120, 10)) as pilot:
        await pilot.press("l")
        assert "filter" in lines(host.table)[0]


async def test_half_a_number_is_never_shown() -> None:
    columns = (Column("visit", "visit", 7, right=True, frozen=True), Column("a", "sky", 9, right=True),
               Column("b", "depth", 9, right=True), Column("note", "note", 20))  # fmt: skip
    rows = [[Cell("903986"), Cell("1234567.8"), Cell("24.123456"), Cell("a long note of words")] for _ in range(50)]
    for width in range(14, 40):
        host = Host(LineTable(RowsModel(columns, rows)))
        async with host.run_test(size=(width, 8)):
            drawn = lines(host.table)[1][: host.table.scrollable_content_region.width]  # the scroll bar hides the rest
            assert [word for word in drawn.split() if word[0].isdigit()] == [
                cell for cell, needed in (("903986", 9), ("1234567.8", 19), ("24.123456", 29))
                if width > needed or cell == "903986"
            ]  # fmt: skip


async def test_marks_of_a_row_a_range_and_all() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("space", "j", "v", "j", "j", "v")
        assert host.table.marked_ids == [0, 2, 3, 4]
        assert lines(host.table)[1].startswith("*  900000")
        await pilot.press("A")
        assert len(host.table.marks) == 1_000_000
        await pilot.press("A")
        assert not host.table.marks
        counts = [message.count for message in host.seen if isinstance(message, LineTable.MarksChanged)]
        assert counts == [1, 4, 1_000_000, 0]
        assert host.table.marked_ids == [4]


async def test_a_range_can_be_given_up() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("v", "j")
        assert host.table.give_up_range()
        assert not host.table.give_up_range()
        assert not host.table.marks


async def test_cursor_and_marks_stay_with_their_rows_when_the_filter_changes() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        host.table.move_to(500)
        await pilot.press("space", "k")
        host.table.show(Many(Bitset.from_rows(range(0, 1_000_000, 10), 1_000_000)))
        assert host.table.row_id == 500
        assert host.table.cursor == 50
        assert host.table.marked_ids == [500]
        host.table.show(Many(Bitset.from_rows([3, 4], 1_000_000)))
        assert host.table.row_id == 4
        await pilot.pause()
        assert lines(host.table)[2].startswith(" > 900004")


async def test_it_asks_for_the_order_wanted() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press(">", ">", "s", "<")
        asked = [(m.column, m.reverse) for m in host.seen if isinstance(m, LineTable.SortRequested)]
        assert asked == [("visit", False), ("ccd", False), ("ccd", True), ("visit", True)]
        assert "visit▼" in lines(host.table)[0]


async def test_enter_opens_the_row_under_the_cursor() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "enter")
        opened = [message for message in host.seen if isinstance(message, LineTable.RowOpened)]
        assert [message.row_id for message in opened] == [1]


async def test_a_click_moves_the_cursor_and_a_click_on_a_header_sorts() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.click(offset=(5, 7))
        assert host.table.cursor == 6
        await pilot.click(offset=(15, 0))
        assert host.table.sort_column == "filter"


@pytest.mark.parametrize(
    "text", ["[bold]x", "[/]", "nan", "a\x1b[31mb\nc\td", "漢字漢字漢字漢字", "e\u0301" * 30, "", "x" * 10_000]
)
async def test_whatever_the_data_holds_the_columns_stay_aligned(text: str) -> None:
    model = RowsModel(COLUMNS, [["1", "2", text, "M31", "0.7", text]] * 3)
    host = Host(LineTable(model))
    async with host.run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        shown = lines(host.table)
    for line in shown[1:4]:
        assert "".join(split_cells(line)[21:33]) == "M31".ljust(12)
    assert not any(ord(character) < 32 for line in shown for character in line)


async def test_what_looks_like_markup_is_shown_as_it_is() -> None:
    host = Host(LineTable(RowsModel(COLUMNS, [["[b]", "[/]", "", "[bold]x", "", "[@click=app.exit]x[/]"]])))
    async with host.run_test(size=(80, 10)) as pilot:
        await pilot.pause()
        assert lines(host.table)[1].split() == [">", "[b]", "[/]", "[bold]x", "[@click=app.exit]x[/]"]


async def test_an_empty_table_says_so_and_ignores_keys() -> None:
    host = Host(LineTable(empty_text="no data IDs"))
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "G", "space", "v", "A", "s", ">", "enter", "l", "pagedown")
        assert "no data IDs" in "".join(lines(host.table))
        assert host.table.row_id is None
        assert host.table.marked_ids == []


async def test_a_stale_table_is_greyed() -> None:
    host = Host(LineTable(Many()))
    async with host.run_test(size=(80, 24)) as pilot:
        fresh = host.table.render_line(3)
        host.table.show(host.table.model, stale=True)
        await pilot.pause()
        stale = host.table.render_line(3)
        assert stale.text == fresh.text
        assert {segment.style for segment in stale} != {segment.style for segment in fresh}


def test_every_action_of_its_contexts_has_a_method() -> None:
    for action in ACTIONS.of("moving", "table"):
        assert hasattr(LineTable, f"action_{action.name}")
