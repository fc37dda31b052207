"""The filter's language over the catalogue in memory: ``--id`` groups, then after ``|`` what narrows the view only.

::

    filter=HSC-I ccd=16 | failed^caveat fwhm_arcsec>0.9 !wcs

Left of the bar stands what ``--id`` takes, evaluated on coded columns: each distinct value is asked once. Right of it
every word must hold: a status, a metric compared with a number, or any text (looked for in the codes and sentences of
failures and caveats and in the data ID); ``^`` joins alternatives and ``!`` turns a word round.
"""

from __future__ import annotations

import difflib
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from safelight.dataid import DataIdExpression, TypedConstraint, TypedGroup, bind, explain_empty, parse
from safelight.dataid.values import Scalar
from safelight.dataid.words import Word, split_text
from safelight.errors import DataIdError
from safelight_tui.catalogue import Bitset
from safelight_tui.session.catalogue import Catalogue
from safelight_tui.session.reruns import CcdState, RerunView
from safelight_tui.widgets.status import Status

__all__ = ["SEPARATOR", "STATUS_WORDS", "FilterResult", "evaluate", "metric_names", "split_filter"]

SEPARATOR = "|"

STATUS_WORDS: Mapping[str, frozenset[Status]] = {
    "done": frozenset({Status.DONE, Status.CAVEAT}),
    "caveat": frozenset({Status.CAVEAT}),
    "failed": frozenset({Status.FAILED}),
    "blocked": frozenset({Status.BLOCKED}),
    "running": frozenset(status for status in Status if status.at_work),
    "waiting": frozenset({Status.WAITING, Status.VISIT}),
    "cancelled": frozenset({Status.CANCELLED}),
    "absent": frozenset({Status.ABSENT}),
}
"""Words for what has become of a CCD in the chosen rerun."""

_COMPARISON = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(>=|<=|!=|=|>|<)(.*)")
_OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class FilterResult:
    """What a valid filter selects."""

    text: str
    expression: DataIdExpression
    rows: Bitset  # what --id selects
    view: Bitset  # what is shown: narrowed by what stands after the bar
    why_empty: str = ""
    narrowing: str = field(default="")

    @property
    def id_text(self) -> str:
        """The part that ``--id`` takes, in its canonical form."""
        return self.expression.to_text()


def split_filter(text: str) -> tuple[str, str | None]:
    """The text before the first bar outside quotes, and the text after it (None without a bar)."""
    mark = ""
    for index, character in enumerate(text):
        if mark:
            mark = "" if character == mark else mark
        elif character in "'\"":
            mark = character
        elif character == SEPARATOR:
            return text[:index], text[index + 1 :]
    return text, None


def evaluate(text: str, catalogue: Catalogue, rerun: RerunView | None = None) -> FilterResult:
    """What `text` selects.

    Raises
    ------
    DataIdError
        As `safelight.dataid` words it; `span` says where in `text`. UNKNOWN_METRIC and BAD_NUMBER after the bar.
    """
    left, right = split_filter(text)
    expression = parse(left)
    groups = bind(expression, catalogue.all_keys) if catalogue.all_keys else []
    rows = _select(groups, catalogue) if groups else catalogue.everything()
    why = _why_empty(groups, catalogue) if not rows and catalogue.size else ""
    view = rows
    if right is not None and right.strip():
        view = rows & _narrow(right, len(left) + 1, catalogue, rerun)
        if rows and not view:
            why = f"None of the {len(rows)} selected has{right if right.startswith(' ') else ' ' + right}."
    return FilterResult(text, expression, rows, view, why, (right or "").strip())


# --- before the bar -------------------------------------------------------------------------------------------------


def _select(groups: Sequence[TypedGroup], catalogue: Catalogue) -> Bitset:
    chosen = Bitset.none(catalogue.size)
    for group in groups:
        rows = catalogue.everything()
        for constraint in group.constraints:
            rows = rows & _rows_of(constraint, catalogue)
        chosen = chosen | rows
    return chosen


def _rows_of(constraint: TypedConstraint, catalogue: Catalogue) -> Bitset:
    return catalogue.columns[constraint.key].where(constraint.matches)


