"""``safelight simulate``: a synthetic night with known truth."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from safelight.commands.shell import Parser, arguments_of
from safelight.processccd.runtime import limit_threads, stay_offline

__all__ = ["file_progress", "main"]

_DESCRIPTION = """\
Write raw frames exactly as the camera does, the master calibrations and reference catalogues
that belong to them, and the truth about every star. The same line completes a night that was
interrupted."""

_EXAMPLE = """\
safelight simulate DATA --set tutorial -j 2
  safelight simulate DATA --set real-sky --sky ref_cats"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    from safelight.simulate.command import add_arguments, run

    parser = Parser(prog="safelight simulate", description=_DESCRIPTION, example=_EXAMPLE)
    add_arguments(parser)
    options = parser.parse_args(arguments_of(argv))
    limit_threads()
    stay_offline()
    with file_progress("simulating") as progress:
        night = run(options, progress)
    frames = sum(len(visit.ccds) for visit in night.visits)
    print(f"{options.path}: night {night.name}, {frames} raw frames; truth in {options.path / 'truth'}")
    return 0


class file_progress:
    """Progress of making files: a bar on a terminal, plain lines elsewhere; both on stderr.

    As a context manager it gives the function to call with (done, total, title).
    """

    def __init__(self, verb: str) -> None:
        self._verb = verb
        self._bar: Callable[[int, int, str], None] | None = None

    def __enter__(self) -> Callable[[int, int, str], None]:
        if not sys.stderr.isatty():
            return self._line
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        task = self._progress.add_task(self._verb, total=None)

        def show(done: int, total: int, title: str) -> None:
            self._progress.update(task, completed=done, total=total, description=f"{self._verb}: {title}")

        self._bar = show
        return show

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._progress.stop()

    def _line(self, done: int, total: int, title: str) -> None:
        print(f"{self._verb} {done}/{total}: {title}", file=sys.stderr, flush=True)
