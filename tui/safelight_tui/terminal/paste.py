"""Pasted text before anything parses it: control characters and escape sequences in it must not become keys."""

from __future__ import annotations

import re

from safelight_tui.terminal.text import printable

__all__ = ["PasteCleaner"]

_BEGIN = "\x1b[200~"
_END = "\x1b[201~"
_LINES = re.compile(r"(\r\n|\r|\n)")


class PasteCleaner:
    """Follows what is typed and cleans what stands between the marks of a bracketed paste; the rest passes as it is.

    Marks that a read has cut in two are held back until the rest comes.
    """

    def __init__(self) -> None:
        self._inside = False
        self._held = ""

    def feed(self, text: str) -> str:
        """What the parser of keys may see of `text`."""
        text, self._held = self._held + text, ""
        out: list[str] = []
        while text:
            mark = _END if self._inside else _BEGIN
            before, found, text = text.partition(mark)
            if not found:
                # Outside a paste a bare escape is a key of its own, which must not wait.
                before, self._held = _without_partial(before, mark, shortest=1 if self._inside else 2)
            out.append(_clean(before) if self._inside else before)
            if found:
                out.append(mark)
                self._inside = not self._inside
        return "".join(out)


def _clean(text: str) -> str:
    """Pasted text with its line ends and without other controls."""
    return "".join(part if part in ("\r\n", "\r", "\n") else printable(part) for part in _LINES.split(text))


def _without_partial(text: str, mark: str, shortest: int) -> tuple[str, str]:
    """`text` without the beginning of a mark at its end, and that beginning."""
    for length in range(len(mark) - 1, shortest - 1, -1):
        if text.endswith(mark[:length]):
            return text[:-length], text[-length:]
    return text, ""
