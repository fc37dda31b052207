"""``safelight retry``: the failures of a rerun again, as its last run had them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from safelight.commands.shell import Parser, arguments_of

__all__ = ["main"]

_DESCRIPTION = """\
Do the CCDs that failed in a rerun again: the command line of its last run with --failed.
--detach returns at once; the run goes on by itself and `safelight runs` shows it."""

_EXAMPLE = """\
safelight retry DATA --rerun first
  safelight retry DATA --rerun first -j 4 --detach"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code of the run, or 0 when it was started detached."""
    parser = Parser(prog="safelight retry", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("--rerun", metavar="NAME", required=True, help="the rerun")
    parser.add_argument("-j", "--processes", type=int, metavar="N", help="worker processes (default: as before)")
    parser.add_argument("--detach", action="store_true", help="run on its own, whatever becomes of this terminal")
    options = parser.parse_args(arguments_of(argv))
    from safelight.commands.rundirs import newest_run, rerun_directory
    from safelight.commands.taskline import retry_options, task_words

    output = rerun_directory(options.input, options.rerun)
    last = newest_run(output)
    task = retry_options(last.command_line, str(Path(options.input).absolute()), options.rerun, None)
    if options.processes is not None:
        task.processes = options.processes
    if last.directory and Path(last.directory).is_dir():
        os.chdir(last.directory)  # where the paths of its -C and --calib begin
    if options.detach:
        from safelight.commands.detaching import run_detached

        return run_detached(task)
    from safelight.commands.taskrun import run_task

    return run_task(task, ["processCcd.py", *task_words(task)])
