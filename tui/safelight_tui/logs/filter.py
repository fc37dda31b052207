"""Which lines of a log are wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from safelight.errors import UsageError

__all__ = ["LineFilter"]


@dataclass(frozen=True)
class LineFilter:
    """A regular expression that lines must contain, or must not.

    Parameters
    ----------
    pattern : str
        Matched within one line. All in lower case, it matches either case. A leading ``!`` inverts.
    context : int
        Lines before and after a match that are shown too.

    Raises
    ------
    UsageError
        BAD_PATTERN: not a regular expression.
    """

    pattern: str
    context: int = 0

    def __post_init__(self) -> None:
        try:
            _ = self.compiled
        except (re.error, OverflowError, RecursionError) as error:
            raise UsageError(
                "BAD_PATTERN",
                f"{self.expression!r} is not a regular expression: {error}",
                "put a backslash before ( ) [ ] { } . * + ? ^ $ | to find the character itself",
            ) from error

    @property
    def inverted(self) -> bool:
        """Whether lines that match are left out."""
        return self.pattern.startswith("!")

    @property
    def expression(self) -> str:
        """The expression without the inverting ``!``."""
        return self.pattern.removeprefix("!")

    @cached_property
    def compiled(self) -> re.Pattern[bytes]:
        """The expression over UTF-8 bytes."""
        ignoring_case = re.IGNORECASE if self.expression == self.expression.lower() else re.NOFLAG
        return re.compile(self.expression.encode(), re.MULTILINE | ignoring_case)

    @cached_property
    def for_text(self) -> re.Pattern[str]:
        """The expression over text, to show where it matched."""
        ignoring_case = re.IGNORECASE if self.expression == self.expression.lower() else re.NOFLAG
        return re.compile(self.expression, ignoring_case)

    def wants(self, data: bytes, start: int, end: int) -> bool:
        """Whether the line ``data[start:end]`` is wanted."""
        return (self.compiled.search(data, start, end) is None) is self.inverted

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a shown line matches; nowhere when inverted."""
        if not self.inverted:
            for match in self.for_text.finditer(text):
                if match.end() > match.start():
                    yield match.span()
