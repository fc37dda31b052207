"""Lines, columns and other cuts through the image, statistics and contours around the cursor."""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ProcessingError
from safelight_tui.imexam.target import Examination, Target
from safelight_tui.plots import Canvas, PlotLine, Series, plot

__all__ = [
    "column_cut",
    "column_fit",
    "contours",
    "histogram",
    "line_cut",
    "line_fit",
    "pixel_grid",
    "statistics",
    "vector_cut",
]

FIT_HALF = 12
BOX_HALF = 10  # of statistics, histogram and contours: 21 x 21 pixels
GRID_HALF_X, GRID_HALF_Y = 4, 5


def _whole(target: Target) -> tuple[int, int]:
    x, y = math.floor(target.x + 0.5), math.floor(target.y + 0.5)
    rows, columns = target.image.shape
    if not (0 <= x < columns and 0 <= y < rows):
        raise ProcessingError("OUTSIDE_IMAGE", f"There is no pixel ({x}, {y}).")
    return x, y


def _cut(title: str, label: str, places: NDArray[np.float64], values: NDArray[np.float64], at: Target) -> Examination:
    finite = values[np.isfinite(values)]
    if not len(finite):
        raise ProcessingError("NO_GOOD_PIXELS", "There are no usable pixels along here.")
    low, middle, high = (float(part) for part in np.percentile(finite, (1.0, 50.0, 99.0)))
    series = Series(places, values, style="line")

    def draw(width: int, height: int) -> list[PlotLine]:
        return plot([series], width, height, title=title, x_label=label, y_label="ADU", levels=())

    lines = (f"median {middle:.2f}  1 % {low:.2f}  99 % {high:.2f}  greatest {finite.max():.1f} ADU",)
    return Examination(title, lines, at.x, at.y, draw)


def line_cut(target: Target) -> Examination:
    """l: the whole line."""
    _, y = _whole(target)
    values = np.asarray(target.image[y], np.float64)
    return _cut(f"Line {y}", "x, pixels", np.arange(len(values), dtype=np.float64), values, target)


def column_cut(target: Target) -> Examination:
    """c: the whole column."""
    x, _ = _whole(target)
    values = np.asarray(target.image[:, x], np.float64)
    return _cut(f"Column {x}", "y, pixels", np.arange(len(values), dtype=np.float64), values, target)


def vector_cut(target: Target, start: tuple[float, float]) -> Examination:
    """v: values between two places, bilinearly interpolated, a pixel apart."""
    x0, y0 = start
    length = math.hypot(target.x - x0, target.y - y0)
    if length < 1.0:
        raise ProcessingError("NO_VECTOR", "The two ends are the same pixel.", "Press v at one end and at another.")
    along = np.linspace(0.0, 1.0, math.ceil(length) + 1)
    x, y = x0 + along * (target.x - x0), y0 + along * (target.y - y0)
    values = _bilinear(target.image, x, y)
    title = f"From ({x0:.0f}, {y0:.0f}) to ({target.x:.0f}, {target.y:.0f})"
    return _cut(title, "distance, pixels", along * length, values, target)


