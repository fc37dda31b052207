"""CCDs stand in their real places, are told by letter, and the cursor moves as the eye does."""

from __future__ import annotations

import math
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from safelight.instruments import load_instrument
from safelight_tui.terminal.text import width_of
from safelight_tui.widgets.focal_layout import PlaneCell, grid_positions, neighbour, place_cells
from safelight_tui.widgets.focal_plane import CellState, FocalPlane, MetricScale
from safelight_tui.widgets.status import Status, short_number


def hsc_like() -> list[PlaneCell]:
    """Hyper Suprime-Cam: columns of CCDs from right to left, two halves 3 mm apart, four turned, eight for focus."""
    counts = {7: 4, 6: 6, 5: 6, 4: 6, 3: 8, 2: 8, 1: 8, 0: 8, -1: 8, -2: 8, -3: 8, -4: 6, -5: 6, -6: 6, -7: 4}
    x, y, rotated = [], [], []
    for column, count in counts.items():
        for row in range(count):
            x.append(31.85 * column)
            y.append(67.15 * (row - (count - 1) / 2) + (3.0 if column < 0 else 0.0))
            rotated.append(False)
    for sign_x in (1, -1):
        for sign_y in (-1, 1):
            x.append(143.85 * sign_x)
            y.append(217.0 * sign_y + 3)
            rotated.append(True)
    for place in ((8, -97), (8, 102), (7, -164), (7, 169), (-7, -164), (-7, 169), (-8, -97), (-8, 102)):
        x.append(31.85 * place[0])
        y.append(float(place[1]))
        rotated.append(False)
    places = grid_positions(x, y, rotated, 30.72, 62.64)
    return place_cells(range(len(x)), places, not_planned=range(104, 112))


class Host(App[None]):
    def __init__(self, plane: FocalPlane) -> None:
        super().__init__()
        self.plane = plane
        self.seen: list[tuple[str, int]] = []

    def compose(self) -> ComposeResult:
        yield self.plane

    def on_mount(self) -> None:
        self.plane.focus()

    def on_focal_plane_cursor_moved(self, message: FocalPlane.CursorMoved) -> None:
        self.seen.append(("moved", message.key))

    def on_focal_plane_cell_opened(self, message: FocalPlane.CellOpened) -> None:
        self.seen.append(("opened", message.key))


def lines(plane: FocalPlane) -> list[str]:
    shown = [plane.render_line(y).text for y in range(plane.size.height)]
    assert all(width_of(line) == plane.size.width for line in shown)
    return [line.rstrip() for line in shown]


def test_the_camera_is_seventeen_columns_by_eight_rows() -> None:
    cells = hsc_like()
    assert len(cells) == 112
    assert {cell.row for cell in cells} == set(range(8))
    assert max(cell.column for cell in cells) == 16
    halves = [cell.key for cell in cells if cell.column % 1]
    assert halves == [100, 101, 102, 103]


def test_the_real_camera_has_its_ccds_where_they_are() -> None:
    detectors = load_instrument("hsc").detectors
    rotated = [round(detector.yaw_deg / 90) % 2 == 1 for detector in detectors]
    x, y = [detector.offset_x_mm for detector in detectors], [detector.offset_y_mm for detector in detectors]
    at = dict(zip((d.id for d in detectors), grid_positions(x, y, rotated, 30.72, 62.64), strict=True))
    assert at[77] == (5, 0)
    assert [at[key][0] - at[77][0] for key in (69, 61, 53)] == [1, 2, 3]
    assert at[103] == (3.5, 0)
    assert at[100] == (12.5, 7)
    assert at[111][0] == 0
    assert {row for _, row in at.values()} == set(range(8))


@given(st.lists(st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.booleans()), min_size=1, max_size=30))
def test_no_two_ccds_overlap_whatever_the_camera(ccds: list[tuple[float, float, bool]]) -> None:
    places = grid_positions(*zip(*ccds, strict=True), 30.0, 60.0)
    for i, (column, row) in enumerate(places):
        assert column >= 0
        assert row >= 0
        assert all(abs(column - other) >= 1 for other, other_row in places[:i] if other_row == row)


def test_the_cursor_reaches_every_ccd() -> None:
    cells = hsc_like()
    reached, waiting = {50}, deque([cells[50]])
    while waiting:
        here = waiting.popleft()
        for columns, rows in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            there = neighbour(cells, here, columns, rows)
            if there.key not in reached:
                reached.add(there.key)
                waiting.append(there)
    assert reached == {cell.key for cell in cells}


async def test_it_fits_eighty_by_sixteen_with_id_and_letter_over_the_metric() -> None:
    host = Host(FocalPlane(hsc_like()))
    async with host.run_test(size=(80, 24)):
        plane = host.plane
        plane.update_cells({29: CellState(Status.DONE, 0.718), 37: CellState(Status.FAILED), 45: CellState(Status.WCS)})
        shown = lines(plane)
        assert plane.cell_size == (4, 2)
    assert "045w037F029D" in shown[0].replace("  ", "")
    assert "  --  -- .72" in shown[1]
    assert len([line for line in shown if line]) == 16


