"""Which lines of a log are wanted."""

from __future__ import annotations

import bisect
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

    def wanted_lines(self, data: bytes, starts: list[int]) -> list[int]:
        """Which of several lines are wanted, by their places in `starts`.

        The whole is searched at once, so that lines without a match cost nothing; a match that runs over a line's end
        says nothing about its lines, which are then looked at one by one.

        Parameters
        ----------
        data : bytes
            Lines, each ended by a newline.
        starts : list of int
            Where each line begins, and where the next would.
        """
        count, search = len(starts) - 1, self.compiled.search
        matched: list[int] = []

        def look_at(first: int, stop: int) -> None:
            matched.extend(p for p in range(first, stop) if search(data, starts[p], starts[p + 1] - 1))

        line = 0
        if self._anchored:  # the beginning and the end are those of a line only when it stands alone
            matched = [p for p in range(count) if search(data[starts[p] : starts[p + 1] - 1])]
            line = count
        while line < count and (match := search(data, starts[line], starts[count] - 1)):
            first = bisect.bisect_right(starts, match.start(), hi=count) - 1
            if match.end() < starts[first + 1]:
                matched.append(first)
                line = first + 1
            else:
                line = bisect.bisect_right(starts, match.end(), hi=count)
                look_at(first, line)
        if not self.inverted:
            return matched
        found = set(matched)
        return [place for place in range(count) if place not in found]

    @cached_property
    def _anchored(self) -> bool:
        """Whether the expression speaks of the beginning or the end of all that is searched."""
        return bool(re.search(r"\\[AZ]", self.expression))

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Where a shown line matches; nowhere when inverted."""
        if not self.inverted:
            for match in self.for_text.finditer(text):
                if match.end() > match.start():
                    yield match.span()
