"""``safelight run``: processCcd.py on nicer terms: one process per core, the rerun named "default"."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from safelight.commands.shell import Parser, arguments_of
from safelight.commands.taskoptions import TaskOptions, TaskParser, parse_task_options

__all__ = ["DEFAULT_RERUN", "main", "run_parser", "with_defaults"]

DEFAULT_RERUN = "default"

_DESCRIPTION = """\
Calibrate raw CCD frames. As processCcd.py, but without --rerun the rerun is named
"default", without --id everything is selected, as many processes as cores run, and
the report is printed at the end. Repeat the line to go on after an interruption.
--detach returns as soon as the run has begun; it goes on by itself, whatever becomes of
this terminal or line, and `safelight logs -f`, `runs` and `cancel` are about it."""

_EXAMPLE = """\
safelight run DATA --id filter=HSC-I
  safelight run DATA --rerun night --id visit=903986 -j 4 --detach
  safelight run DATA --rerun tight -c calibrate.astrometry.matcher.matchRadiusPix=1 --failed"""


def with_defaults(options: TaskOptions) -> TaskOptions:
    """The options with what `safelight run` and `safelight plan` assume."""
    if options.rerun is None and options.output is None:
        options.rerun = DEFAULT_RERUN
    if options.ids is None:
        options.ids = [[]]
    return options


def run_parser(description: str = "", example: str = "") -> Parser:
    """The parser of `safelight run`: processCcd.py's, and --detach."""
    return TaskParser("safelight run", description, example, may_detach=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    arguments = arguments_of(argv)
    options = with_defaults(parse_task_options(run_parser(_DESCRIPTION, _EXAMPLE), arguments))
    given = [word for word in arguments if word.startswith(("-j", "--processes", "--proc"))]
    if not given:
        options.processes = max(len(os.sched_getaffinity(0)), 1)
    if options.detach and (not options.show or "run" in options.show):
        from safelight.commands.detaching import run_detached

        return run_detached(options)
    from safelight.commands.report import print_report
    from safelight.commands.taskrun import run_task

    code = run_task(options, ["safelight", "run", *arguments])
    if not options.show and code in (0, 1):
        sys.stderr.flush()
        print_report(options, "table")
    return code
