"""What a command gave, called in this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Command", "Result"]

Command = Callable[[Sequence[str] | None], int]


class Result(NamedTuple):
    """Exit code and what was written."""

    code: int
    out: str
    err: str
