"""Lag of the event loop and bytes a second while a run is followed, over fast and slow lines, with two drivers.

    python -m tests.benchmarks.bench_loop [--rows 10000 1000000] [--rates 0 20000] [--seconds 10]

The application follows a journal that gets 20 events a second, on a repository of so many raw frames, in a
pseudo-terminal of 120x40 that is read at so many bytes a second (0: as fast as it comes). A task of the event loop
sleeps 10 ms at a time; by how much it oversleeps is the lag. ``delta`` is the application's own driver, ``stock`` is
Textual's, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import pty
import select
import signal
import struct
import sys
import tempfile
import time
from fcntl import ioctl
from pathlib import Path
from termios import TIOCSWINSZ
from typing import Any

import pyte
from tests.support.gen2 import Frame, make_registry

CCDS = 104

PROGRAM = """
import asyncio, json, sys, time
from pathlib import Path
from textual.drivers.linux_driver import LinuxDriver
from safelight_tui.app import SafelightApp
from safelight_tui.terminal.driver import DeltaDriver
root, told, driver, seconds = sys.argv[1:]
lags = []

class Measured(SafelightApp):
    def on_mount(self):
        super().on_mount()
        asyncio.get_running_loop().create_task(self.measure())

    async def measure(self):
        while self.busy or self.session is None:
            await asyncio.sleep(0.05)
        self.go("run")
        await asyncio.sleep(2.0)
        end = time.perf_counter() + float(seconds)
        cpu = time.process_time()
        while time.perf_counter() < end:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            lags.append(time.perf_counter() - before - 0.01)
        Path(told).write_text(json.dumps({"lags": lags, "cpu": time.process_time() - cpu}))

sys.setswitchinterval(0.001)
Measured(Path(root), remember=False, driver_class=DeltaDriver if driver == "delta" else LinuxDriver).run()
"""


def make_repository(root: Path, rows: int) -> None:
    """A registry of `rows` raw frames of HSC; no files."""
    frames = (Frame(900000 + 2 * (row // CCDS), row % CCDS, "HSC-I", "2013-11-02", 1, "FIELD") for row in range(rows))
    make_registry(root, frames)


class Run:
    """A run of one visit that goes round and round its CCDs."""

    def __init__(self, root: Path) -> None:
        from safelight.butler.butler import Butler
        from safelight.processccd import events
        from safelight.processccd.journal import JournalWriter, journal_folder

        self._events = events
        output = Butler(root, rerun="first").create_output()
        name = time.strftime("%Y%m%dT%H%M%S.000Z-1", time.gmtime())
        self._writer = JournalWriter(journal_folder(output) / f"{name}.jsonl")
        self._keys = [f"visit=900000 ccd={ccd}" for ccd in range(CCDS)]
        planned = [
            {"key": key, "data_id": {"visit": 900000, "ccd": ccd}, "action": "run", "code": "NEW", "reason": "new",
             "state": "absent"}
            for ccd, key in enumerate(self._keys)
        ]  # fmt: skip
        self._writer.write(
            events.RunStarted(
                time=time.time(), run=name, command_line=["processCcd.py"], repository="DATA", rerun=str(output),
                host=platform.node(), pid=os.getpid(), processes=2, ccds=planned,
            )
        )  # fmt: skip
        self._count = 0

    def step(self) -> None:
        """The next event: a CCD begins, or enters a stage."""
        stages = ("read", "isr", "characterize", "wcs", "zeropoint", "write")
        ccd = self._count // (len(stages) + 1) % CCDS
        key = self._keys[ccd]
        stage = self._count % (len(stages) + 1)
        now = time.time()
        if stage == 0:
            self._writer.write(self._events.CcdStarted(time=now, ccd=key, data_id={"visit": 900000, "ccd": ccd}))
        else:
            self._writer.write(self._events.StageStarted(time=now, ccd=key, stage=stages[stage - 1]))
        self._count += 1

    def close(self) -> None:
        """End the journal's file."""
        self._writer.close()


def measure(root: Path, driver: str, rate: int, seconds: float, folder: Path) -> dict[str, float]:
    """One application on one line: lags in ms, bytes and CPU a second."""
    told = folder / f"told-{driver}-{rate}-{time.monotonic_ns()}"
    pid, line = pty.fork()
    if pid == 0:
        environment = {k: v for k, v in os.environ.items() if k not in ("TMUX", "NO_COLOR")}
        environment |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        os.execve(
            sys.executable, [sys.executable, "-c", PROGRAM, str(root), str(told), driver, str(seconds)], environment
        )
    ioctl(line, TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
    screen = pyte.Screen(120, 40)
    setattr(screen, "write_process_input", lambda text: os.write(line, text.encode()))  # noqa: B010
    stream = pyte.ByteStream(screen)
    run, began, taken, next_event = Run(root), time.monotonic(), 0, 0.0
    history: list[tuple[float, int]] = []
    try:
        while not told.exists():
            now = time.monotonic() - began
            if now > 120 + seconds:
                raise SystemExit(f"{driver} at {rate} B/s does not come to its end")
            if now > next_event:
                run.step()
                next_event += 0.05
            room = 65536 if not rate else min(4096, int(rate * now) + 70_000 - taken)  # the first screen comes at once
            if room > 0 and select.select([line], [], [], 0.01)[0]:
                data = os.read(line, room)
                taken += len(data)
                stream.feed(data)
            elif room <= 0:
                time.sleep(0.01)
            history.append((now, taken))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(line)
        run.close()
    result: dict[str, Any] = json.loads(told.read_text())
    lags = sorted(1e3 * lag for lag in result["lags"])
    end = history[-1][0]
    taken_before = next(count for moment, count in history if moment >= end - seconds)
    return {
        "p50": lags[len(lags) // 2],
        "p95": lags[int(0.95 * len(lags))],
        "max": lags[-1],
        "bytes/s": (taken - taken_before) / seconds,
        "cpu %": 100 * result["cpu"] / seconds,
    }


def main() -> int:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 1_000_000], help="raw frames")
    parser.add_argument("--rates", type=int, nargs="+", default=[0, 20_000], help="bytes a second; 0: no limit")
    parser.add_argument("--seconds", type=float, default=10.0, help="of measuring")
    options = parser.parse_args()
    heads = ("rows", "line B/s", "driver", "lag ms p50", "p95", "max", "bytes/s", "cpu %")
    print(" ".join(head.rjust(width) for head, width in zip(heads, (9, 9, 7, 11, 7, 7, 9, 6), strict=True)))
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            root = folder / "DATA"
            make_repository(root, rows)
            for rate in options.rates:
                for driver in ("delta", "stock"):
                    r = measure(root, driver, rate, options.seconds, folder)
                    line = rate or "fast"
                    print(
                        f"{rows:>9} {line:>9} {driver:>7} {r['p50']:>11.1f} {r['p95']:>7.1f} {r['max']:>7.1f}"
                        f" {r['bytes/s']:>9.0f} {r['cpu %']:>6.1f}",
                        flush=True,
                    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
