"""The built program in a pseudo-terminal: what is sent is what a terminal shows, and it is left as it was found."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.gen2 import Frame, make_registry

PROGRAM = Path(sys.executable).with_name("safelight")
LEFT = b"\x1b[?1049l"


Start = Callable[..., Any]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A repository of three visits."""
    visits = ((903334, "HSC-R"), (903986, "HSC-I"), (903988, "HSC-I"))
    frames = (Frame(visit, ccd, filter_, "2013-11-02", 671) for visit, filter_ in visits for ccd in (16, 22, 23))
    return make_registry(tmp_path / "DATA", frames)


def tree_of(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every file with size, time and content."""
    found = (path for path in root.rglob("*") if path.is_file())
    return {str(p): (p.stat().st_size, p.stat().st_mtime_ns, p.read_bytes()) for p in found}


def test_browsing_filters_and_quits_and_leaves_repository_and_terminal_as_they_were(start: Start, data: Path) -> None:
    before = tree_of(data)
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    terminal.send(b"/")
    terminal.wait_for_text("Enter keep")
    terminal.send(b"filter=HSC-I ccd=16")
    terminal.wait_for_text("2 of 9")
    terminal.send(b"\r")
    terminal.wait_for(lambda t: not any("Enter keep" in line for line in t.screen))
    text = "\n".join(terminal.screen)
    assert "903986" in text
    assert "903988" in text
    assert "903334" not in text
    terminal.send(b"q")
    assert terminal.status() == 0
    assert terminal.output.rstrip().endswith(b"\x1b[23;0t") or LEFT in bytes(terminal.output)[-200:]
    assert tree_of(data) == before


@pytest.mark.parametrize(
    "environment",
    [{"TERM": "screen"}, {"TERM": "tmux-256color"}, {"NO_COLOR": "1"}, {"LANG": "C", "LC_ALL": "C"}],
    ids=["screen", "tmux", "no-color", "ascii"],
)
def test_every_usual_terminal_shows_the_table(start: Start, data: Path, environment: dict[str, str]) -> None:
    terminal = start(data, columns=80, rows=24, **environment)
    terminal.wait_for_text("9 of 9")
    terminal.wait_for_text("903988  23 HSC-I")
    if environment.get("LANG") == "C":
        painted = "\n".join(terminal.screen)
        assert painted.isascii(), painted
    terminal.send(b"q")
    assert terminal.status() == 0


def test_a_terminal_that_cannot_place_a_cursor_is_refused_with_a_sentence(start: Start, data: Path) -> None:
    terminal = start(data, TERM="dumb")
    assert terminal.status() == 2
    assert b"cannot place a cursor" in terminal.output
    assert b"\x1b[?1049h" not in terminal.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(start: Start, data: Path, number: signal.Signals) -> None:
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    os.kill(terminal.pid, number)
    assert terminal.status() == 128 + number
    assert LEFT in terminal.output


def test_pasting_newlines_into_the_filter_runs_nothing(start: Start, data: Path) -> None:
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    terminal.send(b"/")
    terminal.wait_for_text("Enter keep")
    terminal.send(b"\x1b[200~ccd=16\nq\n\x1b[31m!\n\x1b[201~")
    terminal.wait_for_text("/ ccd=16 q")
    terminal.send(b"\x07")  # Ctrl+G
    terminal.wait_for_text("/ everything")
    terminal.send(b"q")
    assert terminal.status() == 0


def test_keys_that_come_in_one_piece_go_where_the_ones_before_them_lead(start: Start, data: Path) -> None:
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    terminal.send(b"/filter=HSC-I ccd=16\rgj")
    terminal.wait_for(lambda t: any("2 of 9" in line for line in t.screen) and any(">903988" in x for x in t.screen))
    terminal.send(b"gi")
    terminal.wait_for(lambda t: any("0903986-016" in line for line in t.screen))  # the image of the right row
    terminal.send(b":theme safelight\r1/\x07:q\r")
    assert terminal.status() == 0


def test_keys_typed_before_the_first_picture_are_neither_lost_nor_taken_for_others(start: Start, data: Path) -> None:
    terminal = start(data)
    terminal.send(b"/filter=HSC-I ccd=16\rgj")
    terminal.wait_for(lambda t: any("2 of 9" in line for line in t.screen) and any(">903988" in x for x in t.screen))
    terminal.send(b"q")
    assert terminal.status() == 0
    hasty = start(data)
    hasty.send(b":q\r")
    assert hasty.status() == 0


def test_a_lost_line_ends_the_program(start: Start, data: Path) -> None:
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    terminal.hang_up()
    assert terminal.status() != 0


def test_without_a_repository_the_recent_ones_are_offered(start: Start, data: Path) -> None:
    terminal = start("tui", data)
    terminal.wait_for_text("9 of 9")
    terminal.send(b"q")
    assert terminal.status() == 0
    terminal = start()
    terminal.wait_for_text("/DATA")
    terminal.send(b"\r")
    terminal.wait_for_text("9 of 9")
    terminal.send(b"q")
    assert terminal.status() == 0


def test_screen_filter_and_cursor_come_back_after_a_kill_and_a_safe_start_forgets_them(
    start: Start, data: Path
) -> None:
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    terminal.send(b"/filter=HSC-I\rgj4")
    terminal.wait_for_text("nothing was run")
    terminal.send(b"q:q\r")
    assert terminal.status() == 0
    again = start(data)
    again.wait_for(lambda t: any("6 of 9" in line for line in t.screen) and any(">903986  22" in x for x in t.screen))
    again.send(b"/ccd=16\r4")  # what is kept is written at once, so that it outlives a kill
    again.wait_for_text("nothing was run")
    state = data.parent / "state" / "safelight" / "application.json"
    again.wait_for(lambda t: '"ccd=16"' in state.read_text())
    os.kill(again.pid, signal.SIGKILL)
    assert again.status() == -signal.SIGKILL
    third = start(data)
    third.wait_for_text("3 of 9")
    third.send(b":q\r")
    assert third.status() == 0
    before = state.read_bytes()
    safe = start(data, "--safe")
    safe.wait_for_text("9 of 9")
    safe.send(b"/ccd=22\r:q\r")
    assert safe.status() == 0
    assert state.read_bytes() == before
    assert Path(os.devnull).is_char_device()


def test_a_wrong_key_map_is_refused_with_a_sentence_and_a_right_one_changes_a_key(start: Start, data: Path) -> None:
    keys = data.parent / "config" / "safelight" / "keys.toml"
    keys.parent.mkdir(parents=True)
    keys.write_text('facets = ["/"]\n')
    refused = start(data)
    assert refused.status() == 2
    assert b"the key '/' is given both to filter" in refused.output.replace(b"\r\n", b" ")
    assert b"Traceback" not in refused.output
    keys.write_text('facets = ["z"]\n')
    terminal = start(data)
    terminal.wait_for_text("9 of 9")
    terminal.send(b"z")
    terminal.wait_for_text("[ ] HSC-I")
    terminal.send(b"q:q\r")
    assert terminal.status() == 0


def test_without_a_terminal_the_help_is_printed(tmp_path: Path) -> None:
    import subprocess

    done = subprocess.run([PROGRAM], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: safelight")


def test_a_path_that_is_no_repository_is_told_on_the_start_screen(start: Start, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    terminal = start(tmp_path / "empty")
    terminal.wait_for_text("choose a repository")
    terminal.wait_for_text("NOT_A_REPOSITORY")  # the sentence below it wraps where the path is long
    terminal.send(b"q")
    assert terminal.status() == 0


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_it_works_inside_tmux(tmp_path: Path, data: Path) -> None:
    import subprocess
    import time

    socket = f"safelight-test-{os.getpid()}"

    def tmux(*words: str) -> str:
        return subprocess.run(["tmux", "-L", socket, *words], capture_output=True, text=True, check=True).stdout

    command = f"XDG_STATE_HOME={tmp_path / 'state'} LC_ALL=C.UTF-8 {PROGRAM} {data}; echo EXIT $?; sleep 30"
    tmux("-f", "/dev/null", "new-session", "-d", "-s", "t", "-x", "120", "-y", "40", command)
    try:

        def wait_for(text: str) -> str:
            end = time.monotonic() + 15
            while time.monotonic() < end:
                shown = tmux("capture-pane", "-p", "-t", "t")
                if text in shown:
                    return shown
                time.sleep(0.05)
            raise AssertionError(f"{text!r} was never shown:\n{shown}")

        wait_for("9 of 9")
        tmux("send-keys", "-t", "t", "/")
        wait_for("Enter keep")
        tmux("send-keys", "-t", "t", "-l", "ccd=16 filter=HSC-I")
        wait_for("2 of 9")
        tmux("send-keys", "-t", "t", "Enter")
        tmux("send-keys", "-t", "t", "q")
        assert "1Browse" not in wait_for("EXIT 0")
    finally:
        tmux("kill-server")
