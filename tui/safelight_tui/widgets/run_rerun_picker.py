"""Choosing a rerun to write to, or naming a new one."""

from __future__ import annotations

from collections.abc import Mapping

from textual import events
from textual.app import ComposeResult
from textual.widgets import Input, Static

from safelight.errors import UsageError
from safelight_tui.runs.request import valid_rerun_name
from safelight_tui.session.reruns import RerunView
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

__all__ = ["RerunPicker"]


class RerunPicker(RunDialog[str | None]):
    """Gives the name back. What is typed is the name of a new rerun, or of one there is.

    Parameters
    ----------
    reruns : mapping of str to RerunView
    heading : str
        What the name is for.
    proposal : str
        What stands in the input at first.
    only_new : bool
        Refuse the names of reruns there are.
    """

    HEADING = "Rerun"
    KEYS = "↑ ↓: one from the list   Enter: take the name   Tab: list   ^G: give up"

    DEFAULT_CSS = """
    RerunPicker LineTable { height: 10; }
    RerunPicker LineInput { width: 1fr; }
    """

    def __init__(
        self, reruns: Mapping[str, RerunView], heading: str, proposal: str = "", *, only_new: bool = False
    ) -> None:
        super().__init__()
        self._names = list(reruns)
        self._reruns = reruns
        self._heading = heading
        self._proposal = proposal
        self._only_new = only_new

    def compose_dialog(self) -> ComposeResult:
        """Name and list."""
        yield Static(self._heading, markup=False)
        yield LineInput(self._proposal, placeholder="name of a new rerun", id="name")
        yield LineTable(self._model(), empty_text="no reruns yet: type a name", id="reruns")

    def _model(self) -> RowsModel:
        columns = (
            Column("rerun", "rerun", 24, frozen=True),
            Column("ccds", "CCDs", 14),
            Column("run", "last run", 8),
            Column("parent", "reads from", 30),
        )
        rows = []
        for name in self._names:
            view = self._reruns[name]
            last = view.last_run
            how = "none" if last is None else "live" if last.live else "died" if last.died else "over"
            rows.append([Cell(name), Cell(view.summary), Cell(how), Cell(" ".join(map(_name_of, view.parents)))])
        return RowsModel(columns, rows)

    def on_mount(self) -> None:
        """What is typed is a name; the arrows put one there."""
        self.query_one("#name").focus()

    def on_key(self, event: events.Key) -> None:
        """In the name, up and down go through the list; the row under its cursor is then the name."""
        name, table = self.query_one("#name", LineInput), self.query_one("#reruns", LineTable)
        if event.key not in ("up", "down") or not name.has_focus or not self._names:
            return
        event.stop()
        event.prevent_default()
        if name.value == self._names[table.cursor]:
            table.move_to(table.cursor + (1 if event.key == "down" else -1))
        name.value = self._names[table.cursor]
        name.select_all()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the name typed."""
        event.stop()
        try:
            name = valid_rerun_name(event.value)
        except UsageError as error:
            self.say(f"{error.message} {error.hint}")
            return
        if self._only_new and name in self._reruns:
            self.say(f"There is a rerun {name} already.")
            return
        self.dismiss(name)

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Take the row."""
        event.stop()
        name = self._names[event.row_id]
        if self._only_new:
            self.say(f"There is a rerun {name} already.")
        else:
            self.dismiss(name)


def _name_of(parent: str) -> str:
    """The rerun that a parent's path leads to; of the repository itself, what it holds."""
    _, rerun, name = parent.rpartition("/rerun/")
    return name if rerun else "the raw frames"
