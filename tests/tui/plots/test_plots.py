"""Plots are exactly as large as asked, put points where they belong, and say what they leave out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from textual.app import App, ComposeResult

from safelight_tui.plots import Canvas, PlotLine, Series, plot, vector_field
from safelight_tui.plots.axes import Axis, range_of, ticks
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
    check_size(vector_field(*columns, *size, extent=(0, 2048, 0, 4176), unit="mas", title="WCS"), *size)


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
    assert "no points" in "".join(text_of(vector_field([], [], [], [], 40, 10, extent=(0, 1, 0, 1), unit="mas")))


def test_a_plot_too_small_says_what_it_needs() -> None:
    assert "needs 24x6" in "".join(text_of(plot([Series([1], [1])], 20, 5)))


def test_a_line_is_drawn_between_its_points_and_broken_by_nan() -> None:
    whole = "".join(text_of(plot([Series([0, 1, 2], [0, 1, 2], style="line")], 60, 20)))
    broken = "".join(text_of(plot([Series([0, 1, 2], [0, math.nan, 2], style="line")], 60, 20)))
    dots = sum(0x2800 < ord(character) <= 0x28FF for character in whole)
    assert dots > 20
    assert sum(0x2800 < ord(character) <= 0x28FF for character in broken) < dots


def test_a_field_of_equal_vectors_is_drawn_equal_and_to_scale() -> None:
    x, y = (grid.ravel() for grid in np.meshgrid([500.0, 1500.0], [1000.0, 3000.0]))
    lines = text_of(vector_field(x, y, np.full(4, 50.0), np.zeros(4), 78, 22, extent=(0, 2048, 0, 4176), unit="mas"))
    rows = [line for line in lines[:-1] if "o" in line]
    assert len(rows) == 2
    tails = [line.split("o")[1].rstrip("⠀ ") for line in rows]
    assert len(tails[0]) == len(tails[1]) > 0
    assert "50 mas" in lines[-1]
    assert "4 vectors" in lines[-1]


def test_vectors_point_up_where_they_are_positive() -> None:
    lines = text_of(vector_field([5.0], [5.0], [0.0], [10.0], 60, 22, extent=(0, 10, 0, 10), unit="px"))
    row = next(index for index, line in enumerate(lines) if "o" in line)
    column = lines[row].index("o")
    above = "".join(line[column] for line in lines[row - 2 : row])
    assert all(ord(character) > 0x2800 for character in above)


@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(1, 12))
def test_ticks_are_few_round_and_inside(low: float, span: float, most: int) -> None:
    high = low + span
    values = ticks(low, high, most)
    assert len(values) <= most
    assert all(low - 1e-6 * span <= value <= high + 1e-6 * span for value in values)
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
