"""Writing atomically: the whole new file or the old state, whatever happens."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from safelight.butler.atomic import atomic_path, clean_temporaries, write_text
from safelight.butler.backups import back_up, backups_of
from safelight.errors import RepositoryError


def refuse(number: int) -> Callable[..., None]:
    def fail(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


def write_and_raise(final: Path, error: BaseException | None) -> None:
    with atomic_path(final) as temporary:
        temporary.write_text("new")
        if error is not None:
            raise error


def only(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_the_temporary_file_lies_beside_the_final_one_and_tells_its_process(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "deep" / "x.fits") as temporary:
        assert temporary.parent == tmp_path / "deep"
        assert temporary.name.startswith(f".x.fits.tmp-{os.getpid()}-")
        temporary.write_text("new")
        assert not (tmp_path / "deep" / "x.fits").exists()
    assert only(tmp_path / "deep") == ["x.fits"]


def test_an_exception_while_writing_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    final = tmp_path / "x.fits"
    final.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        write_and_raise(final, KeyboardInterrupt())
    assert final.read_text() == "old"
    assert only(tmp_path) == ["x.fits"]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "DISK_FULL"),
        (errno.EDQUOT, "DISK_FULL"),
        (errno.EROFS, "NOT_WRITABLE"),
        (errno.EACCES, "NOT_WRITABLE"),
    ],
)
@pytest.mark.parametrize("step", ["write", "fsync", "rename"])
def test_each_step_that_fails_leaves_the_old_file_and_is_said_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, number: int, code: str
) -> None:
    final = tmp_path / "x.fits"
    final.write_text("old")
    if step == "fsync":
        monkeypatch.setattr(os, "fsync", refuse(number))
    if step == "rename":
        monkeypatch.setattr(Path, "replace", refuse(number))
    with pytest.raises(RepositoryError) as caught:
        write_and_raise(final, OSError(number, os.strerror(number)) if step == "write" else None)
    monkeypatch.undo()
    assert caught.value.code == code
    assert str(final) in caught.value.message
    assert final.read_text() == "old"
    assert only(tmp_path) == ["x.fits"]


def test_other_errors_of_the_system_are_not_disguised(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Input/output") as caught:
        write_and_raise(tmp_path / "x", OSError(errno.EIO, os.strerror(errno.EIO)))
    assert not isinstance(caught.value, RepositoryError)


def test_a_block_that_writes_nothing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError) as caught, atomic_path(tmp_path / "x.fits"):
        pass
    assert caught.value.code == "NOT_WRITTEN"


def test_a_file_where_a_directory_should_be_is_an_error_in_words(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(RepositoryError) as caught:
        write_text(tmp_path / "a" / "b" / "x", "new")
    assert caught.value.code == "NOT_A_DIRECTORY"


def test_a_killed_writer_leaves_only_a_temporary_file_that_is_cleaned_later(tmp_path: Path) -> None:
    final = tmp_path / "sub" / "x.fits"
    write_text(final, "old")
    program = (
        "import os, signal; from pathlib import Path; from safelight.butler.atomic import atomic_path\n"
        f"with atomic_path(Path({str(final)!r})) as temporary:\n"
        "    temporary.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    assert final.read_text() == "old"
    assert len(only(final.parent)) == 2
    with atomic_path(tmp_path / "mine") as alive:
        alive.write_text("of a living process")
        removed = clean_temporaries(tmp_path)
        assert alive.exists()
    assert [path.name.startswith(".x.fits.tmp-") for path in removed] == [True]
    assert only(final.parent) == ["x.fits"]


def test_temporary_files_of_other_hosts_are_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / ".x.fits.tmp-999999999-0000000012345678"
    foreign.write_text("")
    assert clean_temporaries(tmp_path) == []
    assert foreign.exists()


def test_backups_count_upwards_with_the_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    assert back_up(path) is None
    for text in ("a", "b", "c"):
        path.write_text(text)
        back_up(path)
    assert {n: p.read_text() for n, p in backups_of(path).items()} == {1: "c", 2: "b", 3: "a"}
    assert path.read_text() == "c"


def test_a_gap_in_the_backups_is_filled_and_no_backup_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "config.py"
    path.write_text("new")
    (tmp_path / "config.py~1").write_text("one")
    (tmp_path / "config.py~3").write_text("three")
    back_up(path)
    assert {n: p.read_text() for n, p in backups_of(path).items()} == {1: "new", 2: "one", 3: "three"}


def test_the_current_file_may_lie_in_a_parent(tmp_path: Path) -> None:
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / "config.py").write_text("inherited")
    newest = back_up(tmp_path / "rerun" / "config.py", [tmp_path / "parent" / "config.py"])
    assert newest == tmp_path / "rerun" / "config.py~1"
    assert newest.read_text() == "inherited"


def test_a_pipe_is_written_to_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_text(pipe, "plan\n")
        assert os.read(reader, 100) == b"plan\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
