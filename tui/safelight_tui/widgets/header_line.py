"""Row 1 of every screen: modes, repository, UTC clock, age of the newest frame, runs that go on, what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from safelight_tui.terminal.text import fit, width_of
from safelight_tui.widgets.styling import ComponentStyles

if TYPE_CHECKING:
    from safelight_tui.session.reruns import FeedSnapshot

__all__ = ["HeaderLine", "age", "run_words"]

MODES = ("browse", "plan", "run", "logs", "image", "triage")
STALE_S = 30.0
"""Silence of the feed after which the header says so."""


def age(seconds: float) -> str:
    """A time span in two or three characters: ``45s``, ``3m``, ``2h``, ``17d``."""
    for unit, size in (("d", 86400.0), ("h", 3600.0), ("m", 60.0)):
        if seconds >= size:
            return f"{int(seconds // size)}{unit}"
    return f"{max(0, int(seconds))}s"


def run_words(feed: FeedSnapshot) -> str:
    """Runs that go on: ``run 34/112 2F``; empty without any."""
    runs = feed.live_runs
    if not runs:
        return ""
    done, total = sum(run.done for run in runs), sum(len(run.ccds) for run in runs)
    failures = sum(run.failures for run in runs)
    several = f"{len(runs)} runs" if len(runs) > 1 else "run"
    return f"{several} {done}/{total}" + (f" {failures}F" if failures else "")


class HeaderLine(Widget):
    """One line. A click on a mode goes there."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"header--mode", "header--live", "header--bad", "header--dim"}

    DEFAULT_CSS = """
    HeaderLine {
        dock: top;
        height: 1;
        background: $panel;
        color: $foreground;
        & .header--mode { background: $primary; color: $background; text-style: bold; }
        & .header--live { color: $text-accent; text-style: bold; }
        & .header--bad { color: $text-error; text-style: bold; }
        & .header--dim { color: $text-muted; }
    }
    HeaderLine:ansi { & .header--mode { text-style: bold reverse; } }
    """

    class ModeWanted(Message):
        """A mode was clicked."""

        def __init__(self, mode: str) -> None:
            super().__init__()
            self.mode = mode

    def __init__(self, mode: str = "", clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self.mode = mode
        self._clock = clock
        self._repository = ""
        self._feed: FeedSnapshot | None = None
        self._style = ComponentStyles(self, "header")

    def show(self, repository: str, feed: FeedSnapshot | None) -> None:
        """Show another state."""
        self._repository, self._feed = repository, feed
        self.refresh()

    def on_mount(self) -> None:
        """Keep the clock going."""
        self.set_interval(1.0, self.refresh)

    def notify_style_update(self) -> None:
        """Forget styles when the theme changes."""
        super().notify_style_update()
        self._style.clear()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        plain = self._style()
        left = self._modes()
        right = self._facts(width)
        used = sum(len(segment.text) for segment in left)
        room = width - used - sum(width_of(segment.text) for segment in right)
        if room < 1:  # the facts are worth more than the unused modes' names
            return Strip([*left, *right]).crop(0, width).extend_cell_length(width, plain)
        return Strip([*left, Segment(" " * room, plain), *right], width)

    def _modes(self) -> list[Segment]:
        segments = []
        for number, mode in enumerate(MODES, start=1):
            style = self._style("mode") if mode == self.mode else self._style()
            segments += [Segment(f"{number}{mode.capitalize()}", style), Segment(" ", self._style())]
        return segments

    def _facts(self, width: int) -> list[Segment]:
        now = self._clock()
        feed = self._feed
        words = run_words(feed) if feed else ""
        clock = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%SZ")
        newest = f" new {age(now - feed.newest_frame)}" if feed and feed.newest_frame else ""
        stale = feed is not None and feed.read_at and now - feed.read_at > STALE_S
        trouble = f" stale {age(now - feed.read_at)}" if stale and feed else (" !" if feed and feed.trouble else "")
        fixed = len(clock) + len(newest) + len(trouble) + len(words) + 3
        modes = sum(len(mode) + 2 for mode in MODES)
        room = max(4, width - modes - fixed)
        name = self._repository
        shown = name if width_of(name) <= room else fit(name, room)
        return [
            Segment(f"{shown} ", self._style()),
            Segment(clock, self._style()),
            Segment(newest, self._style("dim")),
            Segment(trouble, self._style("bad")),
            Segment(f" {words}" if words else "", self._style("live")),
        ]

    def on_click(self, event: events.Click) -> None:
        """Go to the mode clicked."""
        edge = 0
        for mode in self.modes:
            if edge <= event.x < edge + len(mode) + 1:
                self.post_message(self.ModeWanted(mode))
            edge += len(mode) + 2

    @property
    def modes(self) -> Sequence[str]:
        """The modes, in the order of their keys."""
        return MODES
