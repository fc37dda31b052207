"""What a person sees of a run: its log lines, and on a terminal a progress bar and the stage of each CCD in hand."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from datetime import datetime
from types import TracebackType
from typing import TYPE_CHECKING

from safelight.processccd import events

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = ["LogStyle", "PlainDisplay", "TerminalDisplay", "make_display"]

_LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "ERROR": 40, "FATAL": 50}
_STAGES = ("read", "isr", "characterize", "wcs", "zeropoint", "write")


class LogStyle:
    """Which records are shown, and how: ``component LEVEL: message``, or the long form with time and data ID."""

    def __init__(self, thresholds: Mapping[str, int], *, long: bool = False) -> None:
        self._thresholds = dict(thresholds)
        self._long = long

    def shows(self, level: int, component: str) -> bool:
        """Whether a record is at or above the threshold of its component or the nearest one above."""
        name = component
        while name:
            if name in self._thresholds:
                return level >= self._thresholds[name]
            name = name.rpartition(".")[0]
        return level >= self._thresholds.get("", logging.INFO)

    def render(self, event: events.LogRecorded) -> str | None:
        """The line of a record; None when it is below the threshold."""
        if not self.shows(_LEVELS.get(event.level, logging.INFO), event.component):
            return None
        if self._long:
            stamp = datetime.fromtimestamp(event.time).astimezone().isoformat(timespec="milliseconds")
            return f"{event.level:5} {stamp} {event.component} ({event.ccd})- {event.message}"
        where = f" {event.ccd}:" if event.ccd else ""
        return f"{event.component} {event.level}:{where} {event.message}"


class PlainDisplay:
    """Plain lines on stderr."""

    def __init__(self, style: LogStyle) -> None:
        self._style = style
        self._total = 0
        self._finished = 0

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def show(self, event: events.Event) -> None:
        """Take one event of the run."""
        if isinstance(event, events.RunStarted):
            self._total = len(event.ccds)
        elif isinstance(event, events.LogRecorded):
            line = self._style.render(event)
            if line is not None:
                self._print(line)
        elif isinstance(event, events.CcdFinished):
            self._finished += 1
            self._tell_end(event)

    def _tell_end(self, event: events.CcdFinished) -> None:
        record = events.LogRecorded(
            time=event.time,
            ccd=event.ccd,
            level="INFO",
            component="processCcd",
            message=f"{describe_end(event)} ({self._finished} of {self._total})",
        )
        line = self._style.render(record)
        if line is not None:
            self._print(line)

    def _print(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)


class TerminalDisplay(PlainDisplay):
    """Log lines above a progress bar and one line for each CCD in hand."""

    def __init__(self, style: LogStyle) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        super().__init__(style)
        self._progress: Progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self._all: TaskID = self._progress.add_task("CCDs", total=None)
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> TerminalDisplay:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def show(self, event: events.Event) -> None:
        """Take one event of the run."""
        super().show(event)
        if isinstance(event, events.RunStarted):
            self._progress.update(self._all, total=len(event.ccds))
        elif isinstance(event, events.CcdStarted) and event.ccd not in self._tasks:  # some begin a second time
            self._tasks[event.ccd] = self._progress.add_task(event.ccd, total=len(_STAGES))
        elif isinstance(event, events.StageStarted) and event.ccd in self._tasks:
            done = _STAGES.index(event.stage) if event.stage in _STAGES else 0
            self._progress.update(self._tasks[event.ccd], completed=done, description=f"{event.ccd} {event.stage}")
        elif isinstance(event, events.CcdFinished):
            self._progress.advance(self._all)
            self._put_away(event.ccd)
        elif isinstance(event, events.CcdJudged):  # ends the second attempt of a CCD that was done
            self._put_away(event.ccd)

    def _put_away(self, ccd: str) -> None:
        if ccd in self._tasks:
            self._progress.remove_task(self._tasks.pop(ccd))

    def _print(self, line: str) -> None:
        self._progress.console.print(line, markup=False, soft_wrap=True)


def describe_end(event: events.CcdFinished) -> str:
    """How a CCD ended, in a few words."""
    if event.status == "done-with-caveats":
        codes = ", ".join(caveat["code"] for caveat in event.caveats)
        return f"done in {event.seconds:.1f} s with caveats {codes}"
    if event.status == "done":
        return f"done in {event.seconds:.1f} s"
    if event.failure:
        return f"failed [{event.failure['code']}]"
    return event.status


def make_display(style: LogStyle) -> PlainDisplay:
    """A progress display where stderr is a terminal, plain lines elsewhere."""
    return TerminalDisplay(style) if sys.stderr.isatty() else PlainDisplay(style)
