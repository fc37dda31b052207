"""A one-line input that takes pasted text as text: newlines become blanks, escape sequences go, nothing is run."""

from __future__ import annotations

from textual import events
from textual.widgets import Input

from safelight_tui.terminal.text import printable

__all__ = ["LineInput", "as_one_line"]


def as_one_line(text: str) -> str:
    """Pasted text as one line without control characters."""
    return " ".join(part for part in (printable(line).strip("·").strip() for line in text.splitlines()) if part)


class LineInput(Input):
    """An input without a border, one row high."""

    DEFAULT_CSS = """
    LineInput {
        height: 1;
        border: none;
        padding: 0;
        background: $surface;
        color: $foreground;
    }
    LineInput:focus { border: none; background: $surface; }
    """

    def _on_paste(self, event: events.Paste) -> None:
        line = as_one_line(event.text)
        if line:
            if self.selection.is_empty:
                self.insert_text_at_cursor(line)
            else:
                self.replace(line, *self.selection)
        event.stop()
        event.prevent_default()
