"""A view of a log file: follow it or stay, filter it in place, see what is wrong at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.segment import Segment
from textual.geometry import Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from safelight_tui.actions import ACTIONS
from safelight_tui.logs import LineFilter, LogLine, LogReader, LogState
from safelight_tui.terminal.cells import split_cells
from safelight_tui.terminal.text import fit, printable
from safelight_tui.widgets.moving import MovingByLines
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["LogView"]


FULL_WIDTH = 88
"""Columns from which on lines are shown as they are in the file; narrower, their heads are shortened."""
_HEAD = re.compile(r"^\d{4}-\d\d-\d\dT(\d\d:\d\d:\d\d)\.\d+Z (\w+) +(?:processCcd(?: \((visit=[^)]*)\))?: )?")


def shortened(text: str) -> str:
    """A line of a log with what everyone knows left out: the date, parts of seconds, and the program's own name."""
    found = _HEAD.match(text)
    if found is None:
        return text
    time, level, ccd = found.groups()
    return f"{time} {level:5} " + (f"({ccd}) " if ccd else "") + text[found.end() :]


class LogView(MovingByLines, ScrollView, can_focus=True):
    """Lines of a log file. The file is read by a `LogReader`; what has not come yet is blank for a moment."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "log-view--debug",
        "log-view--warn",
        "log-view--error",
        "log-view--current",
        "log-view--match",
        "log-view--note",
    }

    DEFAULT_CSS = """
    LogView {
        height: 1fr;
        background: $surface;
        color: $foreground;
        scrollbar-size: 1 1;
        overflow-x: hidden;
        & .log-view--debug { color: $text-muted; }
        & .log-view--warn { color: $text-warning; }
        & .log-view--error { color: $text-error; text-style: bold; }
        & .log-view--current { background: $block-cursor-blurred-background; }
        & .log-view--match { text-style: underline; }
        & .log-view--note { color: $text-muted; text-style: italic; }
    }
    """

    BINDINGS = ACTIONS.bindings("moving", "searching", "following")

    follow: reactive[bool] = reactive(True, repaint=False)
    """Whether the newest line stays in view."""

    class StateChanged(Message):
        """More of the file was read, it has grown, or it is filtered otherwise."""

        def __init__(self, view: LogView, state: LogState) -> None:
            super().__init__()
            self.view, self.state = view, state

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

        def can_replace(self, message: Message) -> bool:
            """Only the newest state counts."""
            return isinstance(message, type(self)) and message.view is self.view

    class FollowChanged(Message):
        """The view follows the newest line, or has stopped to."""

        def __init__(self, view: LogView, follow: bool) -> None:
            super().__init__()
            self.view, self.follow = view, follow

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    class FilterRequested(Message):
        """The filter key was pressed: the owner shows its input and calls `set_filter`."""

        def __init__(self, view: LogView) -> None:
            super().__init__()
            self.view = view

        @property
        def control(self) -> LogView:
            """The view."""
            return self.view

    class _LinesRead(Message):
        def __init__(self, epoch: int, start: int, lines: Sequence[LogLine]) -> None:
            super().__init__()
            self.epoch, self.start, self.lines = epoch, start, lines

    class _Found(Message):
        def __init__(self, epoch: int, place: int) -> None:
            super().__init__()
            self.epoch, self.place = epoch, place

    def __init__(
        self,
        path: Path | None = None,
        *,
        empty_text: str = "no log yet",
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self.path = path
        self.empty_text = empty_text
        self.filter: LineFilter | None = None
        self.state = LogState(0, 0, 0, 0, 0, 0, True)
        self.search: LineFilter | None = None
        self.current: int | None = None
        self._reader: LogReader | None = None
        self._lines: dict[int, LogLine] = {}
        self._asked: tuple[int, int] | None = None
        self._column = 0
        self._style = ComponentStyles(self, "log-view")

    # --- the file ---------------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Begin to read."""
        self._start_reader()

    def on_unmount(self) -> None:
        """End the reader."""
        self._stop_reader()

    def show(self, path: Path | None) -> None:
        """Show another file, with the filter kept."""
        if path == self.path:
            return
        self._stop_reader()
        self.path = path
        self.state = LogState(0, 0, 0, 0, 0, 0, True)
        self.current, self._column = None, 0
        self._forget()
        self.virtual_size = Size(0, 0)
        if self.is_mounted:
            self._start_reader()
        self.refresh()

    def _start_reader(self) -> None:
        if self.path is None:
            return
        reader: LogReader = LogReader(
            self.path,
            lambda state: self._from(reader, self.StateChanged(self, state)),
            lambda epoch, start, lines: self._from(reader, self._LinesRead(epoch, start, lines)),
            lambda epoch, place: self._from(reader, self._Found(epoch, place)),
        )
        self._reader = reader
        if self.filter is not None:
            reader.filter(self.filter)
        reader.start()

    def _from(self, reader: LogReader, message: Message) -> None:
        """Called in the reader's thread; what a reader of another file still says is not heard."""
        if reader is self._reader:
            self.post_message(message)

    def _stop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()

    def set_filter(self, wanted: LineFilter | None) -> None:
        """Show only the lines wanted; all with None."""
        if wanted != self.filter:
            self.filter = wanted
            self.current = None
            if self._reader is not None:
                self._reader.filter(wanted)

    # --- what the reader says ---------------------------------------------------------------------------------------

    def on_log_view_state_changed(self, message: StateChanged) -> None:
        """Take the number of lines; stay at the end when following."""
        old, self.state = self.state, message.state
        if old.epoch != self.state.epoch:
            self._forget()
        else:
            self._lines.pop(old.view_count - 1, None)  # it may have been written on
            self._asked = None
        self.virtual_size = Size(0, self.state.view_count)
        if self.follow:
            self._show_from(self.state.view_count - self.size.height)
        self.refresh()

    def on_log_view__lines_read(self, message: _LinesRead) -> None:
        """Take lines that were asked for."""
        message.stop()
        if message.epoch != self.state.epoch:
            return
        self._lines.update(enumerate(message.lines, message.start))
        self._asked = None
        self.refresh()

    def on_log_view__found(self, message: _Found) -> None:
        """Go to a problem that was asked for."""
        message.stop()
        if message.epoch == self.state.epoch:
            self.follow = False
            self.current = message.place
            self._show_from(message.place - self.size.height // 2)
            self.refresh()

    def _forget(self) -> None:
        self._lines.clear()
        self._asked = None

    # --- drawing ----------------------------------------------------------------------------------------------------

    def notify_style_update(self) -> None:
        """Forget styles when the theme or the focus changes."""
        super().notify_style_update()
        self._style.clear()

    def render_line(self, y: int) -> Strip:
        width, place = self.size.width, y + self.scroll_offset.y
        if place >= self.state.view_count:
            return self._beyond(y, width)
        line = self._lines.get(place)
        if line is None:
            self._ask_around(place)
            return Strip.blank(width, self._style())
        names = [line.level] if line.level in ("debug", "warn", "error") else []
        if place == self.current:
            names.append("current")
        return self._line(line, names, width)

    def _beyond(self, y: int, width: int) -> Strip:
        if y == 0 and self.state.idle and not self.state.view_count:
            text = "no line matches" if self.filter is not None and self.state.line_count else self.empty_text
            return Strip([Segment(fit(text, width), self._style("note"))], width)
        return Strip.blank(width, self._style())

    def _ask_around(self, place: int) -> None:
        if self._reader is None or (self._asked and self._asked[0] <= place < self._asked[1]):
            return
        page = max(self.size.height, 1)
        if len(self._lines) > 40 * page:
            self._lines.clear()
        self._asked = (max(0, place - page), place + 2 * page)
        self._reader.fetch(self.state.epoch, *self._asked)

    def _line(self, line: LogLine, names: Sequence[str], width: int) -> Strip:
        plain = self._style(*names)
        text = printable(shortened(line.text) if width < FULL_WIDTH else line.text)
        if self._column:
            text = "".join(split_cells(text)[self._column :])
        note = f" {line.length:,} bytes" if line.length > 4 * width else ""
        room = max(0, width - len(note))
        shown = fit(text, room)
        segments, done = [], 0
        for start, end in self.filter.spans(shown.rstrip()) if self.filter is not None else ():
            segments.append(Segment(shown[done:start], plain))
            segments.append(Segment(shown[start:end], self._style(*names, "match")))
            done = end
        segments.append(Segment(shown[done:], plain))
        if note:
            segments.append(Segment(note[: width - room], self._style(*names, "note")))
        return Strip([segment for segment in segments if segment.text], width)

    # --- keys -------------------------------------------------------------------------------------------------------

    def watch_follow(self, follow: bool) -> None:
        """Go to the end, and say so."""
        if follow:
            self._show_from(self.state.view_count - self.size.height)
        if self.is_mounted:
            self.post_message(self.FollowChanged(self, follow))

    def _show_from(self, top: float) -> None:
        self.scroll_to(y=max(0, top), animate=False, force=True, immediate=True)

    @property
    def page(self) -> int:
        """Lines in view."""
        return max(1, self.size.height)

    def move_by(self, lines: int) -> None:
        """Move the page; looking back is not following."""
        if lines < 0:
            self.follow = False
        self._show_from(self.scroll_offset.y + lines)

    def on_mouse_scroll_up(self) -> None:
        """Looking back is not following."""
        self.follow = False

    def on_resize(self) -> None:
        """Stay at the end when following."""
        self._asked = None
        if self.follow:
            self._show_from(self.state.view_count - self.size.height)

    def action_follow(self) -> None:
        """Follow, or stay."""
        self.follow = not self.follow

    def action_move_first(self) -> None:
        """To the beginning."""
        self.follow = False
        self._show_from(0)

    def action_move_last(self) -> None:
        """To the end."""
        self._show_from(self.state.view_count - self.size.height)

    def action_move_left(self) -> None:
        """Eight columns to the left."""
        self._column = max(0, self._column - 8)
        self.refresh()

    def action_move_right(self) -> None:
        """Eight columns to the right."""
        longest = max((line.length for line in self._lines.values()), default=0)
        self._column = min(self._column + 8, max(0, min(longest, 16384) - 8))
        self.refresh()

    def action_filter(self) -> None:
        """Say that a filter is wanted."""
        self.post_message(self.FilterRequested(self))

    def action_next_match(self) -> None:
        """To the next line that matches the last search, or the filter."""
        self._find_match(1)

    def action_previous_match(self) -> None:
        """To the previous one."""
        self._find_match(-1)

    def _find_match(self, step: int) -> None:
        wanted = self.search or self.filter
        if self._reader is not None and wanted is not None:
            self._reader.find_match(self.state.epoch, self._here(step), step, wanted)

    def action_next_problem(self) -> None:
        """To the next warning or error."""
        self._find_problem(1)

    def action_previous_problem(self) -> None:
        """To the previous warning or error."""
        self._find_problem(-1)

    def _find_problem(self, step: int) -> None:
        if self._reader is not None:
            self._reader.find_problem(self.state.epoch, self._here(step), step)

    def _here(self, step: int) -> int:
        """Where a search begins: the line found last while it is in view, else the edge of the view."""
        top, height = self.scroll_offset.y, self.size.height
        if self.current is not None and top <= self.current < top + height:
            return self.current
        return top - 1 if step > 0 else top + height
