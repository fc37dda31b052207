"""The options of processCcd.py, which `safelight run` and `safelight plan` share. Standard library only."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from safelight.commands.shell import Parser
from safelight.errors import UsageError

__all__ = ["LogLevel", "TaskOptions", "TaskParser", "parse_task_options"]

_LEVELS = {"TRACE": 5, "DEBUG": 10, "INFO": 20, "WARN": 30, "WARNING": 30, "ERROR": 40, "FATAL": 50}
_REUSABLE = ("processCcd", "all")
_SHOW = ("config", "history", "tasks", "data", "run")


@dataclass(frozen=True, slots=True)
class LogLevel:
    """A threshold for one component, or for all ("")."""

    component: str
    level: int


@dataclass(slots=True)
class TaskOptions:
    """The options of one command line, parsed."""

    input: str = ""
    calib: str | None = None
    output: str | None = None
    rerun: str | None = None
    ids: list[list[str]] | None = None  # one list per --id; None: --id was not given
    overrides: list[tuple[str, str]] = field(default_factory=list)  # ("-c" | "-C", text), in order
    log_levels: list[LogLevel] = field(default_factory=list)
    longlog: bool = False
    debug: bool = False
    doraise: bool = False
    no_exit: bool = False
    profile: str | None = None
    show: list[str] = field(default_factory=list)
    processes: int = 1
    timeout: float | None = None
    clobber_output: bool = False
    clobber_config: bool = False
    backup_config: bool = True
    clobber_versions: bool = False
    versions: bool = True
    reuse_outputs_from: str = ""
    failed: bool = False
    redo: bool = False
    executor: str = "pool"
    detach: bool = False  # of safelight run only: how to start, not what to run
    format: str = "table"


class _TaskParser(Parser):
    def convert_arg_line_to_args(self, arg_line: str) -> list[str]:
        """Lines of an ``@FILE``: shell rules, ``#`` begins a comment."""
        return shlex.split(arg_line, comments=True)


