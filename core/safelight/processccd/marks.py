"""What observers think of the CCDs of a rerun: good, bad, look again, with a comment, the user and the time.

The marks of a rerun are journals in ``.safelight/marks``, one JSON object a line, one file for each user on each
host, which only grow. So two observers who mark at once each write a file of their own, also over a network disk; two
programs of one user take a lock and append. Nothing is ever overwritten: an undo is one more line, and merging adds the
lines of another copy that are not there yet.

What holds of a CCD is read from all lines together (`MarkBook`): for each observer the last verdict and the last
comment that were not undone. Observers who disagree both keep their word, and the CCD counts as disputed.
"""

from __future__ import annotations

import contextlib
import fcntl
import getpass
import json
import os
import re
import secrets
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from safelight.butler.atomic import make_directory
from safelight.butler.datasets import ccd_identity
from safelight.errors import RepositoryError, UsageError

__all__ = [
    "MAX_COMMENT",
    "VERDICTS",
    "CcdMarks",
    "MarkBook",
    "MarkEntry",
    "MarkJournal",
    "Opinion",
    "Verdict",
    "current_user",
    "marks_folder",
]

Verdict = Literal["good", "bad", "look"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
MAX_COMMENT = 2000
"""Characters of a comment."""

Kind = Literal["verdict", "comment", "undo"]


def marks_folder(rerun: Path) -> Path:
    """Where the marks of a rerun lie."""
    return rerun / ".safelight" / "marks"


def current_user() -> str:
    """The name that marks carry: the login name, or the number of a user without one."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid{os.getuid()}"


@dataclass(frozen=True, slots=True)
class MarkEntry:
    """One line of a journal."""

    id: str  # of this line, everywhere and for ever
    kind: Kind
    group: str  # lines written by one action share it; an undo takes back all of them
    time: str  # ISO, UTC, milliseconds
    user: str
    host: str
    data_id: dict[str, Any] = field(default_factory=dict)
    verdict: Verdict | None = None  # of kind "verdict"; None: taken away
    comment: str = ""  # of kind "comment"; empty: taken away
    undoes: str = ""  # of kind "undo": the group taken back

    @property
    def identity(self) -> str:
        """Which CCD it is about."""
        return ccd_identity(self.data_id)

    def to_json(self) -> dict[str, Any]:
        """What is written: empty fields left out, a verdict that was taken away as null."""
        record: dict[str, Any] = {"id": self.id, "kind": self.kind, "group": self.group, "time": self.time}
        record |= {"user": self.user, "host": self.host}
        if self.kind == "undo":
            return record | {"undoes": self.undoes}
        record["data_id"] = self.data_id
        return record | ({"verdict": self.verdict} if self.kind == "verdict" else {"comment": self.comment})


@dataclass(frozen=True, slots=True)
class Opinion:
    """What one observer has said of one CCD and not taken back."""

    user: str
    verdict: Verdict | None
    comment: str
    time: str  # of the last of both


@dataclass(frozen=True, slots=True)
class CcdMarks:
    """The opinions on one CCD, the latest last."""

    data_id: dict[str, Any]
    opinions: tuple[Opinion, ...]

    @property
    def verdict(self) -> Verdict | None:
        """The latest verdict."""
        return next((one.verdict for one in reversed(self.opinions) if one.verdict), None)

    @property
    def disputed(self) -> bool:
        """Whether observers disagree."""
        return len({one.verdict for one in self.opinions if one.verdict}) > 1

    @property
    def comment(self) -> str:
        """All comments; with their authors where there are several."""
        said = [one for one in self.opinions if one.comment]
        if len(said) == 1:
            return said[0].comment
        return "; ".join(f"{one.user}: {one.comment}" for one in said)

    @property
    def users(self) -> tuple[str, ...]:
        """Who has said something, the latest last."""
        return tuple(one.user for one in self.opinions)

    @property
    def time(self) -> str:
        """UTC of the latest opinion."""
        return self.opinions[-1].time

    def has(self, verdict: str) -> bool:
        """Whether any observer's verdict is this one."""
        return any(one.verdict == verdict for one in self.opinions)


class MarkBook:
    """All marks of a rerun at one moment."""

    def __init__(self, entries: Iterable[MarkEntry] = ()) -> None:
        self.entries = sorted(entries, key=lambda entry: (entry.time, entry.id))
        undone = {(entry.user, entry.undoes) for entry in self.entries if entry.kind == "undo"}
        self._holding = [
            entry for entry in self.entries if entry.kind != "undo" and (entry.user, entry.group) not in undone
        ]
        self.ccds: dict[str, CcdMarks] = {identity: marks for identity, marks in self._by_ccd() if marks.opinions}

    def _by_ccd(self) -> Iterable[tuple[str, CcdMarks]]:
        said: dict[str, dict[str, list[MarkEntry]]] = {}
        data_ids: dict[str, dict[str, Any]] = {}
        for entry in self._holding:
            identity = entry.identity
            data_ids[identity] = entry.data_id
            said.setdefault(identity, {}).setdefault(entry.user, []).append(entry)
        for identity, by_user in said.items():
            opinions = (_opinion(user, entries) for user, entries in by_user.items())
            kept = sorted((one for one in opinions if one.verdict or one.comment), key=lambda one: one.time)
            yield identity, CcdMarks(data_ids[identity], tuple(kept))

    def of(self, data_id: Mapping[str, Any]) -> CcdMarks | None:
        """The marks of one CCD; None where there are none."""
        return self.ccds.get(ccd_identity(data_id))

    def last_group(self, user: str) -> list[MarkEntry]:
        """What `user` did last and has not undone; empty if there is nothing."""
        mine = [entry for entry in self._holding if entry.user == user]
        return [entry for entry in mine if entry.group == mine[-1].group] if mine else []


def _opinion(user: str, entries: Sequence[MarkEntry]) -> Opinion:
    verdict = next((entry.verdict for entry in reversed(entries) if entry.kind == "verdict"), None)
    comment = next((entry.comment for entry in reversed(entries) if entry.kind == "comment"), "")
    return Opinion(user, verdict, comment, entries[-1].time)


class MarkJournal:
    """Reads and writes the marks of a rerun.

    Parameters
    ----------
    rerun : Path
        The rerun's directory.
    user : str, optional
        Who marks; by default who is logged in.
    """

    def __init__(self, rerun: Path, user: str | None = None) -> None:
        self.rerun = rerun
        self.folder = marks_folder(rerun)
        self.user = user or current_user()
        self._host = socket.gethostname()
        self._last_time = ""

    # --- reading ----------------------------------------------------------------------------------------------------

    def read(self) -> MarkBook:
        """The marks as they are now."""
        return MarkBook(self.entries())

    def entries(self) -> list[MarkEntry]:
        """All lines of all files, each once; damaged ones are passed over."""
        found: dict[str, MarkEntry] = {}
        for path in self._files():
            for line in path.read_bytes().split(b"\n"):
                entry = _parse(line)
                if entry is not None:
                    found.setdefault(entry.id, entry)
        return list(found.values())

    def _files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    def signature(self) -> tuple[tuple[str, int], ...]:
        """Changes when a mark was added, by whomever: names and sizes of the files."""
        return tuple((path.name, path.stat().st_size) for path in self._files())

    # --- writing ----------------------------------------------------------------------------------------------------

    def mark(
        self,
        data_ids: Iterable[Mapping[str, Any]],
        verdict: Verdict | None,
        comment: str | None = None,
    ) -> list[MarkEntry]:
        """Give (None: take away) a verdict on CCDs, with a comment if one is given; one `undo` takes all of it back.

        Raises
        ------
        UsageError
            UNKNOWN_VERDICT, COMMENT_TOO_LONG.
        RepositoryError
            NOT_WRITABLE, DISK_FULL.
        """
        if verdict is not None and verdict not in VERDICTS:
            raise UsageError("UNKNOWN_VERDICT", f"{verdict!r} is no verdict.", f"They are {', '.join(VERDICTS)}.")
        return self._say(data_ids, verdict=verdict, comment=comment, kinds=("verdict",))

    def comment(self, data_ids: Iterable[Mapping[str, Any]], text: str) -> list[MarkEntry]:
        """Comment on CCDs; an empty text takes the user's comment away."""
        return self._say(data_ids, verdict=None, comment=text, kinds=())

    def _say(
        self,
        data_ids: Iterable[Mapping[str, Any]],
        *,
        verdict: Verdict | None,
        comment: str | None,
        kinds: tuple[Kind, ...],
    ) -> list[MarkEntry]:
        if comment is not None:
            comment = " ".join(comment.split())
            kinds = (*kinds, "comment")
            if len(comment) > MAX_COMMENT:
                raise UsageError("COMMENT_TOO_LONG", f"A comment has at most {MAX_COMMENT} characters.")
        group, now = secrets.token_hex(8), self._now()
        entries = [
            MarkEntry(
                id=secrets.token_hex(8),
                kind=kind,
                group=group,
                time=now,
                user=self.user,
                host=self._host,
                data_id=_identifying(data_id),
                verdict=verdict if kind == "verdict" else None,
                comment=(comment or "") if kind == "comment" else "",
            )
            for data_id in data_ids
            for kind in kinds
        ]
        self._append(entries)
        return entries

    def undo(self) -> list[MarkEntry]:
        """Take back what the user did last; the lines taken back, none if there is nothing to undo."""
        group = self.read().last_group(self.user)
        if group:
            undo = MarkEntry(
                secrets.token_hex(8), "undo", secrets.token_hex(8), self._now(), self.user, self._host,
                undoes=group[0].group,
            )  # fmt: skip
            self._append([undo])
        return group

    def merge(self, other: Path) -> int:
        """Add the marks of another copy of the rerun that this one lacks; returns how many lines were new.

        Raises `RepositoryError` NO_MARKS if `other` has none.
        """
        source = MarkJournal(other)
        entries = source.entries()
        if not entries:
            raise RepositoryError("NO_MARKS", f"There are no marks in {source.folder}.", "Name the rerun's directory.")
        known = {entry.id for entry in self.entries()}
        new = [entry for entry in entries if entry.id not in known]
        self._append(new)
        return len(new)

    def _now(self) -> str:
        """UTC to the millisecond, never the same twice: what was said later must count as later."""
        while True:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            if now > self._last_time:
                self._last_time = now
                return now
            time.sleep(0.0005)

    @property
    def path(self) -> Path:
        """The file that this user on this host writes."""
        return self.folder / f"{_safe(self.user)}@{_safe(self._host)}.jsonl"

    def _append(self, entries: Sequence[MarkEntry]) -> None:
        if not entries:
            return
        if not self.rerun.is_dir():
            raise RepositoryError("NO_SUCH_RERUN", f"There is no rerun {self.rerun}.", "Marks belong to a rerun.")
        make_directory(self.folder)
        text = "".join(
            json.dumps(entry.to_json(), ensure_ascii=False, separators=(",", ":"), default=str) + "\n"
            for entry in entries
        )
        try:
            self._write(text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise RepositoryError(
                "NOT_WRITABLE", f"The mark cannot be written to {self.path}: {error.strerror}.", "Nothing was marked."
            ) from error

    def _write(self, data: bytes) -> None:
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o664)
        try:
            with contextlib.suppress(OSError):  # a disk without locks still appends whole writes
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                data = b"\n" + data  # a killed writer left its line torn
            while data:
                data = data[os.write(descriptor, data) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _identifying(data_id: Mapping[str, Any]) -> dict[str, Any]:
    identity: dict[str, Any] = json.loads(ccd_identity(data_id))
    return identity


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name) or "_"


def _parse(line: bytes) -> MarkEntry | None:
    try:
        record = json.loads(line)
        entry = MarkEntry(
            id=str(record["id"]),
            kind=record["kind"],
            group=str(record["group"]),
            time=str(record["time"]),
            user=str(record["user"]),
            host=str(record.get("host", "")),
            data_id=dict(record.get("data_id", {})),
            verdict=record.get("verdict"),
            comment=str(record.get("comment", "")),
            undoes=str(record.get("undoes", "")),
        )
    except (ValueError, TypeError, KeyError):
        return None
    known = entry.kind in get_args(Kind) and (entry.verdict is None or entry.verdict in VERDICTS)
    return entry if known else None
