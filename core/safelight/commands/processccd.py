"""The command ``processCcd.py``: raw frames to calibrated exposures, with the command line of LSST's Gen2."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from safelight.commands.shell import arguments_of, guarded
from safelight.commands.taskoptions import TaskParser, parse_task_options

if TYPE_CHECKING:
    from safelight.processccd.events import Event

__all__ = ["main"]

_DESCRIPTION = """\
Calibrate raw CCD frames: instrument signature removal, characterization, WCS and zeropoint.

Finished CCDs are skipped when their inputs and the configuration are unchanged, so the same line
may be repeated after an interruption. Configuration files are read as literals, never executed.
Rows of --show data go to stdout, the log to stderr.

exit codes: 0 all done, 1 a CCD failed, 2 usage or data-ID error, 3 the rerun has another
configuration, 4 nothing selected, 5 repository unusable, 130 cancelled"""

_EXAMPLE = """\
processCcd.py DATA --rerun processCcdOutputs --id filter=HSC-I --show data
  processCcd.py DATA --rerun processCcdOutputs --id filter=HSC-I ccd=16^22..24 -j 4"""


def main(argv: Sequence[str] | None = None, listener: Callable[[Event], None] = lambda event: None) -> int:
    """Run the command; returns its exit code. `listener` is told what the run does, as its journal is."""
    arguments = arguments_of(argv)

    def run() -> int:
        options = parse_task_options(TaskParser("processCcd.py", _DESCRIPTION, _EXAMPLE), arguments)
        from safelight.commands.taskrun import run_task

        return run_task(options, ["processCcd.py", *arguments], listener)

    return guarded("processCcd.py", run)
