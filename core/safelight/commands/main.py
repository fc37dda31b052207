"""The command ``safelight``: sub-commands, each in a module that is imported when it is called."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from safelight.commands.shell import arguments_of, guarded
from safelight.errors import UsageError

__all__ = ["has_application", "main", "open_application"]


class _Command(NamedTuple):
    module: str
    help: str
    function: str = "main"


_COMMANDS = {
    "demo": _Command("demo", "make a small repository, calibrate it and show the result"),
    "simulate": _Command("simulate", "write a synthetic night with known truth, in real file formats"),
    "ingest": _Command("ingest", "register raw images, master calibrations or a reference catalogue"),
    "calibs": _Command("calibs", "build master bias, dark and flat frames from raws; list what there is"),
    "plan": _Command("plan", "show what a run would do, and why, without writing anything"),
    "run": _Command("run", "calibrate raw frames (processCcd.py on nicer terms)"),
    "runs": _Command("runs", "list runs with what they are doing, wherever they were started"),
    "pause": _Command("control", "let a run begin nothing new, or go on", "pause"),
    "cancel": _Command("control", "end a run when the CCDs in hand are done, or now", "cancel"),
    "retry": _Command("retry", "do the failures of a rerun again"),
    "logs": _Command("logs", "print or follow the log of a run or of its CCDs"),
    "report": _Command("report", "one row a CCD of a rerun: status, caveats, quality"),
    "show": _Command("show", "summarize one dataset of a repository or rerun"),
    "image": _Command("image", "look at pixels: half blocks on the terminal, a PNG, a DS9 region file"),
    "mark": _Command("mark", "judge CCDs of a rerun: good, bad, look again, with a comment"),
    "export": _Command("export", "CCDs with metrics and marks as --id text, CSV, ECSV; a summary of the night"),
    "check": _Command("check", "verify every file of all reruns against its recorded size and checksum"),
    "settings": _Command("settings", "say what is set and where; write the documented files of settings and keys"),
    "tui": _Command("tui", "open the terminal application on a repository, or offer the recent ones"),
    "version": _Command("version", "print the versions of Safelight and of what it computes with"),
}

_EXAMPLE = """\
examples:
  safelight demo
  safelight plan DATA --rerun first --id filter=HSC-I
  safelight run DATA --rerun first --id filter=HSC-I -j 4
  safelight report DATA --rerun first

safelight COMMAND --help says more. Gen2's command lines work as well: processCcd.py,
ingestImages.py, ingestCalibs.py, ingestReferenceCatalog.py."""


def _help() -> str:
    width = max(map(len, _COMMANDS))
    commands = "\n".join(f"  {name:{width}}  {command.help}" for name, command in _COMMANDS.items())
    application = "\n  safelight [DATA] opens the application on a repository.\n" if has_application() else ""
    return (
        "usage: safelight [REPOSITORY | COMMAND …]\n\n"
        "Raw CCD frames to calibrated exposures with an honest WCS and zeropoint.\n\n"
        f"commands:\n{commands}\n{application}\n{_EXAMPLE}\n"
    )


def has_application() -> bool:
    """Whether the terminal application is installed."""
    return importlib.util.find_spec("safelight_tui") is not None


def open_application(arguments: Sequence[str]) -> int:
    """Run the terminal application; returns its exit code.

    It is found by name, and late: the library does not depend on it.
    """
    application = importlib.import_module("safelight_tui.main")
    code: int = application.main(arguments)
    return code


def _run(arguments: list[str]) -> int:
    if not arguments and has_application() and sys.stdin.isatty() and sys.stdout.isatty():
        return open_application([])
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if arguments[0] == "--version":
        arguments = ["version"]
    name, *rest = arguments
    command = _COMMANDS.get(name)
    if command is not None:
        module = importlib.import_module(f"safelight.commands.{command.module}")
        code: int = getattr(module, command.function)(rest)
        return code
    if Path(name).is_dir() and has_application():
        return open_application(arguments)
    near = difflib.get_close_matches(name, _COMMANDS, n=1)
    raise UsageError(
        "UNKNOWN_COMMAND",
        f"There is no command {name!r}.",
        f"Did you mean {near[0]}?" if near else f"Commands: {', '.join(_COMMANDS)}.",
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    return guarded("safelight", lambda: _run(arguments_of(argv)))
