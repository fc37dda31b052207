"""The ``:`` line: names of actions and a few words with an argument, in the place of the footer while it is open."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.suggester import Suggester
from textual.widgets import Static

from safelight_tui.widgets.line_input import LineInput

__all__ = ["CommandLine"]


class _Words(Suggester):
    """Suggests the first word that begins with what is typed."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.words = words

    async def get_suggestion(self, value: str) -> str | None:
        """The rest of a word."""
        return next((word for word in self.words if value and word.startswith(value)), None)


class CommandLine(Horizontal):
    """Hidden until opened; Enter runs, Ctrl+G or Escape gives up, the arrows recall."""

    DEFAULT_CSS = """
    CommandLine { dock: bottom; height: 1; display: none; background: $surface; layer: command; }
    CommandLine.-open { display: block; }
    CommandLine Static { width: 1; }
    """

    class Submitted(Message):
        """A command was entered."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self._suggester = _Words(words)
        self._history: list[str] = []
        self._recalled = 0

    def compose(self) -> ComposeResult:
        """The prompt and the input."""
        yield Static(":", markup=False)
        yield LineInput(suggester=self._suggester, select_on_focus=False)

    @property
    def input(self) -> LineInput:
        """The input."""
        return self.query_one(LineInput)

    @property
    def is_open(self) -> bool:
        """Whether it is shown."""
        return self.has_class("-open")

    def open(self) -> None:
        """Show it, empty, and take the focus."""
        self.add_class("-open")
        self.input.value = ""
        self._recalled = len(self._history)
        self.screen.set_focus(self.input)  # at once: the next key may be here already

    def close(self) -> None:
        """Hide it; the screen gives the focus back to its pane."""
        self.remove_class("-open")

    def on_input_submitted(self, event: LineInput.Submitted) -> None:
        """Hand the command on."""
        event.stop()
        text = event.value.strip()
        if text:
            self._history = [*(line for line in self._history if line != text), text]
        self.close()
        self.post_message(self.Submitted(text))

    def on_key(self, event: events.Key) -> None:
        """Recall, complete, give up."""
        if event.key in ("escape", "ctrl+g"):
            self.close()
            self.post_message(self.Submitted(""))
        elif event.key in ("up", "down"):
            step = -1 if event.key == "up" else 1
            self._recalled = max(0, min(len(self._history), self._recalled + step))
            self.input.value = self._history[self._recalled] if self._recalled < len(self._history) else ""
            self.input.cursor_position = len(self.input.value)
        elif event.key == "tab":
            self.input.action_cursor_right() if self.input._suggestion else None
        else:
            return
        event.stop()
        event.prevent_default()
