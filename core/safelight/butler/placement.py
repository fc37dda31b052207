"""Bringing files to their place: as links, copies, moved, or left where they are.

A move keeps the source until the registry is in place: first the file is copied (or hard-linked), at the very end the
source is removed, so that a crash in between loses nothing.
"""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from safelight.butler.atomic import atomic_path, make_directory, sync_directory, temporary_name, writing_errors
from safelight.butler.ingestreport import BadFile, IngestReport
from safelight.errors import RepositoryError

__all__ = ["MODES", "Mode", "Placements", "free_space_needed", "is_same_file", "place_or_note"]

Mode = Literal["link", "copy", "move", "skip"]
MODES: tuple[Mode, ...] = ("link", "copy", "move", "skip")


def free_space_needed(files: list[tuple[Path, Path]], mode: Mode) -> None:
    """Raise `RepositoryError` DISK_FULL when copies of the sources of (source, destination) would not fit."""
    needed: dict[Path, int] = {}
    for source, destination in files:
        base = destination
        while not base.exists():
            base = base.parent
        if mode == "copy" or (mode == "move" and source.stat().st_dev != base.stat().st_dev):
            root = base if base.is_dir() else base.parent
            needed[root] = needed.get(root, 0) + source.stat().st_size
    if needed:
        free = shutil.disk_usage(next(iter(needed))).free
        total = sum(needed.values())
        if total > free:
            raise RepositoryError(
                "DISK_FULL",
                f"The files need {total / 1e6:.0f} MB, but only {free / 1e6:.0f} MB are free.",
                "Free some space, or use --mode link.",
            )


@dataclass(slots=True)
class Placements:
    """Files put in place by one ingest, which can be taken back as long as nothing is registered."""

    mode: Mode
    placed: list[Path] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)

    def place(self, source: Path, destination: Path) -> None:
        """Bring `source` to `destination`.

        Raises
        ------
        RepositoryError
            DESTINATION_EXISTS when another file is there; DISK_FULL, NOT_WRITABLE.
        """
        if self.mode == "skip":
            return
        if is_same_file(source, destination):
            if self.mode == "move" and source.resolve() != destination.resolve():
                self.sources.append(source)
            return
        if destination.exists() or destination.is_symlink():
            raise RepositoryError(
                "DESTINATION_EXISTS",
                f"{destination} already exists and is another file than {source}.",
                "Remove it, or register it as it is: --mode skip.",
            )
        if self.mode == "link":
            _link(source, destination)
        else:
            with atomic_path(destination) as temporary:
                if not (self.mode == "move" and _hard_link(source, temporary)):
                    shutil.copy2(source, temporary)
            if self.mode == "move":
                self.sources.append(source)
        self.placed.append(destination)

    def undo(self) -> None:
        """Remove everything that was put in place."""
        for path in self.placed:
            with suppress(OSError):
                path.unlink()
        self.placed.clear()
        self.sources.clear()

    def finish(self) -> None:
        """Remove the sources of moved files: the registry is in place."""
        for source in self.sources:
            with writing_errors(source):
                source.unlink(missing_ok=True)
        self.sources.clear()


class Placeable(Protocol):
    """A file and its place."""

    @property
    def source(self) -> Path:
        """The file as given."""
        ...

    @property
    def destination(self) -> Path:
        """Where it belongs."""
        ...


def place_or_note(placements: Placements, item: Placeable, report: IngestReport) -> bool:
    """Bring one file to its place; False, with a note among the bad files, where only this file is in the way.

    Raises
    ------
    RepositoryError
        Nothing can be written: DISK_FULL, NOT_WRITABLE.
    """
    try:
        placements.place(item.source, item.destination)
    except RepositoryError as error:
        if error.code != "DESTINATION_EXISTS":
            raise
        report.bad.append(BadFile.of(item.source, error))
        return False
    except OSError as error:
        message = f"{item.source} cannot be brought to {item.destination}: {error.strerror or error}."
        report.bad.append(BadFile(item.source, "NOT_PLACED", message))
        return False
    return True


def is_same_file(source: Path, destination: Path) -> bool:
    """Whether `destination` is `source` (through links) or a copy of it, byte by byte."""
    import filecmp

    if not destination.exists():
        return False
    return destination.samefile(source) or filecmp.cmp(source, destination, shallow=False)


def _link(source: Path, destination: Path) -> None:
    make_directory(destination.parent)
    temporary = temporary_name(destination)
    with writing_errors(destination):
        try:
            temporary.symlink_to(source.resolve())
            temporary.replace(destination)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_directory(destination.parent)


def _hard_link(source: Path, destination: Path) -> bool:
    """Give the file a second name; False where the file system cannot (or the source is a link)."""
    if source.is_symlink():
        return False
    try:
        os.link(source, destination)
    except OSError:
        return False
    return True
