"""CCDs and visits whose metrics stand apart from what they may fairly be compared with.

A CCD is compared with the other CCDs of its visit, so that a night of changing seeing does not make outliers of whole
visits. A visit of too few CCDs to tell is compared with its filter, where each larger visit counts once, by its median:
a visit of a hundred CCDs would otherwise decide alone what is usual. Visits as a whole are compared with the other
visits of their filter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.processccd.report import COLUMNS

__all__ = ["COMPARED_WITH", "outlier_scores", "outliers_of_ccds", "outliers_of_visits"]

COMPARED_WITH = "the other CCDs of its visit, or of its filter where the visit has fewer than 5"
"""What a CCD is compared with, in words."""

OUTLIER_SIGMAS = 5.0
"""Robust standard deviations from the median beyond which a metric is an outlier, in a large group."""
_FEW = 10.0
"""Values in a group at which that limit is doubled."""
LEAST_IN_VISIT = 5
"""CCDs of a visit from which on they are compared with each other."""
LEAST_FOR_OUTLIERS = 6
"""Values of one filter below which no outlier is told."""

#: Times and memory of a computer are no quality of a CCD.
_NOT_JUDGED = ("seconds_isr", "seconds_characterize", "seconds_calibrate", "seconds_io", "peak_rss_mb")
_JUDGED = [column for column in COLUMNS if column.name not in _NOT_JUDGED]

Row = Mapping[str, Any]


def outlier_scores(values: Sequence[float | None], groups: Sequence[Any], least_scatter: float = 1e-12) -> list[float]:
    """Distance of each value from the median of its group, in robust standard deviations (1.4826 times the median
    absolute deviation, but at least `least_scatter`); NaN where there is no value or the group is too small to tell.
    """
    numbers = _numbers(values)
    scores = np.full(len(numbers), np.nan)
    for members in _members(groups):
        inside = members[np.isfinite(numbers[members])]
        if len(inside) >= LEAST_FOR_OUTLIERS:
            scores[inside] = _distances(numbers[inside], numbers[inside], least_scatter)
    result: list[float] = scores.tolist()
    return result


def outliers_of_ccds(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Names of the metrics in which each CCD stands apart from `COMPARED_WITH`.

    Parameters
    ----------
    rows : sequence of mapping
        One a CCD, with ``filter``, ``visit`` (where the camera has visits) and metrics by name.
    """
    filters = _members([row.get("filter") for row in rows])
    # CCDs without a visit are each alone, so they are compared with their filter.
    visits = _members([(row.get("filter"), row.get("visit", f"CCD {place}")) for place, row in enumerate(rows)])

    def beyond(numbers: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
        return _beyond_visit_or_filter(numbers, visits, filters, least)

    return _outliers(rows, beyond)


def outliers_of_visits(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """Names of the metrics in which each visit (a row of medians) stands apart from the others of its filter."""
    filters = _members([row.get("filter") for row in rows])

    def beyond(numbers: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
        return _beyond_visit_or_filter(numbers, (), filters, least)

    return _outliers(rows, beyond)


def _outliers(
    rows: Sequence[Row], beyond: Callable[[NDArray[np.float64], float], NDArray[np.bool_]]
) -> list[tuple[str, ...]]:
    found: list[list[str]] = [[] for _ in rows]
    for column in _JUDGED:
        numbers = _numbers([row.get(column.name) for row in rows])
        # Values that all but agree scatter by half of the last digit shown.
        for place in np.flatnonzero(beyond(numbers, 0.5 * 10.0**-column.decimals)):
            found[place].append(column.name)
    return [tuple(names) for names in found]


def _beyond_visit_or_filter(
    numbers: NDArray[np.float64],
    visits: Sequence[NDArray[np.int64]],
    filters: Sequence[NDArray[np.int64]],
    least: float,
) -> NDArray[np.bool_]:
    """Whether each value is beyond its visit, where that has enough of them, or else beyond its filter."""
    beyond, judged = np.zeros((2, len(numbers)), np.bool_)
    usual = numbers.copy()  # what stands for each value in its filter: a large visit is there once
    for members in visits:
        inside = members[np.isfinite(numbers[members])]
        if len(inside) < LEAST_IN_VISIT:
            continue
        beyond[inside] = _beyond(numbers[inside], numbers[inside], least)
        judged[inside] = True
        usual[inside[0]] = np.median(numbers[inside])
        usual[inside[1:]] = np.nan
    for members in filters:
        group = usual[members][np.isfinite(usual[members])]
        rest = members[np.isfinite(numbers[members]) & ~judged[members]]
        if len(group) >= LEAST_FOR_OUTLIERS:
            beyond[rest] = _beyond(numbers[rest], group, least)
    return beyond


def _beyond(values: NDArray[np.float64], group: NDArray[np.float64], least: float) -> NDArray[np.bool_]:
    """Whether values are too far from the median of a group.

    The scatter of few values is itself uncertain: of five normal ones each is beyond five robust standard deviations
    3 % of the time. The limit grows towards small groups so that, whatever the size of its group, one normal value in
    two thousand or more is beyond it.
    """
    limit = OUTLIER_SIGMAS * (1.0 + (_FEW / len(group)) ** 3)
    return np.asarray(np.abs(_distances(values, group, least)) > limit)


def _distances(values: NDArray[np.float64], group: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    middle = float(np.median(group))
    return (values - middle) / max(1.4826 * float(np.median(np.abs(group - middle))), least)


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else float(value) for value in values], np.float64)


def _members(groups: Sequence[Any]) -> list[NDArray[np.int64]]:
    """Places of each group."""
    places: dict[Any, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return [np.array(members, np.int64) for members in places.values()]
