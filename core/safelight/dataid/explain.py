"""Why a selection is empty: the constraint that emptied it and the nearest values that exist."""

from __future__ import annotations

import bisect
import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from safelight.dataid.typed import TypedConstraint, TypedGroup
from safelight.dataid.values import Range, Scalar

__all__ = ["RowsInMemory", "Source", "explain_empty", "explain_unmatched"]

#: As many values of a key are listed in full.
_LIST_UP_TO = 12


class Source(Protocol):
    """Rows that can be counted and whose values can be listed: a list in memory or a table of a registry."""

    def count(self, constraints: Sequence[TypedConstraint]) -> int:
        """Number of rows that satisfy all `constraints`."""
        ...

    def values(self, key: str, constraints: Sequence[TypedConstraint], limit: int) -> list[Any]:
        """Up to `limit` distinct values of `key`, ascending, in the rows that satisfy all `constraints`."""
        ...

    def neighbours(
        self, key: str, value: Scalar, constraints: Sequence[TypedConstraint]
    ) -> tuple[Any | None, Any | None]:
        """The largest value below and the smallest above `value`; None where there is none."""
        ...


class RowsInMemory:
    """A `Source` of mappings."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = list(rows)

    def _matching(self, constraints: Sequence[TypedConstraint]) -> list[Mapping[str, Any]]:
        return [row for row in self._rows if all(c.matches(row.get(c.key)) for c in constraints)]

    def count(self, constraints: Sequence[TypedConstraint]) -> int:
        """See `Source`."""
        return len(self._matching(constraints))

    def values(self, key: str, constraints: Sequence[TypedConstraint], limit: int) -> list[Any]:
        """See `Source`."""
        distinct = {row[key] for row in self._matching(constraints) if row.get(key) is not None}
        return sorted(distinct)[:limit]

    def neighbours(
        self, key: str, value: Scalar, constraints: Sequence[TypedConstraint]
    ) -> tuple[Any | None, Any | None]:
        """See `Source`."""
        ordered = self.values(key, constraints, len(self._rows))
        below, above = bisect.bisect_left(ordered, value), bisect.bisect_right(ordered, value)
        return (ordered[below - 1] if below else None), (ordered[above] if above < len(ordered) else None)


def explain_empty(group: TypedGroup, source: Source, noun: str = "row") -> tuple[str, str]:
    """A sentence and a hint for a group that selects nothing from `source`.

    The constraints are tried one after another until nothing is left; the constraint that took the last rows is
    named, with what it would select alone, and the values that do exist beside the constraints before it.
    """
    total = source.count(())
    if total == 0:
        return f"There is no {noun} at all.", "Ingest some first."
    before: list[TypedConstraint] = []
    left = total
    for constraint in group.constraints:
        remaining = source.count([*before, constraint])
        if remaining == 0:
            return _sentence(constraint, before, left, total, source, noun)
        before.append(constraint)
        left = remaining
    return f"{group} selects {left} of {total} {noun}s.", ""


def _sentence(
    constraint: TypedConstraint, before: list[TypedConstraint], left: int, total: int, source: Source, noun: str
) -> tuple[str, str]:
    alone = source.count([constraint])
    if alone == 0:
        message = f"No {noun} has {constraint} ({total} {noun}{'s' if total != 1 else ''} in all)."
        return message, nearest_values(constraint, source, ())
    chosen = " ".join(map(str, before))
    message = (
        f"{constraint} leaves nothing: {chosen} selects {left} of {total} {noun}s and {constraint} alone selects "
        f"{alone}, but no {noun} has both."
    )
    hint = nearest_values(constraint, source, before)
    return message, f"With {chosen}: {hint[0].lower()}{hint[1:]}"


def explain_unmatched(
    group: TypedGroup, source: Source, selected: Sequence[Mapping[str, Any]], noun: str = "row"
) -> list[str]:
    """One sentence for each single value of an ``=`` list that no row has, the group's other constraints aside.

    `selected` are the rows that the group does select: the values in them are not asked for again.
    """
    sentences = []
    for constraint in group.constraints:
        if constraint.operator != "=" or len(constraint.values) < 2:
            continue
        present = {row[constraint.key] for row in selected}
        for value in constraint.values:
            single = TypedConstraint(constraint.source, constraint.key_type, (value,))
            if not isinstance(value, Range) and value not in present and source.count([single]) == 0:
                sentences.append(f"No {noun} has {constraint.key}={value}. {nearest_values(single, source, ())}")
    return sentences


def nearest_values(constraint: TypedConstraint, source: Source, before: Sequence[TypedConstraint]) -> str:
    """A sentence with the existing values nearest to those that the constraint names."""
    key = constraint.key
    listed = source.values(key, before, _LIST_UP_TO + 1)
    if not listed:
        return f"No value of {key} exists."
    if len(listed) <= _LIST_UP_TO and (constraint.key_type is str or constraint.operator != "="):
        return _listing(key, listed)
    if constraint.key_type is str:
        everything = [str(value) for value in source.values(key, before, 100_000)]
        near = _near_texts(constraint, everything)
        return _nearest(key, near) if near else _listing(key, [everything[0], everything[-1]], " between")
    near_numbers: list[Any] = []
    for value in constraint.values:
        ends = (value.start, value.stop) if isinstance(value, Range) else (value,)
        for end in ends:
            if not isinstance(end, str):
                near_numbers += [n for n in source.neighbours(key, end, before) if n is not None]
    if not near_numbers or len(constraint.values) > _LIST_UP_TO:
        return _listing(key, listed[:_LIST_UP_TO], " among others")
    return _nearest(key, sorted(set(near_numbers)))


def _near_texts(constraint: TypedConstraint, existing: list[str]) -> list[str]:
    folded: dict[str, str] = {value.lower(): value for value in existing}
    near: list[str] = []
    for value in constraint.values[:_LIST_UP_TO]:
        near += [folded[match] for match in difflib.get_close_matches(str(value).lower(), folded, n=3, cutoff=0.5)]
    return list(dict.fromkeys(near))


def _nearest(key: str, values: Sequence[Any]) -> str:
    if len(values) == 1:
        return f"The nearest value of {key} is {values[0]}."
    return f"The nearest values of {key} are {_and(values)}."


def _listing(key: str, values: Sequence[Any], manner: str = "") -> str:
    if len(values) == 1:
        return f"The only value of {key} is {values[0]}."
    return f"The values of {key} are{manner} {_and(values)}."


def _and(values: Sequence[Any]) -> str:
    *first, last = map(str, values)
    return f"{', '.join(first)} and {last}" if first else last
