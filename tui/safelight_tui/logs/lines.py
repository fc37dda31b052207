"""Where the lines of a growing file begin, and what they say. Reads; never maps: a mapped file that is cut kills."""

from __future__ import annotations

import bisect
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = ["LogFile", "LogLine", "level_of"]

_WORDS = (b"WARN", b"ERROR", b"FATAL", b"CRITICAL")
_PROBLEM = re.compile(rb"\b(?:WARN(?:ING)?|ERROR|FATAL|CRITICAL)\b")
_LEVEL = re.compile(r"\b(DEBUG|INFO|WARN|ERROR|FATAL|CRITICAL)(?:ING)?\b")
_LEVEL_WITHIN = 160


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line: its number from 0, its text (the beginning of a very long one), its whole length in bytes."""

    number: int
    text: str
    length: int

    @property
    def level(self) -> str:
        """``debug``, ``info``, ``warn``, ``error``, or empty."""
        return level_of(self.text)


def level_of(text: str) -> str:
    """The level a line is logged at, looked for near its beginning."""
    found = _LEVEL.search(text[:_LEVEL_WITHIN])
    if found is None:
        return ""
    return {"FATAL": "error", "CRITICAL": "error"}.get(found[1], found[1].lower())


class LogFile:
    """A log file, its lines indexed as far as `advance` has come.

    Parameters
    ----------
    path : Path
        Need not exist yet.
    """

    CHUNK = 1 << 20
    """Bytes read at a time: small enough that a search in it leaves the interpreter to others in between."""
    SHOWN = 16384
    """Bytes of one line that are read to be shown."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._file: int | None = None
        self._identity: tuple[int, int] = (0, 0)
        self._clear()

    def _clear(self) -> None:
        self.indexed = 0
        self.size = 0
        self._firsts: list[int] = [0]  # number of the first line that begins in each block
        self._bases: list[int] = [0]
        self._starts: list[NDArray[np.uint32]] = [np.zeros(1, np.uint32)]
        self._complete = 0
        self._problems: list[NDArray[np.int64]] = []

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def complete_lines(self) -> int:
        """Lines whose end has been seen."""
        return self._complete

    @property
    def line_count(self) -> int:
        """Complete lines, and the one that is being written."""
        return self._complete + (self.span(self._complete)[0] < self.size)

    def refresh(self) -> bool:
        """Look at the file's size; whether it is another file now, or was cut, so that all is to be read again."""
        again = False
        try:
            found = self.path.stat()
        except OSError:
            return False  # gone for now: what was read stays readable through the open file
        identity = (found.st_dev, found.st_ino)
        if self._file is None or identity != self._identity or found.st_size < self.indexed:
            again = self._file is not None
            self.close()
            self._file = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self._identity = identity
            if again:
                self.generation += 1
                self._clear()
        self.size = found.st_size
        return again

    def advance(self) -> bool:
        """Index the next chunk; whether there was one."""
        if self._file is None or self.indexed >= self.size:
            return False
        data = os.pread(self._file, min(self.CHUNK, self.size - self.indexed), self.indexed)
        if not data:
            return False
        last = data.rfind(b"\n")
        if last >= 0:
            data = data[: last + 1]  # the next chunk begins with a line
        elif len(data) < self.CHUNK:
            return False  # a line that is still being written
        base = self.indexed
        ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10)
        self._note_problems(data, ends)
        self.indexed += len(data)
        if len(ends):
            self._firsts.append(self._complete + 1)
            self._bases.append(base)
            self._starts.append((ends + 1).astype(np.uint32))
            self._complete += len(ends)
        return True

    def _note_problems(self, data: bytes, ends: NDArray[np.int64]) -> None:
        if not any(word in data for word in _WORDS):
            return
        places = np.fromiter((match.start() for match in _PROBLEM.finditer(data)), np.int64)
        lines = np.searchsorted(ends, places)
        first = self._start(self._complete) - self.indexed  # before this chunk, where a line is longer than one
        begins = np.concatenate([[first], ends + 1])[lines]
        lines = np.unique(lines[places - begins < _LEVEL_WITHIN])
        if len(lines):
            self._problems.append(self._complete + lines)

    def problems(self) -> NDArray[np.int64]:
        """Numbers of the lines logged as warnings or errors."""
        if len(self._problems) > 1:
            self._problems = [np.concatenate(self._problems)]
        return self._problems[0] if self._problems else np.zeros(0, np.int64)

    def span(self, number: int) -> tuple[int, int]:
        """(first byte, end) of a line, its newline not included; the last line ends where the file does."""
        start = self._start(number)
        return (start, self._start(number + 1) - 1) if number < self._complete else (start, max(start, self.size))

    def _start(self, number: int) -> int:
        block = bisect.bisect_right(self._firsts, number) - 1
        return self._bases[block] + int(self._starts[block][number - self._firsts[block]])

    def starts(self, first: int, last: int) -> NDArray[np.int64]:
        """(last - first + 1,) int64: where the complete lines `first` .. `last` - 1 and line `last` begin."""
        pieces = []
        block = bisect.bisect_right(self._firsts, first) - 1
        number = first
        while number <= last:
            inside = slice(number - self._firsts[block], last + 1 - self._firsts[block])
            piece = self._starts[block][inside].astype(np.int64) + self._bases[block]
            pieces.append(piece)
            number += len(piece)
            block += 1
        return np.concatenate(pieces)

    def line(self, number: int) -> LogLine:
        """A line as text; bytes that are not UTF-8 are replaced."""
        start, end = self.span(number)
        data = self.read(start, min(end, start + self.SHOWN))
        return LogLine(number, data.rstrip(b"\r").decode("utf-8", "replace"), end - start)

    def read(self, start: int, end: int) -> bytes:
        """Bytes of the file."""
        return os.pread(self._file, end - start, start) if self._file is not None and end > start else b""
