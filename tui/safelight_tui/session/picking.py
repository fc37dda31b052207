"""Directories to choose a repository from."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from safelight_tui.widgets.tree_view import TreeItem

__all__ = ["Folder", "FolderTree", "describe", "list_folders"]

_MOST = 2000


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory, and whether it is a repository."""

    path: Path
    repository: bool


def list_folders(path: Path) -> list[Folder]:
    """The directories in one, hidden ones left out, repositories first: in a job's thread."""
    from safelight.butler.repository import is_repository

    folders = []
    with os.scandir(path) as found:
        for entry in found:
            if entry.name.startswith(".") or not entry.is_dir():
                continue
            where = Path(entry.path)
            try:
                folders.append(Folder(where, is_repository(where)))
            except OSError:  # a directory that may not be looked into
                folders.append(Folder(where, False))
    return sorted(folders, key=lambda folder: (not folder.repository, folder.path.name))[:_MOST]


def describe(path: Path) -> str:
    """What is at a remembered path, in a few words: in a job's thread."""
    from safelight.butler.repository import is_repository
    from safelight.butler.rerun import list_reruns

    try:
        if not path.is_dir():
            return "gone"
        if not is_repository(path):
            return "no repository any more"
        count = len(list_reruns(path))
    except OSError as error:
        return error.strerror or "cannot be read"
    return f"{count} rerun{'' if count == 1 else 's'}"


class FolderTree:
    """A `TreeModel` of directories read so far. Keys: ``("folder", path, repository)``."""

    def __init__(self, root: Path, listings: Mapping[Path, Sequence[Folder]]) -> None:
        self._root = root
        self._listings = listings

    def roots(self) -> Sequence[TreeItem]:
        """The directory above, and the one to begin with."""
        above = TreeItem(("above", self._root.parent), "..", "", "dim")
        return [above, TreeItem(("folder", self._root, False), f"{self._root}/", "", "title", True)]

    def children(self, key: Hashable) -> Sequence[TreeItem]:
        """What is in a directory."""
        assert isinstance(key, tuple)
        listing = self._listings.get(key[1])
        if listing is None:
            return [TreeItem(("reading", key[1]), "reading", "", "dim")]
        if not listing:
            return [TreeItem(("none", key[1]), "no directories here", "", "dim")]
        return [
            TreeItem(
                ("folder", folder.path, folder.repository),
                f"{folder.path.name}/",
                "repository" if folder.repository else "",
                "good" if folder.repository else "",
                not folder.repository,
            )
            for folder in listing
        ]
