"""Cutting a typed expression into words that know where they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from safelight.errors import DataIdError

__all__ = ["Word", "join_words", "quote", "split_text"]


@dataclass(frozen=True, slots=True)
class Word:
    """A word without its quotes, and the place of each of its characters in the text as typed."""

    text: str
    places: tuple[int, ...]
    end: int
    quoted: bool = False

    def span(self, start: int = 0, stop: int | None = None) -> tuple[int, int]:
        """Where the characters [start, stop) of this word stand in the text as typed."""
        stop = len(self.text) if stop is None else stop
        if start >= stop:
            place = self.places[start] if start < len(self.places) else self.end
            return place, place
        return self.places[start], self.places[stop - 1] + 1


def split_text(text: str) -> list[Word]:
    """The words of `text`: separated by white space; quotes of either kind keep white space together.

    Raises `DataIdError` (MALFORMED) for a quote that is never closed.
    """
    words: list[Word] = []
    index = 0
    while index < len(text):
        if text[index].isspace():
            index += 1
            continue
        word, index = _read_word(text, index)
        words.append(word)
    return words


def _read_word(text: str, index: int) -> tuple[Word, int]:
    characters: list[str] = []
    places: list[int] = []
    quote_mark, opened_at, quoted = "", index, False
    while index < len(text) and (quote_mark or not text[index].isspace()):
        character = text[index]
        if character == quote_mark:
            quote_mark = ""
        elif not quote_mark and character in "'\"":
            quote_mark, opened_at, quoted = character, index, True
        else:
            characters.append(character)
            places.append(index)
        index += 1
    if quote_mark:
        raise DataIdError(
            "MALFORMED",
            f"The quote {quote_mark} at character {opened_at + 1} is never closed.",
            f"Close it with another {quote_mark}.",
            span=(opened_at, len(text)),
        )
    return Word("".join(characters), tuple(places), index, quoted), index


def join_words(words: Sequence[str], offset: int = 0) -> list[Word]:
    """Words that a shell has cut already, as if joined by single spaces from `offset` on."""
    result = []
    for text in words:
        result.append(Word(text, tuple(range(offset, offset + len(text))), offset + len(text)))
        offset += len(text) + 1
    return result


def quote(text: str) -> str:
    """`text` so that `split_text` gives it back as one word."""
    if text and not any(character.isspace() or character in "'\"" for character in text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"
