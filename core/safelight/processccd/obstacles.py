"""What keeps a CCD from being run: every missing input, so that one look at the plan tells all that must be brought."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from safelight.errors import SafelightError
from safelight.isr import SWITCHES

__all__ = ["Obstacle", "all_hints", "all_reasons", "obstacle"]


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One input that a CCD lacks."""

    kind: str  # raw, bias, dark, flat, fringe, bfKernel, reference catalogue
    code: str
    reason: str
    hint: str = ""


def obstacle(kind: str, error: SafelightError) -> Obstacle:
    """What an error met on the way to an input means for the plan."""
    return Obstacle(kind, error.code, error.message, error.hint)


def all_reasons(obstacles: Sequence[Obstacle]) -> str:
    """Every reason; where there are several, first the names of all that is missing."""
    if len(obstacles) == 1:
        return obstacles[0].reason
    *first, last = dict.fromkeys(item.kind for item in obstacles)
    names = f"{', '.join(first)} and {last}" if first else last
    return " ".join([f"{names} missing.", *_distinct(item.reason for item in obstacles)])


def all_hints(obstacles: Sequence[Obstacle]) -> str:
    """Every hint once, and how to do without the master calibrations among them."""
    masters = [f"isr.{SWITCHES[item.kind]}=False" for item in obstacles if item.kind in SWITCHES]
    without = [f"To do without: -c {' '.join(masters)}"] if masters else []
    return " ".join([*_distinct(item.hint for item in obstacles), *without])


def _distinct(texts: Iterable[str]) -> list[str]:
    return [text for text in dict.fromkeys(texts) if text]
