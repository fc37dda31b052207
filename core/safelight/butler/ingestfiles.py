"""The files that an ingest is given: globs resolved, excluded names sorted out."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from safelight.butler.ingestreport import BadFile, IngestReport

__all__ = ["gather"]


def gather(files: Iterable[str | Path], bad_file: Sequence[str], report: IngestReport) -> list[Path]:
    """The files that `files` (names or globs) mean, each once, without those whose name matches a `bad_file` glob.

    Names that match nothing and names left out are noted in `report`.
    """
    found: dict[Path, None] = {}
    for item in files:
        path = Path(item)
        if path.exists() or path.is_symlink():
            names = [str(item)]
        else:
            names = sorted(glob.glob(str(item), recursive=True))  # noqa: PTH207 - may be absolute
        if not names:
            report.bad.append(BadFile(path, "NO_SUCH_FILE", f"No file matches {item}."))
        for name in names:
            found.setdefault(Path(name))
    chosen = []
    for path in found:
        pattern = next((glob_ for glob_ in bad_file if fnmatchcase(path.name, glob_)), None)
        if pattern is not None:
            report.skipped.append((path, f"its name matches --badFile {pattern}"))
        elif path.is_dir():
            report.bad.append(BadFile(path, "IS_A_DIRECTORY", f"{path} is a directory: give files or a glob."))
        else:
            chosen.append(path)
    return chosen
