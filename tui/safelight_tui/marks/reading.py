"""What triage shows of a rerun, and what it writes there. Everything here touches the disk: call it in a thread."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from safelight.processccd.alarms import Alarm

__all__ = ["Judged", "read_judged", "read_signature", "write_verdict"]

Signature = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Judged:
    """A rerun's CCDs with metrics and marks at one moment."""

    rerun: str
    path: Path
    rows: tuple[dict[str, Any], ...]
    signature: Signature  # of the marks
    undoable: int  # lines that the user's next undo would take back


def read_judged(name: str, path: Path, alarms: Sequence[Alarm] = ()) -> Judged:
    """Read ledger and marks of a rerun; rows say which alarms they are beyond."""
    from safelight.processccd.judged import judged_rows
    from safelight.processccd.ledger import OutcomeLedger
    from safelight.processccd.marks import MarkJournal

    journal = MarkJournal(path)
    signature = journal.signature()
    book = journal.read()
    with OutcomeLedger(path) as ledger:
        rows = judged_rows(ledger.ccds(), book, alarms)
    return Judged(name, path, tuple(rows), signature, len(book.last_group(journal.user)))


def read_signature(path: Path) -> Signature:
    """Whether someone marked meanwhile: see `MarkJournal.signature`."""
    from safelight.processccd.marks import MarkJournal

    return MarkJournal(path).signature()


def write_verdict(
    path: Path,
    data_ids: Sequence[Mapping[str, Any]],
    verdict: Literal["good", "bad", "look"] | None = None,
    comment: str | None = None,
) -> str:
    """Mark or comment; a sentence about what was done."""
    from safelight.processccd.marks import MarkJournal

    journal = MarkJournal(path)
    if verdict is None:
        journal.comment(data_ids, comment or "")
        what = "commented on" if comment else "without your comment now"
    else:
        journal.mark(data_ids, verdict, comment)
        what = {"look": "to be looked at again"}.get(verdict, f"marked {verdict}")
    return f"{len(data_ids)} CCD{'s' if len(data_ids) != 1 else ''} {what}"


def undo_last(path: Path) -> str:
    """Take back the user's last mark; a sentence about it."""
    from safelight.processccd.marks import MarkJournal

    taken = MarkJournal(path).undo()
    if not taken:
        return "There is no mark of yours to take back."
    ccds = len({entry.identity for entry in taken})
    return f"Taken back on {ccds} CCD{'s' if ccds != 1 else ''}."
