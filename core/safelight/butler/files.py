"""Files that may be compressed as a whole: ``.gz`` or ``.fz`` stands behind the name of a template."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["compression_suffix", "existing_file"]

_SUFFIXES = ("", ".gz", ".fz")


def existing_file(path: Path) -> Path | None:
    """`path`, or with ``.gz`` or ``.fz`` behind it, whichever is a file (links followed)."""
    for suffix in _SUFFIXES:
        candidate = os.fspath(path) + suffix
        if os.path.isfile(candidate):  # noqa: PTH113 - called for every row of a selection
            return Path(candidate)
    return None


def compression_suffix(path: Path) -> str:
    """``.gz`` or ``.fz`` when a file's name says that it is so compressed, which its name in a repository keeps."""
    return path.suffix if path.suffix in _SUFFIXES else ""