async def test_it_grows_smaller_with_the_screen_and_ends_as_a_list() -> None:
    host = Host(FocalPlane(hsc_like()))
    async with host.run_test(size=(80, 10)) as pilot:
        host.plane.styles.height = "1fr"
        await pilot.pause()
        assert host.plane.cell_size == (4, 1)
        assert sum(line.count(".") for line in lines(host.plane)) == 104
        await pilot.resize_terminal(40, 10)
        assert host.plane.cell_size == (2, 1)
        assert sum(line.count(".") for line in lines(host.plane)) == 104
        await pilot.resize_terminal(40, 6)
        assert host.plane.listed
        assert "ccd" in lines(host.plane)[0]


async def test_keys_move_spatially() -> None:
    host = Host(FocalPlane(hsc_like()))
    async with host.run_test(size=(80, 24)) as pilot:
        host.plane.cursor = 50
        cells = {cell.key: cell for cell in hsc_like()}
        start = cells[50]
        await pilot.press("l")
        assert cells[host.plane.cursor].column == start.column + 1
        await pilot.press("left", "k")
        assert (cells[host.plane.cursor].column, cells[host.plane.cursor].row) == (start.column, start.row - 1)
        await pilot.press("j", "enter")
        assert host.seen[-1] == ("opened", 50)
        await pilot.press("g")
        assert host.plane.cursor == 0
        await pilot.press("G")
        assert host.plane.cursor == 111


async def test_a_click_puts_the_cursor_where_it_was() -> None:
    host = Host(FocalPlane(hsc_like()))
    async with host.run_test(size=(80, 24)) as pilot:
        text = lines(host.plane)[6]
        await pilot.click(offset=(text.index("050"), 6) if "050" in text else (40, 6))
        shown = host.plane.cursor
        assert shown is not None
        assert f"{shown:03d}" in text


async def test_a_camera_of_one_ccd_is_a_list() -> None:
    host = Host(FocalPlane([PlaneCell(0, "00", 0, 0)]))
    async with host.run_test(size=(80, 24)) as pilot:
        host.plane.update_cells({0: CellState(Status.CHARACTERIZE, 1.25)})
        await pilot.press("j", "k", "l")
        assert lines(host.plane)[0].split() == [">ccd", "00", "c", "characterize", "1.25"]


async def test_no_camera_is_a_sentence() -> None:
    host = Host(FocalPlane())
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("j", "]", "enter", "G")
        host.plane.update_cells({3: CellState(Status.DONE)})
        assert lines(host.plane)[0] == "no camera"


async def test_a_metric_colours_by_value_and_failures_keep_their_letter() -> None:
    host = Host(FocalPlane(hsc_like()))
    async with host.run_test(size=(80, 24)):
        host.plane.update_cells({29: CellState(Status.DONE, 0.5), 37: CellState(Status.DONE, 0.9)})
        host.plane.show_metric(MetricScale(0.5, 0.9))
        styles = {
            segment.text: segment.style for segment in host.plane.render_line(0) if segment.text in ("029D", "037D")
        }
        assert styles["029D"].bgcolor != styles["037D"].bgcolor


async def test_a_metric_may_be_written_as_its_distance_from_a_value() -> None:
    host = Host(FocalPlane(hsc_like()))
    async with host.run_test(size=(80, 24)):
        host.plane.update_cells({29: CellState(Status.DONE, 27.10), 37: CellState(Status.DONE, 27.15)})
        host.plane.show_metric(MetricScale(27.0, 27.2, zero=27.13, factor=100))
        assert lines(host.plane)[1].split()[-3:-1] == ["2.0", "-3"]


def test_levels_of_a_scale_take_what_is_outside_or_absent() -> None:
    scale = MetricScale(0.0, 1.0)
    assert [scale.level(value) for value in (-5.0, 0.0, 0.5, 1.0, 9.0)] == [
        "level-0", "level-0", "level-2", "level-4", "level-4",
    ]  # fmt: skip
    assert scale.level(None) == scale.level(math.nan) == ""
    assert MetricScale(1.0, 1.0).level(1.0) == "level-2"


def test_every_status_has_its_own_letter() -> None:
    assert len({status.letter for status in Status}) == len(Status)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.718, " .72"),
        (-0.72, "-.72"),
        (27.13, "27.1"),
        (118.2, " 118"),
        (12345.0, " 1e4"),
        (None, "  --"),
        (math.nan, "  --"),
        (math.inf, " inf"),
        (0.0, "0.00"),
        (0.0042, ".004"),
        (-123456.0, "-1e5"),
    ],
)
def test_numbers_fit_four_characters(value: float | None, text: str) -> None:
    assert short_number(value) == text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_any_number_fits(value: float) -> None:
    assert len(short_number(value)) == 4
