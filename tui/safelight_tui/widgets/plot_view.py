"""A plot drawn to the size it is given."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.segment import Segment
from textual.strip import Strip
from textual.widget import Widget

from safelight_tui.plots import PlotLine
from safelight_tui.widgets.styling import ComponentStyles

__all__ = ["PlotView"]

TONES = ("dim", "good", "bad", "caveat", "accent")


class PlotView(Widget):
    """Shows what a function of (width, height) draws; it is called again when the size changes."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {f"plot-view--{tone}" for tone in TONES}

    DEFAULT_CSS = """
    PlotView {
        height: 1fr;
        background: $surface;
        color: $foreground;
        & .plot-view--dim { color: $text-muted; }
        & .plot-view--good { color: $text-success; }
        & .plot-view--bad { color: $text-error; }
        & .plot-view--caveat { color: $text-warning; }
        & .plot-view--accent { color: $text-accent; }
    }
    """

    def __init__(
        self,
        draw: Callable[[int, int], list[PlotLine]] | None = None,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._draw = draw
        self._drawn: tuple[tuple[int, int], list[PlotLine]] | None = None
        self._style = ComponentStyles(self, "plot-view")

    def show(self, draw: Callable[[int, int], list[PlotLine]] | None) -> None:
        """Show another plot."""
        self._draw, self._drawn = draw, None
        self.refresh()

    def notify_style_update(self) -> None:
        """Forget styles when the theme changes."""
        super().notify_style_update()
        self._style.clear()

    def render_line(self, y: int) -> Strip:
        size = (self.size.width, self.size.height)
        if self._draw is None:
            return Strip.blank(size[0], self._style())
        if self._drawn is None or self._drawn[0] != size:
            self._drawn = (size, self._draw(*size))
        lines = self._drawn[1]
        if y >= len(lines):
            return Strip.blank(size[0], self._style())
        pieces = [Segment(text, self._style(tone if tone in TONES else "")) for text, tone in lines[y] if text]
        return Strip(pieces).adjust_cell_length(size[0], self._style())