def _bilinear(image: NDArray[np.floating], x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    rows, columns = image.shape
    x, y = np.clip(x, 0, columns - 1), np.clip(y, 0, rows - 1)
    left, low = np.minimum(x.astype(int), columns - 2).clip(0), np.minimum(y.astype(int), rows - 2).clip(0)
    right, high = np.minimum(left + 1, columns - 1), np.minimum(low + 1, rows - 1)
    dx, dy = x - left, y - low
    data = image
    values: NDArray[np.float64] = (
        data[low, left] * (1 - dx) * (1 - dy)
        + data[low, right] * dx * (1 - dy)
        + data[high, left] * (1 - dx) * dy
        + data[high, right] * dx * dy
    ).astype(np.float64)
    return values


def line_fit(target: Target) -> Examination:
    """j: a Gaussian on a constant along the line through the object."""
    return _fit(target, along_x=True)


def column_fit(target: Target) -> Examination:
    """k: the same along the column."""
    return _fit(target, along_x=False)


def _gaussian(x: NDArray[np.float64], height: float, centre: float, sigma: float, level: float) -> NDArray[np.float64]:
    values: NDArray[np.float64] = level + height * np.exp(-0.5 * ((x - centre) / sigma) ** 2)
    return values


def _fit(target: Target, *, along_x: bool) -> Examination:
    from scipy.optimize import OptimizeWarning, curve_fit

    from safelight_tui.imexam.stars import centred

    x, y = centred(target)
    box = target.cutout(x, y, FIT_HALF)
    fixed = math.floor((y if along_x else x) + 0.5) - (box.y0 if along_x else box.x0)
    values = box.data[fixed] if along_x else box.data[:, fixed]
    good = ~(box.mask[fixed] if along_x else box.mask[:, fixed])
    places = np.arange(len(values), dtype=np.float64) + (box.x0 if along_x else box.y0)
    if np.count_nonzero(good) < 6:
        raise ProcessingError("NO_GOOD_PIXELS", "There are too few usable pixels for a fit.")
    level = float(np.median(values[good]))
    first = (float(values[good].max()) - level, x if along_x else y, 2.0, level)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", OptimizeWarning)  # what it cannot determine it did not find
            found, _ = curve_fit(_gaussian, places[good], values[good], p0=first, maxfev=2000)
    except (RuntimeError, ValueError, OptimizeWarning) as error:
        raise ProcessingError("NO_FIT", "No Gaussian fits here.", "Move the cursor to an object.") from error
    height, centre, sigma, level = (float(part) for part in found)
    fwhm = 2.3548 * abs(sigma)
    if not (height > 0 and places[0] <= centre <= places[-1] and 0.3 < fwhm < len(places)):
        raise ProcessingError("NO_FIT", "What fits here is no object.", "Move the cursor to an object.")
    scale = target.scale_arcsec
    name, label = (f"Line {round(y)}", "x, pixels") if along_x else (f"Column {round(x)}", "y, pixels")
    fine = np.linspace(places[0], places[-1], 8 * len(places))
    series = [
        Series(places[good], values[good], "pixels", character="o"),
        Series(fine, _gaussian(fine, height, centre, sigma, level), "Gaussian", "accent", style="line"),
    ]

    def draw(width: int, height_: int) -> list[PlotLine]:
        return plot(series, width, height_, title=name, x_label=label, y_label="ADU", levels=())

    lines = (
        f"centre {centre:.2f}  FWHM {fwhm:.2f} px" + (f" = {fwhm * scale:.2f}″" if scale else ""),
        f"peak {height:.1f}  level {level:.2f} ADU",
    )
    return Examination(f"{name}, Gaussian", lines, x, y, draw)


def statistics(target: Target) -> Examination:
    """m: of 21 x 21 pixels."""
    box = target.cutout(target.x, target.y, BOX_HALF)
    values = box.good
    middle = float(np.median(values))
    robust = 1.4826 * float(np.median(np.abs(values - middle)))
    rows, columns = box.data.shape
    lines = (
        f"x {box.x0} to {box.x0 + columns - 1}, y {box.y0} to {box.y0 + rows - 1}: {len(values)} pixels",
        f"mean {values.mean():.3f}  median {middle:.3f} ADU",
        f"standard deviation {values.std(ddof=1):.3f}  robust {robust:.3f} ADU",
        f"least {values.min():.3f}  greatest {values.max():.3f} ADU",
    )
    return Examination("Statistics", lines, target.x, target.y)


def histogram(target: Target) -> Examination:
    """h: of 21 x 21 pixels."""
    values = target.cutout(target.x, target.y, BOX_HALF).good
    counts, edges = np.histogram(values, bins=30)
    series = Series(edges, np.append(counts, 0).astype(np.float64), style="steps")

    def draw(width: int, height: int) -> list[PlotLine]:
        return plot([series], width, height, title="histogram", x_label="ADU", y_label="pixels", levels=())

    line = f"{len(values)} pixels, median {np.median(values):.2f}, from {values.min():.2f} to {values.max():.2f} ADU"
    return Examination("Histogram", (line,), target.x, target.y, draw)


def contours(target: Target) -> Examination:
    """e: lines of equal brightness over 21 x 21 pixels, at even steps between the median and the brightest."""
    box = target.cutout(target.x, target.y, BOX_HALF)
    data = box.filled
    low, high = float(np.median(box.good)), float(data.max())
    if not high > low:
        raise ProcessingError("NO_OBJECT", "All pixels here have the same value.")
    levels = low + (high - low) * np.arange(1, 8) / 8.0

    def draw(width: int, height: int) -> list[PlotLine]:
        canvas = Canvas(width, height)
        across, down = canvas.dots
        scale = max(1.0, min((across - 1) / (data.shape[1] - 1), (down - 1) / (data.shape[0] - 1)))
        left = (across - scale * (data.shape[1] - 1)) / 2
        top = (down - scale * (data.shape[0] - 1)) / 2
        for level in levels:
            for x0, y0, x1, y1 in _segments(data, float(level)):
                canvas.line(
                    left + scale * x0,
                    top + scale * (data.shape[0] - 1 - y0),
                    left + scale * x1,
                    top + scale * (data.shape[0] - 1 - y1),
                )
        return canvas.lines()

    rows, columns = data.shape
    lines = (
        f"x {box.x0} to {box.x0 + columns - 1}, y {box.y0} to {box.y0 + rows - 1}",
        f"7 levels from {levels[0]:.1f} to {levels[-1]:.1f} ADU",
    )
    return Examination("Contours", lines, target.x, target.y, draw)


def _segments(data: NDArray[np.float64], level: float) -> list[tuple[float, float, float, float]]:
    """Pieces of the contour: in each triangle of neighbouring pixels, where the level crosses its edges."""
    found: list[tuple[float, float, float, float]] = []
    above = data > level
    mixed = above[:-1, :-1].astype(int) + above[1:, :-1] + above[:-1, 1:] + above[1:, 1:]
    for row, column in np.argwhere((mixed > 0) & (mixed < 4)).tolist():
        corners = [(column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)]
        for triangle in ((0, 1, 2), (0, 2, 3)):
            points = [corners[index] for index in triangle]
            crossings = []
            for (xa, ya), (xb, yb) in ((points[0], points[1]), (points[1], points[2]), (points[2], points[0])):
                a, b = float(data[ya, xa]), float(data[yb, xb])
                if (a > level) != (b > level):
                    part = (level - a) / (b - a)
                    crossings.append((xa + part * (xb - xa), ya + part * (yb - ya)))
            if len(crossings) == 2:
                found.append((*crossings[0], *crossings[1]))
    return found


def pixel_grid(target: Target) -> Examination:
    """z: the values around the cursor as numbers, y upwards as on the screen."""
    x, y = _whole(target)
    rows, columns = target.image.shape
    xs = range(max(0, x - GRID_HALF_X), min(columns, x + GRID_HALF_X + 1))
    lines = ["y \\ x".rjust(6) + "".join(f"{column:>8d}" for column in xs)]
    for row in range(min(rows - 1, y + GRID_HALF_Y), max(-1, y - GRID_HALF_Y - 1), -1):
        cells = []
        for column in xs:
            value = float(target.image[row, column])
            text = f"{value:.1f}" if math.isfinite(value) else "--"
            text = text if len(text) < 8 else f"{value:.1e}"
            cells.append((f"[{text}]" if (column, row) == (x, y) and len(text) < 7 else text).rjust(8))
        lines.append(f"{row:>6d}" + "".join(cells))
    return Examination("Pixels", tuple(lines), float(x), float(y))
