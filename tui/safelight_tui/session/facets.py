"""Facets: values that can be switched on and off in a filter, with how many rows each would select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from safelight.dataid import DataIdExpression, Range, parse
from safelight.dataid.words import quote, split_text
from safelight_tui.session.catalogue import Catalogue
from safelight_tui.session.filtering import STATUS_WORDS, evaluate, split_filter
from safelight_tui.session.reruns import RerunView

__all__ = ["STATUS", "Facet", "constrain", "facets", "release", "toggle"]

STATUS = "status"
_KEYS = ("filter", "field", "dateObs", "ccd")
_MOST = 300


@dataclass(frozen=True, slots=True)
class Facet:
    """One value of one key."""

    key: str
    value: str
    count: int
    on: bool


def facets(text: str, catalogue: Catalogue, rerun: RerunView | None) -> list[Facet]:
    """All facets of a valid filter; counts are of the rows that the other constraints leave."""
    found: list[Facet] = []
    chosen = _chosen(text)
    for key in (key for key in _KEYS if key in catalogue.columns):
        rows = evaluate(_without(text, key), catalogue, rerun).view
        counts = catalogue.columns[key].counts(rows)
        on = chosen.get(key, set())
        values = [(str(value), count) for value, count in counts.items() if value is not None]
        values = [(value, count) for value, count in values if count or value in on]
        found += [Facet(key, value, count, value in on) for value, count in values[:_MOST]]
    left = split_filter(text)[0]
    words = _status_words(text)
    for word in STATUS_WORDS:
        count = len(evaluate(f"{left} | {word}", catalogue, rerun).view) if rerun is not None else 0
        if count or word in words:
            found.append(Facet(STATUS, word, count, word in words))
    return found


def toggle(text: str, key: str, value: str) -> str:
    """The filter with a value switched on or off: in every group of the part before the bar, or among the words."""
    left, right = split_filter(text)
    if key == STATUS:
        return _join(left.strip(), _toggle_word(right or "", value))
    groups = [[*_toggled(group.words(), key, value)] for group in _spelled(left, key).groups]
    return _join(parse(groups).to_text() if any(groups) else "", (right or "").strip())


def release(text: str, key: str) -> str:
    """The filter that says nothing about a facet: all of its values are wanted."""
    if key != STATUS:
        return _without(text, key)
    left, right = split_filter(text)
    words = [word.text for word in split_text(right or "")]
    return _join(left.strip(), " ".join(quote(word) for word in words if not _is_status(word)))


def constrain(text: str, values: Mapping[str, Any]) -> str:
    """The filter that selects just these values (a branch of the tree); the words after the bar stay."""
    words = [f"{key}={value}" for key, value in values.items()]
    return _join(parse(words).to_text() if words else "", (split_filter(text)[1] or "").strip())


def _join(left: str, right: str) -> str:
    return f"{left} | {right}".strip() if right else left


def _spelled(left: str, key: str) -> DataIdExpression:
    """The expression with the ranges of a key written out, so that single values can be taken away."""
    groups = []
    for group in parse(left).groups:
        words = []
        for constraint in group.constraints:
            if constraint.key == key and constraint.operator == "=":
                spelled: list[str] = []
                for value in constraint.values:
                    if isinstance(value, Range):
                        spelled += map(str, range(value.start, min(value.stop, value.start + 10_000) + 1, value.stride))
                    else:
                        spelled.append(str(value))
                words.append(f"{key}={'^'.join(spelled)}")
            else:
                words.append(str(constraint))
        groups.append(words)
    return parse(groups) if any(groups) else DataIdExpression()


def _toggled(words: list[str], key: str, value: str) -> list[str]:
    prefix = f"{key}="
    for index, word in enumerate(words):
        if word.startswith(prefix):
            values = word[len(prefix) :].split("^")
            values = [v for v in values if v != value] if value in values else [*values, value]
            return [*words[:index], *([prefix + "^".join(values)] if values else []), *words[index + 1 :]]
    return [*words, prefix + value]


def _chosen(text: str) -> dict[str, set[str]]:
    left = split_filter(text)[0]
    chosen: dict[str, set[str]] = {}
    for key in _KEYS:
        for group in _spelled(left, key).groups:
            for constraint in group.constraints:
                if constraint.key == key and constraint.operator == "=":
                    chosen.setdefault(key, set()).update(map(str, constraint.values))
    return chosen


def _without(text: str, key: str) -> str:
    left, right = split_filter(text)
    groups = [[w for w in group.words() if not w.startswith(f"{key}=")] for group in parse(left).groups]
    kept = parse(groups).to_text() if all(groups) else ""
    return _join(kept, (right or "").strip())


def _status_words(text: str) -> set[str]:
    right = split_filter(text)[1] or ""
    return {one for word in split_text(right) if _is_status(word.text) for one in word.text.split("^")}


def _is_status(word: str) -> bool:
    return set(word.split("^")) <= STATUS_WORDS.keys()


def _toggle_word(right: str, value: str) -> str:
    words = [word.text for word in split_text(right)]
    for index, word in enumerate(words):
        if _is_status(word):
            values = word.split("^")
            values = [v for v in values if v != value] if value in values else [*values, value]
            words[index : index + 1] = ["^".join(values)] if values else []
            break
    else:
        words.append(value)
    return " ".join(map(quote, words))
