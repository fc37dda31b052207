"""Constraints whose values have the key's type: matching a value and saying the same in SQL.

A missing value (None, NULL) satisfies no constraint, ``!=`` included.
"""

from __future__ import annotations

import difflib
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from safelight.dataid.expression import Constraint, DataIdExpression, Group, Span
from safelight.dataid.globs import sqlite_glob
from safelight.dataid.values import INTEGER_LIMIT, KeyType, Range, Scalar, cast
from safelight.errors import DataIdError

__all__ = ["TypedConstraint", "TypedGroup", "bind", "quote_column"]

#: Listings longer than this go to SQLite as one JSON array: its number of parameters is limited.
_MANY = 500

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}

_TYPE_WORDS = {str: "text", int: "an integer", float: "a number"}


def quote_column(name: str) -> str:
    """A column name for SQL."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True)
class TypedConstraint:
    """A constraint with its key's type; `values` are scalars of that type, ranges, or globs (operator ``~``)."""

    source: Constraint
    key_type: KeyType
    values: tuple[Scalar | Range, ...]

    @property
    def key(self) -> str:
        """The key."""
        return self.source.key

    @property
    def operator(self) -> str:
        """The operator."""
        return self.source.operator

    def __str__(self) -> str:
        return str(self.source)

    @cached_property
    def _positions(self) -> dict[Scalar, int]:
        positions: dict[Scalar, int] = {}
        for index, value in enumerate(self.values):
            if not isinstance(value, Range):
                positions.setdefault(value, index)
        return positions

    @cached_property
    def _ranges(self) -> tuple[tuple[int, Range], ...]:
        return tuple((index, value) for index, value in enumerate(self.values) if isinstance(value, Range))

    def matches(self, value: Any) -> bool:
        """Whether `value`, of the key's type, satisfies the constraint."""
        if value is None:
            return False
        if self.operator in _COMPARISONS:
            return _COMPARISONS[self.operator](value, self.values[0])
        if self.operator == "~":
            text = str(value)
            return any(fnmatchcase(text, str(pattern)) for pattern in self.values)
        listed = value in self._positions or any(value in range_ for _, range_ in self._ranges)
        return listed == (self.operator == "=")

    def rank(self, value: Any) -> tuple[int, Any]:
        """Sort key that puts values in the order in which an ``=`` constraint names them."""
        place = self._positions.get(value, len(self.values))
        for index, range_ in self._ranges:
            if index < place and value in range_:
                return index, int(value)
        return place, 0

    @property
    def orders_rows(self) -> bool:
        """Whether it names more than one value with ``=``, so that its order is the user's."""
        return self.operator == "=" and (len(self.values) > 1 or bool(self._ranges))

    def sql(self) -> tuple[str, list[Scalar]]:
        """A condition for SQLite and its parameters, which can use an index on the key."""
        column = quote_column(self.key)
        if self.operator in _COMPARISONS:
            value = self.values[0]
            assert not isinstance(value, Range)
            return f"{column} {self.operator} ?", [value]
        if self.operator == "~":
            text = column if self.key_type is str else f"CAST({column} AS TEXT)"
            parts = [f"{text} GLOB ?"] * len(self.values)
            return f"({' OR '.join(parts)})", [sqlite_glob(str(pattern)) for pattern in self.values]
        condition, parameters = self._listing_sql(column)
        if self.operator == "!=":
            condition = f"({column} IS NOT NULL AND NOT {condition})"
        return condition, parameters

    def _listing_sql(self, column: str) -> tuple[str, list[Scalar]]:
        parts: list[str] = []
        parameters: list[Scalar] = []
        literals = list(self._positions)
        if len(literals) > _MANY:
            import json

            parts.append(f"{column} IN (SELECT value FROM json_each(?))")
            parameters.append(json.dumps(literals))
        elif len(literals) == 1:
            parts.append(f"{column} = ?")
            parameters += literals
        elif literals:
            parts.append(f"{column} IN ({', '.join('?' * len(literals))})")
            parameters += literals
        for _, range_ in self._ranges:
            condition, values = _range_sql(column, range_, self.key_type)
            parts.append(condition)
            parameters += values
        return f"({' OR '.join(parts)})", parameters


def _range_sql(column: str, range_: Range, key_type: KeyType) -> tuple[str, list[Scalar]]:
    if range_.start > INTEGER_LIMIT:
        return "0", []
    stop = min(range_.stop, INTEGER_LIMIT)
    number = column
    parts: list[str] = []
    if key_type is str:
        # The decimal spelling without leading zeros, and no other text, is what the range stands for.
        number = f"CAST({column} AS INTEGER)"
        parts.append(f"CAST({number} AS TEXT) = {column}")
    elif key_type is float:
        parts.append(f"{column} = CAST({column} AS INTEGER)")
    parts.append(f"{number} BETWEEN ? AND ?")
    parameters: list[Scalar] = [range_.start, stop]
    if range_.stride != 1:
        parts.append(f"({number} - ?) % ? = 0")
        parameters += [range_.start, min(range_.stride, INTEGER_LIMIT)]
    return f"({' AND '.join(parts)})", parameters


