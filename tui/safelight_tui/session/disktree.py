"""The repository as the directories on disk, narrowed by the filter, with files that nobody knows marked."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight_tui.catalogue import Bitset
from safelight_tui.widgets.tree_view import TreeItem

if TYPE_CHECKING:
    from safelight.butler.butler import Butler

__all__ = ["DiskTree", "Entry", "KnownFiles", "list_directory"]

_OWN = frozenset({"registry.sqlite3", "calibRegistry.sqlite3", "_mapper", "_parent", "repositoryCfg.yaml", "config.py"})
_OWN_FOLDERS = frozenset({".safelight", "logs", "config", "schema", "truth"})
_SHARDS = "ref_cats"
_MOST = 5000


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or a directory; `known` where a registry or a ledger names it, or the repository itself needs it."""

    path: Path
    directory: bool
    size: int
    known: bool
    link: bool = False


class KnownFiles:
    """Paths that registry and ledgers name; made once by a job, and again when the tree of directories is reopened."""

    def __init__(self, paths: frozenset[str], raw: Mapping[str, int]) -> None:
        self._paths = paths
        self._raw = raw
        self._size = len(raw)
        below: dict[str, list[int]] = {}
        for path, row in raw.items():
            below.setdefault(os.path.dirname(path), []).append(row)  # noqa: PTH120 - a million of them
        folders: dict[str, list[NDArray[np.int64]]] = {}
        for folder, rows in below.items():
            for above in (folder, *map(str, Path(folder).parents)):
                folders.setdefault(above, []).append(np.array(rows))
        self._below = {folder: np.concatenate(parts) for folder, parts in folders.items()}

    def rows_at(self, path: Path) -> NDArray[np.int64] | None:
        """Rows of the registry whose raw files are at or below a path; None where there are none.

        They are counted in the order of the ids, as in `safelight_tui.session.catalogue.Catalogue`.
        """
        text = str(path)
        row = next((self._raw[name] for name in _spellings(text) if name in self._raw), None)
        return np.array([row]) if row is not None else self._below.get(text)

    @classmethod
    def of(cls, butler: Butler) -> KnownFiles:
        """Ask the registry, the calibration registry and every rerun's ledger: in a job's thread."""
        from safelight.butler.datasets import DatasetLedger
        from safelight.butler.rerun import list_reruns

        root = butler.root
        raw: dict[str, int] = {}
        template = butler.dataset_types["raw"].template
        names = sorted(set(template.keys) & set(butler.registry.raw_columns()))
        place = 0
        for batch in butler.registry.batches(names):
            for place, row in enumerate(batch, start=place):  # noqa: B020 - it goes on where the last batch ended
                raw[str(root / template.format(dict(zip(names, row[1:], strict=True))))] = place
            place += 1
        paths = _calibrations(butler)
        for rerun in list_reruns(root):
            ledger = DatasetLedger(root / "rerun" / rerun)
            paths.update(str(record.path) for record in ledger.files())
            ledger.close()
        return cls(frozenset(paths), raw)

    def knows(self, path: Path) -> bool:
        """Whether a file is named somewhere, with ``.gz`` and ``.fz`` aside, or belongs to the repository itself."""
        if any(name in self._paths or name in self._raw for name in _spellings(str(path))):
            return True
        return path.name in _OWN or any(part in _OWN_FOLDERS or part == _SHARDS for part in path.parts)


def _spellings(path: str) -> tuple[str, str, str]:
    """A path as it is, and as a registry names it where the file is compressed."""
    return path, path.removesuffix(".gz"), path.removesuffix(".fz")


def _calibrations(butler: Butler) -> set[str]:
    from safelight.butler.calibrations import CALIB_REGISTRY_NAME, CalibrationRegistry

    root = butler.calib_root
    if root is None or not (root / CALIB_REGISTRY_NAME).is_file():
        return set()
    registry = CalibrationRegistry(root)
    paths = set()
    for kind in registry.kinds():
        if kind in butler.dataset_types.names():
            template = butler.dataset_types[kind].template
            for row in registry.rows(kind):
                values = {"ccd": row.ccd, "calibDate": row.calib_date, "filter": row.filter}
                paths.add(str(root / template.format(values)))
    registry.close()
    return paths


def list_directory(path: Path, known: KnownFiles) -> list[Entry]:
    """What is in a directory, directories first: in a job's thread."""
    entries = []
    with os.scandir(path) as found:
        for entry in found:
            directory = entry.is_dir()
            size = 0 if directory else entry.stat(follow_symlinks=True).st_size if not _broken(entry) else -1
            where = Path(entry.path)
            entries.append(Entry(where, directory, size, directory or known.knows(where), entry.is_symlink()))
    return sorted(entries, key=lambda entry: (not entry.directory, entry.path.name))[:_MOST]


def _broken(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110 - a DirEntry's text


class DiskTree:
    """A `TreeModel` of directories read so far. Keys: ``("disk", path)``.

    Parameters
    ----------
    root : Path
    listings : mapping
        Directory -> its entries; one that is missing is still being read.
    known : KnownFiles, optional
        Which of them are raw frames.
    view : Bitset, optional
        Rows of the catalogue in view: raw files of others, and directories that hold only such, are left out.
    """

    def __init__(
        self,
        root: Path,
        listings: Mapping[Path, Sequence[Entry]],
        known: KnownFiles | None = None,
        view: Bitset | None = None,
    ) -> None:
        self._root = root
        self._listings = listings
        self._known = known
        self._mask = view.mask() if view is not None else None

    def roots(self) -> Sequence[TreeItem]:
        """The repository."""
        return [TreeItem(("disk", self._root), f"{self._root.name}/", "", "title", True)]

    def children(self, key: Hashable) -> Sequence[TreeItem]:
        """What is in a directory."""
        assert isinstance(key, tuple)
        listing = self._listings.get(key[1])
        if listing is None:
            return [TreeItem(("reading", key[1]), "reading", "", "dim")]
        return [self._item(entry, seen) for entry in listing if (seen := self._seen(entry.path)) != 0]

    def _seen(self, path: Path) -> int | None:
        """How many raw frames in view are at or below a path; None where it has nothing to do with raw frames."""
        rows = self._known.rows_at(path) if self._known is not None else None
        if rows is None or self._mask is None:
            return None
        read = rows[rows < len(self._mask)]
        return int(np.count_nonzero(self._mask[read])) + len(rows) - len(read)

    @staticmethod
    def _item(entry: Entry, seen: int | None) -> TreeItem:
        name = entry.path.name
        if entry.directory:
            return TreeItem(("disk", entry.path), f"{name}/", "" if seen is None else str(seen), "", True)
        if entry.size < 0:
            return TreeItem(("disk", entry.path), f"! {name}", "broken link", "bad")
        return TreeItem(
            ("disk", entry.path),
            name if entry.known else f"? {name}",
            _size(entry.size),
            "" if entry.known else "caveat",
        )


def _size(size: int) -> str:
    value = float(size)
    for unit in ("B", "K", "M", "G"):
        if value < 1000:
            return f"{value:.0f}{unit}"
        value /= 1024
    return f"{value:.0f}T"
