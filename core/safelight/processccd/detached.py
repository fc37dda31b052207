"""Runs that belong to nobody's terminal: ``python -m safelight.processccd.detached --run NAME -- ARGUMENTS``.

The process has a session of its own: neither the end of the program that started it, nor a hang-up of the line, nor
Ctrl+C in the terminal reaches it. It does exactly what processCcd.py does with the arguments. What it prints goes to
``logs/NAME/console.log`` of the rerun as soon as the run has begun; what it does stands in the journal and the logs, as
for any run. A run that is refused leaves nothing in the repository: what it said is in a file without a name, which its
starter holds open.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from safelight.processccd.events import Event, RunStarted
from safelight.processccd.journal import journal_folder
from safelight.processccd.logout import LogoutSafety
from safelight.processccd.logs import log_folder
from safelight.processccd.runlist import overview
from safelight.processccd.runner import RUN_NAME_VARIABLE, make_run_name

__all__ = ["DetachedRun", "main", "start"]

_SOURCE_ROOT = Path(__file__).resolve().parents[2]
#: Named as text: the library's packages do not import the commands.
_PROGRAM = "safelight.commands.processccd"
_POLL_S = 0.05


@dataclass(slots=True, weakref_slot=True, eq=False)
class DetachedRun:
    """A run that was started; it goes on whatever becomes of this object."""

    run: str
    output: Path
    process: subprocess.Popen[bytes] = field(repr=False)
    said: int = field(repr=False)
    """Descriptor of the file that has what was printed before the run began; closed with this object."""

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.said)

    @property
    def journal(self) -> Path:
        """Its journal, once it has begun."""
        return journal_folder(self.output) / f"{self.run}.jsonl"

    @property
    def console(self) -> Path:
        """What it has printed, once it has begun."""
        return log_folder(self.output, self.run) / "console.log"

    def refused(self) -> str | None:
        """What it said when it ended without having begun; None while it works or if it has begun."""
        if self.process.poll() is None or self.journal.is_file():
            return None
        said = os.pread(self.said, os.fstat(self.said).st_size, 0).decode(errors="replace").strip()
        return said or f"The run ended at once, with status {self.process.returncode}."

    @property
    def begun(self) -> bool:
        """Whether its journal tells what it is going to do."""
        return overview(self.output, self.journal) is not None

    def wait_for_begin(self, seconds: float) -> bool:
        """Wait until the run has begun or has ended; whether it has begun."""
        end = time.monotonic() + seconds
        while not self.begun and self.process.poll() is None and time.monotonic() < end:
            time.sleep(_POLL_S)
        return self.begun

    def let_go(self) -> None:
        """Nobody here is going to wait for its end."""
        if self.process.poll() is None:
            self.process.returncode = 0  # or Python complains of a process that was forgotten


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
    """
    run = make_run_name()
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
        "--keep-console",
        "--",
    ]
    paths = [str(_SOURCE_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths)}
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
        return DetachedRun(run, output, process, os.dup(said.fileno()))


def keep_console(event: Event) -> None:
    """When the run begins, give what was printed a name in its rerun, and print there from then on."""
    if not isinstance(event, RunStarted):
        return
    sys.stdout.flush()
    sys.stderr.flush()
    path = log_folder(Path(event.rerun), event.run) / "console.log"
    with path.open("ab") as console:
        console.write(os.pread(1, os.fstat(1).st_size, 0))
        console.flush()
        for descriptor in (1, 2):
            os.dup2(console.fileno(), descriptor)


def main(argv: Sequence[str] | None = None) -> int:
    """Be the detached process."""
    parser = argparse.ArgumentParser(prog="safelight.processccd.detached", description=__doc__)
    parser.add_argument("--run", required=True, help="the name of the run")
    parser.add_argument("--nice", type=int, default=0, help="added to the niceness")
    parser.add_argument("--keep-console", action="store_true", help="move what is printed, a file, into the rerun")
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
    program: Callable[..., int] = import_module(_PROGRAM).main
    return program(arguments, keep_console) if options.keep_console else program(arguments)


if __name__ == "__main__":
    sys.exit(main())
