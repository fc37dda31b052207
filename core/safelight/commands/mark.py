"""``safelight mark``: judge CCDs of a rerun, comment on them, take it back, list and merge what observers said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.commands.report import add_output_options, output_of
from safelight.commands.shell import Parser, arguments_of
from safelight.errors import UsageError

if TYPE_CHECKING:
    from safelight.processccd.marks import MarkBook, MarkJournal

__all__ = ["main", "select_data_ids"]

_DESCRIPTION = """\
Mark CCDs of a rerun as good, bad, or to be looked at again; clear your verdict, comment,
undo your last mark, list all marks, or merge those of another copy of the rerun. Marks carry
your name and the time; those of other observers stay as they are."""

_EXAMPLE = """\
safelight mark bad DATA --rerun first --id visit=903986 ccd=16^22 --comment "satellite trail"
  safelight mark undo DATA --rerun first
  safelight mark list DATA --rerun first
  safelight mark merge DATA --rerun first --from /mnt/copy/rerun/first"""

_ACTIONS = ("good", "bad", "look", "clear", "comment", "undo", "list", "merge")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight mark", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("action", choices=_ACTIONS, help="what to do")
    parser.add_argument("input", metavar="DATA", help="the repository")
    add_output_options(parser)
    parser.add_argument(
        "--id", dest="ids", action="append", nargs="*", metavar="KEY=V", help="the CCDs; may be repeated"
    )
    parser.add_argument("--comment", metavar="TEXT", help="what you have to say; an empty text takes it away")
    parser.add_argument("--from", dest="source", metavar="RERUN", type=Path, help="directory to merge marks from")
    options = parser.parse_args(arguments_of(argv))
    if options.action == "comment" and options.comment is None:
        raise UsageError("NO_COMMENT", "There is nothing to say.", "Give --comment TEXT.")
    if options.action == "merge" and options.source is None:
        raise UsageError("NO_SOURCE", "Merge from where?", "Give --from with the directory of the other copy.")
    from safelight.processccd.marks import MarkJournal

    rerun = output_of(options)
    journal = MarkJournal(rerun)
    if options.action == "list":
        print(render_marks(journal.read()), end="")
    elif options.action == "undo":
        taken = journal.undo()
        print(f"taken back: {_described(taken)}" if taken else "There is no mark of yours to take back.")
    elif options.action == "merge":
        print(f"{journal.merge(options.source)} new lines merged.")
    else:
        _mark(journal, rerun, options)
    return 0


def _mark(journal: MarkJournal, rerun: Path, options: Any) -> None:
    if not options.ids:
        raise UsageError("NO_DATA_ID", "Which CCDs?", "Give --id KEY=VALUE …, or --id alone for all of the rerun.")
    data_ids = select_data_ids(rerun, options.ids)
    if options.action == "comment":
        journal.comment(data_ids, options.comment)
    else:
        journal.mark(data_ids, None if options.action == "clear" else options.action, options.comment)
    what = {"clear": "verdict cleared", "comment": "commented on"}.get(options.action, f"marked {options.action}")
    print(f"{len(data_ids)} CCD{'s' if len(data_ids) != 1 else ''} {what}.")


def select_data_ids(rerun: Path, groups: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The data IDs of a rerun's results that any of the groups select; raises `EmptySelection` if none does."""
    from safelight.dataid import select_rows
    from safelight.errors import EmptySelection
    from safelight.processccd.ledger import OutcomeLedger

    with OutcomeLedger(rerun) as ledger:
        rows = [ccd.data_id for ccd in ledger.ccds()]
    if not rows:
        raise EmptySelection("NOTHING_THERE", f"The rerun {rerun} has no results yet.", "Run something first.")
    keys = key_types(rows[0])
    chosen: dict[str, dict[str, Any]] = {}
    for words in groups:
        for row in select_rows(list(words), rows, keys) if words else rows:
            chosen.setdefault(repr(row), row)
    return list(chosen.values())


def key_types(data_id: dict[str, Any]) -> dict[str, Any]:
    """The types of a data ID's values, as the data-ID language wants them."""
    return {key: type(value) if isinstance(value, int | float) else str for key, value in data_id.items()}


def _described(entries: Sequence[Any]) -> str:
    names = dict.fromkeys(" ".join(f"{key}={value}" for key, value in entry.data_id.items()) for entry in entries)
    what = dict.fromkeys(entry.verdict or ("comment" if entry.kind == "comment" else "clearing") for entry in entries)
    return f"{' and '.join(what)} of {', '.join(names)}"


def render_marks(book: MarkBook) -> str:
    """All opinions as aligned columns."""
    rows = [["CCD", "verdict", "who", "UTC", "comment"]]
    for marks in book.ccds.values():
        name = " ".join(f"{key}={value}" for key, value in marks.data_id.items())
        rows += [[name, one.verdict or "-", one.user, one.time, one.comment or "-"] for one in marks.opinions]
    if len(rows) == 1:
        return "There are no marks.\n"
    widths = [max(len(row[k]) for row in rows) for k in range(5)]
    return "".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() + "\n" for row in rows)
