"""The program under a hard life: killed runners, storms of resizes, lost lines. Runs go on; the screen stays right."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from safelight.butler import DatasetLedger

TICK = os.sysconf("SC_CLK_TCK")
# The clock, ages, and what the footer shows of the pane in focus are not the same a second later.
CHANGING = re.compile(r"\d\d:\d\d:\d\dZ|\b\d+(?:\.\d+)?(?:s|m|h)\b")


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def descendants(pid: int) -> list[int]:
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found[1:]


def journals(root: Path) -> list[Path]:
    return sorted((root / "rerun").glob("*/.safelight/journal/*.jsonl"))


def events(journal: Path) -> list[dict[str, Any]]:
    lines = journal.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.endswith("}")]


def launch(terminal: Any, root: Path) -> int:
    """Plan and run everything from the keyboard; the runner's process id."""
    known = set(journals(root))
    terminal.send(b"p")
    terminal.wait_for(lambda t: any(re.search(r"RUN \d", line) for line in t.screen))
    terminal.send(b"x")
    terminal.wait_for_text("Run this?")
    terminal.send(b"\r")
    terminal.wait_for(lambda t: set(journals(root)) - known and "running" in "".join(t.screen), 60)
    (journal,) = set(journals(root)) - known
    pid: int = events(journal)[0]["pid"]
    return pid


def wait_until(terminal: Any, condition: Callable[[], bool], seconds: float = 30.0) -> None:
    terminal.wait_for(lambda t: condition(), seconds)


def storm(terminal: Any) -> None:
    """Resizes faster than they can be followed, to 120x40 in the end."""
    for columns, rows in [(40, 10), (200, 60), (79, 23), (80, 24), (160, 12), (60, 50), (200, 24)] * 4:
        terminal.resize(columns, rows)
        terminal.read(0.03)
    terminal.resize(120, 40)


def picture(terminal: Any) -> list[str]:
    """The screen without what changes by itself."""
    return [CHANGING.sub("", line) for line in terminal.screen]


def test_workers_die_with_their_runner_and_a_run_outlives_storms_and_the_loss_of_its_line(
    start: Callable[..., Any], repository: Path
) -> None:
    terminal = start(repository)
    terminal.wait_for_text("2 of 2")

    terminal.send(b"/")
    terminal.wait_for_text("Enter keep")
    terminal.send(b"ccd=16\rx\rx\r\r")  # lines pasted by a terminal that does not mark what is pasted
    terminal.wait_for_text("Run this?")
    for _ in range(10):
        terminal.read(0.1)
    assert journals(repository) == []
    terminal.send(b"\x07\x071/\x15\r")
    terminal.wait_for_text("2 of 2")

    runner = launch(terminal, repository)
    wait_until(terminal, lambda: len(descendants(runner)) >= 2)
    workers = descendants(runner)
    os.kill(runner, signal.SIGKILL)
    terminal.wait_for_text("DIED")
    wait_until(terminal, lambda: not any(alive(worker) for worker in workers))

    runner = launch(terminal, repository)
    storm(terminal)
    terminal.wait_for_text("903334")
    assert alive(terminal.pid)
    assert b"Traceback" not in terminal.output

    assert alive(runner), "the run was over before the line was cut"
    used = cpu_seconds(terminal.pid)
    terminal.hang_up()
    _, status, usage = _ended(terminal)
    assert os.waitstatus_to_exitcode(status) == 128 + signal.SIGHUP
    assert usage.ru_utime + usage.ru_stime - used < 2.0, "it spun after its terminal was gone"

    end = time.monotonic() + 90
    while alive(runner):
        assert time.monotonic() < end
        time.sleep(0.1)
    assert events(journals(repository)[-1])[-1]["event"] == "run-finished"
    ledger = DatasetLedger(next((repository / "rerun").iterdir()))
    assert {record.status for record in ledger.ccds()} <= {"done", "done-with-caveats"}
    assert len(list(ledger.ccds())) == 2
    ledger.close()

    again = start(repository)
    again.wait_for_text("2/2")  # the screen it was left on, now with the run at its end
    storm(again)
    again.wait_for_text("2/2").wait_for_text("?help")
    for _ in range(10):  # what still comes of the last resizes
        again.read(0.1)
    after_the_storm = picture(again)
    again.cells.reset()
    again.send(b"\x0c")  # ^L sends every cell
    again.wait_for(lambda t: picture(t) == after_the_storm)
    again.send(b"1q")
    assert again.status() == 0


def _ended(terminal: Any) -> tuple[int, int, Any]:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = os.wait4(terminal.pid, os.WNOHANG)
        if found[0]:
            terminal.pid = 0
            return found
        time.sleep(0.02)
    raise AssertionError("the program did not end")
