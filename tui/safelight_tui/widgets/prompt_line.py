"""A question in the last line: a label and an input, hidden until something is asked."""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.widget import Widget
from textual.widgets import Static

from safelight_tui.widgets.line_input import LineInput

__all__ = ["PromptLine"]


class PromptLine(Horizontal):
    """Enter answers, Ctrl+G gives up; the focus goes back to where it was."""

    DEFAULT_CSS = """
    PromptLine { dock: bottom; height: 1; display: none; background: $surface; layer: command; }
    PromptLine.-open { display: block; }
    PromptLine Static { width: auto; color: $text-accent; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._answered: Callable[[str], None] | None = None
        self._before: Widget | None = None

    def compose(self) -> ComposeResult:
        """The question and the input."""
        yield Static("", markup=False)
        yield LineInput(select_on_focus=False)

    def ask(self, question: str, answered: Callable[[str], None], value: str = "") -> None:
        """Ask; `answered` gets the text."""
        self._answered = answered
        self._before = self.screen.focused
        self.query_one(Static).update(f"{question} ")
        line = self.query_one(LineInput)
        line.value = value
        line.cursor_position = len(value)
        self.add_class("-open")
        line.focus()

    def close(self) -> None:
        """Hide it."""
        self.remove_class("-open")
        self._answered = None
        if self._before is not None:
            self._before.focus()

    def on_input_submitted(self, event: LineInput.Submitted) -> None:
        """Hand the answer on."""
        event.stop()
        answered = self._answered
        self.close()
        if answered is not None:
            answered(event.value)

    def on_key(self, event: events.Key) -> None:
        """Give up."""
        if event.key in ("escape", "ctrl+g"):
            self.close()
            event.stop()
            event.prevent_default()