class _CatalogueSource:
    """The catalogue as what explanations of empty selections ask (`safelight.dataid.explain.Source`)."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def _rows(self, constraints: Sequence[TypedConstraint]) -> Bitset:
        rows = self._catalogue.everything()
        for constraint in constraints:
            rows = rows & _rows_of(constraint, self._catalogue)
        return rows

    def count(self, constraints: Sequence[TypedConstraint]) -> int:
        return len(self._rows(constraints))

    def _present(self, key: str, constraints: Sequence[TypedConstraint]) -> list[Any]:
        counts = self._catalogue.columns[key].counts(self._rows(constraints))
        return [value for value, count in counts.items() if count and value is not None]

    def values(self, key: str, constraints: Sequence[TypedConstraint], limit: int) -> list[Any]:
        return self._present(key, constraints)[:limit]

    def neighbours(
        self, key: str, value: Scalar, constraints: Sequence[TypedConstraint]
    ) -> tuple[Any | None, Any | None]:
        present = self._present(key, constraints)
        below = [other for other in present if other < value]
        above = [other for other in present if other > value]
        return (below[-1] if below else None), (above[0] if above else None)


def _why_empty(groups: Sequence[TypedGroup], catalogue: Catalogue) -> str:
    source = _CatalogueSource(catalogue)
    sentences = []
    for group in groups:
        message, hint = explain_empty(group, source, "raw frame")
        sentences.append(f"{message} {hint}".strip())
    return " ".join(dict.fromkeys(sentences))


# --- after the bar --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def metric_names() -> tuple[str, ...]:
    """Metrics that can be compared, as the report names them."""
    from safelight.processccd.report import COLUMNS

    return (*(column.name for column in COLUMNS), "seconds")


def _narrow(text: str, offset: int, catalogue: Catalogue, rerun: RerunView | None) -> Bitset:
    try:
        words = split_text(text)
    except DataIdError as error:
        raise _moved(error, offset) from None
    states = _states_by_row(catalogue, rerun)
    view = catalogue.everything()
    for word in words:
        if word.text:
            view = view & _rows_of_word(word, offset, catalogue, states)
    return view


def _moved(error: DataIdError, offset: int) -> DataIdError:
    span = error.span and (error.span[0] + offset, error.span[1] + offset)
    return DataIdError(error.code, error.message, error.hint, error.data_id, span)


#: Typing asks again and again for the same rerun.
_last_states: list[tuple[Catalogue, RerunView, dict[int, CcdState]]] = []


def _states_by_row(catalogue: Catalogue, rerun: RerunView | None) -> dict[int, CcdState]:
    if rerun is None:
        return {}
    kept = _last_states
    if kept and kept[0][0] is catalogue and kept[0][1] is rerun:
        return kept[0][2]
    found = ((catalogue.row_of(state.data_id), state) for state in rerun.states.values())
    states = {row: state for row, state in found if row is not None}
    kept[:] = [(catalogue, rerun, states)]
    return states


def _rows_of_word(word: Word, offset: int, catalogue: Catalogue, states: dict[int, CcdState]) -> Bitset:
    text = word.text
    inverse = text.startswith("!") and not text.startswith("!=")
    if inverse:
        text = text[1:]
    comparison = _COMPARISON.fullmatch(text)
    if comparison:
        test = _metric_test(comparison, word, offset)
        rows = Bitset.from_rows([row for row, state in states.items() if test(state)], catalogue.size)
    else:
        rows = Bitset.none(catalogue.size)
        for alternative in filter(None, text.split("^")):
            rows = rows | _rows_with(alternative, catalogue, states)
    return ~rows if inverse else rows


def _metric_test(match: re.Match[str], word: Word, offset: int) -> Callable[[CcdState], bool]:
    name, sign, number = match.groups()
    start, stop = word.span()
    span = (start + offset, stop + offset)
    if name not in metric_names():
        near = difflib.get_close_matches(name, metric_names(), n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}? " if near else ""
        listed = ", ".join(metric_names()[:6])
        raise DataIdError(
            "UNKNOWN_METRIC", f"There is no metric {name!r}.", f"{hint}Metrics are {listed} and others.", span=span
        )
    try:
        limit = float(number)
    except ValueError:
        raise DataIdError("BAD_NUMBER", f"{number!r} is not a number.", f"Write {name}{sign}0.9.", span=span) from None
    compare = _OPERATORS[sign]

    def test(state: CcdState) -> bool:
        value = state.metrics.get(name)
        return value is not None and compare(value, limit)

    return test


def _rows_with(text: str, catalogue: Catalogue, states: dict[int, CcdState]) -> Bitset:
    statuses = STATUS_WORDS.get(text.lower())
    if statuses is not None:
        rows = Bitset.from_rows([row for row, state in states.items() if state.status in statuses], catalogue.size)
        if Status.ABSENT in statuses:
            rows = rows | ~Bitset.from_rows(list(states), catalogue.size)
        return rows
    wanted = text.lower()
    rows = Bitset.from_rows([row for row, state in states.items() if wanted in _searchable(state)], catalogue.size)
    for key in catalogue.keys:
        rows = rows | catalogue.columns[key].where(lambda value: wanted in str(value).lower())
    return rows


def _searchable(state: CcdState) -> str:
    parts = [state.status.word, state.code, state.message, *(part for caveat in state.caveats for part in caveat)]
    return "\n".join(parts).lower()
