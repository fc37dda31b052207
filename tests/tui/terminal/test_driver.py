"""The driver in a pseudo-terminal: what is seen, what a slow line sees, what is left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safelight_tui.terminal.restore import RESET

APP = """
import sys
from textual.app import App
from textual.widgets import Static, Input
from textual.drivers.linux_driver import LinuxDriver
from safelight_tui.terminal.driver import DeltaDriver

class Demo(App):
    CSS = "Static { border: round red; height: 5; }"
    def compose(self):
        yield Static("nothing yet", id="box", markup=False)
        yield Input(placeholder="type here")
        yield Static("wide \u6f22\u5b57 end", markup=False)
    def on_mount(self):
        self.query_one(Input).focus()
        self.count = 0
        self.began()
    def began(self):
        pass
    def on_input_changed(self, event):
        self.query_one("#box").update(f"<{event.value}>")
    def on_input_submitted(self, event):
        self.exit(return_code=7)
"""
RUN = """
app = Demo(driver_class={driver})
app.run()
sys.exit(app.return_code)
"""
DELTA = APP + RUN.format(driver="DeltaDriver")
STOCK = APP + RUN.format(driver="LinuxDriver")

Start = Callable[..., Any]


def test_the_screen_is_that_of_the_stock_driver(start_terminal: Start) -> None:
    screens = []
    for source in (DELTA, STOCK):
        terminal = start_terminal(source)
        terminal.wait_for_text("nothing yet")
        terminal.send(b"filter=HSC-I")
        terminal.wait_for_text("<filter=HSC-I>")
        for _ in range(4):
            terminal.read(0.1)
        screens.append(terminal)
    ours, stock = screens
    assert ours.screen == stock.screen
    assert [[ours.cells.buffer[y][x] for x in range(80) if not ours.cells.buffer[y][x].reverse] for y in range(24)] == [
        [stock.cells.buffer[y][x] for x in range(80) if not stock.cells.buffer[y][x].reverse] for y in range(24)
    ]


def test_a_resize_repaints_the_whole_screen(start_terminal: Start) -> None:
    terminal = start_terminal(DELTA).wait_for_text("nothing yet")
    terminal.resize(60, 20)
    terminal.cells.reset()
    terminal.wait_for(
        lambda t: any(line.startswith("╭") and line.endswith("╮") and len(line) == 60 for line in t.screen)
    )
    assert any("nothing yet" in line for line in terminal.screen)


def test_a_terminal_resized_and_back_at_once_gets_all_its_cells_again(start_terminal: Start) -> None:
    terminal = start_terminal(DELTA).wait_for_text("nothing yet")
    terminal.resize(60, 20)
    terminal.resize(80, 24)
    terminal.cells.reset()
    terminal.wait_for_text("nothing yet").wait_for_text("end")


def test_redrawing_mends_what_another_program_wrote(start_terminal: Start) -> None:
    redrawing = """
import os
class Demo(Demo):
    def on_input_changed(self, event):
        if event.value == "x":
            os.write(2, b"\\x1b[2J\\x1b[Hwall: the system goes down")
        else:
            self._driver.repaint()
"""
    terminal = start_terminal(APP + redrawing + RUN.format(driver="DeltaDriver")).wait_for_text("nothing yet")
    terminal.send(b"x")
    terminal.wait_for_text("goes down")
    terminal.send(b"y")
    terminal.wait_for_text("<xy>").wait_for_text("end")
    assert not any("goes down" in line for line in terminal.screen)


def test_the_title_is_set_without_what_could_be_a_command(start_terminal: Start) -> None:
    titled = """
class Demo(Demo):
    def began(self):
        self._driver.set_title("34/112 2F\\x1b\\\\\\x1b[2J\\x07")
"""
    terminal = start_terminal(APP + titled + RUN.format(driver="DeltaDriver")).wait_for_text("nothing yet")
    assert terminal.cells.title.startswith("34/112 2F")
    assert b"\x1b[2J" not in terminal.output
    assert b"\x1b[22;0t" in terminal.output  # the title found is kept, and RESET brings it back


def test_suspending_gives_the_terminal_to_another_program_and_takes_it_back(start_terminal: Start) -> None:
    suspending = """
class Demo(Demo):
    def on_input_changed(self, event):
        with self.suspend():
            print("in the shell", flush=True)
            input()
"""
    terminal = start_terminal(APP + suspending + RUN.format(driver="DeltaDriver")).wait_for_text("nothing yet")
    terminal.send(b"x")
    terminal.wait_for(lambda t: b"in the shell" in t.output)
    assert RESET in terminal.output
    before = len(terminal.output)
    terminal.send(b"\r")
    terminal.wait_for(lambda t: b"<x>" in t.output[before:])
    assert b"\x1b[?1049h" in terminal.output[before:]
    terminal.send(b"\r")
    assert terminal.status() == 7


def test_quitting_leaves_a_clean_terminal(start_terminal: Start) -> None:
    terminal = start_terminal(DELTA).wait_for_text("nothing yet")
    terminal.send(b"\r")
    assert terminal.status() == 7
    assert terminal.output.count(RESET) == 1
    assert terminal.output.rindex(RESET) + len(RESET) == len(terminal.output)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_restores_the_terminal_and_ends_the_application(start_terminal: Start, number: signal.Signals) -> None:
    terminal = start_terminal(DELTA).wait_for_text("nothing yet")
    os.kill(terminal.pid, number)
    assert terminal.status() == 128 + number
    assert terminal.output.endswith(RESET)
    assert terminal.output.count(RESET) == 1


def test_an_application_stuck_in_its_loop_is_ended_all_the_same(start_terminal: Start) -> None:
    stuck = """
