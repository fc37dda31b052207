"""A thread that indexes a log, follows it, filters it and fetches lines: the event loop opens and reads nothing."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from safelight_tui.logs.filter import LineFilter
from safelight_tui.logs.lines import LogFile, LogLine

__all__ = ["LogReader", "LogState"]


@dataclass(frozen=True, slots=True)
class LogState:
    """How far the reader has come. `epoch` changes whenever places in view mean other lines than before."""

    epoch: int
    line_count: int
    view_count: int
    problem_count: int
    indexed: int
    size: int
    idle: bool

    @property
    def progress(self) -> float:
        """Part of the file that has been read, 0 to 1."""
        return self.indexed / self.size if self.size else 1.0


class _View:
    """The lines a filter leaves, found as the file is indexed. Lines are looked at once they are complete."""

    BATCH = 1 << 20
    LINES = 1 << 14
    LONGEST = 1 << 16  # bytes of one line that are matched

    def __init__(self, file: LogFile, wanted: LineFilter | None) -> None:
        self.file = file
        self.wanted = wanted
        self.looked_at = 0
        self._found: list[int] = []
        self._last_shown = -1
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)

    def __len__(self) -> int:
        return self.file.line_count if self.wanted is None else len(self._found)

    def number(self, place: int) -> int:
        return place if self.wanted is None else self._found[place]

    def place_at_or_after(self, number: int) -> int:
        if self.wanted is None:
            return number
        if len(self._numbers) != len(self._found):
            self._numbers = np.array(self._found, np.int64)
        return int(np.searchsorted(self._numbers, number))

    def advance(self) -> bool:
        """Look at another batch of lines; whether there was one."""
        if self.wanted is None or self.looked_at >= self.file.complete_lines:
            return False
        first = self.looked_at
        last = min(first + self.LINES, self.file.complete_lines)
        starts = self.file.starts(first, last)
        count = max(1, int(np.searchsorted(starts, starts[0] + self.BATCH, side="right")) - 1)
        starts = starts[: count + 1] - (base := int(starts[0]))
        data = self.file.read(base, base + min(int(starts[-1]), self.BATCH))
        if count == 1 and len(data) < starts[-1]:  # one line longer than is read
            starts = np.array([0, len(data) + 1])
        for place in self.wanted.wanted_lines(data, starts.tolist()):
            self._show(first + place)
        self.looked_at = first + count
        return True

    def _show(self, number: int) -> None:
        context = self.wanted.context if self.wanted else 0
        start = max(self._last_shown + 1, number - context)
        stop = min(number + context, self.file.complete_lines - 1)
        self._found.extend(range(start, stop + 1))
        self._last_shown = max(self._last_shown, stop)


class LogReader(threading.Thread):
    """Reads one log file.

    Parameters
    ----------
    path : Path
    on_state : callable
        Called in this thread when `LogState` has changed, at most ten times a second while a file is being read.
    on_lines : callable
        Called in this thread with (epoch, place of the first line, lines) that were asked for.
    on_found : callable
        Called in this thread with (epoch, place) of a problem or a match that was asked for.
    """

    POLL_SECONDS = 0.25

    def __init__(
        self,
        path: Path,
        on_state: Callable[[LogState], None],
        on_lines: Callable[[int, int, Sequence[LogLine]], None],
        on_found: Callable[[int, int], None],
    ) -> None:
        super().__init__(name=f"log-{path.name}", daemon=True)
        self._file = LogFile(path)
        self._view = _View(self._file, None)
        self._on_state, self._on_lines, self._on_found = on_state, on_lines, on_found
        self._orders: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._epoch = 0
        self._told: LogState | None = None
        self._stopping = False

    # Called from the event loop: each leaves an order and returns.

    def filter(self, wanted: LineFilter | None) -> None:
        """Show only the lines wanted from now on."""
        self._orders.put(lambda: self._set_filter(wanted))

    def fetch(self, epoch: int, start: int, stop: int) -> None:
        """Ask for the lines at the places `start` .. `stop` - 1; nothing comes if the epoch has passed."""
        self._orders.put(lambda: self._fetch(epoch, start, stop))

    def find_problem(self, epoch: int, place: int, step: int) -> None:
        """Ask for the warning or error after (`step` 1) or before (-1) a place."""
        self._orders.put(lambda: self._find_problem(epoch, place, step))

    def find_match(self, epoch: int, place: int, step: int, wanted: LineFilter) -> None:
        """Ask for the next line (`step` 1) or the one before (-1) that matches; any later order ends the search."""
        self._orders.put(lambda: self._find_match(epoch, place, step, wanted))

    def stop(self) -> None:
        """End the thread."""
        self._stopping = True
        self._orders.put(lambda: None)

    # Run in this thread.

    def run(self) -> None:
        try:
            while not self._stopping:
                self._tell(idle=not self._work())
                self._obey(wait=self._told is not None and self._told.idle)
        finally:
            self._file.close()

    def _work(self) -> bool:
        """Read on for about a tenth of a second, orders first; whether there is more to do."""
        if self._file.refresh():
            self._begin_again(self._view.wanted)
        for _ in range(16):
            advanced = self._file.advance()
            if not (self._view.advance() or advanced):
                return False
            if not self._orders.empty():
                return True
        return True

    def _obey(self, *, wait: bool) -> None:
        try:
            if wait:
                self._orders.get(timeout=self.POLL_SECONDS)()
            while not self._stopping:
                self._orders.get_nowait()()
        except queue.Empty:
            pass

    def _tell(self, *, idle: bool) -> None:
        file = self._file
        state = LogState(
            self._epoch, file.line_count, len(self._view), len(file.problems()), file.indexed, file.size, idle
        )
        if state != self._told:
            self._told = state
            self._on_state(state)

    def _begin_again(self, wanted: LineFilter | None) -> None:
        self._epoch += 1
        self._view = _View(self._file, wanted)

    def _set_filter(self, wanted: LineFilter | None) -> None:
        self._begin_again(wanted)

    def _fetch(self, epoch: int, start: int, stop: int) -> None:
        if epoch == self._epoch:
            places = range(max(start, 0), min(stop, len(self._view)))
            lines = [self._file.line(self._view.number(place)) for place in places]
            self._on_lines(epoch, places.start, lines)

    def _find_problem(self, epoch: int, place: int, step: int) -> None:
        problems = self._file.problems()
        if epoch != self._epoch or not len(problems):
            return
        number = self._number_near(place)
        index = int(np.searchsorted(problems, number, side="right" if step > 0 else "left")) - (step < 0)
        while 0 <= index < len(problems):
            found = self._view.place_at_or_after(int(problems[index]))
            if found < len(self._view) and self._view.number(found) == problems[index]:
                self._on_found(epoch, found)
                return
            index += step

    def _number_near(self, place: int) -> int:
        """Number of the line at a place; one that no line has before the first and after the last."""
        if place < 0:
            return -1
        return self._view.number(place) if place < len(self._view) else self._file.line_count

    def _find_match(self, epoch: int, place: int, step: int, wanted: LineFilter) -> None:
        if epoch != self._epoch:
            return
        place += step
        while 0 <= place < len(self._view):
            start, end = self._file.span(self._view.number(place))
            data = self._file.read(start, min(end, start + _View.LONGEST))
            if wanted.wants(data, 0, len(data)):
                self._on_found(epoch, place)
                return
            place += step
            if not place % 256 and not self._orders.empty():
                return  # the user has gone on to something else
