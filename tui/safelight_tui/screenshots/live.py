"""A run that goes on while its picture is made."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safelight.errors import ProcessingError, UsageError

__all__ = ["RERUN", "live_run"]

RERUN = "tonight"
"""Its rerun, which is there only as long as the picture is made."""
_BEGINS_WITHIN_S = 60.0
_ENDS_WITHIN_S = 60.0


@contextmanager
def live_run(root: Path, expression: str) -> Iterator[None]:
    """Run the CCDs of a data-ID expression in a process and a rerun of its own; end and remove both afterwards.

    Raises
    ------
    UsageError
        RERUN_EXISTS: a rerun of that name is somebody's work, and is left alone.
    ProcessingError
        NO_RUN: it did not begin.
    """
    from safelight.processccd.detached import start

    output = root / "rerun" / RERUN
    if output.exists():
        raise UsageError("RERUN_EXISTS", f"{output} is there already.", "Take it away: a run is shown under this name.")
    run = start(output, [str(root), "--rerun", RERUN, "--id", *shlex.split(expression), "-j", "2"])
    try:
        if not run.wait_for_begin(_BEGINS_WITHIN_S):
            raise ProcessingError("NO_RUN", f"The run that is to be shown did not begin: {run.refused() or 'too slow'}")
        yield
    finally:
        run.process.terminate()
        run.process.wait(_ENDS_WITHIN_S)
        shutil.rmtree(output, ignore_errors=True)
