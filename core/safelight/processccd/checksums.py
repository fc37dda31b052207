"""Fingerprints of files: path, size and time of change at once, SHA-256 when it matters."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from safelight.processccd.outcome import InputFile

__all__ = ["Checksums", "sha256_of", "unchanged"]

_Stamp = tuple[str, int, int]


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Checksums:
    """Checksums of input files, each computed once per content: masters serve many visits."""

    def __init__(self, known: Iterable[InputFile] = ()) -> None:
        self._known: dict[_Stamp, str] = {}
        self.learn(known)

    def learn(self, files: Iterable[InputFile]) -> None:
        """Remember checksums computed elsewhere."""
        self._known.update(((f.path, f.size, f.mtime_ns), f.sha256) for f in files if f.sha256)

    def fingerprint(self, role: str, path: Path, *, compute: bool = True) -> InputFile:
        """The fingerprint of a file as it is now; with `compute` False, its checksum only if already known."""
        status = path.stat()
        stamp = (str(path), status.st_size, status.st_mtime_ns)
        checksum = self._known.get(stamp, "")
        if compute and not checksum:
            checksum = self._known[stamp] = sha256_of(path)
        return InputFile(role, *stamp, checksum)


def unchanged(recorded: InputFile, checksums: Checksums, path: Path | None = None) -> bool:
    """Whether a file is what it was: by size and time, or, if only the time differs, by its checksum.

    `path` is where the file is looked for now, by default where it was then. A repository that is reached by another
    path, or was moved, has the same files under other names; a file of another name has to show its checksum.
    """
    before = Path(recorded.path)
    path = before if path is None else path
    try:
        now = checksums.fingerprint(recorded.role, path, compute=False)
        if now.size != recorded.size:
            return False
        if now.mtime_ns == recorded.mtime_ns and (path.name == before.name or path.samefile(before)):
            return True
        return bool(recorded.sha256) and checksums.fingerprint(recorded.role, path).sha256 == recorded.sha256
    except OSError:
        return False
