"""Plots as lines of text: points and lines, with axes, labels and a key."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight_tui.plots.axes import Axis, drawable, range_of
from safelight_tui.plots.canvas import Canvas, PlotLine, centred

__all__ = ["Series", "plot", "too_small"]

Ticks = Callable[[float, float, int], list[tuple[float, str]]]

SMALLEST = (24, 6)
"""Columns and rows below which a plot only says what it needs."""


@dataclass(frozen=True, eq=False)
class Series:
    """Points of one kind.

    Parameters
    ----------
    x, y : (N,) float
        NaN leaves a point out, and breaks a line.
    name : str
        For the key.
    tone : str
        Name of the tone; it never tells series apart by itself: give characters too.
    character : str
        What a point is drawn with; empty for braille dots.
    style : {"points", "line", "steps"}
    """

    x: ArrayLike
    y: ArrayLike
    name: str = ""
    tone: str = ""
    character: str = ""
    style: Literal["points", "line", "steps"] = "points"

    @property
    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """x and y as arrays."""
        return drawable(self.x), drawable(self.y)


def too_small(width: int, height: int) -> list[PlotLine] | None:
    """Lines that say what a plot needs; None where there is room."""
    if width >= SMALLEST[0] and height >= SMALLEST[1]:
        return None
    text = f"a plot needs {SMALLEST[0]}x{SMALLEST[1]}"
    return [centred(text if row == height // 2 else "", width, "dim") for row in range(max(height, 0))]


def plot(
    series: Sequence[Series],
    width: int,
    height: int,
    *,
    title: str = "",
    x_label: str = "",
    y_label: str = "",
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    y_reversed: bool = False,
    levels: Sequence[float] = (0.0,),
    x_ticks: Ticks | None = None,
) -> list[PlotLine]:
    """Points and lines over axes.

    Parameters
    ----------
    width, height : int
        In characters; exactly so many lines of so many characters come back.
    x_range, y_range : (low, high), optional
        Of the values shown; all of them when left out. How many points lie outside is said in the title.
    y_reversed : bool
        Small values at the top, as magnitudes are drawn.
    levels : sequence of float
        Values of y drawn as a dotted line where they lie in the range.
    x_ticks : callable, optional
        (low, high, most) -> places and texts of the labels of the x axis, e.g. `clock_labels`; round numbers if left
        out.
    """
    small = too_small(width, height)
    if small is not None:
        return small
    arrays = [one.arrays for one in series]
    x_range = x_range or range_of([x[np.isfinite(y)] for x, y in arrays])
    y_range = y_range or range_of([y[np.isfinite(x)] for x, y in arrays])
    if x_range is None or y_range is None:
        return [centred(title, width)] + [
            centred("no points" if row == height // 2 else "", width, "dim") for row in range(1, height)
        ]
    rows = height - 3  # title above; axis and its label below
    y_axis = Axis(*y_range, dots=4 * rows, reversed=not y_reversed)
    y_labels = y_axis.labels(max(2, rows // 3))
    margin = max((len(text) for _, text in y_labels), default=0) + 1
    canvas = Canvas(width - margin, rows)
    x_axis = Axis(*x_range, dots=canvas.dots[0])
    for level in levels:
        if y_range[0] < level < y_range[1]:
            places = np.arange(0.0, canvas.dots[0], 4.0)
            canvas.dot(places, np.full(len(places), float(y_axis.place(level))), "dim")
    outside = sum(_draw(canvas, x_axis, y_axis, one) for one in series)
    return _framed(canvas, margin, x_axis, y_axis, _title(title, series, outside), x_label, y_label, y_labels, x_ticks)


def _title(title: str, series: Sequence[Series], outside: int) -> str:
    key = "  ".join(f"{one.character or '·'} {one.name}" for one in series if one.name)
    beyond = f"({outside} outside)" if outside else ""
    return "   ".join(part for part in (title, key, beyond) if part)


def _draw(canvas: Canvas, x_axis: Axis, y_axis: Axis, series: Series) -> int:
    x, y = series.arrays
    across, down = x_axis.place(x), y_axis.place(y)
    if series.style != "points":
        for i in range(len(x) - 1):
            if series.style == "steps":
                canvas.line(across[i], down[i], across[i + 1], down[i], series.tone)
                canvas.line(across[i + 1], down[i], across[i + 1], down[i + 1], series.tone)
            else:
                canvas.line(across[i], down[i], across[i + 1], down[i + 1], series.tone)
        if not series.character:
            return 0
    if series.character:
        return canvas.characters(across, down, series.character, series.tone)
    return canvas.dot(across, down, series.tone)


def _framed(
    canvas: Canvas,
    margin: int,
    x_axis: Axis,
    y_axis: Axis,
    title: str,
    x_label: str,
    y_label: str,
    y_labels: Sequence[tuple[float, str]],
    x_ticks: Ticks | None,
) -> list[PlotLine]:
    width = canvas.width + margin
    by_row = {round(float(y_axis.place(value))) // 4: text for value, text in y_labels}
    heading = f"{y_label}   {title}" if y_label and title else y_label or title
    out = [centred(heading, width)]
    for row, line in enumerate(canvas.lines()):
        label = by_row.get(row)
        edge = "┤" if label is not None else "│"
        out.append([((label or "").rjust(margin - 1) + edge, "dim"), *line])
    most = max(2, canvas.width // 12)
    labels = x_ticks(x_axis.low, x_axis.high, most) if x_ticks else x_axis.labels(most)
    out.extend(_x_axis(canvas.width, margin, x_axis, x_label, labels))
    return out


def _x_axis(columns: int, margin: int, axis: Axis, label: str, labels: Sequence[tuple[float, str]]) -> list[PlotLine]:
    rule, numbers = ["─"] * columns, [" "] * (columns + margin)
    free = 0
    for value, text in labels:
        column = round(float(axis.place(value))) // 2
        start = max(0, min(margin + column - len(text) // 2, columns + margin - len(text)))
        if not 0 <= column < columns:
            continue
        rule[column] = "┬"
        if start >= free:
            numbers[start : start + len(text)] = text
            free = start + len(text) + 1
    if label and free + len(label) <= columns + margin:
        numbers[columns + margin - len(label) :] = label
    lines: list[PlotLine] = [[(" " * (margin - 1) + "└" + "".join(rule), "dim")], [("".join(numbers), "dim")]]
    if label and "".join(numbers).endswith(label):
        return lines
    if label:  # no room beside the numbers: it takes the place of the first of them
        kept = "".join(numbers)[: columns + margin - len(label) - 1].rsplit(" ", 1)[0]
        lines[1] = [(kept.ljust(columns + margin - len(label)) + label, "dim")] if len(label) < columns else lines[1]
    return lines
