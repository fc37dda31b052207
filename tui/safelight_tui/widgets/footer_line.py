"""The last row of every screen: the keys that matter in the pane in focus. Those not available are dimmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from safelight_tui.actions import Action
from safelight_tui.actions.keys import key_label
from safelight_tui.terminal.text import width_of
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["FooterLine"]


class FooterLine(Widget):
    """One line of keys: ``/filter  t facets  Space mark``. Help comes last and is never left out."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"footer--key", "footer--off"}

    DEFAULT_CSS = """
    FooterLine {
        dock: bottom;
        height: 1;
        background: $panel;
        color: $foreground;
        & .footer--key { color: $text-accent; text-style: bold; }
        & .footer--off { color: $text-disabled; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._items: list[tuple[str, str, bool]] = []
        self._style = ComponentStyles(self, "footer")

    def show(self, actions: Sequence[tuple[Action, bool]]) -> None:
        """Show actions, each with whether it is available."""
        items = [(key_label(action.keys[0]), action.title.lower(), on) for action, on in actions if action.keys]
        if items != self._items:
            self._items = items
            self.refresh()

    def notify_style_update(self) -> None:
        """Forget styles when the theme changes."""
        super().notify_style_update()
        self._style.clear()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        plain, key_style, off = self._style(), self._style("key"), self._style("off")
        helps = [item for item in self._items if item[1] == "help"]
        others = [item for item in self._items if item[1] != "help"]
        room = width - 1 - sum(self._width(item) for item in helps)
        segments = [Segment(" ", plain)]
        for item in [*others, *helps]:
            if item not in helps:
                if self._width(item) > room:
                    continue
                room -= self._width(item)
            key, title, on = item
            gap = "" if len(key) == 1 and not key.isalnum() else " "
            segments += [Segment(key, key_style if on else off), Segment(f"{gap}{title}  ", plain if on else off)]
        return Strip(segments).crop(0, width).extend_cell_length(width, plain)

    @staticmethod
    def _width(item: tuple[str, str, bool]) -> int:
        key, title, _ = item
        return width_of(key) + (0 if len(key) == 1 and not key.isalnum() else 1) + width_of(title) + 2
