"""A pane with tabs: a line of their names, and below it the lines of the one chosen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from safelight_tui.terminal.text import fit
from safelight_tui.widgets.styling import ComponentStyles
from safelight_tui.widgets.text_pane import TextLine, TextPane

__all__ = ["DetailPane"]


class _TabLine(Widget):
    """``--header|inputs|calibrations|history---- visit=903986 ccd=16 --``"""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"tabs--on", "tabs--rule"}
    DEFAULT_CSS = """
    _TabLine { height: 1; background: $surface; }
    _TabLine .tabs--on { text-style: bold reverse; }
    _TabLine .tabs--rule { color: $text-muted; }
    """

    def __init__(self, tabs: Sequence[str]) -> None:
        super().__init__()
        self.tabs, self.tab, self.subject = tuple(tabs), tabs[0], ""
        self._style = ComponentStyles(self, "tabs")

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._style.clear()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        rule = self._style("rule")
        segments = [Segment("──", rule)]
        for tab in self.tabs:
            if len(segments) > 1:
                segments.append(Segment("│", rule))
            segments.append(Segment(tab, self._style("on") if tab == self.tab else self._style()))
        used = sum(len(segment.text) for segment in segments)
        subject = f" {self.subject} " if self.subject else ""
        room = max(0, width - used - len(subject) - 2)
        segments += [Segment("─" * room, rule), Segment(subject, self._style()), Segment("──", rule)]
        return Strip(segments).crop(0, width).extend_cell_length(width, rule)

    def tab_at(self, x: int) -> str | None:
        edge = 2
        for tab in self.tabs:
            if edge <= x < edge + len(tab):
                return tab
            edge += len(tab) + 1
        return None


class _TabText(TextPane):
    """Left and right go to another tab, Enter to the next."""

    def action_open(self) -> None:
        """The next tab."""
        self._pane.step(1)

    def action_move_left(self) -> None:
        """The tab to the left."""
        self._pane.step(-1)

    def action_move_right(self) -> None:
        """The tab to the right."""
        self._pane.step(1)

    @property
    def _pane(self) -> DetailPane:
        assert isinstance(self.parent, DetailPane)
        return self.parent


class DetailPane(Vertical):
    """Tabs over text."""

    class TabChosen(Message):
        """Another tab is wanted: the owner calls `show`."""

        def __init__(self, pane: DetailPane, tab: str) -> None:
            super().__init__()
            self.pane, self.tab = pane, tab

    def __init__(self, tabs: Sequence[str], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._tabs = tuple(tabs)

    def compose(self) -> ComposeResult:
        """The tabs, the text."""
        yield _TabLine(self._tabs)
        yield _TabText()

    @property
    def tab(self) -> str:
        """The chosen tab."""
        return self.query_one(_TabLine).tab

    @property
    def text(self) -> TextPane:
        """The pane of text."""
        return self.query_one(_TabText)

    def show(self, subject: str, lines: Sequence[TextLine], *, keep_place: bool = False) -> None:
        """Show lines about something."""
        line = self.query_one(_TabLine)
        if line.subject != subject:
            line.subject = fit(subject, min(len(subject), 44)) if subject else ""
            line.refresh()
        self.text.show(lines, keep_place=keep_place)

    def choose(self, tab: str) -> None:
        """Go to a tab."""
        line = self.query_one(_TabLine)
        if tab != line.tab:
            line.tab = tab
            line.refresh()
            self.post_message(self.TabChosen(self, tab))

    def step(self, by: int) -> None:
        """Go to the next tab, or the one before."""
        self.choose(self._tabs[(self._tabs.index(self.tab) + by) % len(self._tabs)])

    def on_click(self, event: events.Click) -> None:
        """Go to the tab clicked."""
        if isinstance(event.widget, _TabLine):
            tab = event.widget.tab_at(event.x)
            if tab is not None:
                self.choose(tab)
