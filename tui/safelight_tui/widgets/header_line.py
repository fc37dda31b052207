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
    from safelight_tui.night import NightWatch
    from safelight_tui.session.reruns import FeedSnapshot

__all__ = ["HeaderLine", "age", "run_words"]

MODES = ("browse", "plan", "run", "logs", "image", "triage")
STALE_S = 30.0
"""Silence of the feed after which the header says so, where the settings do not tell."""
JOURNAL_S = 10.0
"""Silence of a live run's journal after which the header says so: it has a heartbeat every 1.5 s."""


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
        self._night: NightWatch | None = None
        self._edges: list[int] = []
        self._style = ComponentStyles(self, "header")

    def show(self, repository: str, feed: FeedSnapshot | None, night: NightWatch | None = None) -> None:
        """Show another state; `night` knows whether the disk answers."""
        self._repository, self._feed, self._night = repository, feed, night
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
        right = self._facts(width)
        taken = sum(width_of(segment.text) for segment in right)
        left = self._modes(short=self._width_of_modes() + taken > width)
        used = sum(len(segment.text) for segment in left)
        room = max(0, width - used - taken)
        return Strip([*left, Segment(" " * room, plain), *right]).crop(0, width).extend_cell_length(width, plain)

    @staticmethod
    def _width_of_modes() -> int:
        return sum(len(mode) + 2 for mode in MODES)

    def _modes(self, *, short: bool = False) -> list[Segment]:
        """The modes with their keys; `short`: only the one in view by name, where the facts need the room."""
        segments = []
        for number, mode in enumerate(MODES, start=1):
            here = mode == self.mode
            text = f"{number}" if short and not here else f"{number}{mode.capitalize()}"
            segments += [Segment(text, self._style("mode") if here else self._style()), Segment(" ", self._style())]
        self._edges = [len(segment.text) for segment in segments]
        return segments

    def _facts(self, width: int) -> list[Segment]:
        now = self._clock()
        feed = self._feed
        words = run_words(feed) if feed else ""
        clock = datetime.fromtimestamp(now, UTC).strftime("%H:%M:%SZ")
        newest = f" new {age(now - feed.newest_frame)}" if feed and feed.newest_frame else ""
        trouble = self._trouble(now)
        fixed = len(clock) + len(newest) + len(trouble) + len(words) + 3
        name = self._repository
        room = max(min(width_of(name), 8), width - self._width_of_modes() - fixed)
        shown = name if width_of(name) <= room else fit(name, room)
        return [
            Segment(f"{shown} ", self._style()),
            Segment(clock, self._style()),
            Segment(newest, self._style("dim")),
            Segment(trouble, self._style("bad")),
            Segment(f" {words}" if words else "", self._style("live")),
        ]

    def _trouble(self, now: float) -> str:
        """What does not answer, the worst first: the disk, the reading of the repository, the journal of a run."""
        feed, night = self._feed, self._night
        if feed is None:
            return ""
        silent = night.mount_silent_s if night is not None else 0.0
        if silent:
            return f" mount {age(silent)}?"
        stale_s = night.settings.stale_s if night is not None else STALE_S
        if feed.read_at and now - feed.read_at > stale_s:
            return f" stale {age(now - feed.read_at)}"
        waiting = max((now - run.heard for run in feed.live_runs if run.heard), default=0.0)
        if waiting > min(stale_s, JOURNAL_S):
            return f" journal {age(waiting)}?"
        return " !" if feed.trouble else ""

    def on_click(self, event: events.Click) -> None:
        """Go to the mode clicked."""
        edge = 0
        for mode, text, gap in zip(self.modes, self._edges[::2], self._edges[1::2]):
            if edge <= event.x < edge + text:
                self.post_message(self.ModeWanted(mode))
            edge += text + gap

    @property
    def modes(self) -> Sequence[str]:
        """The modes, in the order of their keys."""
        return MODES
