"""What has rung since the application was started, the newest first: toasts vanish, these stay."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.text_pane import TextLine, TextPane

if TYPE_CHECKING:
    from safelight_tui.night import Notice

__all__ = ["NoticesDialog", "notice_lines"]


def notice_lines(notices: Sequence[Notice], only: str = "") -> list[TextLine]:
    """Lines with the time in UTC, the newest first; `only`: those of one rerun. A for alarms, ! for other bad news."""
    lines = []
    for notice in reversed(notices):
        if notice.ring.text.startswith(f"{only}: " if only else ""):
            when = datetime.fromtimestamp(notice.time, UTC).strftime("%H:%M:%SZ")
            sign = "A" if notice.ring.alarm else "!" if notice.ring.bad else " "
            lines.append(TextLine(notice.ring.text, "bad" if notice.ring.bad else "", f"{when} {sign} "))
    return lines


class NoticesDialog(RunDialog[None]):
    """A list to be read."""

    HEADING = "What has rung (A alarm, ! bad news)"
    KEYS = "q: close"

    DEFAULT_CSS = """
    NoticesDialog TextPane { height: 16; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("q,enter,backspace", "give_up", "Close")]

    def __init__(self, notices: Sequence[Notice]) -> None:
        super().__init__()
        self._notices = notices

    def compose_dialog(self) -> ComposeResult:
        """One pane."""
        yield TextPane()

    def on_mount(self) -> None:
        """Fill it."""
        pane = self.query_one(TextPane)
        pane.show(notice_lines(self._notices) or [TextLine("Nothing has rung yet.", "dim")])
        pane.focus()
