"""Marks of observers: nothing is lost, whoever writes at the same time; every mark can be taken back by its author."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest

from safelight.errors import RepositoryError, UsageError
from safelight.processccd.marks import MAX_COMMENT, MarkJournal

A = {"visit": 903986, "ccd": 16, "filter": "HSC-I"}
B = {"visit": 903986, "ccd": 22, "filter": "HSC-I"}


@pytest.fixture
def rerun(tmp_path: Path) -> Path:
    path = tmp_path / "rerun" / "first"
    path.mkdir(parents=True)
    return path


def test_a_mark_carries_its_verdict_comment_user_and_time(rerun: Path) -> None:
    MarkJournal(rerun, "anna").mark([A], "bad", "a  satellite\ntrail")
    marks = MarkJournal(rerun).read().of(A)
    assert marks is not None
    assert (marks.verdict, marks.comment, marks.users) == ("bad", "a satellite trail", ("anna",))
    assert marks.time.endswith("Z")
    assert "filter" not in marks.data_id


def test_the_last_verdict_of_a_user_holds_and_clearing_takes_it_away(rerun: Path) -> None:
    journal = MarkJournal(rerun, "anna")
    journal.mark([A, B], "bad")
    journal.mark([A], "good")
    book = journal.read()
    assert book.ccds['{"visit": 903986, "ccd": 16}'].verdict == "good"
    assert book.of(B) is not None
    journal.mark([A], None)
    assert journal.read().of(A) is None


def test_two_observers_who_disagree_both_keep_their_word(rerun: Path) -> None:
    MarkJournal(rerun, "anna").mark([A], "bad", "halo")
    MarkJournal(rerun, "ben").mark([A], "good", "fine for me")
    marks = MarkJournal(rerun).read().of(A)
    assert marks is not None
    assert marks.disputed
    assert marks.has("bad")
    assert marks.has("good")
    assert marks.comment == "anna: halo; ben: fine for me"


def test_undo_takes_back_the_whole_last_action_of_that_user_only(rerun: Path) -> None:
    anna, ben = MarkJournal(rerun, "anna"), MarkJournal(rerun, "ben")
    anna.mark([A], "good")
    anna.mark([A, B], "bad", "clouds")
    ben.mark([A], "look")
    assert len(anna.undo()) == 4  # a verdict and a comment on each of two CCDs
    book = anna.read()
    assert {one.user: one.verdict for one in book.of(A).opinions} == {"anna": "good", "ben": "look"}  # type: ignore[union-attr]
    assert book.of(B) is None
    anna.undo()
    assert anna.undo() == []
    assert anna.read().of(A).users == ("ben",)  # type: ignore[union-attr]


def test_a_file_only_grows_and_undo_adds_a_line(rerun: Path) -> None:
    journal = MarkJournal(rerun, "anna")
    journal.mark([A], "bad")
    before = journal.path.read_bytes()
    journal.undo()
    after = journal.path.read_bytes()
    assert after.startswith(before)
    assert len(after) > len(before)


def test_a_torn_line_of_a_killed_writer_spoils_nothing(rerun: Path) -> None:
    journal = MarkJournal(rerun, "anna")
    journal.mark([A], "bad")
    with journal.path.open("ab") as file:
        file.write(b'{"id":"x","kind":"verd')
    journal.mark([B], "good")
    book = journal.read()
    assert book.of(A).verdict == "bad"  # type: ignore[union-attr]
    assert book.of(B).verdict == "good"  # type: ignore[union-attr]


def test_lines_of_unknown_kind_or_form_are_passed_over(rerun: Path) -> None:
    journal = MarkJournal(rerun, "anna")
    journal.mark([A], "bad")
    with journal.path.open("a") as file:
        for record in ([1], {"id": 1}, {"id": "y", "kind": "later", "group": "g", "time": "t", "user": "u"}):
            file.write(json.dumps(record) + "\n")
    assert len(journal.entries()) == 1


def test_merging_another_copy_adds_what_is_missing_once(rerun: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.mkdir()
    MarkJournal(rerun, "anna").mark([A], "bad")
    MarkJournal(copy, "ben").mark([A], "good")
    here = MarkJournal(rerun, "anna")
    assert here.merge(copy) == 1
    assert here.merge(copy) == 0
    assert here.read().of(A).users == ("anna", "ben")  # type: ignore[union-attr]
    with pytest.raises(RepositoryError, match="no marks"):
        here.merge(tmp_path / "empty")


def test_unusable_marks_are_refused_and_leave_nothing(rerun: Path) -> None:
    journal = MarkJournal(rerun, "anna")
    with pytest.raises(UsageError, match="no verdict"):
        journal.mark([A], "superb")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="at most"):
        journal.comment([A], "x" * (MAX_COMMENT + 1))
    with pytest.raises(RepositoryError, match="no rerun"):
        MarkJournal(rerun / "other", "anna").mark([A], "bad")
    assert not journal.folder.exists()


def test_a_user_name_cannot_lead_out_of_the_folder(rerun: Path) -> None:
    journal = MarkJournal(rerun, "../../evil name")
    journal.mark([A], "bad")
    assert journal.path.parent == journal.folder
    assert [path.parent for path in rerun.rglob("*.jsonl")] == [journal.folder]
    assert journal.read().of(A).users == ("../../evil name",)  # type: ignore[union-attr]


def _mark_many(rerun: Path, user: str, first: int, start: object) -> None:
    start.wait()  # type: ignore[attr-defined]
    journal = MarkJournal(rerun, user)
    for ccd in range(first, first + 40):
        journal.mark([{"visit": 1, "ccd": ccd}], "bad", f"by {user} of {ccd}")


@pytest.mark.parametrize("users", [("anna", "ben"), ("anna", "anna")])
def test_two_programs_that_mark_at_once_keep_every_mark(rerun: Path, users: tuple[str, str]) -> None:
    context = multiprocessing.get_context("spawn")
    start = context.Event()
    workers = [
        context.Process(target=_mark_many, args=(rerun, user, 100 * number, start)) for number, user in enumerate(users)
    ]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    book = MarkJournal(rerun).read()
    assert len(book.entries) == 160
    assert len(book.ccds) == 80
    for number, user in enumerate(users):
        for ccd in range(100 * number, 100 * number + 40):
            marks = book.of({"visit": 1, "ccd": ccd})
            assert marks is not None
            assert (marks.verdict, marks.comment) == ("bad", f"by {user} of {ccd}")


def test_the_signature_tells_when_someone_marked(rerun: Path) -> None:
    reader = MarkJournal(rerun, "anna")
    before = reader.signature()
    MarkJournal(rerun, "ben").mark([A], "look")
    assert reader.signature() != before
