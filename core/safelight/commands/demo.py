"""``safelight demo``: a small night made, calibrated and shown, in one command."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from safelight.commands.shell import Parser, arguments_of

__all__ = ["main"]

RERUN = "demo"

_DESCRIPTION = """\
Make a small repository of simulated Hyper Suprime-Cam frames (once), calibrate them with
processCcd.py, and print the report. A second call goes on from what is there. On a terminal
the application is offered at the end."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight demo", description=_DESCRIPTION, example="safelight demo")
    parser.add_argument(
        "path", nargs="?", type=Path, metavar="PATH", help="where (default: in your data folder, see its first line)"
    )
    parser.add_argument(
        "-j", "--processes", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="(default: all cores)"
    )
    options = parser.parse_args(arguments_of(argv))
    path = options.path or _default_path()
    print(f"demo repository: {path}", file=sys.stderr)
    simulate(path, options.processes)
    code = calibrate(path, options.processes)
    opened = _offer_application(path)
    return code if opened is None else opened


def _default_path() -> Path:
    from platformdirs import user_data_path

    return user_data_path("safelight") / "demo"


def simulate(path: Path, processes: int) -> None:
    """Make the demonstration's night, or complete it."""
    from safelight.commands.simulate import file_progress
    from safelight.processccd.runtime import limit_threads, stay_offline

    limit_threads()
    stay_offline()
    from safelight.simulate.night import simulate_night
    from safelight.simulate.presets import spec_from_options

    with file_progress("simulating") as progress:
        simulate_night(path, spec_from_options(preset="demo"), processes=processes, progress=progress)


def calibrate(path: Path, processes: int) -> int:
    """Run processCcd on everything there and print the report; the exit code of the run."""
    from safelight.commands.report import print_report
    from safelight.commands.taskoptions import TaskOptions
    from safelight.commands.taskrun import run_task

    options = TaskOptions(input=str(path), rerun=RERUN, ids=[[]], processes=processes)
    line = ["processCcd.py", str(path), "--rerun", RERUN, "--id", "-j", str(processes)]
    print("$ " + " ".join(line), file=sys.stderr)
    code = run_task(options, line)
    print_report(options, "table")
    return code


def _offer_application(path: Path) -> int | None:
    """Ask on a terminal; the application's exit code, or None where it was not opened."""
    from safelight.commands.main import has_application, open_application

    if not has_application() or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return None
    answer = input(f"Open the application on {path}? [Y/n] ")
    return open_application([str(path)]) if answer.strip().lower() in ("", "y", "yes") else None
