"""Choices that a key goes through, round and round."""

from __future__ import annotations

from enum import Enum
from typing import Self

__all__ = ["Choice"]


class Choice(Enum):
    """One of several; its value is what the user reads."""

    @property
    def following(self) -> Self:
        """The next one, round and round."""
        choices = list(type(self))
        return choices[(choices.index(self) + 1) % len(choices)]
