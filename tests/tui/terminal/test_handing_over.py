"""The terminal is handed to a shell, a pager, or to whoever stopped the program, and taken back."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import termios
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safelight_tui.terminal.restore import RESET

APP = """
import sys
from textual.app import App
from textual.widgets import Static, Input
from safelight_tui.terminal.driver import DeltaDriver
from safelight_tui.terminal.handover import run_program, taking_back

class Demo(App):
    def suspend(self):
        return taking_back(super().suspend())
    def compose(self):
        yield Static("nothing yet", id="box", markup=False)
        yield Input(placeholder="type here")
    def on_mount(self):
        self.query_one(Input).focus()
    def on_input_changed(self, event):
        self.changed(event.value)
    def changed(self, text):
        self.query_one("#box").update(f"<{text}>")
    def on_input_submitted(self, event):
        self.exit(return_code=7)
"""
RUN = """
app = Demo(driver_class=DeltaDriver)
app.run()
sys.exit(app.return_code)
"""
Start = Callable[..., Any]
LEAVE, ENTER = b"\x1b[?1049l", b"\x1b[?1049h"


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def wait_until(terminal: Any, condition: Callable[[], bool]) -> None:
    terminal.wait_for(lambda t: condition())


def cooked(terminal: Any) -> bool:
    """Whether the line discipline echoes and edits lines, as it does for a shell."""
    local = termios.tcgetattr(terminal.fd)[3]
    return bool(local & termios.ECHO and local & termios.ICANON and local & termios.ISIG)


@pytest.mark.parametrize("number", [signal.SIGTSTP, signal.SIGSTOP], ids=["SIGTSTP", "SIGSTOP"])
def test_a_stopped_program_takes_its_terminal_again_when_it_goes_on(
    start_terminal: Start, number: signal.Signals
) -> None:
    terminal = start_terminal(APP + RUN).wait_for_text("nothing yet")
    terminal.send(b"a")
    terminal.wait_for_text("<a>")
    for count in (1, 2):  # twice: nothing of the first stop may be left
        os.kill(terminal.pid, number)
        wait_until(terminal, lambda: state_of(terminal.pid) == "T")
        terminal.read(0.1)
        if number == signal.SIGTSTP:
            assert terminal.output.endswith(RESET)
            assert cooked(terminal)
        seen = len(terminal.output)
        terminal.cells.reset()  # what the shell did meanwhile
        os.kill(terminal.pid, signal.SIGCONT)
        terminal.wait_for_text("<" + "a" * count + ">")
        assert ENTER in terminal.output[seen:]
        terminal.send(b"a")
        terminal.wait_for_text("<" + "a" * (count + 1) + ">")
        assert not cooked(terminal)
    terminal.send(b"\r")
    assert terminal.status() == 7
    assert terminal.output.endswith(RESET)


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_job_control_of_a_shell_stops_it_leaves_it_alone_in_the_background_and_brings_it_back(
    start_terminal: Start, tmp_path: Path
) -> None:
    script = tmp_path / "demo.py"
    script.write_text(
        APP
        + RUN.replace(
            "app.run()", f"open({str(tmp_path / 'pid')!r}, 'w').write(str(__import__('os').getpid())); app.run()"
        )
    )
    terminal = start_terminal("import os; os.execlp('bash', 'bash', '--norc', '--noprofile', '-i')", PS1="ready$ ")
    terminal.wait_for_text("ready$")
    terminal.send(f"stty -a > {tmp_path}/before; {sys.executable} {script}\r".encode())
    terminal.wait_for_text("nothing yet")
    pid = int((tmp_path / "pid").read_text())
    os.kill(pid, signal.SIGTSTP)
    terminal.wait_for_text("Stopped")
    terminal.send(f"stty -a > {tmp_path}/stopped\r".encode())
    wait_until(terminal, lambda: (tmp_path / "stopped").is_file() and (tmp_path / "stopped").read_text() != "")
    assert (tmp_path / "stopped").read_text() == (tmp_path / "before").read_text()
    seen = len(terminal.output)
    terminal.send(b"bg; echo $((40+2))\r")
    terminal.wait_for_text("42")
    wait_until(terminal, lambda: state_of(pid) == "T")
    assert ENTER not in terminal.output[seen:]
    terminal.send(b"fg\r")
    terminal.wait_for_text("nothing yet")
    terminal.send(b"xy")
    terminal.wait_for_text("<xy>")
    terminal.send(b"\r")
    terminal.wait_for(lambda t: b"ready$" in t.output[max(t.output.rindex(LEAVE), t.output.rindex(ENTER)) :])
    terminal.send(f"stty -a > {tmp_path}/after; echo status $?\r".encode())
    terminal.wait_for_text("status 0")
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()


def test_an_error_in_the_body_and_a_missing_program_leave_the_application_its_terminal(start_terminal: Start) -> None:
    failing = """
