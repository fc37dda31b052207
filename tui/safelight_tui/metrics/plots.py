"""The plots of triage, from residuals and rows to lines of characters."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight_tui.metrics.residuals import PhotometricResiduals, Residuals
from safelight_tui.plots import PlotLine, Series, plot, vector_field
from safelight_tui.terminal.text import fit, printable

__all__ = ["PLOTS", "Draw", "color_plot", "magnitude_plot", "night_plot", "sentence", "wcs_plot"]

Draw = Callable[[int, int], list[PlotLine]]
Row = Mapping[str, Any]
FloatArray = NDArray[np.float64]

PLOTS: Mapping[str, str] = {
    "wcs": "WCS residuals over the CCD",
    "magnitude": "zeropoint residual against magnitude",
    "color": "zeropoint residual against colour",
    "seeing": "seeing over the night",
    "zeropoint": "zeropoint over the night",
}
"""Names and headings."""

CELLS_A_VECTOR = 14
"""Characters of a plot for each vector; with less, local means are drawn."""
MOST_MAG = 0.3
"""Half range of magnitude residuals shown, mag; how many lie beyond is said."""


def sentence(text: str) -> Draw:
    """A plot that only says something."""

    def draw(width: int, height: int) -> list[PlotLine]:
        words = textwrap.wrap(printable(text), max(10, width - 2))[: max(height, 1)]
        first = (height - len(words)) // 2
        rows = (words[row - first] if 0 <= row - first < len(words) else "" for row in range(height))
        return [[(fit(words_.center(width), width), "dim")] for words_ in rows]

    return draw


def _title(residuals: Residuals, text: str) -> str:
    data_id = residuals.data_id
    name = " ".join(str(data_id[key]) for key in ("visit", "ccd") if key in data_id)
    return f"{name} {text}"


def wcs_plot(residuals: Residuals) -> Draw:
    """Vectors of the stars, those kept out of the fit in their own tone and told in the heading."""
    wcs = residuals.wcs
    if wcs is None:
        return sentence("no WCS")
    judged = wcs.used | wcs.reserved
    shown = judged if judged.any() else np.ones(len(wcs.x), np.bool_)
    length = np.hypot(wcs.dx_mas, wcs.dy_mas)
    reserved = length[wcs.reserved & np.isfinite(length)]
    words = f"kept out: median {np.median(reserved):.1f} mas" if len(reserved) else "none kept out"

    def draw(width: int, height: int) -> list[PlotLine]:
        # A CCD that is taller than wide fills a wide terminal better lying down.
        x, y, dx, dy = wcs.x[shown], wcs.y[shown], wcs.dx_mas[shown], wcs.dy_mas[shown]
        extent = (-0.5, wcs.width - 0.5, -0.5, wcs.height - 0.5)
        if wcs.height > wcs.width and width > 2 * height:
            x, y, dx, dy = y, x, dy, dx
            extent = (-0.5, wcs.height - 0.5, -0.5, wcs.width - 0.5)
            lying = ", y to the right"
        else:
            lying = ""
        places = width * height // CELLS_A_VECTOR
        if len(x) > places:
            x, y, dx, dy = _means(x, y, dx, dy, extent, places)
            lying += ", local means"
        title = _title(residuals, f"WCS, {words}{lying}")
        return vector_field(x, y, dx, dy, width, height, extent=extent, unit="mas", title=title, tone="accent")

    return draw


def _means(
    x: FloatArray, y: FloatArray, dx: FloatArray, dy: FloatArray, extent: tuple[float, ...], most: int
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Mean vectors in square cells, at most about `most` of them: where there is no room for every star."""
    left, right, bottom, top = extent
    side = math.sqrt((right - left) * (top - bottom) / max(most, 1))
    known = np.isfinite(dx) & np.isfinite(dy)
    x, y, dx, dy = x[known], y[known], dx[known], dy[known]
    cells = np.stack([np.floor((x - left) / side), np.floor((y - bottom) / side)], axis=1).astype(np.int64)
    _, which = np.unique(cells, axis=0, return_inverse=True)
    which = which.ravel()
    counts = np.bincount(which)
    a, b, c, d = (np.bincount(which, weights=values) / counts for values in (x, y, dx, dy))
    return a, b, c, d


