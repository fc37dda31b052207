"""FITS header cards and blocks written by hand: numbers with every digit they have, checksums valid.

`astropy.io.fits` cuts a number to twenty characters and takes tens of milliseconds for the headers of one exposure;
the coefficients of a WCS need all digits so that a file gives back the very solution that was fitted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

__all__ = ["BLOCK", "Card", "header_bytes", "padded", "render_card", "with_checksum"]

BLOCK = 2880
_CARD = 80
_COMMENTARY = ("COMMENT", "HISTORY", "")
_STANDARD_CHARACTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


class Card(NamedTuple):
    """Keyword, value (bool, int, float, str or None) and comment of one header card."""

    keyword: str
    value: Any
    comment: str = ""


def render_card(card: Card) -> str:
    """The card as one or more 80-character records (long strings go on in CONTINUE records).

    Keywords that are longer than eight characters or contain others than ``A-Z 0-9 - _`` become HIERARCH cards; a
    number that is not finite becomes an undefined value, for FITS has none.
    """
    keyword = card.keyword.strip().upper()
    if keyword in _COMMENTARY:
        return "".join(f"{keyword:<8}{line:.72}".ljust(_CARD) for line in _commentary_lines(card.value))
    standard = len(keyword) <= 8 and _STANDARD_CHARACTERS.issuperset(keyword)
    start = f"{keyword:<8}= " if standard else f"HIERARCH {_ascii(card.keyword.strip())} = "
    if isinstance(card.value, str):
        return _string_records(start, _ascii(card.value), _ascii(card.comment))
    value = _plain_value(card.value)
    text = f"{start}{value:>20}" if standard else f"{start}{value}"
    if card.comment:
        text += f" / {_ascii(card.comment)}"
    return text[:_CARD].ljust(_CARD)


def header_bytes(cards: Iterable[Card]) -> bytes:
    """A whole header, END and padding included."""
    text = "".join(render_card(card) for card in cards) + "END".ljust(_CARD)
    return text.ljust(-(-len(text) // BLOCK) * BLOCK).encode("ascii")


def padded(data: bytes, fill: bytes = b"\0") -> bytes:
    """`data` filled up to whole FITS blocks."""
    return data + fill * (-len(data) % BLOCK)


def with_checksum(cards: Iterable[Card], data: bytes) -> bytes:
    """Header and padded data of one HDU, with valid DATASUM and CHECKSUM cards (FITS standard 4.0, appendix J)."""
    body = padded(data)
    data_sum = _ones_complement_sum(body)
    listed = [*cards, Card("DATASUM", str(data_sum), "data unit checksum"), Card("CHECKSUM", "0" * 16, "HDU checksum")]
    header = header_bytes(listed)
    total = _ones_complement_sum(header, data_sum)
    blank = b"CHECKSUM= '" + b"0" * 16
    return header.replace(blank, b"CHECKSUM= '" + _encode_checksum(~total & 0xFFFFFFFF)) + body


def _commentary_lines(value: Any) -> list[str]:
    lines = str(value).splitlines() if isinstance(value, str) else [str(line) for line in value]
    return [_ascii(line[i : i + 72]) for line in lines for i in range(0, max(len(line), 1), 72)]


def _plain_value(value: Any) -> str:
    if isinstance(value, bool | np.bool_):
        return "T" if value else "F"
    if isinstance(value, int | np.integer):
        return str(int(value))
    if isinstance(value, float | np.floating):
        # repr of a NumPy float32 widened to float would show digits that it never had.
        text = repr(float(value)) if isinstance(value, float) else str(value)
        return text.upper() if math.isfinite(value) else ""
    return ""  # None and astropy's Undefined: a card without a value


def _string_records(start: str, value: str, comment: str) -> str:
    quoted = value.replace("'", "''")
    text = f"{start}'{quoted:<8}'"
    if len(text) <= _CARD:
        # Comments start at column 32 or later, as astropy writes them: its checksum test compares re-rendered cards.
        text = f"{text:<30} / {comment}" if comment else text
        return text[:_CARD].ljust(_CARD)
    room = _CARD - len(start) - 3  # quotes and the ampersand
    first, rest = _split_quoted(value, room)
    records = [f"{start}'{first}&'"]
    while rest:
        part, rest = _split_quoted(rest, _CARD - 13)
        records.append(f"CONTINUE  '{part}{'&' if rest else ''}'")
    return "".join(record.ljust(_CARD) for record in records)


def _split_quoted(value: str, room: int) -> tuple[str, str]:
    """The longest beginning of `value` that fits `room` with its quotes doubled (doubled), and the rest (plain)."""
    used = 0
    for i, character in enumerate(value):
        used += 2 if character == "'" else 1
        if used > room:
            return value[:i].replace("'", "''"), value[i:]
    return value.replace("'", "''"), ""


def _ascii(text: str) -> str:
    return "".join(c if " " <= c <= "~" else "?" for c in text)


def _ones_complement_sum(data: bytes, start: int = 0) -> int:
    """The 32-bit ones' complement sum of big-endian words."""
    words = np.frombuffer(data, dtype=">u4")
    return _folded(int(words.sum(dtype=np.uint64)) + start)


def _folded(total: int) -> int:
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    return total


def _encode_checksum(value: int) -> bytes:
    """The 16-character ASCII form of a 32-bit checksum."""
    exclude = b":;<=>?@[\\]^_`"
    characters = bytearray(16)
    for i, byte in enumerate(value.to_bytes(4, "big")):
        quotient, remainder = divmod(byte, 4)
        parts = [quotient + remainder + 48, quotient + 48, quotient + 48, quotient + 48]
        while any(part in exclude for part in parts):
            for j in (0, 2):
                if parts[j] in exclude or parts[j + 1] in exclude:
                    parts[j] += 1
                    parts[j + 1] -= 1
        for j in range(4):
            characters[4 * j + i] = parts[j]
    return bytes(characters[-1:] + characters[:-1])
