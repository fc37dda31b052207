"""Starting a run that goes on by itself, and saying how to follow it: ``safelight run`` and ``retry`` with --detach."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from safelight.commands.taskline import task_words
from safelight.commands.taskoptions import TaskOptions
from safelight.errors import UsageError

__all__ = ["run_detached"]

#: How long to wait for a run to begin or to be refused; a long plan may take it longer.
_BEGIN_S = 10.0


def run_detached(options: TaskOptions) -> int:
    """Start a detached run and print its name; 0, or what the run's own exit code says of its refusal.

    Raises
    ------
    UsageError
        NO_OUTPUT: neither a rerun nor an output is named.
    """
    from safelight.butler.roots import resolve_roots
    from safelight.commands.taskrun import nothing_to_retry, prepare, select
    from safelight.processccd.detached import start
    from safelight.processccd.logout import logout_safety

    output = resolve_roots(options.input, rerun=options.rerun, output=options.output, calib=options.calib).output
    if output is None:
        raise UsageError("NO_OUTPUT", "There is nowhere to write.", "Give --rerun NAME or --output PATH.")
    if options.failed:
        task = prepare(options)
        idle = nothing_to_retry(task, select(task))
        if idle:
            print(f"safelight: {idle}", file=sys.stderr)
            return 0
    safety = logout_safety()
    if safety.warning:
        print(f"safelight: {safety.warning}", file=sys.stderr)
    started = start(output, task_words(options), safety=safety)
    begun = started.wait_for_begin(_BEGIN_S)
    refused = started.refused()
    if refused is not None:
        print(refused, file=sys.stderr)
        return started.process.returncode or 1
    started.let_go()
    what = "works" if begun else "is beginning"
    print(f"run {started.run} {what} on its own (process {started.process.pid}); its logs: {started.console.parent}")
    for purpose, line in _next_lines(options, output):
        print(f"  {purpose:8} {line}")
    return 0


def _next_lines(options: TaskOptions, output: Path) -> list[tuple[str, str]]:
    if options.rerun is None:
        return [("follow:", f"tail -F {shlex.quote(str(output))}/logs/*/run.log")]
    where = shlex.join([options.input, "--rerun", options.rerun.rpartition(":")[2]])
    return [
        ("follow:", f"safelight logs {where} -f"),
        ("look:", f"safelight runs {where}"),
        ("stop:", f"safelight cancel {where}"),
    ]
