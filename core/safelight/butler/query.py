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
    chosen: dict[tuple[Any, ...], dict[str, Any]] = {}
    notes: list[str] = []
    explanations: list[tuple[str, str]] = []
    repeated = missing = 0
    lost: dict[str, Any] = {}
    identifying = tuple(registry.keys())
    for group in groups:
        rows = in_order_of(group, registry.rows(group, _columns(registry, group, columns)))
        if not rows:
            explanations.append(explain_empty(group, source, _NOUN))
            continue
        notes += explain_unmatched(group, source, _NOUN)
        for row in rows:
            identity = tuple(row[key] for key in identifying)
            if identity in chosen:
                repeated += 1
            elif exists is not None and not exists(row):
                missing += 1
                lost = lost or row
            else:
                chosen[identity] = row
    if not chosen:
        if missing:
            raise _files_missing(missing, lost, what)
        raise empty_selection(explanations)
    notes += [f"{message} {hint}".strip() for message, hint in explanations]
    if missing:
        count = f"{missing} of {missing + len(chosen)}"
        notes.append(f"{count} {what} files are registered but not there, e.g. that of {_name(lost)}.")
    return Selection(parsed, list(chosen.values()), notes, repeated)


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
