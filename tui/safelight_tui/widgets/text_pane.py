"""A pane of text lines with tones that scrolls: details, help, explanations. The text is never markup."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from rich.segment import Segment
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from safelight_tui.actions import ACTIONS
from safelight_tui.terminal.text import fit, width_of
from safelight_tui.widgets.moving import MovingByLines
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["TextLine", "TextPane"]


class TextLine(NamedTuple):
    """A line; `label` stands before the text, dimmed."""

    text: str
    tone: str = ""
    label: str = ""


class TextPane(MovingByLines, ScrollView, can_focus=True):
    """Lines; those too long are wrapped at blanks."""

    TONES: ClassVar[tuple[str, ...]] = ("title", "good", "bad", "caveat", "dim", "new")

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "text-pane--title",
        "text-pane--good",
        "text-pane--bad",
        "text-pane--caveat",
        "text-pane--dim",
        "text-pane--new",
    }

    DEFAULT_CSS = """
    TextPane {
        height: 1fr;
        background: $surface;
        color: $foreground;
        scrollbar-size: 1 1;
        overflow-x: hidden;
        & .text-pane--title { text-style: bold; color: $text-primary; }
        & .text-pane--good { color: $text-success; }
        & .text-pane--bad { color: $text-error; text-style: bold; }
        & .text-pane--caveat { color: $text-warning; }
        & .text-pane--dim { color: $text-muted; }
        & .text-pane--new { color: $text-accent; }
    }
    """

    BINDINGS = ACTIONS.bindings("moving")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[TextLine, ...] = ()
        self._drawn: list[TextLine] = []
        self._drawn_size = (-1, -1)
        self._style = ComponentStyles(self, "text-pane")

    @property
    def lines(self) -> tuple[TextLine, ...]:
        """What is shown."""
        return self._lines

    def show(self, lines: Sequence[TextLine], *, keep_place: bool = False) -> None:
        """Show other lines, from the top unless told to keep the place."""
        if tuple(lines) == self._lines:
            return
        self._lines = tuple(lines)
        self._drawn_size = (-1, -1)
        self._lay_out()
        if not keep_place:
            self.scroll_to(y=0, animate=False, force=True, immediate=True)
        self.refresh()

    def notify_style_update(self) -> None:
        """Forget styles when the theme changes."""
        super().notify_style_update()
        self._style.clear()

    def on_resize(self) -> None:
        """Wrap again."""
        self._lay_out()

    def _lay_out(self) -> None:
        width = max(10, self.size.width)
        if (width, self.size.height) == self._drawn_size:
            return
        self._drawn_size = (width, self.size.height)
        self._drawn = [part for line in self._lines for part in _wrapped(line, width)]
        if len(self._drawn) > self.size.height:  # the scroll bar takes a column of the size
            self._drawn = [part for line in self._lines for part in _wrapped(line, width - 1)]
        self.virtual_size = Size(0, len(self._drawn))

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        place = y + self.scroll_offset.y
        if place >= len(self._drawn):
            return Strip.blank(width, self._style())
        line = self._drawn[place]
        label = line.label
        style = self._style(line.tone) if line.tone in self.TONES else self._style()
        text = fit(line.text, width - width_of(label))
        return Strip([Segment(label, self._style("dim")), Segment(text, style)], width)

    @property
    def page(self) -> int:
        """Lines in view."""
        return max(1, self.size.height)

    def move_by(self, lines: int) -> None:
        """Move the page."""
        self.scroll_to(y=self.scroll_offset.y + lines, animate=False, force=True)

    def action_move_first(self) -> None:
        """To the first line."""
        self.scroll_to(y=0, animate=False, force=True)

    def action_move_last(self) -> None:
        """To the last line."""
        self.scroll_to(y=len(self._drawn), animate=False, force=True)


def _wrapped(line: TextLine, width: int) -> list[TextLine]:
    room = max(8, width - width_of(line.label))
    if width_of(line.text) <= room:
        return [line]
    parts, current = [], ""
    for word in line.text.split(" "):
        while width_of(word) > room:  # a path longer than the pane
            head, word = word[: room - len(current) - bool(current)], word[room - len(current) - bool(current) :]
            parts.append(f"{current} {head}" if current else head)
            current = ""
        if current and width_of(current) + 1 + width_of(word) > room:
            parts.append(current)
            current = word
        else:
            current = f"{current} {word}" if current else word
    parts.append(current)
    blank = " " * width_of(line.label)
    return [TextLine(part, line.tone, line.label if index == 0 else blank) for index, part in enumerate(parts) if part]