class Demo(Demo):
    def changed(self, text):
        if text == "x":
            try:
                with self.suspend():
                    raise RuntimeError("the body failed")
            except RuntimeError as error:
                said = str(error)
        else:
            said = run_program(self, ["/nowhere/shell"]) + run_program(self, ["true"], "/nowhere")
        self.query_one("#box").update(said)
"""
    terminal = start_terminal(APP + failing + RUN, columns=120).wait_for_text("nothing yet")
    terminal.send(b"x")
    terminal.wait_for_text("the body failed")
    terminal.send(b"y")
    terminal.wait_for_text("/nowhere/shell could not be started")
    terminal.wait_for_text("true could not be started in /nowhere")
    terminal.send(b"\r")
    assert terminal.status() == 7
    assert terminal.output.endswith(RESET)


def test_ctrl_c_in_a_pager_is_the_pagers(start_terminal: Start, tmp_path: Path) -> None:
    pager = tmp_path / "pager"
    pager.write_text("#!/bin/sh\ntrap 'echo interrupted; exit 0' INT\necho paging\nwhile :; do sleep 0.05; done\n")
    pager.chmod(0o755)
    paging = f"""
class Demo(Demo):
    def changed(self, text):
        self.query_one("#box").update("came back" + run_program(self, [{str(pager)!r}]))
"""
    terminal = start_terminal(APP + paging + RUN).wait_for_text("nothing yet")
    terminal.send(b"x")
    terminal.wait_for_text("paging")
    terminal.send(b"\x03")
    terminal.wait_for(lambda t: b"interrupted" in t.output)
    terminal.wait_for_text("came back")
    terminal.send(b"\r")
    assert terminal.status() == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_a_shell_has_the_terminal_ends_the_application(
    start_terminal: Start, number: signal.Signals
) -> None:
    waiting = """
DeltaDriver.GRACE_SECONDS = 0.3
class Demo(Demo):
    def changed(self, text):
        run_program(self, ["sh", "-c", "echo in the shell; exec sleep 30"])
"""
    terminal = start_terminal(APP + waiting + RUN).wait_for_text("nothing yet")
    terminal.send(b"x")
    terminal.wait_for_text("in the shell")
    os.kill(terminal.pid, number)
    assert terminal.status() == 128 + number
    assert terminal.output.count(LEAVE) == 1  # the shell's screen is not reset under it


@pytest.mark.parametrize("end", ["quit", "SIGTERM", "SIGHUP", "error"])
def test_the_line_discipline_is_that_of_before_whatever_the_end(start_terminal: Start, end: str) -> None:
    bracket = f"""
import subprocess, sys
def settings():
    return subprocess.run(["stty", "-a"], stdin=0, capture_output=True, text=True).stdout
before = settings()
program = subprocess.Popen([sys.executable, "-c", {(APP + CRASH + RUN)!r}])
print("pid", program.pid, flush=True)
program.wait()
print("same" if settings() == before else settings(), "settings", flush=True)
"""
    terminal = start_terminal(bracket)
    terminal.wait_for_text("nothing yet")
    if end.startswith("SIG"):
        line = next(line for line in terminal.output.decode().splitlines() if "pid " in line)
        os.kill(int(line.split("pid ")[1].split()[0].strip("\x1b")), getattr(signal, end))
    else:
        terminal.send(b"\r" if end == "quit" else b"!")
    terminal.wait_for_text("settings")
    assert any("same settings" in line for line in terminal.screen), terminal.screen
    assert RESET in terminal.output


CRASH = """
class Demo(Demo):
    def changed(self, text):
        if text == "!":
            raise RuntimeError("a bug")
"""
