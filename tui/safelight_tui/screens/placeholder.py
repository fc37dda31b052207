"""A screen that is not there yet says so in one line."""

from __future__ import annotations

from textual.app import ComposeResult

from safelight_tui.screens.mode import ModeScreen
from safelight_tui.widgets.text_pane import TextLine, TextPane

__all__ = ["PlaceholderScreen"]


class PlaceholderScreen(ModeScreen):
    """What a mode will show, and where the same can be had meanwhile."""

    def __init__(self, mode: str, will: str) -> None:
        self.MODE = mode  # type: ignore[misc]
        super().__init__()
        self._will = will

    def compose_body(self) -> ComposeResult:
        """One line."""
        yield TextPane()

    def on_mount(self) -> None:
        """Say it."""
        self.query_one(TextPane).show([TextLine(f"Not built yet: {self._will}")])
