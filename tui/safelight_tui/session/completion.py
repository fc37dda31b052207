"""Completing a filter: keys, values with how often they occur beside the other constraints, words, metrics."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass

from safelight.dataid.words import quote
from safelight.errors import DataIdError
from safelight_tui.catalogue import Bitset
from safelight_tui.session.catalogue import Catalogue
from safelight_tui.session.filtering import STATUS_WORDS, evaluate, metric_names, split_filter
from safelight_tui.session.reruns import RerunView

__all__ = ["Completion", "complete"]

MOST = 60
_CONSTRAINT = re.compile(r"(?P<key>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>>=|<=|!=|=|>|<|~)(?P<rest>.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Completion:
    """Texts that can stand in the place of the characters [start, stop), each with a count (None: nothing to count)."""

    start: int
    stop: int
    candidates: tuple[tuple[str, int | None], ...]


def complete(text: str, cursor: int, catalogue: Catalogue, rerun: RerunView | None = None) -> Completion:
    """What may stand where the cursor is."""
    start = cursor
    while start and not text[start - 1].isspace() and text[start - 1] != "|":
        start -= 1
    word = text[start:cursor]
    right = split_filter(text[:cursor])[1]
    if right is not None:
        return _word_completion(word, start, cursor, rerun)
    match = _CONSTRAINT.fullmatch(word)
    if match is None:
        return _key_completion(word, start, cursor, catalogue)
    key = match["key"]
    if key not in catalogue.columns:
        return Completion(cursor, cursor, ())
    piece = match["rest"].rpartition("^")[2]
    rows = _beside(text[:start] + text[_end_of_word(text, cursor) :], catalogue, rerun)
    return Completion(cursor - len(piece), cursor, _values(key, piece.lstrip("'\""), rows, catalogue))


def _end_of_word(text: str, cursor: int) -> int:
    while cursor < len(text) and not text[cursor].isspace() and text[cursor] != "|":
        cursor += 1
    return cursor


def _key_completion(word: str, start: int, cursor: int, catalogue: Catalogue) -> Completion:
    keys = [key for key in catalogue.all_keys if key.lower().startswith(word.lower())]
    keys.sort(key=lambda key: key not in catalogue.keys)
    found = tuple((f"{key}=", len(catalogue.columns[key].values)) for key in keys if key in catalogue.columns)
    return Completion(start, cursor, found[:MOST])


def _beside(text: str, catalogue: Catalogue, rerun: RerunView | None) -> Bitset:
    """Rows that the rest of the filter leaves; all where that is not valid yet."""
    try:
        return evaluate(text, catalogue, rerun).rows
    except DataIdError:
        return catalogue.everything()


def _values(key: str, piece: str, rows: Bitset, catalogue: Catalogue) -> tuple[tuple[str, int | None], ...]:
    counts = catalogue.columns[key].counts(rows)
    present = [(str(value), count) for value, count in counts.items() if count and value is not None]
    exact = [item for item in present if item[0].startswith(piece)]
    loose = [item for item in present if item[0].lower().startswith(piece.lower()) and item not in exact]
    return tuple((quote(text), count) for text, count in (exact + loose)[:MOST])


def _word_completion(word: str, start: int, cursor: int, rerun: RerunView | None) -> Completion:
    piece = word.lstrip("!").rpartition("^")[2]
    counts: Counter[str] = Counter()
    for state in rerun.states.values() if rerun is not None else ():
        counts.update(name for name, statuses in STATUS_WORDS.items() if state.status in statuses)
        counts.update({code for code, _ in state.caveats} | ({state.code} if state.code else set()))
    words: list[tuple[str, int | None]] = [(name, counts.get(name, 0)) for name in STATUS_WORDS if name != "absent"]
    words += [("absent", None)]
    words += sorted((name, count) for name, count in counts.items() if name not in STATUS_WORDS)
    words += [(f"{name}>", None) for name in metric_names()]
    found = tuple(item for item in words if item[0].lower().startswith(piece.lower()))
    return Completion(cursor - len(piece), cursor, found[:MOST])
