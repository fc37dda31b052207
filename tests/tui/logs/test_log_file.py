"""Lines of log files are found, filtered and fetched whatever is in them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight.errors import UsageError
from safelight_tui.logs import LineFilter, LogFile, LogLine, LogReader, LogState
from safelight_tui.logs.lines import level_of


class Small(LogFile):
    CHUNK = 16


def read_all(path: Path, kind: type[LogFile] = LogFile) -> LogFile:
    file = kind(path)
    file.refresh()
    while file.advance():
        pass
    return file


@given(st.lists(st.text("ab é漢\x1b", max_size=40), max_size=20), st.booleans())
def test_lines_are_those_that_a_split_gives(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], ended: bool
) -> None:
    data = "\n".join(lines).encode() + (b"\n" if ended and lines else b"")
    path = tmp_path_factory.getbasetemp() / "split.log"
    path.write_bytes(data)
    file = read_all(path, Small)
    expected = data.decode().split("\n")
    if expected[-1] == "":
        expected.pop()
    assert [file.line(number).text for number in range(file.line_count)] == expected
    file.close()


def test_a_growing_file_gives_its_new_lines(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(b"one\ntw")
    file = read_all(path)
    assert (file.complete_lines, file.line_count) == (1, 2)
    assert file.line(1).text == "tw"
    with path.open("ab") as log:
        log.write(b"o\nthree\n")
    assert not file.refresh()
    while file.advance():
        pass
    assert [file.line(n).text for n in range(file.line_count)] == ["one", "two", "three"]


def test_a_cut_or_replaced_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(b"one\ntwo\n")
    file = read_all(path)
    path.write_bytes(b"new\n")
    assert file.refresh()
    file.advance()
    assert [file.line(n).text for n in range(file.line_count)] == ["new"]
    other = tmp_path / "other"
    other.write_bytes(b"quite another\nfile\n")
    other.rename(path)
    assert file.refresh()
    assert file.generation == 2


def test_a_missing_file_is_empty_until_it_appears(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    file = read_all(path)
    assert file.line_count == 0
    path.write_bytes(b"now\n")
    file.refresh()
    assert file.advance()
    assert file.line(0).text == "now"


def test_a_line_of_a_megabyte_is_shown_by_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(b"short\n" + b"x" * 3_000_000 + b"\nlast\n")
    file = read_all(path)
    line = file.line(1)
    assert line.length == 3_000_000
    assert len(line.text) == LogFile.SHOWN
    assert file.line(2).text == "last"


def test_warnings_and_errors_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.log"
    lines = ["01:47:10 INFO wcs"] * 50
    lines[7] = "01:47:10 WARN wcs reserved median 92 mas"
    lines[30] = "01:47:11 ERROR zeropoint"
    lines[31] = "01:47:11 INFO " + "x" * 300 + " ERROR is only quoted"
    lines[32] = "FOREWARNED is not a level"
    path.write_text("\n".join(lines) + "\n")
    monkeypatch.setattr(LogFile, "CHUNK", 64)
    assert read_all(path).problems().tolist() == [7, 30]


def test_levels_are_read_near_the_beginning() -> None:
    assert level_of("01:47:10 WARNING few stars") == "warn"
    assert level_of("CRITICAL") == "error"
    assert level_of("x" * 200 + " ERROR") == ""


class Listener:
    """Collects what a reader says, and waits for it."""

    def __init__(self, path: Path) -> None:
        self.heard = threading.Condition()
        self.state = LogState(0, 0, 0, 0, 0, 0, False)
        self.lines: dict[int, str] = {}
        self.found: list[int] = []
        self.reader = LogReader(path, self.on_state, self.on_lines, self.on_found)

    def on_state(self, state: LogState) -> None:
        with self.heard:
            self.state = state
            self.heard.notify_all()

    def on_lines(self, epoch: int, start: int, lines: list[LogLine]) -> None:
        with self.heard:
            self.lines.update((start + i, line.text) for i, line in enumerate(lines))
            self.heard.notify_all()

    def on_found(self, epoch: int, place: int) -> None:
        with self.heard:
            self.found.append(place)
            self.heard.notify_all()

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.heard:
            assert self.heard.wait_for(condition, 10)


@pytest.fixture
def listen() -> Iterator[Callable[[Path], Listener]]:
    listeners: list[Listener] = []

    def start(path: Path) -> Listener:
        listeners.append(Listener(path))
        listeners[-1].reader.start()
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.reader.stop()
        listener.reader.join(5)
        assert not listener.reader.is_alive()


def numbered(count: int) -> list[str]:
    return [f"{n} {'WARN' if n % 1000 == 3 else 'INFO'} ccd {n % 112}" for n in range(count)]


def test_a_filter_leaves_the_lines_that_match(tmp_path: Path, listen: Callable[[Path], Listener]) -> None:
    path = tmp_path / "run.log"
    lines = numbered(20_000)
    path.write_text("\n".join(lines) + "\n")
    listener = listen(path)
    listener.reader.filter(LineFilter(r"ccd 16$"))
    expected = [line for line in lines if line.endswith("ccd 16")]
    listener.wait(lambda: listener.state.idle and listener.state.view_count == len(expected))
    listener.reader.fetch(listener.state.epoch, 100, 110)
    listener.wait(lambda: 109 in listener.lines)
    assert [listener.lines[place] for place in range(100, 110)] == expected[100:110]


def test_an_inverted_filter_leaves_the_others_and_context_brings_neighbours(
    tmp_path: Path, listen: Callable[[Path], Listener]
) -> None:
    path = tmp_path / "run.log"
    path.write_text("\n".join(numbered(3000)) + "\n")
    listener = listen(path)
    listener.reader.filter(LineFilter("!warn"))
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 2997)
    listener.reader.filter(LineFilter("WARN", context=2))
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 15)
    listener.reader.fetch(listener.state.epoch, 0, 15)
    listener.wait(lambda: 14 in listener.lines)
    assert [int(listener.lines[place].split()[0]) for place in range(7)] == [1, 2, 3, 4, 5, 1001, 1002]


def test_lines_of_an_earlier_filter_never_come(tmp_path: Path, listen: Callable[[Path], Listener]) -> None:
    path = tmp_path / "run.log"
    path.write_text("\n".join(numbered(10)) + "\n")
    listener = listen(path)
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 10)
    epoch = listener.state.epoch
    listener.reader.filter(LineFilter("7"))
    listener.reader.fetch(epoch, 0, 10)
    listener.wait(lambda: listener.state.epoch != epoch and listener.state.idle)
    assert listener.lines == {}


def test_growth_is_followed_through_a_filter(tmp_path: Path, listen: Callable[[Path], Listener]) -> None:
    path = tmp_path / "run.log"
    path.write_text("a 1\nb 2\n")
    listener = listen(path)
    listener.reader.filter(LineFilter("a"))
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 1)
    with path.open("a") as log:
        log.write("a 3\nb 4\na 5\n")
    listener.wait(lambda: listener.state.view_count == 3)


def test_problems_are_found_from_before_the_first_to_after_the_last(
    tmp_path: Path, listen: Callable[[Path], Listener]
) -> None:
    path = tmp_path / "run.log"
    path.write_text("ERROR first\n" + "\n".join(numbered(3000)) + "\nERROR last\n")
    listener = listen(path)
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 3002)
    epoch, find = listener.state.epoch, listener.reader.find_problem
    for place, step in ((-1, 1), (0, 1), (4, 1), (2004, 1), (3001, 1), (3001, -1), (4, -1), (0, -1), (5000, -1)):
        find(epoch, place, step)
    listener.wait(lambda: len(listener.found) == 7)
    assert listener.found == [0, 4, 1004, 3001, 2004, 0, 3001]


def test_a_problem_that_is_filtered_away_is_passed_over(tmp_path: Path, listen: Callable[[Path], Listener]) -> None:
    path = tmp_path / "run.log"
    path.write_text("a\nERROR b\na\nERROR a\n")
    listener = listen(path)
    listener.reader.filter(LineFilter("a$"))
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 3)
    listener.reader.find_problem(listener.state.epoch, -1, 1)
    listener.wait(lambda: bool(listener.found))
    assert listener.found == [2]


def test_a_search_goes_both_ways(tmp_path: Path, listen: Callable[[Path], Listener]) -> None:
    path = tmp_path / "run.log"
    path.write_text("\n".join(numbered(1000)) + "\n")
    listener = listen(path)
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 1000)
    wanted, epoch = LineFilter("ccd 50$"), listener.state.epoch
    listener.reader.find_match(epoch, 50, 1, wanted)
    listener.wait(lambda: listener.found == [162])
    listener.reader.find_match(epoch, 162, -1, wanted)
    listener.wait(lambda: listener.found == [162, 50])


def test_a_pattern_that_is_none_is_refused_with_a_sentence() -> None:
    with pytest.raises(UsageError, match="BAD_PATTERN"):
        LineFilter("(unclosed")


@given(
    st.lists(st.text("ab\t ", max_size=6), min_size=1, max_size=12),
    st.sampled_from(
        ["a", "b$", "^a", "a*", r"b\s", r"\s+", "!a", "!^$", "^$", r"a\Z", r"\Ab", "[^b]+", "a.*b", "(?s)a.b"]
    ),
)
def test_lines_searched_together_match_as_they_do_alone(lines: list[str], pattern: str) -> None:
    wanted = LineFilter(pattern)
    encoded = [line.encode() for line in lines]
    starts = [0]
    for line in encoded:
        starts.append(starts[-1] + len(line) + 1)
    alone = [place for place, line in enumerate(encoded) if wanted.wants(line, 0, len(line))]
    assert wanted.wanted_lines(b"".join(line + b"\n" for line in encoded), starts) == alone


def test_a_filter_finds_lines_beside_one_of_megabytes(tmp_path: Path, listen: Callable[[Path], Listener]) -> None:
    path = tmp_path / "run.log"
    path.write_bytes(b"a 1\n" + b"xa" * 2_000_000 + b"\na 2\n")
    listener = listen(path)
    listener.reader.filter(LineFilter("^a"))
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 2)
    listener.reader.filter(LineFilter("xa"))
    listener.wait(lambda: listener.state.idle and listener.state.view_count == 1)


@pytest.mark.parametrize(
    ("pattern", "text", "wanted"), [("warn", "WARN", True), ("Warn", "WARN", False), ("!a", "b", True)]
)
def test_lower_case_matches_either_case(pattern: str, text: str, wanted: bool) -> None:
    assert LineFilter(pattern).wants(text.encode(), 0, len(text)) is wanted
