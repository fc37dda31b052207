"""The frame of the dialogs about runs: a box in the middle, closed by Ctrl+G, and a line that says its keys."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Static

__all__ = ["RunDialog"]

T = TypeVar("T")


class RunDialog(ModalScreen[T]):
    """Subclasses yield their widgets in `compose_dialog` and end with `dismiss`."""

    DEFAULT_CSS = """
    RunDialog { align: center middle; }
    RunDialog > Vertical {
        width: 100%; max-width: 110; height: auto; max-height: 100%;
        border: solid $primary; padding: 0 1; background: $surface;
    }
    RunDialog .title { text-style: bold; color: $text-primary; height: 1; }
    RunDialog .keys { color: $text-muted; height: 1; }
    RunDialog .trouble { color: $text-error; height: auto; }
    RunDialog .label { color: $text-muted; height: 1; width: auto; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+g,escape", "give_up", "Close")]

    HEADING: ClassVar[str] = ""
    KEYS: ClassVar[str] = "Enter: accept   ^G: give up"

    def compose_dialog(self) -> ComposeResult:
        """What stands in the box."""
        yield from ()

    def compose(self) -> ComposeResult:
        """The box."""
        with Vertical():
            yield Static(self.HEADING, classes="title", markup=False)
            yield from self.compose_dialog()
            yield Static("", classes="trouble", markup=False, id="trouble")
            yield Static(self.KEYS, classes="keys", markup=False)

    def say(self, trouble: str) -> None:
        """Show why something cannot be."""
        self.query_one("#trouble", Static).update(trouble)

    def action_give_up(self) -> None:
        """Close without a result."""
        self.dismiss(None)
