"""The dates between which master calibrations hold, by Gen2's arithmetic."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["FOREVER", "Validity", "symmetric_validity", "until_superseded"]

#: End of the last epoch of a calibration that holds until another supersedes it.
FOREVER = "2037-12-31"


@dataclass(frozen=True, slots=True)
class Validity:
    """Inclusive ISO dates."""

    start: str
    end: str


def _date(text: str) -> datetime.date:
    """The date of an ISO date or time; raises ValueError."""
    return datetime.date.fromisoformat(text[:10])


def symmetric_validity(dates: Sequence[str], days: int) -> list[Validity]:
    """[date - days, date + days] for ascending calibDates of one CCD and filter, trimmed where neighbours meet.

    Where the earlier range passes the middle between two neighbours (earlier date + half the distance, rounded down),
    the earlier ends there and the later begins the day after. As in Gen2, a later range that reaches further back than
    the middle is only trimmed together with the earlier one.

    Raises
    ------
    ValueError
        A date is not an ISO date.
    """
    parsed = [_date(text) for text in dates]
    half = datetime.timedelta(days=days)
    starts = [date - half for date in parsed]
    ends = [date + half for date in parsed]
    for i in range(len(parsed) - 1):
        middle = parsed[i] + datetime.timedelta(days=(parsed[i + 1] - parsed[i]).days // 2)
        if ends[i] > middle:
            ends[i] = middle
            starts[i + 1] = middle + datetime.timedelta(days=1)
    return [Validity(start.isoformat(), end.isoformat()) for start, end in zip(starts, ends, strict=True)]


def until_superseded(dates: Sequence[str]) -> list[Validity]:
    """Each from its own date to the day before the next; the last until 2037-12-31. Dates ascend.

    Raises
    ------
    ValueError
        A date is not an ISO date.
    """
    parsed = [_date(text) for text in dates]
    ends = [(later - datetime.timedelta(days=1)).isoformat() for later in parsed[1:]] + [FOREVER]
    return [Validity(start.isoformat(), end) for start, end in zip(parsed, ends[: len(parsed)], strict=True)]
