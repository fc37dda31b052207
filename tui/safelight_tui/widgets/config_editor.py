"""The configuration value by value: who set it, its default, its meaning, what the rerun has; and a way to edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from safelight.errors import SafelightError
from safelight_tui.runs.planning import ConfigValue
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.table_model import Cell, Column, RowsModel
from safelight_tui.widgets.text_pane import TextLine, TextPane

__all__ = ["ConfigEditor", "check_value"]


def check_value(path: str, text: str) -> None:
    """Raise `ConfigurationError` if a field refuses a value, as processCcd.py would with ``-c``."""
    from safelight.processccd.overrides import ConfigLayers

    ConfigLayers().set_text(f"{path}={text}", "-c")


class ConfigEditor(RunDialog[dict[str, str] | None]):
    """Gives back the values set with ``-c``, by path.

    Parameters
    ----------
    config : mapping of str to ConfigValue
        As the plan has it.
    given : mapping of str to str
        What is set with ``-c`` now.
    """

    HEADING = "Configuration"
    KEYS = "Enter: edit   /: filter   u: unset   q: done   ^G: leave the input, or close"

    DEFAULT_CSS = """
    ConfigEditor > Vertical { height: 100%; }
    ConfigEditor LineTable { height: 1fr; }
    ConfigEditor TextPane { height: 6; border-top: solid $primary; }
    ConfigEditor LineInput { width: 1fr; }
    ConfigEditor #filter, ConfigEditor #value { display: none; }
    ConfigEditor #filter.-open, ConfigEditor #value.-open { display: block; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("q", "done", "Done"), ("u", "unset", "Unset"), ("slash", "filter", "")]

    def __init__(self, config: Mapping[str, ConfigValue], given: Mapping[str, str]) -> None:
        super().__init__()
        self._config = config
        self.given = dict(given)
        self._first = dict(given)
        self._shown: list[ConfigValue] = []
        self._words = ""

    def compose_dialog(self) -> ComposeResult:
        """Table, explanation, inputs."""
        yield LineInput("", placeholder="words of path, value, source or meaning", id="filter")
        yield LineTable(empty_text="no field has these words", id="fields")
        yield TextPane(id="about")
        yield LineInput("", id="value")

    def on_mount(self) -> None:
        """Show everything: first what differs from the rerun, then what was set, then the rest."""
        self._fill()
        self.query_one("#fields").focus()

    # --- what is shown ----------------------------------------------------------------------------------------------

    def value_of(self, field: ConfigValue) -> str:
        """The value as it would be now."""
        if field.path in self.given:
            return self.given[field.path]
        return field.beneath if field.path in self._first else field.value

    def source_of(self, field: ConfigValue) -> str:
        """Who sets that value."""
        if field.path in self.given:
            return "-c"
        return field.beneath_source if field.path in self._first else field.source

    def _fill(self) -> None:
        words = self._words.casefold().split()
        fields = [f for f in self._config.values() if all(word in self._text(f) for word in words)]
        self._shown = sorted(fields, key=lambda f: (f.frozen is None, f.path not in self.given, not f.changed))
        columns = (
            Column("path", "field", 42, frozen=True),
            Column("value", "value", 18),
            Column("source", "set by", 16),
            Column("frozen", "the rerun has", 16),
        )
        self.query_one(LineTable).show(RowsModel(columns, [self._row(field) for field in self._shown]))
        self._explain()

    def _text(self, field: ConfigValue) -> str:
        return f"{field.path} {self.value_of(field)} {field.source} {field.doc}".casefold()

    def _row(self, field: ConfigValue) -> list[Cell]:
        edited = field.path in self.given
        source = self.source_of(field).rpartition("/")[2]  # of a file its name; the explanation has its path
        tone = "new" if edited else "" if field.changed else "dim"
        value = self.value_of(field)
        frozen = "" if field.frozen is None or field.frozen == value else field.frozen
        return [Cell(field.path), Cell(value, tone), Cell(source, tone), Cell(frozen, "caveat")]

    @property
    def field(self) -> ConfigValue | None:
        """The field under the cursor."""
        row = self.query_one(LineTable).row_id
        return self._shown[row] if row is not None and row < len(self._shown) else None

    def _explain(self) -> None:
        field = self.field
        pane = self.query_one(TextPane)
        if field is None:
            pane.show([])
            return
        lines = [
            TextLine(f"{field.path} ({field.type})", "title"),
            TextLine(field.doc or "(not documented)"),
            TextLine(f"{field.default}", label="default "),
            TextLine(f"{self.value_of(field)} (set by {self.source_of(field)})", label="now     "),
        ]
        if field.frozen is not None:
            lines.append(TextLine(f"{field.frozen} ({field.frozen_source})", "caveat", "rerun   "))
        pane.show(lines)

    def on_line_table_cursor_moved(self, event: LineTable.CursorMoved) -> None:
        """Explain the field under the cursor."""
        event.stop()
        self._explain()

    # --- editing ----------------------------------------------------------------------------------------------------

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Edit the field."""
        event.stop()
        field = self.field
        if field is not None:
            line = self.query_one("#value", LineInput)
            line.value = self.value_of(field)
            line.placeholder = field.path
            line.add_class("-open")
            line.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Narrow the list while the filter is typed; forget what was wrong with a value."""
        event.stop()
        if event.input.id == "filter":
            self._words = event.value
            self._fill()
        else:
            self.say("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take the value if the field takes it."""
        event.stop()
        field = self.field
        if event.input.id == "value" and field is not None:
            try:
                check_value(field.path, event.value)
            except SafelightError as error:
                self.say(f"{error.message} {error.hint}".strip())
                return
            self.given[field.path] = event.value
            self._fill()
        self._close_inputs(keep_filter=True)

    def _close_inputs(self, *, keep_filter: bool) -> None:
        self.say("")
        self.query_one("#value").remove_class("-open")
        if not keep_filter or not self._words:
            self.query_one("#filter").remove_class("-open")
        self.query_one("#fields").focus()

    def action_filter(self) -> None:
        """Filter the list."""
        line = self.query_one("#filter", LineInput)
        line.add_class("-open")
        line.focus()

    def action_unset(self) -> None:
        """Take a value set with -c away."""
        field = self.field
        if field is not None and self.given.pop(field.path, None) is not None:
            self._fill()

    def action_done(self) -> None:
        """Close with what was set."""
        self.dismiss(self.given)

    def action_give_up(self) -> None:
        """Leave the input; without one close and change nothing."""
        if isinstance(self.focused, LineInput):
            if self.focused.id == "filter":
                self.focused.value = ""
            self._close_inputs(keep_filter=False)
        else:
            self.dismiss(None)
