"""Words that narrow a list of CCDs by what came of them: ``failed``, ``bad``, ``fwhm_arcsec>0.9``, ``!caveats``.

All words must hold. A word is

* a comparison of a metric with a number: ``NAME<1``, ``<=``, ``>``, ``>=``, ``=``, ``!=``; a CCD without the metric
  fails every comparison;
* a status (``done``, ``caveats``, ``failed``, ``absent`` …) or a verdict (``good``, ``bad``, ``look``, ``marked``,
  ``disputed``), ``outlier`` (see `safelight.processccd.outliers`), or ``alarm`` (beyond a threshold of the settings);
* anything else: text that occurs in the status, a caveat, a failure's code or message, or a comment, case ignored.

An exclamation mark in front negates a word; ``^`` joins alternatives: ``bad^look``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from safelight.dataid.words import split_text
from safelight.errors import DataIdError

__all__ = ["Narrowing", "parse_narrowing"]

Row = Mapping[str, Any]

_COMPARISON = re.compile(r"(?P<name>[A-Za-z_]\w*)(?P<operator><=|>=|!=|<|>|=)(?P<value>.*)")
_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
}
_STATUS = {
    "done": ("done", "done-with-caveats"),
    "clean": ("done",),
    "caveat": ("done-with-caveats",),
    "caveats": ("done-with-caveats",),
    "failed": ("failed",),
    "cancelled": ("cancelled",),
    "absent": ("", "absent"),
}
_VERDICTS = ("good", "bad", "look")
_TEXTS = ("status", "caveats", "code", "message", "comment")


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    holds: Callable[[Row], bool]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Words as a test of rows: `report_rows` with ``verdicts``, ``comment`` and ``outliers`` where these are known."""

    words: tuple[_Word, ...] = ()

    def matches(self, row: Row) -> bool:
        """Whether all words hold."""
        return all(word.holds(row) for word in self.words)

    def __bool__(self) -> bool:
        return bool(self.words)

    def __str__(self) -> str:
        return " ".join(word.text for word in self.words)


def parse_narrowing(text: str, metrics: Collection[str]) -> Narrowing:
    """The words of `text`, separated by blanks; quotes keep blanks together.

    Parameters
    ----------
    metrics : collection of str
        Names that may be compared.

    Raises
    ------
    DataIdError
        UNKNOWN_METRIC, NOT_A_NUMBER or MALFORMED, with the span of the word.
    """
    words = []
    for word in split_text(text):
        negated = word.text.startswith("!") and len(word.text) > 1 and not word.quoted
        body = word.text[1:] if negated else word.text
        comparison = None if word.quoted else _COMPARISON.fullmatch(body)
        if comparison:
            holds = _comparison(comparison, metrics, word.span())
        else:
            holds = _any_of([_named(part) for part in body.split("^") if part])
        words.append(_Word(word.text, _not(holds) if negated else holds))
    return Narrowing(tuple(words))


def _any_of(tests: Sequence[Callable[[Row], bool]]) -> Callable[[Row], bool]:
    return lambda row: any(holds(row) for holds in tests)


def _not(holds: Callable[[Row], bool]) -> Callable[[Row], bool]:
    return lambda row: not holds(row)


def _comparison(match: re.Match[str], metrics: Collection[str], span: tuple[int, int]) -> Callable[[Row], bool]:
    name, compare = match["name"], _COMPARE[match["operator"]]
    if name not in metrics:
        near = difflib.get_close_matches(name, metrics, n=1)
        raise DataIdError(
            "UNKNOWN_METRIC",
            f"There is no metric {name!r} to compare.",
            f"Did you mean {near[0]}?" if near else f"There are: {', '.join(sorted(metrics))}.",
            span=span,
        )
    try:
        wanted = float(match["value"])
    except ValueError:
        raise DataIdError(
            "NOT_A_NUMBER", f"{match['value']!r} is not a number that {name} can be compared with.", span=span
        ) from None

    def holds(row: Row) -> bool:
        value = row.get(name)
        return value is not None and value == value and compare(float(value), wanted)

    return holds


def _named(text: str) -> Callable[[Row], bool]:
    word = text.casefold()
    if word in _STATUS:
        return lambda row: (row.get("status") or "") in _STATUS[word]
    if word in _VERDICTS:
        return lambda row: word in row.get("verdicts", ())
    if word == "marked":
        return lambda row: bool(row.get("verdicts"))
    if word == "disputed":
        return lambda row: len(row.get("verdicts", ())) > 1
    if word in ("outlier", "outliers"):
        return lambda row: bool(row.get("outliers"))
    if word in ("alarm", "alarms"):
        return lambda row: bool(row.get("alarms"))
    return lambda row: any(word in str(row.get(name) or "").casefold() for name in _TEXTS)
