"""Text from data made fit for a terminal: no control characters, a known width in cells."""

from __future__ import annotations

import math
import re
from functools import lru_cache

from safelight_tui.terminal.cells import split_cells

__all__ = ["fit", "number", "printable", "width_of"]

# ECMA-48 sequences, as a program logging to a file may leave behind; an unended one takes its introducer only.
_SEQUENCE = re.compile(r"\x1b(?:\[[0-9;:<=>?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
# C0 and C1 controls, DEL, line separators, bidirectional controls, the byte-order mark and lone surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)


def printable(text: str, tab: int = 8) -> str:
    """`text` without escape sequences, tabs expanded, every other control character shown as ``·``."""
    if text.isascii() and text.isprintable():
        return text
    if "\x1b" in text:
        text = _SEQUENCE.sub("", text)
    if "\t" in text:
        text = text.replace("\r", "·").replace("\n", "·").expandtabs(tab)
    return _CONTROL.sub("·", text)


def width_of(text: str) -> int:
    """Width in terminal cells."""
    return len(split_cells(text))


@lru_cache(maxsize=8192)
def fit(text: str, width: int, *, right: bool = False) -> str:
    """`text`, made printable, in exactly `width` cells: padded, or cut with an ellipsis.

    Parameters
    ----------
    right : bool
        Align to the right, as numbers are; what is cut is cut on the right all the same.
    """
    if width <= 0:
        return ""
    text = printable(text)
    cells = split_cells(text)
    if len(cells) > width:
        kept = list(cells[: width - 1])
        if cells[width - 1] == "":  # a wide character straddles the cut
            kept[-1:] = [" "] if kept else []
        return "".join(kept) + "…"
    padding = " " * (width - len(cells))
    return padding + text if right else text + padding


def number(value: float | int | None, digits: int = 2) -> str:
    """A metric as text: fixed decimals, ``--`` for what is not there or not a number, powers for what does not fit."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "--"
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, int):
        return str(value)
    return f"{value:.{digits}f}" if abs(value) < 1e7 else f"{value:.{digits}g}"
