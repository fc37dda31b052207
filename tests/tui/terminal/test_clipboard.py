"""Copies reach the clipboard, or a sentence says where to put them instead."""

from __future__ import annotations

import base64
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from safelight.errors import UsageError
from safelight_tui.terminal.clipboard import OSC_52_LIMIT, copy, osc_52, write_new_file


def decoded(sequence: str) -> str:
    found = re.fullmatch(r"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", sequence)
    assert found is not None
    return base64.standard_b64decode(found[1]).decode()


@pytest.mark.parametrize("text", ["visit=903986 ccd=16", "µ 漢\n\x1b[2J", ""])
def test_the_sequence_holds_the_text_and_nothing_else(text: str) -> None:
    assert decoded(osc_52(text)) == text


def test_what_a_terminal_would_cut_is_refused() -> None:
    largest = "x" * ((OSC_52_LIMIT - 8) // 4 * 3)
    assert len(osc_52(largest)) <= OSC_52_LIMIT
    with pytest.raises(UsageError, match="TOO_MUCH_TO_COPY") as caught:
        osc_52(largest + "xxx")
    assert "file" in caught.value.hint


def test_inside_screen_it_goes_through_in_pieces() -> None:
    sequence = osc_52("x" * 1000, inside_screen=True)
    pieces = re.findall(r"\x1bP(.*?)\x1b\\", sequence, re.DOTALL)
    assert all(len(piece) <= 240 for piece in pieces)
    assert decoded("".join(pieces)) == "x" * 1000


def test_outside_tmux_the_terminal_is_asked() -> None:
    written: list[str] = []
    message = copy("visit=1", written.append, {})
    assert decoded("".join(written)) == "visit=1"
    assert "terminal" in message


def test_a_tmux_that_is_gone_falls_back_to_the_terminal(tmp_path: Path) -> None:
    written: list[str] = []
    copy("visit=1", written.append, {"TMUX": f"{tmp_path}/none,1,0", "PATH": ""})
    assert decoded("".join(written)) == "visit=1"


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_inside_tmux_its_buffer_has_it(tmp_path: Path) -> None:
    socket = tmp_path / "socket"
    server = ["tmux", "-S", str(socket), "-f", "/dev/null"]
    subprocess.run([*server, "new-session", "-d", "sleep 30"], check=True)
    try:
        written: list[str] = []
        path = str(Path(shutil.which("tmux") or "").parent)
        message = copy("visit=903986\nccd=16", written.append, {"TMUX": f"{socket},0,0", "PATH": path})
        shown = subprocess.run([*server, "show-buffer"], capture_output=True, text=True, check=True)
        assert shown.stdout == "visit=903986\nccd=16"
        assert written == []
        assert "tmux" in message
    finally:
        subprocess.run([*server, "kill-server"], check=False)


def test_a_file_is_never_written_over_another(tmp_path: Path) -> None:
    paths = [write_new_file(text, tmp_path, "ids", ".txt") for text in ("a", "b", "c")]
    assert [path.name for path in paths] == ["ids.txt", "ids-2.txt", "ids-3.txt"]
    assert [path.read_text() for path in paths] == ["a", "b", "c"]