def _photometric(residuals: Residuals, x: NDArray[np.float64], what: str, label: str) -> Draw:
    photometry = residuals.photometry
    assert photometry is not None
    rest = ~(photometry.used | photometry.reserved)
    kept = photometry.residual[photometry.reserved & np.isfinite(photometry.residual)]
    scatter = 1.4826 * float(np.median(np.abs(kept - np.median(kept)))) if len(kept) else float("nan")
    words = f"kept out: {scatter:.3f} mag" if len(kept) else "none kept out"
    series = [
        Series(x[rest], photometry.residual[rest], "rest", "dim"),
        Series(x[photometry.used], photometry.residual[photometry.used], "fit", "good", "o"),
        Series(x[photometry.reserved], photometry.residual[photometry.reserved], "kept out", "accent", "x"),
    ]
    finite = np.abs(photometry.residual[np.isfinite(photometry.residual) & ~rest])
    reach = min(max(1.2 * float(finite.max()), 0.02), MOST_MAG) if len(finite) else MOST_MAG

    def draw(width: int, height: int) -> list[PlotLine]:
        title = _title(residuals, f"{what}{words}")
        return plot(series, width, height, title=title, x_label=label, y_label="mag", y_range=(-reach, reach))

    return draw


def _why_not(residuals: Residuals) -> str:
    return residuals.why_no_photometry or "no zeropoint"


def magnitude_plot(residuals: Residuals) -> Draw:
    """Residual of each star against its magnitude."""
    photometry: PhotometricResiduals | None = residuals.photometry
    if photometry is None:
        return sentence(_why_not(residuals))
    return _photometric(residuals, photometry.magnitude, "", "magnitude")


def color_plot(residuals: Residuals) -> Draw:
    """Residual of each star against its colour: a slope says that the colour term is wrong."""
    photometry = residuals.photometry
    if photometry is None:
        return sentence(_why_not(residuals))
    if not photometry.color_name:
        return sentence("the reference catalogue has no colour for this filter")
    term = "" if photometry.color_term else "no colour term, "
    return _photometric(residuals, photometry.color, term, photometry.color_name)


def night_plot(rows: Sequence[Row], metric: str, current: Any = None) -> Draw:
    """A metric over the night: each CCD against the order of visits, filters told apart by characters.

    Registries tell the night of a frame, not its hour; visits are numbered in the order in which they were taken.
    """
    visits = sorted({row["visit"] for row in rows if row.get("visit") is not None})
    place = {visit: index for index, visit in enumerate(visits)}
    known = [row for row in rows if row.get(metric) is not None and row.get("visit") in place]
    if not known:
        return sentence("nothing measured yet")
    filters = sorted({str(row.get("filter")) for row in known})
    tones, signs = ("good", "accent", "caveat", "bad", ""), "ox*#%@"
    series = []
    for number, name in enumerate(filters):
        members = [row for row in known if str(row.get("filter")) == name]
        series.append(
            Series(
                [place[row["visit"]] for row in members],
                [float(row[metric]) for row in members],
                name,
                tones[number % len(tones)],
                signs[number % len(signs)],
            )
        )
    unit, what = {"fwhm_arcsec": ("arcsec", "seeing"), "zeropoint_mag": ("mag", "zeropoint")}.get(metric, ("", metric))
    label = f"visits {visits[0]} to {visits[-1]}" if len(visits) > 1 else f"visit {visits[0]}"
    if current in place:
        here = [float(row[metric]) for row in known if row["visit"] == current]
        series.append(Series([place[current]] * len(here), here, f"{current}", "bad", "+"))

    def draw(width: int, height: int) -> list[PlotLine]:
        x_range = (-0.5, len(visits) - 0.5)
        return plot(
            series, width, height, title=what, x_label=label, y_label=unit, x_range=x_range, levels=(),
            y_reversed=False,
        )  # fmt: skip

    return draw
