"""Reading FITS headers fast: one pass over the cards, without building card objects."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

__all__ = ["BLOCK", "CARD", "parse_cards", "read_header_block"]

BLOCK = 2880
CARD = 80

_STRING = re.compile(r"'((?:[^']|'')*)'")
_COMMENTARY = frozenset({"COMMENT", "HISTORY", ""})


def read_header_block(stream: BinaryIO) -> bytes:
    """The bytes of one header unit, up to and including its END card's block; shorter if the file ends before.

    `stream` is left at the first byte of the data.
    """
    blocks = bytearray()
    while True:
        block = stream.read(BLOCK)
        blocks += block
        if len(block) < BLOCK:
            return bytes(blocks)
        # END can only be the last card before blanks; looking for it from the end is cheapest.
        if block.rstrip(b" ").endswith(b"END") and _has_end(block):
            return bytes(blocks)


def _has_end(block: bytes) -> bool:
    return any(block[k : k + CARD].rstrip(b" ") == b"END" for k in range(0, BLOCK, CARD))


def parse_cards(block: bytes) -> dict[str, Any]:
    """Keyword -> value of all cards with a value; of repeated keywords the last counts, as in FITS readers.

    HIERARCH keywords lose that word; strings continued by CONTINUE are joined; COMMENT and HISTORY are left out; values
    that break the standard are kept as text.
    """
    text = block.decode("latin-1")
    cards: dict[str, Any] = {}
    last = ""
    for start in range(0, len(text) - CARD + 1, CARD):
        card = text[start : start + CARD]
        keyword = card[:8].rstrip()
        if keyword == "END" and not card[8:].strip():
            break
        if keyword in _COMMENTARY:
            continue
        if card[8:10] == "= ":
            last = keyword
            cards[keyword] = _value(card[10:])
        elif keyword == "CONTINUE" and isinstance(cards.get(last), str):
            more = _value(card[8:])
            cards[last] = cards[last].removesuffix("&") + (more if isinstance(more, str) else "")
        elif keyword == "HIERARCH" and "=" in card:
            name, _, rest = card[8:].partition("=")
            last = name.strip().upper()
            cards[last] = _value(rest)
    return cards


def _value(field: str) -> Any:
    field = field.lstrip()
    if field.startswith("'"):
        match = _STRING.match(field)
        return (match[1].replace("''", "'") if match else field[1:]).rstrip()
    word = field.partition("/")[0].strip()
    if word == "T":
        return True
    if word == "F":
        return False
    if not word:
        return None
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word.replace("D", "E").replace("d", "e"))
    except ValueError:
        return word
