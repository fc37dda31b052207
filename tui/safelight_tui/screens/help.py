"""Help of the pane in focus: its purpose and its keys, those not available with the reason."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen

from safelight_tui.actions.pages import help_lines
from safelight_tui.actions.registry import EVERYWHERE
from safelight_tui.widgets.text_pane import TextLine, TextPane

if TYPE_CHECKING:
    from safelight_tui.app import SafelightApp

__all__ = ["HelpScreen"]


class HelpScreen(ModalScreen[None]):
    """A page of keys; q, Backspace, ? or Ctrl+G closes it."""

    DEFAULT_CSS = """
    HelpScreen { align: center middle; }
    HelpScreen TextPane { width: 76; height: 90%; border: solid $primary; padding: 0 1; background: $surface; }
    """

    # The application's own keys do nothing while a dialog is open.
    BINDINGS: ClassVar[list[BindingType]] = [("q,backspace,ctrl+g,escape,question_mark,f1", "dismiss", "Close")]

    def __init__(self, mode: str, purpose: str, focus: str, holding: Collection[str]) -> None:
        super().__init__()
        self._mode, self._purpose, self._focus, self._holding = mode, purpose, focus, holding

    def compose(self) -> ComposeResult:
        """One pane."""
        yield TextPane()

    def on_mount(self) -> None:
        """Fill it."""
        app = cast("SafelightApp", self.app)
        lines = [TextLine(f"{self._mode.capitalize()}: {self._purpose}", "title"), TextLine("")]
        focus = self._focus if self._focus in app.actions.together else None
        if focus is None:
            entries: list[tuple[str, str, str | None]] = [
                (a.key_labels, a.description, None) for a in app.actions.of(EVERYWHERE)
            ]
        else:
            entries = [*help_lines(app.actions, focus, self._holding)]
        for keys, text, why_not in entries:
            if not keys and not text.endswith("."):  # a heading: descriptions are sentences
                lines += [TextLine(text, "title")]
                continue
            tone = "dim" if why_not else ""
            lines.append(
                TextLine(
                    text + (f" (not now: {why_not.partition(': ')[2]})" if why_not else ""), tone, f"  {keys:<10} "
                )
            )
        pane = self.query_one(TextPane)
        pane.show(lines)
        pane.focus()
