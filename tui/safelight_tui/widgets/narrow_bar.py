"""The line above a table of metrics: words that narrow it, how many rows are left, what is wrong with the words."""

from __future__ import annotations

from textual import events
from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Static

from safelight_tui.widgets.line_input import LineInput

__all__ = ["NarrowBar"]


class NarrowBar(Horizontal):
    """``/ failed fwhm_arcsec>0.9    3 of 33``."""

    DEFAULT_CSS = """
    NarrowBar { height: 1; background: $panel; }
    NarrowBar > #slash { width: 2; color: $text-muted; }
    NarrowBar > LineInput { width: 1fr; background: $panel; }
    NarrowBar > LineInput:focus { background: $surface; }
    NarrowBar > #note { width: auto; max-width: 70%; padding: 0 1; color: $text-muted; }
    NarrowBar > #note.-wrong { color: $text-error; text-style: bold; }
    """

    class Changed(Message):
        """The words are others."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Left(Message):
        """The input was left: Enter keeps the words, giving up puts back those before."""

    def __init__(self, placeholder: str) -> None:
        super().__init__()
        self._placeholder = placeholder
        self._before = ""

    def compose(self) -> ComposeResult:
        """Slash, input, note."""
        yield Static("/", id="slash", markup=False)
        yield LineInput(placeholder=self._placeholder, select_on_focus=False)
        yield Static("", id="note", markup=False)

    @property
    def input(self) -> LineInput:
        """The input."""
        return self.query_one(LineInput)

    def open(self) -> None:
        """Take the focus."""
        self._before = self.input.value
        self.input.cursor_position = len(self._before)
        self.input.focus()

    def note(self, text: str, *, wrong: bool = False) -> None:
        """Say something at the right."""
        note = self.query_one("#note", Static)
        note.update(text)
        note.set_class(wrong, "-wrong")

    def on_input_changed(self, event: LineInput.Changed) -> None:
        """Tell while typing."""
        event.stop()
        self.post_message(self.Changed(event.value))

    def on_input_submitted(self, event: LineInput.Submitted) -> None:
        """Keep."""
        event.stop()
        self.post_message(self.Left())

    def on_key(self, event: events.Key) -> None:
        """Give up."""
        if event.key in ("escape", "ctrl+g"):
            event.stop()
            event.prevent_default()
            self.input.value = self._before
            self.post_message(self.Left())
