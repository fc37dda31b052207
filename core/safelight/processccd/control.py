"""What people ask of a run that is going on: pause, resume, cancel, cancel-now.

Whoever asks appends one line to ``.safelight/control/RUN.jsonl`` of the rerun; the runner looks there twice a second,
obeys, and says so in its journal. A file works over NFS, from another host, and for a run that someone else started.
"""

from __future__ import annotations

import getpass
import json
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from safelight.butler.atomic import make_directory, writing_errors

__all__ = ["ControlReader", "Request", "RequestWord", "control_path", "request"]

RequestWord = Literal["pause", "resume", "cancel", "cancel-now"]


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and who made it (``user@host``)."""

    word: RequestWord
    by: str


def control_path(output: Path, run: str) -> Path:
    """Where the requests to one run of a rerun are written."""
    return output / ".safelight" / "control" / f"{run}.jsonl"


def who() -> str:
    """The user and the host, as requests and marks name them."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in some containers
        user = str(os.getuid())
    return f"{user}@{platform.node()}"


def request(output: Path, run: str, word: RequestWord) -> None:
    """Ask the run for something; it answers with an event of its journal.

    Raises
    ------
    RepositoryError
        The rerun cannot be written.
    """
    path = control_path(output, run)
    line = json.dumps({"time": time.time(), "request": word, "by": who()}) + "\n"
    make_directory(path.parent)
    with writing_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(line)  # one write of less than a block: two people's lines do not mix


class ControlReader:
    """The runner's end: the requests that came since the last look."""

    def __init__(self, output: Path, run: str) -> None:
        self._path = control_path(output, run)
        self._offset = 0

    def read(self) -> list[Request]:
        """New requests in their order; lines that cannot be understood are passed over."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                text = file.read()
        except OSError:
            return []  # none yet, or a file system that is away for a moment
        whole = text[: text.rfind(b"\n") + 1]
        self._offset += len(whole)
        found = [_parse(line) for line in whole.splitlines()]
        return [item for item in found if item is not None]


def _parse(line: bytes) -> Request | None:
    try:
        record = json.loads(line)
        word = record["request"]
    except (ValueError, TypeError, KeyError):
        return None
    return Request(word, str(record.get("by", ""))) if word in get_args(RequestWord) else None
