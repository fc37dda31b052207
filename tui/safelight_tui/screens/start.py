"""Start: the repositories opened before, the demonstration, and a picker of directories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from textual.app import ComposeResult
from textual.events import Resize
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Static

from safelight.errors import SafelightError
from safelight_tui.actions import ACTIONS
from safelight_tui.jobs import Job
from safelight_tui.screens.mode import EVERYTHING, ModeScreen
from safelight_tui.session.demonstration import DemoState, begin, demo_path, look
from safelight_tui.session.picking import Folder, FolderTree, describe, list_folders
from safelight_tui.widgets.line_table import LineTable
from safelight_tui.widgets.prompt_line import PromptLine
from safelight_tui.widgets.table_model import Cell, Column, RowsModel
from safelight_tui.widgets.tree_view import TreeView

__all__ = ["StartScreen"]

_STATE_WIDTH = 26
_LOOK_S = 1.0
_GONE = ("gone", "no repository any more")


class _Paths(LineTable, inherit_bindings=False):
    """Rows to open; there is nothing to mark or to sort."""

    BINDINGS = ACTIONS.bindings("moving")


class StartScreen(ModeScreen):
    """Shown when no repository is given."""

    MODE = "start"
    PURPOSE = "choose a repository. Enter opens it; Tab goes to the directories."
    BINDINGS = ACTIONS.bindings("start")
    FOOTER = ("open", "type_path", "next_pane", "command_line", "back")

    DEFAULT_CSS = """
    StartScreen Static { height: auto; padding: 1 2; }
    StartScreen LineTable { height: auto; max-height: 14; min-height: 4; }
    StartScreen TreeView { height: 1fr; }
    StartScreen #demo { display: none; padding: 0 2; }
    StartScreen .title { padding: 1 2 0 2; color: $text-muted; }
    """

    def __init__(self) -> None:
        super().__init__()
        self._recent: list[tuple[Path, str]] = []
        self._demo: DemoState | None = None
        self._looking: Timer | None = None
        self._root: Path | None = None
        self._listings: dict[Path, Sequence[Folder]] = {}

    def compose_body(self) -> ComposeResult:
        """Greeting, recent repositories, directories."""
        yield Static("Safelight: choose a repository and press Enter.", markup=False)
        yield _Paths(empty_text="")
        yield Static("", id="demo", markup=False)
        yield Static("or pick a directory (Tab goes there, right opens it, Enter takes a repository):", classes="title",
                     markup=False)  # fmt: skip
        yield TreeView()
        yield PromptLine()

    @property
    def focus_name(self) -> str:
        """One context for both panes."""
        return "start"

    def first_pane(self) -> Widget | None:
        """The list."""
        return self.query_one(_Paths)

    def panes_made(self) -> None:
        """Fill the list; look at the disk in threads."""
        recent = [Path(path) for path in self.shell.remembered.recent]
        self._recent = [(path, "") for path in recent]
        self._show_rows()
        self.query_one(_Paths).focus()
        self.shell.jobs.start(lambda job: [(path, describe(path)) for path in recent], self._looked)
        self._look_at_demo()
        self.shell.jobs.start(lambda job: Path.cwd(), self._begin)

    def _looked(self, rows: list[tuple[Path, str]]) -> None:
        self._recent = rows
        self._show_rows()

    @property
    def _rows(self) -> list[tuple[Path, str]]:
        """The recent repositories, and the demonstration if it is not one of them."""
        demo, state = demo_path(), self._demo
        word = "looking"
        if state is not None:
            made = "the demo" if state.made else "make the demo (minutes)"
            word = "the demo, being made" if state.at_work else made
        recent = [(path, word if path == demo and state and state.at_work else text) for path, text in self._recent]
        return recent if any(path == demo for path, _ in recent) else [*recent, (demo, word)]

    def _show_rows(self) -> None:
        room = max(20, self.app.size.width - _STATE_WIDTH - 4)
        columns = (Column("path", "repository", room, frozen=True), Column("state", "", _STATE_WIDTH))
        cells = [
            [Cell(_end_of(str(path), room)), Cell(state, "caveat" if state in _GONE else "dim")]
            for path, state in self._rows
        ]
        table = self.query_one(_Paths)
        table.show(RowsModel(columns, cells))
        table.styles.height = min(14, max(4, len(cells) + 2))

    def on_line_table_row_opened(self, event: LineTable.RowOpened) -> None:
        """Open a repository; make the demonstration first where there is none."""
        path, _ = self._rows[event.place]
        demo = self._demo
        if path != demo_path() or demo is None:
            self.shell.open(path)
        elif demo.at_work:
            self.shell.say("The demo is still being made; it is opened when it is there.")
        elif demo.made and demo.exit_code in (0, 1, None):
            self.shell.open(path)
        else:
            self.shell.jobs.start(lambda job: begin(path), self._demo_seen, failed=self.shell.show_error)

    def action_type_path(self) -> None:
        """Ask for a path."""

        def answered(text: str) -> None:
            if text.strip():
                self.shell.open(Path(text.strip()).expanduser())

        self.query_one(PromptLine).ask("repository:", answered)

    # --- the demonstration ------------------------------------------------------------------------------------------

    def _look_at_demo(self) -> None:
        path = demo_path()
        self.shell.jobs.start(lambda job: look(path), self._demo_seen, group="demo")

    def _demo_seen(self, state: DemoState) -> None:
        before, self._demo = self._demo, state
        self._show_rows()
        line = self.query_one("#demo", Static)
        line.display = state.at_work
        going_on = "It goes on when you leave, and is opened when it is there."
        line.update(f"The demo is being made: {state.says or 'starting'}\n{going_on}")
        if state.at_work and self._looking is None:
            self._looking = self.set_interval(_LOOK_S, self._look_at_demo)
        elif not state.at_work and self._looking is not None:
            self._looking.stop()
            self._looking = None
        if before is not None and before.at_work and not state.at_work:
            self._demo_ended(state)

    def _demo_ended(self, state: DemoState) -> None:
        if state.exit_code not in (0, 1):
            self.shell.say(f"The demo could not be made: {state.says} (safelight demo tries again)", severity="error")
        elif self.is_current:
            self.shell.open(demo_path())
        else:
            self.shell.say(f"The demo is there. Open it with :open {demo_path()}")

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
        self.when_drawn(self._show_rows)

    def on_screen_resume(self) -> None:
        """Nothing is open here."""
        self.changed(EVERYTHING)


def _end_of(path: str, room: int) -> str:
    """A path cut on its left: its end tells repositories apart."""
    return path if len(path) <= room else "…" + path[-(room - 1) :]
