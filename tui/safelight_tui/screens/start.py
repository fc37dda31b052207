"""Start: the repositories opened before, the demonstration, and a picker of directories."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.events import Resize
from textual.widget import Widget
from textual.widgets import Static

from safelight.errors import SafelightError
from safelight_tui.actions import ACTIONS
from safelight_tui.jobs import Job
from safelight_tui.screens.mode import EVERYTHING, ModeScreen
from safelight_tui.session.picking import Folder, FolderTree, demo_path, describe, list_folders
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.table_model import Cell, Column, RowsModel
from safelight_tui.widgets.tree_view import TreeView

__all__ = ["StartScreen"]

_STATE_WIDTH = 24
_MAKE_DEMO = "from safelight.commands.main import main; raise SystemExit(main(['demo']))"


class StartScreen(ModeScreen):
    """Shown when no repository is given."""

    MODE = "start"
    PURPOSE = "choose a repository. Enter opens it; Tab goes to the directories."
    BINDINGS = ACTIONS.bindings("searching")

    DEFAULT_CSS = """
    StartScreen Static { height: auto; padding: 1 2; }
    StartScreen LineTable { height: auto; max-height: 14; min-height: 4; }
    StartScreen TreeView { height: 1fr; }
    StartScreen .title { padding: 1 2 0 2; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._rows: list[tuple[Path, str]] = []
        self._root: Path | None = None
        self._listings: dict[Path, Sequence[Folder]] = {}

    def compose_body(self) -> ComposeResult:
        """Greeting, recent repositories, directories."""
        yield Static("Safelight: choose a repository and press Enter.", markup=False)
        yield LineTable(empty_text="")
        yield Static("or pick a directory (Tab goes there, right opens it, Enter takes a repository):", classes="title",
                     markup=False)  # fmt: skip
        yield TreeView()

    @property
    def focus_name(self) -> str:
        """One context for both panes."""
        return "start"

    def first_pane(self) -> Widget | None:
        """The list."""
        return self.query_one(LineTable)

    def on_mount(self) -> None:
        """Fill the list; look at the disk in threads."""
        recent = [Path(path) for path in self.shell.remembered.recent]
        self._rows = [(path, "") for path in recent]
        self._show_rows()
        self.query_one(LineTable).focus()
        self.shell.jobs.start(lambda job: self._look(recent), self._looked)
        self.shell.jobs.start(lambda job: Path.cwd(), self._begin)

    @staticmethod
    def _look(recent: Sequence[Path]) -> list[tuple[Path, str]]:
        rows = [(path, describe(path)) for path in recent]
        demo = demo_path()
        if demo not in recent:
            made = describe(demo)
            rows.append((demo, "the demo" if made != "gone" else "make the demo (a minute)"))
        return rows

    def _looked(self, rows: list[tuple[Path, str]]) -> None:
        self._rows = rows
        self._show_rows()

    def _show_rows(self) -> None:
        gone = ("gone", "no repository any more")
        room = max(20, self.app.size.width - _STATE_WIDTH - 4)
        columns = (Column("path", "repository", room, frozen=True), Column("state", "", _STATE_WIDTH))
        cells = [
            [Cell(_end_of(str(path), room)), Cell(state, "caveat" if state in gone else "dim")]
            for path, state in self._rows
        ]
        table = self.query_one(LineTable)
        table.show(RowsModel(columns, cells))
        table.styles.height = min(14, max(4, len(cells) + 2))

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Open a repository; make the demonstration first where there is none."""
        path, state = self._rows[event.place]
        if state.startswith("make the demo") and not self._make_demo():
            return
        self.shell.open(path)

    def _make_demo(self) -> bool:
        if self.app._driver is None or not self.app._driver.can_suspend:
            self.shell.say("Make it with: safelight demo", severity="warning")
            return False
        with self.app.suspend():
            done = subprocess.run([sys.executable, "-c", _MAKE_DEMO], stdin=subprocess.DEVNULL, check=False)
        self.shell.action_redraw()
        if done.returncode not in (0, 1):
            self.shell.say("The demo could not be made; safelight demo says why.", severity="error")
        return done.returncode in (0, 1)

    # --- directories ------------------------------------------------------------------------------------------------

    def _begin(self, root: Path) -> None:
        self._root = root
        tree = self.query_one(TreeView)
        tree.opened = {("folder", root, False)}
        self._show_tree()
        self._list(root)

    def _show_tree(self) -> None:
        if self._root is not None:
            self.query_one(TreeView).show(FolderTree(self._root, self._listings))

    def _list(self, path: Path) -> None:
        def listed(folders: list[Folder]) -> None:
            self._listings[path] = folders
            self._show_tree()

        def refused(error: SafelightError) -> None:
            listed([])
            self.shell.show_error(error)

        def work(job: Job) -> list[Folder]:
            return list_folders(path)

        self.shell.jobs.start(work, listed, failed=refused)

    def on_tree_view_branch_opened(self, event: TreeView.BranchOpened) -> None:
        """Read a directory when it is opened."""
        if isinstance(event.key, tuple) and event.key[0] == "folder":
            self._list(event.key[1])

    def on_tree_view_item_opened(self, event: TreeView.ItemOpened) -> None:
        """Take a repository, open a directory, go up."""
        key = event.key
        if not isinstance(key, tuple):
            return
        if key[0] == "above":
            self._begin(key[1])
        elif key[0] == "folder" and key[2]:
            self.shell.open(key[1])
        elif key[0] == "folder":
            tree = self.query_one(TreeView)
            if key in tree.opened:
                tree.action_move_left()
            else:
                tree.action_move_right()

    def on_resize(self, event: Resize) -> None:
        """Give the paths what room there is."""
        super().on_resize(event)
        self._show_rows()

    def on_screen_resume(self) -> None:
        """Nothing is open here."""
        self.changed(EVERYTHING)


def _end_of(path: str, room: int) -> str:
    """A path cut on its left: its end tells repositories apart."""
    return path if len(path) <= room else "…" + path[-(room - 1) :]
