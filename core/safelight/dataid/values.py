"""The values a constraint may name: literals and ranges of integers, and what matching one of them means.

A literal is text as typed. A range ``A..B`` or ``A..B:S`` includes both ends and stands for the decimal numbers
A, A+S, A+2S … without leading zeros, also where the key is text (the Gen2 convention).
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

__all__ = ["INTEGER_LIMIT", "KeyType", "Literal", "Range", "Scalar", "Value", "cast"]

Scalar = str | int | float
KeyType = type[str] | type[int] | type[float]

#: Largest integer a registry can hold (SQLite's 64 bits).
INTEGER_LIMIT = 2**63 - 1

_INTEGER = re.compile(r"\s*[+-]?[0-9]+\s*")


@dataclass(frozen=True, slots=True)
class Literal:
    """One value as typed."""

    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class Range:
    """The integers start, start + stride, … up to and including stop; stride > 0, start <= stop."""

    start: int
    stop: int
    stride: int = 1

    def __str__(self) -> str:
        return f"{self.start}..{self.stop}" + (f":{self.stride}" if self.stride != 1 else "")

    def __contains__(self, value: object) -> bool:
        number = _whole_number(value)
        return number is not None and self.start <= number <= self.stop and (number - self.start) % self.stride == 0


Value = Literal | Range


def _whole_number(value: object) -> int | None:
    """The integer that `value` is or spells without leading zeros; None if it is none."""
    if isinstance(value, str):
        canonical = value.isascii() and value.isdigit() and (value == "0" or not value.startswith("0"))
        return int(value) if canonical else None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) else None


def cast(text: str, key_type: KeyType) -> Scalar:
    """`text` as a `key_type`; raises ValueError where it is none, is not finite or does not fit 64 bits."""
    if key_type is str:
        return text
    if key_type is int:
        if not _INTEGER.fullmatch(text):
            raise ValueError(text)
        number = int(text)
        if abs(number) > INTEGER_LIMIT:
            raise ValueError(text)
        return number
    value = float(text)
    if not math.isfinite(value) or "_" in text:
        raise ValueError(text)
    return value
