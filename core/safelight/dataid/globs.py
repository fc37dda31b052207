"""Globs that mean the same in Python and in SQLite."""

from __future__ import annotations

__all__ = ["sqlite_glob"]


def sqlite_glob(pattern: str) -> str:
    """`pattern` (of `fnmatch.fnmatchcase`) for SQLite's GLOB: ``[!…]`` becomes ``[^…]``, a lone ``[`` is literal."""
    result: list[str] = []
    index = 0
    while index < len(pattern):
        if pattern[index] != "[":
            result.append(pattern[index])
            index += 1
            continue
        close = _closing_bracket(pattern, index)
        if close < 0:
            result.append("[[]")
            index += 1
            continue
        content = pattern[index + 1 : close]
        result.append(f"[^{content[1:]}]" if content.startswith("!") else f"[{content}]")
        index = close + 1
    return "".join(result)


def _closing_bracket(pattern: str, opening: int) -> int:
    """Index of the bracket that closes the set opened at `opening`; -1 if none (a first ``]`` belongs to the set)."""
    start = opening + 1
    if pattern[start : start + 1] == "!":
        start += 1
    if pattern[start : start + 1] == "]":
        start += 1
    return pattern.find("]", start)
