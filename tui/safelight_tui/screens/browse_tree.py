"""Browse's tree: of what the registries know, or of the directories on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from safelight.errors import SafelightError
from safelight_tui.catalogue import Bitset
from safelight_tui.screens.browse_filtering import BrowseFiltering
from safelight_tui.session.disktree import DiskTree, Entry, KnownFiles, list_directory
from safelight_tui.session.facets import constrain
from safelight_tui.session.repositorytree import RepositoryTree, branch_values
from safelight_tui.session.session import Session
from safelight_tui.widgets.tree_view import TreeView

__all__ = ["BrowseTree"]


class BrowseTree(BrowseFiltering):
    """The part of Browse that shows the tree."""

    def __init__(self) -> None:
        super().__init__()
        self._disk = False
        self._listings: dict[Path, Sequence[Entry]] = {}
        self._known: KnownFiles | None = None

    def show_tree(self, session: Session) -> None:
        """Show the tree of the kind chosen."""
        tree = self.tree_pane
        if self._disk:
            tree.show(DiskTree(session.root, self._listings, self._known, session.filter.view))
        else:
            tree.show(RepositoryTree(session))

    def forget_tree(self) -> None:
        """Another repository is open."""
        self._disk, self._listings, self._known = False, {}, None
        self.tree_pane.opened = {("raw",), ("rerun",)}

    def action_tree_kind(self) -> None:
        """Switch between registries and directories."""
        session = self.session
        if session is None:
            return
        self._disk = not self._disk
        if self._disk:
            self.tree_pane.opened.add(("disk", session.root))
            self._listings = {}
            self.read_directories()
        self.show_tree(session)

    def read_directories(self) -> None:
        """Read the open directories, and which files are known, anew: something may have appeared."""
        if self._disk:
            self.shell.controller.ask(KnownFiles.of, self._known_read, group="known files")

    def _known_read(self, known: KnownFiles) -> None:
        self._known = known
        for key in list(self.tree_pane.opened):
            if isinstance(key, tuple) and key[0] == "disk":
                self._list(key[1])

    def _list(self, path: Path) -> None:
        known = self._known
        if known is None:
            return  # it is listed when they are read

        def listed(entries: list[Entry]) -> None:
            self._listings[path] = entries
            if self.session is not None:
                self.show_tree(self.session)

        def refused(error: SafelightError) -> None:
            vanished = bool(self._listings.get(path))
            listed([])
            if not vanished:
                self.shell.show_error(error)

        self.shell.controller.ask(lambda butler: list_directory(path, known), listed, failed=refused)

    def matching_branches(self, session: Session, matches: Bitset) -> list[int]:
        """Files and closed directories that hold a match; in the other tree, branches of the raw frames."""
        if not self._disk:
            return super().matching_branches(session, matches)
        known, tree, mask = self._known, self.tree_pane, matches.mask()
        places = []
        for place, key in enumerate(tree.keys):
            if known is None or not isinstance(key, tuple) or key[0] != "disk" or key in tree.opened:
                continue
            rows = known.rows_at(key[1])
            if rows is not None and mask[rows[rows < len(mask)]].any():
                places.append(place)
        return places

    def on_tree_view_branch_opened(self, event: TreeView.BranchOpened) -> None:
        """Read a directory when it is opened."""
        if isinstance(event.key, tuple) and event.key[0] == "disk":
            self._list(event.key[1])

    def on_tree_view_item_opened(self, event: TreeView.ItemOpened) -> None:
        """Select a branch of the raw frames, or a rerun; open or close everything else."""
        session, key = self.session, event.key
        values = branch_values(key)
        if session is None:
            return
        if values is not None:
            self.set_filter(constrain(session.filter.text, values))
            self.tree_pane.open_branch(key)
        elif isinstance(key, tuple) and key[0] in ("rerun", "run") and len(key) > 1:
            self.shell.controller.choose_rerun(str(key[1]))
        elif key in self.tree_pane.opened:
            self.tree_pane.action_move_left()
        else:
            self.tree_pane.action_move_right()