import time
class Demo(Demo):
    def began(self):
        self.set_timer(0.3, self.hang)
    def hang(self):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            pass
"""
    source = APP + stuck + "DeltaDriver.GRACE_SECONDS = 0.5\n" + RUN.format(driver="DeltaDriver")
    terminal = start_terminal(source).wait_for_text("nothing yet")
    for _ in range(6):
        terminal.read(0.1)
    os.kill(terminal.pid, signal.SIGTERM)
    assert terminal.status() == 128 + signal.SIGTERM
    assert terminal.output.endswith(RESET)


@pytest.mark.parametrize("deaf", [False, True], ids=["told by SIGHUP", "deaf to SIGHUP"])
def test_the_application_ends_when_its_terminal_is_gone(start_terminal: Start, deaf: bool) -> None:
    ignore = """
import signal
class Demo(Demo):
    def began(self):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
"""
    source = APP + (ignore if deaf else "") + RUN.format(driver="DeltaDriver")
    terminal = start_terminal(source).wait_for_text("nothing yet")
    terminal.hang_up()
    assert terminal.status() == 128 + signal.SIGHUP


def test_the_loop_goes_on_while_nobody_reads(start_terminal: Start, tmp_path: Path) -> None:
    told = tmp_path / "reached"
    ticking = f"""
class Demo(Demo):
    CSS = "Static {{ height: 1fr; }}"
    def began(self):
        self.set_interval(0.01, self.tick)
    def tick(self):
        self.count += 1
        rows = [f"{{(self.count * 7919 + 31 * i) % 10**9:09d}} " * 8 for i in range(15)]
        self.query_one("#box").update("\\n".join(rows) if self.count < 250 else "the end")
        if self.count == 200:
            writer = self._driver.writer
            open({str(told)!r}, "w").write(f"{{writer.frames_fed}} {{writer.frames_sent}} {{writer.bytes_written}}")
"""
    terminal = start_terminal(APP + ticking + RUN.format(driver="DeltaDriver"))
    end = time.monotonic() + 20
    while not told.exists() or not told.read_text():  # the terminal is not read meanwhile
        assert time.monotonic() < end, "the event loop waits for the terminal"
        time.sleep(0.05)
    fed, sent, written = map(int, told.read_text().split())
    assert sent < fed / 4
    assert written < 20_000  # what a terminal has to show before it shows the newest
    terminal.wait_for_text("the end")


def test_a_silent_terminal_is_waited_for_only_once(start_terminal: Start) -> None:
    ticking = """
class Demo(Demo):
    CSS = "Static { height: 1fr; }"
    def began(self):
        self.set_interval(0.02, self.tick)
    def tick(self):
        self.count += 1
        rows = [f"{(self.count * 7919 + 31 * i) % 10**9:09d} " * 8 for i in range(15)]
        self.query_one("#box").update("\\n".join(rows) if self.count < 150 else "the end")
"""
    terminal = start_terminal(APP + ticking + RUN.format(driver="DeltaDriver"))
    terminal.cells.write_process_input = lambda text: None
    terminal.wait_for_text("the end")


def test_an_ascii_locale_gets_ascii_only(start_terminal: Start) -> None:
    terminal = start_terminal(DELTA, LANG="C", LC_ALL="C").wait_for_text("nothing yet")
    assert terminal.output.isascii()
    assert any(line.startswith("+---") for line in terminal.screen)


def test_a_dumb_terminal_is_refused_with_a_sentence(start_terminal: Start) -> None:
    source = """
import os, sys
from safelight.errors import SafelightError
from safelight_tui.terminal.requirements import require_terminal
try:
    require_terminal(os.environ)
except SafelightError as error:
    print(error)
    sys.exit(error.exit_code)
"""
    terminal = start_terminal(source, columns=400, TERM="dumb")
    assert terminal.status() == 2
    text = terminal.output.decode()
    assert "TERMINAL_TOO_SIMPLE" in text
    assert "processCcd.py" in text
    assert "\x1b" not in text


def test_a_pipe_is_no_terminal() -> None:
    source = "import os; from safelight_tui.terminal.requirements import require_terminal; require_terminal(os.environ)"
    done = subprocess.run(
        [sys.executable, "-c", source], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert "NO_TERMINAL" in done.stderr


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
@pytest.mark.parametrize("kind", ["screen", "tmux-256color"])
def test_it_works_inside_tmux(tmp_path: Path, kind: str) -> None:
    script = tmp_path / "demo.py"
    script.write_text(DELTA, encoding="utf-8")
    server = ["tmux", "-u", "-S", str(tmp_path / "socket"), "-f", "/dev/null"]
    shell = f"TERM={kind} LC_ALL=C.UTF-8 {sys.executable} {script}; echo left $?; sleep 20"
    try:
        subprocess.run([*server, "new-session", "-d", "-x", "80", "-y", "24", shell], check=True)

        def pane() -> str:
            done = subprocess.run([*server, "capture-pane", "-p"], capture_output=True, text=True, check=False)
            return done.stdout

        for keys, expected in ((None, "nothing yet"), ("ccd=16", "<ccd=16>"), ("Enter", "left 7")):
            if keys:
                subprocess.run([*server, "send-keys", keys], check=True)
            end = time.monotonic() + 15
            while expected not in pane():
                assert time.monotonic() < end, pane()
                time.sleep(0.1)
        assert pane().strip() == "left 7"  # the screen before the application is back
    finally:
        subprocess.run([*server, "kill-server"], check=False)
