"""Markdown that also reads well as plain text: cells without markup of their own, aligned tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["cell", "some", "table"]


def some(names: Sequence[str], most: int = 6) -> str:
    """The first names, and how many more there are."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def cell(value: Any) -> str:
    """`value` as one cell: no line breaks, nothing that Markdown takes for its own."""
    text = " ".join(str("" if value is None else value).split())
    for character in "\\|*_<[`~&":
        text = text.replace(character, "\\" + character)
    return text


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], left: int) -> str:
    """Aligned, so that it reads well as plain text too; the first `left` columns are text."""
    widths = [max(3, *(len(row[k]) for row in [heads, *rows])) for k in range(len(heads))]

    def line(cells: Sequence[str]) -> str:
        aligned = (c.ljust(w) if k < left else c.rjust(w) for k, (c, w) in enumerate(zip(cells, widths)))
        return "| " + " | ".join(aligned) + " |"

    rule = "|" + "|".join("-" * (w + 2) if k < left else "-" * (w + 1) + ":" for k, w in enumerate(widths)) + "|"
    return "\n".join([line(heads), rule, *map(line, rows)]) + "\n"
