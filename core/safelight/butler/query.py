"""Asking a registry for the data IDs that an expression selects."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safelight.butler.registry import Registry
from safelight.butler.selection import Selection
from safelight.dataid import (
    ExpressionLike,
    TypedGroup,
    bind,
    empty_selection,
    explain_empty,
    explain_unmatched,
    in_order_of,
    parse,
)
from safelight.errors import EmptySelection

__all__ = ["query_registry"]

_NOUN = "raw frame"


def query_registry(
    registry: Registry,
    expression: ExpressionLike,
    *,
    exists: Callable[[Mapping[str, Any]], bool] | None,
    what: str,
    columns: Sequence[str] = (),
) -> Selection:
    """See `Butler.query`; `exists` tells whether a row's file is there, `what` names the kind of file."""
    parsed = parse(expression)
    groups = bind(parsed, registry.all_keys())
    source = registry.source()
    chosen = _Chosen(tuple(registry.keys()), several=len(groups) > 1)
    notes: list[str] = []
    explanations: list[tuple[str, str]] = []
    missing = 0
    lost: dict[str, Any] = {}
    for group in groups:
        rows = in_order_of(group, registry.rows(group, _columns(registry, group, columns)))
        if not rows:
            explanations.append(explain_empty(group, source, _NOUN))
            continue
        notes += explain_unmatched(group, source, rows, _NOUN)
        if exists is not None:
            absent = [row for row in rows if not exists(row)]
            if absent:
                missing += len(absent)
                lost = lost or absent[0]
                gone = set(map(id, absent))
                rows = [row for row in rows if id(row) not in gone]
        chosen.add(rows)
    if not chosen.rows:
        if missing:
            raise _files_missing(missing, lost, what)
        raise empty_selection(explanations)
    notes += [f"{message} {hint}".strip() for message, hint in explanations]
    if missing:
        count = f"{missing} of {missing + len(chosen.rows)}"
        notes.append(f"{count} {what} files are registered but not there, e.g. that of {_name(lost)}.")
    return Selection(parsed, chosen.rows, notes, chosen.repeated)


class _Chosen:
    """Rows, each once. One group alone cannot select a row twice, so nothing need be compared then."""

    def __init__(self, identifying: tuple[str, ...], *, several: bool) -> None:
        self.rows: list[dict[str, Any]] = []
        self.repeated = 0
        self._identifying = identifying
        self._seen: set[tuple[Any, ...]] | None = set() if several else None

    def add(self, rows: list[dict[str, Any]]) -> None:
        """Add the rows that are not there yet."""
        if self._seen is None:
            self.rows = rows
            return
        for row in rows:
            identity = tuple(row[key] for key in self._identifying)
            if identity in self._seen:
                self.repeated += 1
            else:
                self._seen.add(identity)
                self.rows.append(row)


def _columns(registry: Registry, group: TypedGroup, further: Sequence[str]) -> list[str]:
    """Typed keys first, then the camera's, then those asked for."""
    return list(dict.fromkeys([*group.source.keys, *registry.keys(), *further]))


def _files_missing(missing: int, row: Mapping[str, Any], what: str) -> EmptySelection:
    return EmptySelection(
        "FILES_MISSING",
        f"The registry selects {missing} {_NOUN}{'s' if missing > 1 else ''} without a {what} file, e.g. {_name(row)}.",
        f"Check that the {what} files are where they were: links may point to a disk that is not mounted.",
        row,
    )


def _name(row: Mapping[str, Any]) -> str:
    keys = [key for key in ("visit", "ccd") if key in row] or list(row)
    return " ".join(f"{key}={row[key]}" for key in keys)
