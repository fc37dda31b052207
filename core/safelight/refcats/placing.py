"""Putting a catalogue's directory in its place whole: written beside it, flushed to the disk, then renamed."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safelight.errors import RepositoryError

__all__ = ["put_file", "refuse_existing", "replaced_directory"]


def refuse_existing(place: Path, *, replace: bool) -> None:
    """Raise `RepositoryError` CATALOG_EXISTS when `place` is taken and may not be replaced."""
    if place.exists() and not replace:
        raise RepositoryError(
            "CATALOG_EXISTS",
            f"There is a reference catalogue {place} already.",
            "Give another ref_dataset_name, or say that it may be replaced.",
        )


@contextmanager
def replaced_directory(place: Path, *, replace: bool) -> Iterator[Path]:
    """An empty directory beside `place` that takes its place when the block ends well.

    When anything fails, or the process dies, what was in `place` stays.

    Raises
    ------
    RepositoryError
        ``CATALOG_EXISTS``, or ``NOT_WRITABLE`` with what the operating system says.
    """
    place = place.resolve() if place.is_symlink() else place
    tag = f"{os.getpid()}-{secrets.token_hex(4)}"
    fresh = place.with_name(f".{place.name}.tmp-{tag}")
    try:
        fresh.mkdir(parents=True)
        yield fresh
        _flush_directory(fresh)
        refuse_existing(place, replace=replace)
        _exchange(fresh, place, place.with_name(f".{place.name}.old-{tag}"))
        _flush_directory(place.parent)
    except OSError as error:
        raise RepositoryError(
            "NOT_WRITABLE",
            f"The reference catalogue {place} cannot be written: {error.strerror or error}.",
            "Check permissions and free space, then give the same command again.",
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _exchange(fresh: Path, place: Path, old: Path) -> None:
    if not place.exists():
        fresh.rename(place)
        return
    place.rename(old)
    try:
        fresh.rename(place)
    except BaseException:
        old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)


def put_file(path: Path, content: bytes) -> None:
    """Write a file and flush it to the disk."""
    with path.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
