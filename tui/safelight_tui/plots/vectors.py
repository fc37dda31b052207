"""Fields of vectors, e.g. residuals of a WCS over a CCD: arrows at their places, in a field drawn to scale.

A vector of typical length is a few characters long, whatever its length in milliarcsec; the bar below says what a
length means. Vectors that would run across their neighbours are cut and counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight_tui.plots.axes import drawable
from safelight_tui.plots.canvas import Canvas, PlotLine, centred
from safelight_tui.plots.charts import too_small

__all__ = ["Arrows", "Extent", "field_columns", "local_means", "vector_field"]

Extent = tuple[float, float, float, float]
"""Left, right, bottom, top of the field, in the units of the places."""

TYPICAL_DOTS = 6.0
"""Dots (two to a column, four to a row) of a vector of median length: three columns, or a row and a half."""
LONGEST_DOTS = 13.0
"""Dots beyond which a vector is cut: about the distance of its neighbours."""
FAR_OFF = 5.0
"""Times the median length beyond which a vector takes no part in a mean."""
_HEADS = "→↗↑↖←↙↓↘"
_BIN_COLUMNS, _BIN_ROWS = 8, 3
"""Characters of a cell of local means: one arrow and the count of its vectors."""


@dataclass(frozen=True, eq=False)
class Arrows:
    """Vectors of one kind.

    Parameters
    ----------
    x, y : (N,) float
        Places of their tails; NaN leaves one out.
    dx, dy : (N,) float
        Upwards where dy is positive.
    tails : str, or one string for each
        A character: what the vector is, so that no kind is told by colour alone.
    tone : str
    """

    x: ArrayLike
    y: ArrayLike
    dx: ArrayLike
    dy: ArrayLike
    tails: Sequence[str] = "o"
    tone: str = ""

    @property
    def count(self) -> int:
        """Vectors that can be drawn."""
        return int(np.count_nonzero(_known(self)))


def _columns(arrows: Arrows) -> list[NDArray[np.float64]]:
    return [drawable(values) for values in (arrows.x, arrows.y, arrows.dx, arrows.dy)]


def _known(arrows: Arrows) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(np.stack(_columns(arrows))).all(axis=0), np.bool_)


def _scale(extent: Extent, width: int, rows: int) -> float:
    """Dots a unit of the field."""
    left, right, bottom, top = extent
    return min((2 * width - 1) / (right - left), (4 * rows - 1) / (top - bottom))


def field_columns(extent: Extent, width: int, height: int) -> int:
    """Columns that the field takes of a plot of this size: what is left of it beside is free."""
    scale = _scale(extent, width, max(1, height - 2))
    return min(width, math.ceil((extent[1] - extent[0]) * scale / 2 + 0.5))


def local_means(kinds: Sequence[Arrows], extent: Extent, width: int, height: int, tone: str = "") -> Arrows:
    """The mean vector of each cell of a regular grid, at the cell's middle, with the number of its vectors (+: ten or
    more) as its tail: what the vectors of a crowded field, of all kinds together, have in common. Vectors `FAR_OFF`
    times longer than the median are left out.
    """
    left, right, bottom, top = extent
    rows = max(1, height - 2)
    columns = field_columns(extent, width, height)
    across, down = max(1, columns // _BIN_COLUMNS), max(1, rows // _BIN_ROWS)
    x, y, dx, dy = np.concatenate([np.stack(_columns(one))[:, _known(one)] for one in kinds], axis=1)
    length = np.hypot(dx, dy)
    kept = length <= FAR_OFF * np.median(length) if len(length) else np.zeros(0, np.bool_)
    x, y, dx, dy = x[kept], y[kept], dx[kept], dy[kept]
    column = np.clip(((x - left) / (right - left) * across).astype(np.int64), 0, across - 1)
    row = np.clip(((y - bottom) / (top - bottom) * down).astype(np.int64), 0, down - 1)
    cell = row * across + column
    counts = np.bincount(cell, minlength=across * down)
    full = np.flatnonzero(counts)
    mean_dx, mean_dy = (
        np.bincount(cell, weights=values, minlength=across * down)[full] / counts[full] for values in (dx, dy)
    )
    tails = ["+" if count > 9 else str(count) for count in counts[full].tolist()]
    return Arrows(
        left + (full % across + 0.5) * (right - left) / across,
        bottom + (full // across + 0.5) * (top - bottom) / down,
        mean_dx,
        mean_dy,
        tails,
        tone,
    )


def vector_field(
    kinds: Sequence[Arrows],
    width: int,
    height: int,
    *,
    extent: Extent,
    unit: str,
    title: str = "",
) -> list[PlotLine]:
    """Arrows over a field drawn to scale.

    Parameters
    ----------
    kinds : sequence of Arrows
        Drawn in this order; a later one covers an earlier one.
    width, height : int
        In characters; exactly so many lines of so many characters come back.
    unit : str
        Of the vectors.
    """
    small = too_small(width, height)
    if small is not None:
        return small
    left, right, bottom, top = extent
    rows = height - 2  # title and key
    scale = _scale(extent, width, rows)
    canvas = Canvas(field_columns(extent, width, height), rows)
    _box(canvas, (right - left) * scale, (top - bottom) * scale)
    lengths = np.concatenate([np.hypot(*_columns(one)[2:])[_known(one)] for one in kinds] or [np.zeros(0)])
    typical = _typical(lengths)
    stretch = TYPICAL_DOTS / typical
    offset = (canvas.dots[1] - (top - bottom) * scale) / 2
    cut = 0
    for one in kinds:
        known = _known(one)
        px, py, vx, vy = (values[known] for values in _columns(one))
        tails = [tail for tail, shown in zip(_each(one.tails, len(known)), known.tolist(), strict=True) if shown]
        across, along = (px - left) * scale, offset + (top - py) * scale
        for x0, y0, step_x, step_y, tail in zip(
            across.tolist(), along.tolist(), (vx * stretch).tolist(), (vy * stretch).tolist(), tails, strict=True
        ):
            cut += _arrow(canvas, (x0, y0), (step_x, step_y), tail, one.tone)
    indent = (width - canvas.width) // 2
    filler = width - canvas.width - indent
    lines = [[(" " * indent, ""), *line, (" " * filler, "")] for line in canvas.lines()]
    return [centred(title, width), *lines, centred(_legend(lengths, stretch, cut, unit), width, "dim")]


def _each(tails: Sequence[str], count: int) -> Sequence[str]:
    return tails if len(tails) == count and not isinstance(tails, str) else [str(tails)[:1] or "o"] * count


def _arrow(canvas: Canvas, start: tuple[float, float], step: tuple[float, float], tail: str, tone: str) -> bool:
    """Draw one; whether it was cut."""
    length = math.hypot(*step)
    x0, y0 = start
    # So far that neither neighbours are hidden nor the head is outside the field.
    part = min(1.0, LONGEST_DOTS / max(length, 1e-9), _inside(x0, step[0], canvas.dots[0]))
    part = min(part, _inside(y0, -step[1], canvas.dots[1]))
    cut = part < 1.0
    x1, y1 = x0 + step[0] * part, y0 - step[1] * part
    canvas.line(x0, y0, x1, y1, tone)
    head = _HEADS[round(math.atan2(step[1], step[0]) / (math.pi / 4)) % 8]
    tail_cell, head_cell = (round(x0) // 2, round(y0) // 4), (round(x1) // 2, round(y1) // 4)
    canvas.character(*tail_cell, tail, tone)
    if head_cell == tail_cell and length >= 1.0:  # shorter than its two ends: the head stands beside the tail
        head_cell = (tail_cell[0] + (1 if step[0] >= 0 else -1), tail_cell[1])
    if head_cell != tail_cell:
        canvas.character(*head_cell, head, tone)
    return cut


def _inside(start: float, step: float, dots: int) -> float:
    """Which part of a step from a dot stays on the canvas."""
    room = dots - 1 - start if step > 0 else start
    return max(0.0, room / abs(step)) if abs(step) > max(room, 1e-9) else 1.0


def _legend(lengths: NDArray[np.float64], stretch: float, cut: int, unit: str) -> str:
    if not len(lengths):
        return "no points"
    key = _round_key(TYPICAL_DOTS / stretch)
    bar = "─" * max(1, round(key * stretch / 2))
    beyond = f"   {cut} longer than drawn" if cut else ""
    return f"├{bar}┤ {key:g} {unit}   {len(lengths)} vectors{beyond}"


def _typical(lengths: NDArray[np.float64]) -> float:
    """The median length; 1 where there is none to go by."""
    typical = float(np.median(lengths)) if len(lengths) else 1.0
    return typical if 1e-30 < typical < 1e30 else 1.0


def _box(canvas: Canvas, across: float, along: float) -> None:
    """The edges of the field, dotted."""
    top = (canvas.dots[1] - along) / 2
    right, bottom = min(across, canvas.dots[0] - 1), min(top + along, canvas.dots[1] - 1)
    columns, rows = np.arange(0.0, right + 0.5, 3.0), np.arange(top, bottom + 0.5, 3.0)
    for row in (top, bottom):
        canvas.dot(columns, np.full(len(columns), row), "dim")
    for column in (0.0, right):
        canvas.dot(np.full(len(rows), column), rows, "dim")


def _round_key(typical: float) -> float:
    """1, 2 or 5 times a power of ten, at least about the typical length and at most five times it."""
    power = 10.0 ** math.floor(math.log10(typical))
    return min((factor * power for factor in (1, 2, 5, 10, 20)), key=lambda value: abs(math.log(value / (2 * typical))))
