"""Writing files so that a reader or a crash sees either the whole new file or the old state.

A temporary file is made beside the final one, written, flushed to the disk and renamed over it; then the directory is
flushed, so that the new name survives a power cut. Temporary names tell the process that made them:
``.<final name>.tmp-<pid>-<random>``.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safelight.errors import RepositoryError
from safelight.processes import process_lives

__all__ = [
    "atomic_path",
    "clean_temporaries",
    "make_directory",
    "sync_directory",
    "temporary_name",
    "write_bytes",
    "write_text",
]

_TEMPORARY = re.compile(r"\..+\.tmp-(?P<pid>[0-9]+)-(?P<host>[0-9a-f]{8})[0-9a-f]{8}")

_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NOT_WRITABLE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def _host_tag() -> str:
    """Eight hexadecimal digits of this host's name: a pid means nothing on another node of a cluster."""
    import zlib

    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def temporary_name(final: Path) -> Path:
    """A new name for a temporary file beside `final`."""
    return final.with_name(f".{final.name}.tmp-{os.getpid()}-{_host_tag()}{secrets.token_hex(4)}")


@contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write `path` into `RepositoryError` DISK_FULL or NOT_WRITABLE."""
    try:
        yield
    except OSError as error:
        if error.errno in _DISK_FULL:
            raise RepositoryError(
                "DISK_FULL",
                f"There is no space left to write {path}.",
                "Free some space or choose another output, then give the same command again.",
            ) from error
        if error.errno in _NOT_WRITABLE:
            raise RepositoryError(
                "NOT_WRITABLE",
                f"{path} cannot be written: {os.strerror(error.errno or 0)}.",
                "Check the permissions, or choose another output with --output.",
            ) from error
        raise


def make_directory(path: Path) -> None:
    """Make `path` and its parents; raises `RepositoryError` where that is not allowed."""
    with writing_errors(path):
        try:
            path.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise RepositoryError(
                "NOT_A_DIRECTORY",
                f"{path} cannot be made: a part of it is a file.",
                "Remove that file or choose another output.",
            ) from error


def sync_directory(path: Path) -> None:
    """Flush a directory, so that names just made in it are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems cannot
            raise
    finally:
        os.close(descriptor)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """A temporary path in the directory of `final` that becomes `final` when the block ends well.

    The directory is made if absent. When the block, the flush or the rename fails, the temporary file is removed and
    `final` is as before. A device or a pipe (``/dev/stdout``) is written to itself: a rename would put a file in its
    place.

    Raises
    ------
    RepositoryError
        DISK_FULL or NOT_WRITABLE instead of the operating system's errors; NOT_WRITTEN when the block made no file.
    """
    final = Path(final)
    if final.exists() and not (final.is_file() or final.is_dir()):
        with writing_errors(final):
            yield final
        return
    make_directory(final.parent)
    temporary = temporary_name(final)
    with writing_errors(final):
        try:
            yield temporary
            if not temporary.exists():
                raise RepositoryError("NOT_WRITTEN", f"Nothing was written for {final}.")
            _sync_file(temporary)
            temporary.replace(final)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        sync_directory(final.parent)


def write_bytes(final: Path, content: bytes) -> None:
    """Write a whole file atomically."""
    with atomic_path(final) as temporary:
        temporary.write_bytes(content)


def write_text(final: Path, text: str) -> None:
    """Write a whole UTF-8 text file atomically."""
    write_bytes(final, text.encode())


def clean_temporaries(root: Path) -> list[Path]:
    """Remove temporary files below `root` whose process, of this host, no longer lives; returns what was removed."""
    removed: list[Path] = []
    host = _host_tag()
    for directory, _, names in os.walk(root):
        for name in names:
            match = _TEMPORARY.fullmatch(name)
            if match and match["host"] == host and not process_lives(int(match["pid"])):
                path = Path(directory, name)
                with suppress(FileNotFoundError), writing_errors(path):
                    path.unlink()
                    removed.append(path)
    return removed
