"""Styles of component classes for line-API widgets, laid over each other and over the widget's own."""

from __future__ import annotations

from rich.style import Style
from textual.color import Color
from textual.widget import Widget

__all__ = ["ComponentStyles"]


class ComponentStyles:
    """Rich styles by names of component classes: ``styles("bad", "cursor")`` lays the cursor over the bad.

    Colours with transparency are blended with what lies below them, which Textual's own partial styles leave out.

    Parameters
    ----------
    widget : Widget
        Calls `clear` in its `notify_style_update`.
    prefix : str
        Of its component classes.
    """

    def __init__(self, widget: Widget, prefix: str) -> None:
        self._widget = widget
        self._prefix = prefix
        self._made: dict[tuple[str, ...], Style] = {}

    def clear(self) -> None:
        """Forget all: the theme, the focus or the classes have changed."""
        self._made.clear()

    def __call__(self, *names: str) -> Style:
        style = self._made.get(names)
        if style is None:
            style = self._made[names] = self._make(names)
        return style

    def _make(self, names: tuple[str, ...]) -> Style:
        _, _, background, foreground = self._widget.colors
        attributes = self._widget.styles.text_style
        for name in filter(None, names):
            styles = self._widget.get_component_styles(f"{self._prefix}--{name}")
            if styles.has_rule("background"):
                background = background + styles.background
            if styles.has_rule("color"):
                foreground = self._laid_over(background, styles.color, automatic=styles.auto_color)
            if styles.has_rule("text_style"):
                attributes = attributes + styles.text_style
        return Style.from_color(foreground.rich_color, background.rich_color) + attributes

    @staticmethod
    def _laid_over(background: Color, foreground: Color, *, automatic: bool) -> Color:
        if automatic:
            return background + background.get_contrast_text(foreground.a)
        return background + foreground if foreground.ansi is None and background.ansi is None else foreground
