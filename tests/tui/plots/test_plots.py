"""Plots are exactly as large as asked, put points where they belong, and say what they leave out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from safelight_tui.plots import Arrows, Canvas, PlotLine, Series, local_means, plot, vector_field
from safelight_tui.plots.axes import Axis, clock_labels, range_of, ticks
from safelight_tui.terminal.charset import to_ascii
from safelight_tui.widgets.plot_view import PlotView

numbers = st.floats(allow_nan=True, allow_infinity=True) | st.floats(-100, 100)
points = st.lists(st.tuples(numbers, numbers), max_size=30)
sizes = st.tuples(st.integers(1, 90), st.integers(1, 30))


def text_of(lines: list[PlotLine]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def check_size(lines: list[PlotLine], width: int, height: int) -> None:
    assert len(lines) == height
    assert [len(line) for line in text_of(lines)] == [width] * height


@settings(max_examples=60, deadline=None)
@given(points, sizes, st.sampled_from(["points", "line", "steps"]), st.sampled_from(["", "x"]), st.booleans())
def test_a_plot_of_anything_is_as_large_as_asked(
    values: list[tuple[float, float]], size: tuple[int, int], style: str, character: str, reverse: bool
) -> None:
    x, y = [v[0] for v in values], [v[1] for v in values]
    series = Series(x, y, "s", style=style, character=character)  # type: ignore[arg-type]
    labels = {"title": "zeropoint", "x_label": "magnitude", "y_label": "mmag"}
    check_size(plot([series], *size, y_reversed=reverse, **labels), *size)  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(numbers, numbers, numbers, numbers), max_size=20), sizes)
def test_a_vector_field_of_anything_is_as_large_as_asked(
    values: list[tuple[float, float, float, float]], size: tuple[int, int]
) -> None:
    columns = np.array(values, np.float64).reshape(-1, 4).T
    check_size(vector_field([Arrows(*columns)], *size, extent=(0, 2048, 0, 4176), unit="mas", title="WCS"), *size)


def test_a_dot_is_where_its_value_is() -> None:
    lines = text_of(plot([Series([0.0, 10.0], [0.0, 10.0], character="X")], 60, 20, x_range=(0, 10), y_range=(0, 10)))
    assert lines[1].rstrip().endswith("X")
    assert lines[17].index("X") == lines[17].index("┤") + 1


def test_magnitudes_may_grow_downwards() -> None:
    series = [Series([0.0], [1.0], character="X")]
    up = text_of(plot(series, 60, 20, x_range=(0, 1), y_range=(0, 1)))
    down = text_of(plot(series, 60, 20, x_range=(0, 1), y_range=(0, 1), y_reversed=True))
    assert "X" in up[1]
    assert "X" in down[17]


def test_axes_have_round_numbers_and_labels() -> None:
    x = np.linspace(16.2, 23.8, 100)
    lines = text_of(plot([Series(x, 0.01 * (x - 20), "stars")], 72, 18, x_label="r [mag]", y_label="dzp [mag]"))
    assert "dzp [mag]" in lines[0]
    assert "stars" in lines[0]
    assert lines[-1].rstrip().endswith("r [mag]")
    assert "18" in lines[-1]
    assert any(line.lstrip().startswith("0.00┤") for line in lines)


def test_points_out_of_range_are_counted() -> None:
    lines = text_of(plot([Series([1.0, 2.0, 99.0, math.nan], [1.0, 1.0, 1.0, 1.0])], 60, 10, x_range=(0, 10)))
    assert "(1 outside)" in lines[0]


def test_no_points_are_said_to_be_none() -> None:
    assert "no points" in "".join(text_of(plot([Series([math.nan], [1.0])], 40, 10, title="t")))
    assert "no points" in "".join(text_of(vector_field([], 40, 10, extent=(0, 1, 0, 1), unit="mas")))


def test_a_plot_too_small_says_what_it_needs() -> None:
    assert "needs 24x6" in "".join(text_of(plot([Series([1], [1])], 20, 5)))


def test_a_line_is_drawn_between_its_points_and_broken_by_nan() -> None:
    whole = "".join(text_of(plot([Series([0, 1, 2], [0, 1, 2], style="line")], 60, 20)))
    broken = "".join(text_of(plot([Series([0, 1, 2], [0, math.nan, 2], style="line")], 60, 20)))
    dots = sum(0x2800 < ord(character) <= 0x28FF for character in whole)
    assert dots > 20
    assert sum(0x2800 < ord(character) <= 0x28FF for character in broken) < dots


FIELD = (0.0, 2048.0, 0.0, 4176.0)


def test_a_field_of_equal_vectors_is_drawn_equal_and_to_scale() -> None:
    x, y = (grid.ravel() for grid in np.meshgrid([500.0, 1500.0], [1000.0, 3000.0]))
    lines = text_of(vector_field([Arrows(x, y, np.full(4, 50.0), np.zeros(4))], 78, 22, extent=FIELD, unit="mas"))
    rows = [line for line in lines[:-1] if "o" in line]
    assert len(rows) == 2
    for line in rows:
        assert line.count("→") == 2
        assert len(line.split("→")[0].split("o")[1]) == 2  # three columns from tail to head
    assert "4 vectors" in lines[-1]


@pytest.mark.parametrize("length", [0.003, 4.0, 7e5])
def test_a_typical_vector_is_three_columns_long_whatever_its_length(length: float) -> None:
    lines = text_of(vector_field([Arrows([500.0], [2000.0], [length], [0.0])], 78, 22, extent=FIELD, unit="mas"))
    (row,) = (line for line in lines[1:-1] if "o" in line)
    assert row.index("→") - row.index("o") == 3
    bar = lines[-1][lines[-1].index("├") + 1 : lines[-1].index("┤")]
    key = float(lines[-1].split("┤")[1].split()[0])
    assert len(bar) == pytest.approx(key / length * 3, abs=0.5)


@pytest.mark.parametrize(
    ("dx", "dy", "head"),
    [(1, 0, "→"), (1, 1, "↗"), (0, 1, "↑"), (-1, 1, "↖"), (-1, 0, "←"), (-1, -1, "↙"), (0, -1, "↓"), (1, -1, "↘")],
)
def test_arrows_point_where_their_vectors_do(dx: float, dy: float, head: str) -> None:
    lines = text_of(vector_field([Arrows([5.0], [5.0], [dx], [dy])], 60, 22, extent=(0, 10, 0, 10), unit="px"))
    tail = next((line.index("o"), row) for row, line in enumerate(lines) if "o" in line)
    tip = next((line.index(head), row) for row, line in enumerate(lines) if head in line)
    assert np.sign(tip[0] - tail[0]) == dx
    assert np.sign(tail[1] - tip[1]) == dy


def test_arrows_can_be_told_apart_and_read_in_ascii() -> None:
    kinds = [Arrows([2.0], [5.0], [1.0], [1.0], "o"), Arrows([7.0], [5.0], [1.0], [-1.0], "x")]
    text = to_ascii("\n".join(text_of(vector_field(kinds, 60, 22, extent=(0, 10, 0, 10), unit="px"))))
    assert text.isascii()
    assert all(character in text for character in "ox/\\")
    assert "?" not in text


def test_one_vector_a_hundred_times_longer_is_cut_and_leaves_the_others_as_they_were() -> None:
    x, y = np.linspace(200, 1600, 9), np.full(9, 2000.0)
    dx = np.full(9, 2.0)
    calm = vector_field([Arrows(x, y, dx, np.zeros(9))], 78, 22, extent=FIELD, unit="mas")
    dx[4] = 200.0
    wild = vector_field([Arrows(x, y, dx, np.zeros(9))], 78, 22, extent=FIELD, unit="mas")
    assert text_of(calm)[-1].strip() in text_of(wild)[-1]
    assert "1 longer than drawn" in text_of(wild)[-1]
    assert "longer" not in text_of(calm)[-1]


@given(st.integers(0, 400), st.integers(1, 1000))
def test_local_means_are_those_of_numpy(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, 2048, count), rng.uniform(0, 4176, count)
    dx, dy = rng.normal(3, 0.5, count), rng.normal(-1, 0.5, count)
    half = count // 2
    kinds = [Arrows(x[:half], y[:half], dx[:half], dy[:half]), Arrows(x[half:], y[half:], dx[half:], dy[half:], "x")]
    means = local_means(kinds, FIELD, 78, 22)
    drawn = [int(tail) if tail != "+" else 10 for tail in means.tails]
    assert sum(drawn) <= count
    across, down = (len(np.unique(np.asarray(axis))) for axis in (means.x, means.y))
    if count:
        counts, *edges = np.histogram2d(x, y, (across, down), ((0, 2048), (0, 4176)))
        if counts.all():  # else a row of the grid may be empty, and numpy's grid another one
            total = np.histogram2d(x, y, edges, weights=dx)[0]
            expected = (total / counts).T.ravel()
            np.testing.assert_allclose(np.asarray(means.dx), expected)


def test_a_vector_far_off_takes_no_part_in_the_means() -> None:
    x, y = np.full(8, 1000.0), np.full(8, 2000.0)
    dx = np.full(8, 1.0)
    dx[3] = 500.0
    means = local_means([Arrows(x, y, dx, np.zeros(8))], FIELD, 78, 22)
    assert list(means.tails) == ["7"]
    assert np.asarray(means.dx).tolist() == [1.0]


@example(0.0, 24.0, 2)
@given(st.floats(0, 40), st.floats(0.01, 30), st.integers(2, 12))
def test_labels_of_a_clock_are_few_round_and_inside(low: float, span: float, most: int) -> None:
    labels = clock_labels(low, low + span, most)
    assert len(labels) <= most
    for hours, text in labels:
        assert low - 1e-6 <= hours <= low + span + 1e-6
        assert text == f"{round(60 * hours) // 60 % 24:02d}:{round(60 * hours) % 60:02d}"
    if span > 0.1:
        assert labels


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12))
def test_ticks_are_few_round_and_inside(low: float, span: float, most: int) -> None:
    high = low + span
    values = ticks(low, high, most)
    assert len(values) <= most
    slack = 1e-6 * span + 2 * max(math.ulp(low), math.ulp(high))  # a narrow range far from 0 has few numbers in it
    assert all(low - slack <= value <= high + slack for value in values)
    if len(values) > 1:
        step = values[1] - values[0]
        mantissa = step / 10 ** math.floor(math.log10(step) + 1e-6)
        assert min(abs(mantissa - round_one) for round_one in (1, 2, 5)) < 0.01 * mantissa or span < 1e-9 * abs(low)


def test_labels_have_as_many_decimals_as_their_step() -> None:
    assert [text for _, text in Axis(0.0, 0.1, 100).labels(3)] == ["0.00", "0.05", "0.10"]
    assert [text for _, text in Axis(-1.0, 1.0, 100).labels(3)] == ["-1", "0", "1"]
    assert [text for _, text in Axis(0.0, 2e7, 100).labels(3)][-1] == "2e+07"


def test_a_range_has_room_around_its_values() -> None:
    assert range_of([np.array([0.0, 10.0, math.nan])]) == (-0.5, 10.5)
    assert range_of([np.array([5.0])]) == (4.5, 5.5)
    assert range_of([np.array([0.0])]) == (-1.0, 1.0)
    assert range_of([np.array([math.inf])]) is None
    assert range_of([]) is None


@given(st.tuples(*[st.floats(-500, 500)] * 4))
def test_a_line_through_the_canvas_stays_on_it(ends: tuple[float, float, float, float]) -> None:
    canvas = Canvas(10, 5)
    canvas.line(*ends)
    assert [len(line) for line in text_of(canvas.lines())] == [10] * 5


def test_dots_of_a_cell_are_braille() -> None:
    canvas = Canvas(1, 1)
    canvas.dot(np.array([0.0, 1.0]), np.array([0.0, 3.0]))
    assert canvas.lines() == [[("\u2881", "")]]
    canvas.word(0, 0, "xy", "bad")
    assert canvas.lines() == [[("x", "bad")]]


async def test_the_widget_draws_to_its_size() -> None:
    view = PlotView()

    class Host(App[None]):
        def compose(self) -> ComposeResult:
            yield view

    async with Host().run_test(size=(60, 20)) as pilot:
        assert view.render_line(0).text.strip() == ""
        view.show(lambda width, height: plot([Series([1, 2], [1, 2], tone="bad")], width, height, title="growth"))
        await pilot.resize_terminal(50, 12)
        lines = [view.render_line(y) for y in range(12)]
        assert "growth" in lines[0].text
        assert {line.cell_length for line in lines} == {50}


@pytest.mark.parametrize("size", [(80, 24), (40, 12)])
def test_a_picture_of_residuals_looks_as_it_did(size: tuple[int, int]) -> None:
    rng = np.random.default_rng(7)
    magnitude = rng.uniform(16, 22, 200)
    lines = text_of(plot([Series(magnitude, rng.normal(0, 0.02, 200))], *size, title="zeropoint", x_label="mag"))
    inked = [sum(0x2800 < ord(character) <= 0x28FF for character in line) for line in lines]
    middle = inked[len(inked) // 3 : 2 * len(inked) // 3]
    assert sum(middle) > sum(inked) / 3
