"""Thresholds that ring: ``fwhm_arcsec>1.2``, ``zeropoint_mag<26.8``, ``zeropoint_mag<median-0.3``.

An alarm compares a metric of the report with a number, or with a number added to the *usual* value: the median over the
other visits of the same filter and night. A zeropoint that drops below the usual one tells clouds, whatever the filter.
The visit that is judged is left out of its own median, and so is any alarm that fewer than `LEAST_VISITS` other visits
could speak for.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from safelight.errors import UsageError
from safelight.processccd.report import COLUMNS

__all__ = ["LEAST_VISITS", "Alarm", "UsualValues", "parse_alarm", "parse_alarms", "ringing_rows"]

LEAST_VISITS = 3
"""Other visits of the filter and night below which nothing is usual yet."""

_METRICS = {column.name: column for column in COLUMNS}
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_NUMBER = r"[+-]?\s*(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_ALARM = re.compile(
    rf"(?P<metric>[A-Za-z_]\w*)\s*(?P<sign><=|>=|<|>)\s*(?P<usual>median\s*(?=[+-]))?(?P<value>{_NUMBER})"
)
_HINT = "Alarms look like fwhm_arcsec>1.2, zeropoint_mag<26.8 or zeropoint_mag<median-0.3."


@dataclass(frozen=True, slots=True)
class Alarm:
    """One threshold. `value` is in the unit of the metric; `relative`: it is added to the usual value."""

    metric: str
    sign: str
    value: float
    relative: bool = False

    def __str__(self) -> str:
        number = f"{self.value:+.10g}" if self.relative else f"{self.value:.10g}"
        return f"{self.metric}{self.sign}{'median' if self.relative else ''}{number}"

    def threshold(self, usual: float | None) -> float | None:
        """The number compared with; None while nothing is usual."""
        if not self.relative:
            return self.value
        return None if usual is None else usual + self.value

    def rings(self, value: float | None, usual: float | None = None) -> bool:
        """Whether a value is beyond the threshold; what was not measured never is."""
        limit = self.threshold(usual)
        return value is not None and limit is not None and value == value and _COMPARE[self.sign](value, limit)

    def sentence(self, value: float, usual: float | None = None) -> str:
        """What to tell: ``fwhm_arcsec 1.42 arcsec is above 1.2``."""
        column = _METRICS[self.metric]
        unit = f" {column.unit}" if column.unit else ""
        side = "above" if ">" in self.sign else "below"
        limit = self.threshold(usual)
        shown = f"{limit:.{column.decimals}f}" if self.relative and limit is not None else f"{self.value:.10g}"
        basis = f" (usual {usual:.{column.decimals}f}{self.value:+.10g})" if self.relative and usual is not None else ""
        return f"{self.metric} {value:.{column.decimals}f}{unit} is {side} {shown}{basis}"


def parse_alarm(text: str) -> Alarm:
    """One alarm as it is written.

    Raises
    ------
    UsageError
        NOT_AN_ALARM or UNKNOWN_METRIC.
    """
    found = _ALARM.fullmatch(text.strip())
    if found is None:
        raise UsageError("NOT_AN_ALARM", f"{text.strip()!r} is not an alarm.", _HINT)
    if found["metric"] not in _METRICS:
        near = difflib.get_close_matches(found["metric"], _METRICS, n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}?" if near else f"There are: {', '.join(_METRICS)}."
        raise UsageError("UNKNOWN_METRIC", f"There is no metric {found['metric']!r} to ring.", hint)
    value = float(re.sub(r"\s", "", found["value"]))
    return Alarm(found["metric"], found["sign"], value, found["usual"] is not None)


def parse_alarms(texts: Iterable[str]) -> tuple[Alarm, ...]:
    """Alarms, each once, in the order given; several in one text are separated by blanks or commas.

    Raises as `parse_alarm`.
    """
    joined = (re.sub(r"\s*(<=|>=|<|>|median|[+-](?=\s*[\d.]))\s*", r"\1", text) for text in texts)
    words = (word for text in joined for word in re.split(r"[\s,]+", text) if word)
    return tuple(dict.fromkeys(parse_alarm(word) for word in words))


class UsualValues:
    """The usual values of a rerun's metrics, by filter and night.

    Parameters
    ----------
    ccds : iterable of (data ID, metrics)
        Everything that was measured.
    metrics : iterable of str
        Only these are asked for.
    """

    def __init__(self, ccds: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]], metrics: Iterable[str]) -> None:
        names = frozenset(metrics)
        found: dict[tuple[Any, Any, str], dict[Any, list[float]]] = {}
        for data_id, measured in ccds if names else ():
            for name in names:
                value = measured.get(name)
                if value is not None and value == value:
                    by_visit = found.setdefault((*_group(data_id), name), {})
                    by_visit.setdefault(data_id.get("visit"), []).append(float(value))
        self._medians = {key: {visit: median(v) for visit, v in visits.items()} for key, visits in found.items()}
        self._known: dict[tuple[Any, ...], float | None] = {}

    def of(self, data_id: Mapping[str, Any], metric: str) -> float | None:
        """The median of a metric over the visits of the same filter and night without the data ID's own; None where
        there are too few."""
        visit = data_id.get("visit")
        key = (*_group(data_id), metric)
        if (*key, visit) not in self._known:
            others = [value for other, value in self._medians.get(key, {}).items() if other != visit]
            self._known[*key, visit] = median(others) if len(others) >= LEAST_VISITS else None
        return self._known[*key, visit]

    def ringing(
        self, alarms: Iterable[Alarm], data_id: Mapping[str, Any], metrics: Mapping[str, Any]
    ) -> list[tuple[Alarm, str]]:
        """The alarms that a CCD's metrics are beyond, each with its sentence."""
        found = []
        for alarm in alarms:
            value = metrics.get(alarm.metric)
            if value is None:
                continue
            usual = self.of(data_id, alarm.metric) if alarm.relative else None
            if alarm.rings(value, usual):
                found.append((alarm, alarm.sentence(float(value), usual)))
        return found


def ringing_rows(rows: Sequence[Mapping[str, Any]], alarms: Sequence[Alarm]) -> list[tuple[str, ...]]:
    """For each row of a report the alarms, as texts, that its metrics are beyond."""
    usual = UsualValues(((row, row) for row in rows), {alarm.metric for alarm in alarms if alarm.relative})
    return [tuple(str(alarm) for alarm, _ in usual.ringing(alarms, row, row)) for row in rows]


def _group(data_id: Mapping[str, Any]) -> tuple[Any, Any]:
    return data_id.get("filter"), data_id.get("dateObs")
