"""``safelight runs``: the runs of a repository, wherever they were started."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.commands.shell import Parser, arguments_of

if TYPE_CHECKING:
    from safelight.processccd.runlist import RunOverview

__all__ = ["main"]

_DESCRIPTION = """\
List the runs of a repository with what they are doing: those that go on, and the last of each
rerun (--all: every one). A run that was killed is called dead; the same command line goes on
with what is missing."""

_EXAMPLE = """\
safelight runs DATA
  safelight runs DATA --rerun first --all"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; always 0."""
    parser = Parser(prog="safelight runs", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("input", metavar="DATA", help="the repository")
    parser.add_argument("--rerun", metavar="NAME", help="only this rerun (default: all)")
    parser.add_argument("--all", action="store_true", help="also runs that newer ones have followed")
    parser.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")
    options = parser.parse_args(arguments_of(argv))
    from safelight.commands.rundirs import reruns_of

    found: list[tuple[str, RunOverview]] = []
    for name, output in reruns_of(options.input, options.rerun):
        found += [(name, run) for run in _wanted(output, every=options.all)]
    found.sort(key=lambda item: item[1].started)
    if options.format == "json":
        print(json.dumps([_record(name, run) for name, run in found], indent=1))
    else:
        print(_table(found), end="")
    return 0


def _wanted(output: Path, *, every: bool) -> list[RunOverview]:
    from safelight.processccd.runlist import runs_of

    runs = list(runs_of(output))
    return runs if every else [run for rank, run in enumerate(runs) if rank == 0 or run.live]


def _record(name: str, run: RunOverview) -> dict[str, Any]:
    return {
        "rerun": name,
        "run": run.run,
        "state": run.phase,
        "finished": run.finished,
        "total": run.total,
        "failed": run.failed,
        "started": _iso(run.started),
        "seconds": round(run.elapsed, 1),
        "host": run.host,
        "pid": run.pid,
        "command_line": run.command_line,
    }


def _iso(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _table(found: list[tuple[str, RunOverview]]) -> str:
    if not found:
        return "no runs\n"
    heads = ["rerun", "state", "done", "failed", "started", "seconds", "process", "command"]
    rows = [
        [
            name,
            run.phase,
            f"{run.finished}/{run.total}",
            str(run.failed),
            _iso(run.started),
            f"{run.elapsed:.0f}",
            f"{run.host}:{run.pid}",
            shlex.join(run.command_line),
        ]
        for name, run in found
    ]
    widths = [max(len(row[k]) for row in [heads, *rows]) for k in range(len(heads))]
    return "".join("  ".join(cell.ljust(w) for cell, w in zip(row, widths)).rstrip() + "\n" for row in [heads, *rows])
