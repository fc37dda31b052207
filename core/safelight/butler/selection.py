"""The rows that a data-ID expression selects in a repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from safelight.dataid import DataIdExpression

__all__ = ["Selection"]


@dataclass(slots=True)
class Selection(Sequence[dict[str, Any]]):
    """Data IDs in order, each once.

    `rows` are full data IDs; the keys that were typed come first, in their order, then the camera's keys. `notes` are
    sentences about parts of the expression that select nothing and about files that are missing; `repeated` counts
    rows that several groups selected.
    """

    expression: DataIdExpression
    rows: list[dict[str, Any]]
    notes: list[str] = field(default_factory=list)
    repeated: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.rows[index]
