"""The configuration files of a run, as ``-C`` takes them: read as literals, later ones winning over earlier ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, cast

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input, Static

from safelight.errors import SafelightError
from safelight_tui.widgets.line_input import LineInput
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.run_dialog import RunDialog
from safelight_tui.widgets.table_model import Cell, Column, RowsModel

if TYPE_CHECKING:
    from safelight_tui.app import SafelightApp

__all__ = ["ConfigFiles", "check_files"]


def check_files(files: Sequence[Path]) -> None:
    """Raise `ConfigurationError` if processCcd.py would refuse one of the files; reads them, so only in a thread."""
    from safelight.processccd.overrides import ConfigLayers

    layers = ConfigLayers()
    for path in files:
        layers.load_file(path)


class ConfigFiles(RunDialog[tuple[Path, ...] | None]):
    """Gives back the files, absolute, in their order.

    Parameters
    ----------
    files : sequence of Path
        Those given now.
    """

    HEADING = "Configuration files (-C)"
    KEYS = "Enter: add   Tab: list or path   u: take away   q: done   ^G: give up"

    DEFAULT_CSS = """
    ConfigFiles LineTable { height: 8; }
    ConfigFiles LineInput { width: 1fr; }
    """

    BINDINGS: ClassVar[list[BindingType]] = [("q", "done", "Done"), ("u", "take_away", "Take away")]

    def __init__(self, files: Sequence[Path]) -> None:
        super().__init__()
        self._files = list(files)

    def compose_dialog(self) -> ComposeResult:
        """What they are, a path to add, the list."""
        yield Static("Lines of config.name = literal; a later file wins, and what is set with e wins over all.")
        yield LineInput("", placeholder="path of a file to add; an empty line is done", id="path")
        yield LineTable(empty_text="no files yet: type a path above", id="files")

    def on_mount(self) -> None:
        """Ask for a path."""
        self._fill()
        self.query_one("#path").focus()

    def _fill(self) -> None:
        columns = (Column("n", "-C", 2, right=True, frozen=True), Column("path", "file", 100))
        rows = [[Cell(str(number)), Cell(str(path))] for number, path in enumerate(self._files, start=1)]
        self.query_one(LineTable).show(RowsModel(columns, rows))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Forget what was wrong."""
        event.stop()
        self.say("")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Read the file in a thread, and take it if processCcd.py would."""
        event.stop()
        text = event.value.strip()
        if not text:
            self.action_done()
            return
        path = Path(text).expanduser().absolute()
        if path in self._files:
            self.say(f"{path} is given already.")
            return

        def added(result: None) -> None:
            if self.is_attached:
                self._files.append(path)
                self.query_one(LineInput).value = ""
                self._fill()

        def refused(error: SafelightError) -> None:
            if self.is_attached:
                self.say(f"{error.message} {error.hint}".strip())

        cast("SafelightApp", self.app).jobs.start(
            lambda job: check_files([path]), added, failed=refused, group="config file"
        )

    def action_take_away(self) -> None:
        """No longer give the file under the cursor."""
        row = self.query_one(LineTable).row_id
        if row is not None and row < len(self._files):
            del self._files[row]
            self._fill()

    def action_done(self) -> None:
        """Close with the files."""
        self.dismiss(tuple(self._files))
