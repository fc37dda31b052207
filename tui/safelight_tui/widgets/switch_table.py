"""A table of things that are switched on and off, each row by itself."""

from __future__ import annotations

from textual.message import Message

from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.table_model import Cell

__all__ = ["SwitchTable", "switch_cell"]


def switch_cell(on: bool, tone: str = "") -> Cell:
    """``[x]`` or ``[ ]``."""
    return Cell("[x]" if on else "[ ]", tone)


class SwitchTable(LineTable):
    """Space does what Enter does: it opens the row, which switches it. A is about all of them."""

    class AllWanted(Message):
        """A was pressed: the owner switches all, or all of a kind."""

    def action_mark_row(self) -> None:
        """Switch the row under the cursor."""
        self.action_open()

    def action_mark_all(self) -> None:
        """Ask for all."""
        self.post_message(self.AllWanted())
