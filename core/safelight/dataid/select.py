"""Selecting rows held in memory: the filter bar and tables use it where a registry is not asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from safelight.dataid.explain import RowsInMemory, explain_empty
from safelight.dataid.grammar import ExpressionLike, parse
from safelight.dataid.typed import TypedGroup, bind
from safelight.dataid.values import KeyType
from safelight.errors import EmptySelection

__all__ = ["empty_selection", "in_order_of", "select_rows"]

Row = TypeVar("Row", bound=Mapping[str, Any])


def in_order_of(group: TypedGroup, rows: list[Row]) -> list[Row]:
    """`rows` in the order in which the group names its values (last key fastest), otherwise as they are."""
    return sorted(rows, key=group.order_key) if group.orders_rows else rows


def select_rows(expression: ExpressionLike, rows: Iterable[Row], keys: Mapping[str, KeyType]) -> list[Row]:
    """The rows that some group of `expression` selects, each once, group after group.

    Raises
    ------
    DataIdError
        The expression cannot be understood or does not fit `keys`.
    EmptySelection
        No row is selected; the message names the constraint that emptied the selection.
    """
    groups = bind(parse(expression), keys)
    table = list(rows)
    chosen: dict[int, Row] = {}
    for group in groups:
        matching = [(index, row) for index, row in enumerate(table) if group.matches(row)]
        if group.orders_rows:
            matching.sort(key=lambda item: group.order_key(item[1]))
        for index, row in matching:
            chosen.setdefault(index, row)
    if not chosen:
        source = RowsInMemory(table)
        raise empty_selection([explain_empty(group, source) for group in groups])
    return list(chosen.values())


def empty_selection(explanations: list[tuple[str, str]]) -> EmptySelection:
    """The error for groups that all select nothing, from one (sentence, hint) a group."""
    sentences = [message for message, _ in explanations]
    hints = [hint for _, hint in explanations if hint]
    return EmptySelection("EMPTY_SELECTION", " ".join(dict.fromkeys(sentences)), " ".join(dict.fromkeys(hints)))
