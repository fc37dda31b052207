"""Numbered backups beside a file: ``NAME~1`` is the newest, older ones count upwards (the Gen2 convention)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from safelight.butler.atomic import atomic_path, sync_directory, writing_errors

__all__ = ["back_up", "backups_of"]


def backups_of(path: Path) -> dict[int, Path]:
    """The existing backups of `path`, number -> file."""
    pattern = re.compile(re.escape(path.name) + r"~([1-9][0-9]*)")
    if not path.parent.is_dir():
        return {}
    matches = ((pattern.fullmatch(other.name), other) for other in path.parent.iterdir())
    return dict(sorted((int(match[1]), other) for match, other in matches if match))


def back_up(path: Path, search: Sequence[Path] = ()) -> Path | None:
    """Copy the current file to ``path~1`` after moving every older backup one number up.

    Parameters
    ----------
    path : Path
        The file that is about to be overwritten.
    search : sequence of Path
        Where the current file may lie if not at `path`: the same file in the parents of a rerun, nearest first.

    Returns
    -------
    Path or None
        The new backup; None when there is no current file.
    """
    current = next((candidate for candidate in (path, *search) if candidate.is_file()), None)
    if current is None:
        return None
    newest = path.with_name(path.name + "~1")
    existing = backups_of(path)
    with writing_errors(newest):
        if 1 in existing:
            run = 1
            while run + 1 in existing:
                run += 1
            for number in range(run, 0, -1):  # from the highest down, so that none is overwritten
                existing[number].rename(path.with_name(f"{path.name}~{number + 1}"))
            sync_directory(path.parent)
    with atomic_path(newest) as temporary:
        shutil.copy2(current, temporary)
    return newest
