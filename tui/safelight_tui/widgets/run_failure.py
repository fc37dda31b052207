"""Why a CCD failed: code, sentence, hint, and the end of its log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from safelight_tui.session.reruns import CcdState
from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.text_pane import TextLine, TextPane

__all__ = ["WhyDialog"]


class WhyDialog(RunDialog[str | None]):
    """What is known of one CCD of a run. Its result is the screen to go to, if any."""

    HEADING = "What happened"
    KEYS = "q: close   L: the whole log   i: the image"

    DEFAULT_CSS = """
    WhyDialog TextPane { height: 18; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        ("q,enter,backspace", "give_up", "Close"),
        ("L", "leave('logs')", "Log"),
        ("i", "leave('image')", "Image"),
    ]

    def __init__(self, name: str, state: CcdState, log: Sequence[str]) -> None:
        super().__init__()
        self._name, self._state, self._log = name, state, log

    def compose_dialog(self) -> ComposeResult:
        """One pane."""
        yield TextPane()

    def on_mount(self) -> None:
        """Fill it."""
        state = self._state
        lines = [TextLine(f"{self._name}: {state.words}", "title")]
        if state.message:
            where = f"in {state.step}: " if state.step else ""
            lines.append(TextLine(where + state.message, "bad"))
        if state.hint:
            lines.append(TextLine(state.hint, label="hint  "))
        lines += [TextLine(sentence, "caveat", f"{code}  ") for code, sentence in state.caveats]
        lines += [TextLine(""), TextLine("the end of its log", "dim"), *(TextLine(line) for line in self._log)]
        pane = self.query_one(TextPane)
        pane.show(lines)
        pane.focus()

    def action_leave(self, mode: str) -> None:
        """Close, and go to a screen."""
        self.dismiss(mode)
