"""Two observers, each with an application in a process and a terminal of their own, mark one rerun at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from safelight.processccd.marks import MarkJournal

PROGRAM = "import sys; from safelight_tui.main import main; sys.exit(main([{!r}]))"


def test_both_marks_are_kept_and_seen_by_the_other_and_each_undoes_only_their_own(
    repository: Path, tmp_path: Path, start_terminal: Callable[..., Any]
) -> None:
    def observer(name: str) -> Any:
        homes = {f"XDG_{kind}_HOME": str(tmp_path / name / kind) for kind in ("STATE", "CONFIG", "DATA")}
        return start_terminal(PROGRAM.format(str(repository)), 120, 40, LOGNAME=name, USER=name, **homes)

    def verdict_of(terminal: Any, sign: str) -> bool:
        """Whether the first CCD of the table bears a sign in the column of marks."""
        line = next((line for line in terminal.screen if "903986   16 HSC-I" in line), "")
        return f"D {sign}" in line

    ann, ben = observer("ann"), observer("ben")
    for terminal in (ann, ben):
        terminal.wait_for_text("Browse", 30).send(b"6")
    for terminal in (ann, ben):
        terminal.wait_for(lambda seen: verdict_of(seen, " "), 30)
    ann.send(b"+")
    ben.send(b"-")
    for terminal in (ann, ben):
        terminal.wait_for(lambda seen: verdict_of(seen, "?"), 30)  # disputed: both have come, to both
    ben.send(b"u")
    for terminal in (ann, ben):
        terminal.wait_for(lambda seen: verdict_of(seen, "+"), 30)  # ann's is left
    book = MarkJournal(repository / "rerun" / "first").read()
    told = [(entry.user, entry.kind) for entry in book.entries]
    assert sorted(told[:2]) == [("ann", "verdict"), ("ben", "verdict")]
    assert told[2:] == [("ben", "undo")]
    assert all(entry.time.endswith("Z") for entry in book.entries)
    (marks,) = book.ccds.values()
    assert marks.users == ("ann",)
    for terminal in (ann, ben):
        terminal.send(b":q\r")
        assert terminal.status(20) == 0
