"""Runs that belong to nobody's terminal: ``python -m safelight.processccd.detached --run NAME -- ARGUMENTS``.

The process has a session of its own: neither the end of the program that started it, nor a hang-up of the line, nor
Ctrl+C in the terminal reaches it. It does exactly what processCcd.py does with the arguments. What it prints goes to
``logs/NAME/console.log`` of the rerun; what it does stands in the journal and the logs, as for any run.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from safelight.butler.atomic import make_directory, writing_errors
from safelight.processccd.journal import journal_folder
from safelight.processccd.logout import LogoutSafety
from safelight.processccd.logs import log_folder
from safelight.processccd.runner import RUN_NAME_VARIABLE, make_run_name

__all__ = ["DetachedRun", "main", "start"]

_SOURCE_ROOT = Path(__file__).resolve().parents[2]
#: Named as text: the library's packages do not import the commands.
_PROGRAM = "safelight.commands.processccd"


@dataclass(slots=True)
class DetachedRun:
    """A run that was started; it goes on whatever becomes of this object."""

    run: str
    output: Path
    process: subprocess.Popen[bytes] = field(repr=False)

    @property
    def journal(self) -> Path:
        """Its journal, once it has begun."""
        return journal_folder(self.output) / f"{self.run}.jsonl"

    @property
    def console(self) -> Path:
        """What it printed; the reason, if it was refused before it began."""
        return log_folder(self.output, self.run) / "console.log"

    def refused(self) -> str | None:
        """What it said when it ended without having begun; None while it works or if it has begun."""
        if self.process.poll() is None or self.journal.is_file():
            return None
        said = self.console.read_text(encoding="utf-8", errors="replace").strip() if self.console.is_file() else ""
        return said or f"The run ended at once, with status {self.process.returncode}."


def start(
    output: Path,
    arguments: Sequence[str],
    *,
    nice: int = 0,
    safety: LogoutSafety | None = None,
    directory: Path | None = None,
) -> DetachedRun:
    """Start processCcd.py with `arguments` in a process of its own and return at once.

    Parameters
    ----------
    output : Path
        The directory of the rerun that the arguments name.
    nice : int
        Added to the niceness of the run, 0 to 19.
    safety : LogoutSafety
        How to be spared at logout.
    directory : Path, optional
        Where relative paths of the arguments begin; default: here.

    Raises
    ------
    RepositoryError
        The rerun cannot be written.
    """
    run = make_run_name()
    console = log_folder(output, run) / "console.log"
    make_directory(console.parent)
    command = [
        *(safety.prefix if safety else ()),
        sys.executable,
        "-P",
        "-m",
        __name__,
        "--run",
        run,
        "--nice",
        str(nice),
        "--",
    ]
    paths = [str(_SOURCE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with writing_errors(console), console.open("ab") as said:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
    return DetachedRun(run, output, process)


def main(argv: Sequence[str] | None = None) -> int:
    """Be the detached process."""
    parser = argparse.ArgumentParser(prog="safelight.processccd.detached", description=__doc__)
    parser.add_argument("--run", required=True, help="the name of the run")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="-- and those of processCcd.py")
    options = parser.parse_args(argv)
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    if os.getsid(0) != os.getpid() and os.getpgid(0) != os.getpid():
        os.setsid()  # started by hand, or behind a program that did not make way
    if options.nice > 0:
        os.nice(options.nice)
    os.environ[RUN_NAME_VARIABLE] = options.run
    arguments = options.arguments[1:] if options.arguments[:1] == ["--"] else options.arguments
    program: Callable[[Sequence[str]], int] = import_module(_PROGRAM).main
    return program(arguments)


if __name__ == "__main__":
    sys.exit(main())