@dataclass(frozen=True)
class TypedGroup:
    """Typed constraints that hold together."""

    constraints: tuple[TypedConstraint, ...] = ()
    source: Group = field(default_factory=Group)

    def __str__(self) -> str:
        return str(self.source)

    def matches(self, row: Mapping[str, Any]) -> bool:
        """Whether `row` satisfies every constraint."""
        return all(constraint.matches(row.get(constraint.key)) for constraint in self.constraints)

    def sql(self) -> tuple[str, list[Scalar]]:
        """A condition for SQLite (empty text: everything) and its parameters."""
        return where(self.constraints)

    def order_key(self, row: Mapping[str, Any]) -> tuple[tuple[int, Any], ...]:
        """Sort key in which the first key varies slowest, each in the order its values were named."""
        return tuple(c.rank(row.get(c.key)) for c in self.constraints if c.orders_rows)

    @property
    def orders_rows(self) -> bool:
        """Whether the user's order of values matters."""
        return any(constraint.orders_rows for constraint in self.constraints)


def where(constraints: Iterable[TypedConstraint]) -> tuple[str, list[Scalar]]:
    """The constraints joined by AND, and their parameters."""
    conditions: list[str] = []
    parameters: list[Scalar] = []
    for constraint in constraints:
        condition, values = constraint.sql()
        conditions.append(condition)
        parameters += values
    return " AND ".join(conditions), parameters


def bind(expression: DataIdExpression, keys: Mapping[str, KeyType]) -> list[TypedGroup]:
    """The groups of `expression` with the values in the types of `keys`.

    Raises
    ------
    DataIdError
        UNKNOWN_KEY (with the nearest key and all keys), UNCASTABLE_VALUE (with value, type and key) or BAD_OPERATOR.
    """
    return [TypedGroup(tuple(_bind(c, keys) for c in group.constraints), group) for group in expression.groups]


def _bind(constraint: Constraint, keys: Mapping[str, KeyType]) -> TypedConstraint:
    if constraint.key not in keys:
        raise _unknown_key(constraint, keys)
    key_type = keys[constraint.key]
    if constraint.operator == "~":
        if key_type is float:
            raise DataIdError(
                "BAD_OPERATOR",
                f"{constraint.key} is a number with decimals, which a glob cannot match reliably.",
                f"Write {constraint.key}>=VALUE {constraint.key}<=VALUE.",
                span=constraint.span,
            )
        return TypedConstraint(constraint, key_type, tuple(str(value) for value in constraint.values))
    values: list[Scalar | Range] = []
    for value, span in zip(constraint.values, constraint.value_spans or [constraint.span] * len(constraint.values)):
        values.append(value if isinstance(value, Range) else _cast(value.text, constraint, key_type, span))
    return TypedConstraint(constraint, key_type, tuple(values))


def _cast(text: str, constraint: Constraint, key_type: KeyType, span: Span) -> Scalar:
    try:
        return cast(text, key_type)
    except ValueError:
        key = constraint.key
        if "," in text:
            hint = f"Values are joined with ^: {key}={text.replace(',', '^')}."
        elif " " in text:
            hint = f"Each constraint is a word of its own, without quotes around all: {key}={text}."
        elif any(character in text for character in "*?["):
            hint = f"A glob is written {key}~{text}."
        elif ".." in text:
            hint = f"A range is written {key}=A..B or {key}=A..B:STRIDE, with digits only."
        else:
            hint = f"Write {key}{constraint.operator}{_EXAMPLES[key_type]}."
        raise DataIdError(
            "UNCASTABLE_VALUE", f"{text!r} is not {_TYPE_WORDS[key_type]}, which {key} is.", hint, span=span
        ) from None


_EXAMPLES = {int: "16", float: "30.0", str: "TEXT"}


def _unknown_key(constraint: Constraint, keys: Mapping[str, KeyType]) -> DataIdError:
    folded = {key.lower(): key for key in keys}
    near = difflib.get_close_matches(constraint.key.lower(), folded, n=1, cutoff=0.5)
    hint = f"Did you mean {folded[near[0]]}? " if near else ""
    return DataIdError(
        "UNKNOWN_KEY",
        f"There is no key {constraint.key!r}.",
        f"{hint}The keys are {', '.join(keys)}.",
        span=constraint.key_span,
    )
