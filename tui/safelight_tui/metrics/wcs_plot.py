"""The residuals of a WCS over its CCD: arrows, and beside them the numbers that judge the fit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight_tui.metrics.drawing import Draw, sentence, title_of
from safelight_tui.metrics.residuals import Residuals, WcsResiduals
from safelight_tui.plots import Arrows, PlotLine, local_means, vector_field
from safelight_tui.plots.canvas import centred
from safelight_tui.plots.vectors import Extent, field_columns
from safelight_tui.terminal.text import fit

__all__ = ["wcs_numbers", "wcs_plot"]

NUMBERS_WIDTH = 27
NARROWEST_FIELD = 40
"""Columns of the field beside which numbers may stand."""
CELLS_A_VECTOR = 24
"""Characters of the field for each vector; with less, local means are drawn unless every star is asked for."""


def wcs_numbers(wcs: WcsResiduals) -> list[str]:
    """A small table, milliarcsec: of the stars kept out of the fit (they judge it) and of those in it.

    Median and rms are of the distance; x and y are means along the axes of the CCD, with the rms about them in
    brackets.
    """
    groups = (wcs.reserved, wcs.used)
    known = np.isfinite(wcs.dx_mas) & np.isfinite(wcs.dy_mas)
    columns = [_numbers(wcs.dx_mas[group & known], wcs.dy_mas[group & known]) for group in groups]
    names = ("mas", "stars", "median", "rms", "x (rms)", "y (rms)")
    heads = (("x kept", "o fit"), *zip(*columns, strict=True))
    return [f"{name:<7} {a:>9} {b:>9}" for name, (a, b) in zip(names, heads, strict=True)]


def _numbers(dx: NDArray[np.float64], dy: NDArray[np.float64]) -> list[str]:
    if not len(dx):
        return ["0", "--", "--", "--", "--"]
    length = np.hypot(dx, dy)
    axes = [f"{values.mean():+.1f}({values.std():.1f})" for values in (dx, dy)]
    return [str(len(dx)), f"{np.median(length):.1f}", f"{np.sqrt(np.mean(length**2)):.1f}", *axes]


def wcs_plot(residuals: Residuals, *, every_star: bool | None = None) -> Draw:
    """Arrows from where the stars should be to where they are, lengthened; the numbers beside them.

    Parameters
    ----------
    every_star : bool, optional
        An arrow for each star, or (False) the mean of each part of the CCD; by default what can be read.
    """
    wcs = residuals.wcs
    if wcs is None:
        return sentence("no WCS")
    numbers = wcs_numbers(wcs)

    def draw(width: int, height: int) -> list[PlotLine]:
        beside = width - NUMBERS_WIDTH - 1 >= NARROWEST_FIELD and height > len(numbers)
        room = width - NUMBERS_WIDTH - 1 if beside else width
        kinds, extent, lying = _laid_out(wcs, room, height)
        crowded = sum(one.count for one in kinds) > field_columns(extent, room, height) * (height - 2) / CELLS_A_VECTOR
        means = crowded if every_star is None else not every_star
        if means:
            kinds = [local_means(kinds, extent, room, height, "accent")]
        words = "means, with numbers of stars" if means else "o in fit, x kept out"
        words += "" if every_star is None else " (e)"
        field = vector_field(kinds, room, height, extent=extent, unit="mas")
        if len(field) < 3:
            return field
        legend = "".join(text for text, _ in field[-1]).strip()
        if not beside:
            legend = f"{_judgement(wcs)}   {legend}"
        body = _beside(field[1:-1], numbers, room, width) if beside else field[1:-1]
        title = f"{title_of(residuals)} WCS{lying}: {words}"
        return [centred(title, width), *body, centred(legend, width, "dim")]

    return draw


def _laid_out(wcs: WcsResiduals, width: int, height: int) -> tuple[list[Arrows], Extent, str]:
    """The vectors of both kinds of stars in a field that fills the screen: a CCD taller than wide lies down."""
    judged = wcs.used | wcs.reserved
    in_fit = wcs.used if judged.any() else np.ones(len(wcs.x), np.bool_)
    lying = wcs.height > wcs.width and width > 2 * height
    extent: Extent = (-0.5, wcs.width - 0.5, -0.5, wcs.height - 0.5)
    columns = (wcs.x, wcs.y, wcs.dx_mas, wcs.dy_mas)
    if lying:
        extent = (*extent[2:], *extent[:2])
        columns = (wcs.y, wcs.x, wcs.dy_mas, wcs.dx_mas)
    kinds = [
        Arrows(columns[0][group], columns[1][group], columns[2][group], columns[3][group], tail, tone)
        for group, tail, tone in ((in_fit & ~wcs.reserved, "o", "good"), (wcs.reserved, "x", "accent"))
    ]
    return kinds, extent, ", y to the right" if lying else ""


def _beside(field: list[PlotLine], numbers: list[str], room: int, width: int) -> list[PlotLine]:
    """The field with the numbers to the right of it, in the middle of its height."""
    first = max(0, (len(field) - len(numbers)) // 2)
    out = []
    for row, line in enumerate(field):
        text = numbers[row - first] if 0 <= row - first < len(numbers) else ""
        out.append([*line, (" " + fit(text, width - room - 1), "dim" if row == first else "")])
    return out


def _judgement(wcs: WcsResiduals) -> str:
    """The most important number, where there is no room for all of them."""
    length = np.hypot(wcs.dx_mas, wcs.dy_mas)[wcs.reserved]
    length = length[np.isfinite(length)]
    return f"kept out: median {np.median(length):.1f} mas" if len(length) else "none kept out"
