"""A metric over a night, against the time of day in UTC."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import numpy as np

from safelight_tui.metrics.drawing import Draw, sentence
from safelight_tui.plots import PlotLine, Series, plot
from safelight_tui.plots.axes import clock_labels, range_of

__all__ = ["night_of", "night_plot"]

Row = Mapping[str, Any]

NIGHT_GAP_H = 6.0
"""Hours without a visit that end a night."""
PAUSE_FACTOR, SHORTEST_PAUSE_H = 3.0, 0.1
"""The line of medians is broken where nothing was taken for this many times the usual step (and at least so long)."""
_TONES, _SIGNS = ("good", "accent", "caveat", "bad", ""), "ox*#%@"
_WHAT = {"fwhm_arcsec": ("seeing", "arcsec"), "zeropoint_mag": ("zeropoint", "mag")}


def night_of(times: Mapping[Any, float], visit: Any) -> list[Any]:
    """The visits of the night in which `visit` was taken (the last night, if that is not known), in order of time."""
    ordered = sorted((visit for visit in times if math.isfinite(times[visit])), key=lambda one: times[one])
    nights: list[list[Any]] = []
    for one in ordered:
        if nights and (times[one] - times[nights[-1][-1]]) * 24.0 < NIGHT_GAP_H:
            nights[-1].append(one)
        else:
            nights.append([one])
    return next((night for night in nights if visit in night), nights[-1] if nights else [])


def night_plot(rows: Sequence[Row], metric: str, times: Mapping[Any, float] | None, current: Any = None) -> Draw:
    """A metric of each CCD against the time its visit was taken, medians of the visits joined by a line.

    Filters have their own signs; the line ends where observing paused.

    Parameters
    ----------
    times : mapping, optional
        Visit -> MJD (UTC); None while they are being read.
    current
        The visit under the cursor: its night is shown.
    """
    what, unit = _WHAT.get(metric, (metric, ""))
    known = [row for row in rows if row.get(metric) is not None and row.get("visit") is not None]
    if not known:
        return sentence("nothing measured yet")
    if times is None:
        return sentence(f"{what} over the night: reading when the visits were taken")
    measured = {row["visit"]: times.get(row["visit"], math.nan) for row in known}
    night = night_of(measured, current)
    if not night:
        return _in_order(known, metric, current)
    midnight = math.floor(measured[night[0]])
    hours = {visit: 24.0 * (measured[visit] - midnight) for visit in night}
    series = _series([row for row in known if row["visit"] in hours], metric, hours, current)
    without = sum(not math.isfinite(time) for time in measured.values())
    elsewhere = len(measured) - len(night) - without
    of_all = f" of {len(measured) - without}" if elsewhere else ""
    title = f"{what}, {_date(measured[night[0]])}, {len(night)}{of_all} visits"
    title += f", {without} without a time" if without else ""
    x_range = range_of([np.array(list(hours.values()))]) or (0.0, 24.0)
    if len(night) == 1:
        x_range = (hours[night[0]] - 0.25, hours[night[0]] + 0.25)

    def draw(width: int, height: int) -> list[PlotLine]:
        return plot(
            series, width, height, title=title, x_label="UTC", y_label=unit, x_range=x_range, levels=(),
            x_ticks=clock_labels,
        )  # fmt: skip

    return draw


def _in_order(rows: Sequence[Row], metric: str, current: Any) -> Draw:
    """Against the order of visits, which are numbered as they are taken: where no header tells the time."""
    what, unit = _WHAT.get(metric, (metric, ""))
    visits = sorted({row["visit"] for row in rows})
    series = _series(rows, metric, {visit: float(place) for place, visit in enumerate(visits)}, current)
    label = f"visits {visits[0]} to {visits[-1]}" if len(visits) > 1 else f"visit {visits[0]}"

    def draw(width: int, height: int) -> list[PlotLine]:
        return plot(
            series, width, height, title=f"{what}, no raw header tells the time", x_label=f"{label}, in order",
            y_label=unit, x_range=(-0.5, len(visits) - 0.5), levels=(), x_ticks=lambda low, high, most: [],
        )  # fmt: skip

    return draw


def _series(rows: Sequence[Row], metric: str, places: Mapping[Any, float], current: Any) -> list[Series]:
    """Medians as lines, then the CCDs of each filter, then those of the visit under the cursor."""
    filters = sorted({str(row.get("filter")) for row in rows})
    lines, points = [], []
    for number, name in enumerate(filters):
        members = [row for row in rows if str(row.get("filter")) == name]
        tone, sign = _TONES[number % len(_TONES)], _SIGNS[number % len(_SIGNS)]
        values: dict[Any, list[float]] = {}
        for row in members:
            values.setdefault(row["visit"], []).append(float(row[metric]))
        lines.append(_medians({places[visit]: median(found) for visit, found in values.items()}))
        points.append(
            Series([places[row["visit"]] for row in members], [float(row[metric]) for row in members], name, tone, sign)
        )
    if current in places:
        here = [float(row[metric]) for row in rows if row["visit"] == current]
        points.append(Series([places[current]] * len(here), here, str(current), "bad", "+"))
    return [*lines, *points]


def _medians(values: Mapping[float, float]) -> Series:
    """A line through values by time, broken at pauses."""
    times = np.array(sorted(values))
    steps = np.diff(times)
    pause = max(PAUSE_FACTOR * float(np.median(steps)), SHORTEST_PAUSE_H) if len(steps) else math.inf
    heights = np.array([values[time] for time in times.tolist()])
    breaks = np.flatnonzero(steps > pause) + 1
    return Series(np.insert(times, breaks, math.nan), np.insert(heights, breaks, math.nan), tone="dim", style="line")


def _date(mjd: float) -> str:
    from datetime import date, timedelta

    return (date(1858, 11, 17) + timedelta(days=math.floor(mjd))).isoformat()