class _Override(argparse.Action):
    """Keeps -c and -C in the order in which they were typed: the later one wins."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        kept = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, kept + [(self.const, value) for value in values])


class _Levels(argparse.Action):
    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, option: str | None = None
    ) -> None:
        kept = getattr(namespace, self.dest) or []
        setattr(namespace, self.dest, kept + [_level(value) for value in values])


def _level(text: str) -> LogLevel:
    component, _, name = text.rpartition("=")
    if name.upper() not in _LEVELS:
        raise UsageError(
            "BAD_LOG_LEVEL", f"{name!r} is not a log level.", "TRACE, DEBUG, INFO, WARN, ERROR or FATAL, in any case."
        )
    return LogLevel(component, _LEVELS[name.upper()])


def TaskParser(
    prog: str, description: str, example: str, *, for_plan: bool = False, may_detach: bool = False
) -> Parser:
    """The parser of processCcd.py and its kin; `for_plan` leaves out what only concerns running."""
    parser = _TaskParser(prog=prog, description=description, example=example, fromfile_prefix_chars="@")
    parser.add_argument("input", metavar="DATA", help="input repository; must come first")
    where = parser.add_argument_group("repositories")
    where.add_argument("--rerun", metavar="[A:]B", help="write to DATA/rerun/B; with A, also read from DATA/rerun/A")
    where.add_argument("--output", metavar="P", help="write to the repository P (made if absent) instead of a rerun")
    where.add_argument("--calib", metavar="P", help="calibration repository (default: DATA/CALIB)")
    what = parser.add_argument_group("selection")
    what.add_argument(
        "--id",
        dest="ids",
        nargs="*",
        action="append",
        metavar="KEY=V1[^V2..V3:STRIDE]",
        help="data IDs; values joined by ^, ranges A..B inclusive, also KEY>=V KEY<V KEY!=V KEY~GLOB; "
        "nothing after --id: everything; repeat it to add groups",
    )
    what.add_argument("--failed", action="store_true", help="only the CCDs that failed before in this rerun")
    what.add_argument("--redo", action="store_true", help="do finished CCDs again (default: skipped if unchanged)")
    what.add_argument(
        "--reuse-outputs-from",
        choices=_REUSABLE,
        default="",
        metavar="S",
        help="keep outputs that exist without comparing their inputs (S: processCcd or all)",
    )
    _add_configuration(parser)
    _add_showing(parser, for_plan)
    if not for_plan:
        _add_running(parser, may_detach)
    return parser


def _add_configuration(parser: Parser) -> None:
    group = parser.add_argument_group("configuration")
    group.add_argument(
        "-c",
        "--config",
        dest="overrides",
        nargs="*",
        action=_Override,
        const="-c",
        metavar="K=V",
        help="set configuration fields, e.g. isr.doFlat=False",
    )
    group.add_argument(
        "-C",
        "--configfile",
        dest="overrides",
        nargs="*",
        action=_Override,
        const="-C",
        metavar="F",
        help="files of config.name = literal lines; read, never executed",
    )
    group.add_argument(
        "--clobber-config", action="store_true", help="replace the rerun's configuration; the old one is kept as ~1"
    )
    group.add_argument(
        "--no-backup-config", dest="backup_config", action="store_false", help="with --clobber-config: keep no backup"
    )
    group.add_argument(
        "--clobber-versions", action="store_true", help="replace the rerun's package versions, with backup"
    )
    group.add_argument(
        "--no-versions", dest="versions", action="store_false", help="neither write nor check package versions"
    )


def _add_showing(parser: Parser, for_plan: bool) -> None:
    group = parser.add_argument_group("output")
    if for_plan:
        group.add_argument("--format", choices=("table", "json"), default="table", help="(default: table)")
    else:
        group.add_argument(
            "--show",
            nargs="+",
            default=[],
            metavar="WORD",
            help="config[=GLOB], history=GLOB, tasks, data, and run to go on after showing",
        )
    group.add_argument(
        "-L",
        "--loglevel",
        dest="log_levels",
        nargs="*",
        action=_Levels,
        metavar="[COMP=]LEVEL",
        help="log threshold: TRACE DEBUG INFO WARN ERROR FATAL (default: INFO)",
    )
    group.add_argument("--longlog", action="store_true", help="log with time, data ID and place")


def _add_running(parser: Parser, may_detach: bool) -> None:
    group = parser.add_argument_group("running")
    if may_detach:
        group.add_argument("--detach", action="store_true", help="run on its own, whatever becomes of this terminal")
    group.add_argument("-j", "--processes", type=int, default=1, metavar="N", help="worker processes (default: 1)")
    group.add_argument("-t", "--timeout", type=float, metavar="SEC", help="time limit of the whole run")
    group.add_argument("--clobber-output", action="store_true", help="delete the output repository first")
    group.add_argument("--noExit", dest="no_exit", action="store_true", help="exit with 0 even when CCDs failed")
    group.add_argument("--doraise", action="store_true", help="stop at the first failure with its traceback")
    group.add_argument("--debug", action="store_true", help="import your module named debug before running")
    group.add_argument("--profile", metavar="FILE", help="write cProfile statistics of this process to FILE")
    group.add_argument(
        "--executor",
        choices=("pool", "parsl"),
        default="pool",
        help="where to run: a pool of processes on this machine, or Parsl (extra; its configuration from "
        "SAFELIGHT_PARSL_CONFIG)",
    )


def parse_task_options(parser: Parser, arguments: Sequence[str]) -> TaskOptions:
    """Parse; raises `UsageError` for whatever cannot be understood.

    As in Gen2 the repository comes first, so that ``--id`` and its kin may take any number of values.
    """
    if not arguments:
        parser.print_help()
        raise UsageError("NO_INPUT", "The input repository must be the first argument.", f"{parser.prog} DATA …")
    if arguments[0][:1] in ("-", "@") and not ({"-h", "--help"} & set(arguments)):
        raise UsageError(
            "NO_INPUT",
            f"The input repository must be the first argument; {arguments[0]!r} is none.",
            f"{parser.prog} DATA …",
        )
    namespace = parser.parse_args(arguments)
    options = TaskOptions(**{name: value for name, value in vars(namespace).items() if value is not None})
    if options.processes < 1:
        raise UsageError("BAD_OPTION", f"-j wants at least one process, not {options.processes}.")
    _check_show(options.show)
    return options


def _check_show(words: list[str]) -> None:
    for word in words:
        name, equals, glob = word.partition("=")
        if name not in _SHOW:
            raise UsageError("BAD_SHOW", f"--show knows no {word!r}.", f"It knows {', '.join(_SHOW)}.")
        if name == "history" and not (equals and glob):
            raise UsageError("BAD_SHOW", "--show history needs a glob.", "For example: --show history=isr.do*")
