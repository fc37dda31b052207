"""Named reservations about a kept result: they colour tables and stand in reports, and never change an exit code."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Caveat"]


@dataclass(frozen=True, slots=True)
class Caveat:
    """A stable upper-case code, e.g. ``"NO_BAND"``, and one sentence with the numbers that led to it."""

    code: str
    message: str
