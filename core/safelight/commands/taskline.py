"""Task options back into the words of a processCcd.py command line. Standard library only."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace

from safelight.commands.taskoptions import TaskOptions, TaskParser, parse_task_options
from safelight.errors import UsageError

__all__ = ["command_text", "retry_options", "task_words"]

_LEVEL_NAMES = {5: "TRACE", 10: "DEBUG", 20: "INFO", 30: "WARN", 40: "ERROR", 50: "FATAL"}
_FLAGS = (
    ("failed", "--failed"),
    ("redo", "--redo"),
    ("clobber_config", "--clobber-config"),
    ("clobber_versions", "--clobber-versions"),
    ("clobber_output", "--clobber-output"),
    ("longlog", "--longlog"),
    ("debug", "--debug"),
    ("doraise", "--doraise"),
    ("no_exit", "--noExit"),
)


def task_words(options: TaskOptions) -> list[str]:
    """The arguments of processCcd.py that mean `options`; parsing them gives the options again."""
    words = [options.input]
    for name in ("rerun", "output", "calib", "profile"):
        value = getattr(options, name)
        if value is not None:
            words += [f"--{name}", value]
    for group in options.ids or ():
        words += ["--id", *group]
    for option, values in _runs(options.overrides):
        words += [option, *values]
    if options.log_levels:
        words.append("-L")
        words += [f"{item.component}={_LEVEL_NAMES[item.level]}".lstrip("=") for item in options.log_levels]
    words += [word for field, word in _FLAGS if getattr(options, field)]
    if not options.backup_config:
        words.append("--no-backup-config")
    if not options.versions:
        words.append("--no-versions")
    if options.reuse_outputs_from:
        words += ["--reuse-outputs-from", options.reuse_outputs_from]
    if options.show:
        words += ["--show", *options.show]
    if options.timeout is not None:
        words += ["-t", f"{options.timeout:g}"]
    if options.executor != "pool":
        words += ["--executor", options.executor]
    if options.processes != 1:
        words += ["-j", str(options.processes)]
    return words


def _runs(overrides: Sequence[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    """Neighbours with the same option together: the order of -c and -C decides which wins."""
    groups: list[tuple[str, list[str]]] = []
    for option, text in overrides:
        if groups and groups[-1][0] == option:
            groups[-1][1].append(text)
        else:
            groups.append((option, [text]))
    return groups


def command_text(options: TaskOptions) -> str:
    """The whole command line, quoted for a shell."""
    return shlex.join(["processCcd.py", *task_words(options)])


def options_of(command_line: Sequence[str]) -> TaskOptions:
    """The options of a run, from the command line that its journal has.

    Raises
    ------
    UsageError
        UNKNOWN_COMMAND_LINE: the run was started by some other program.
    """
    words = list(command_line)
    if words[:1] == ["processCcd.py"]:
        return parse_task_options(TaskParser("processCcd.py", "", ""), words[1:])
    if words[:2] == ["safelight", "run"]:
        from safelight.commands.run import run_parser, with_defaults

        return with_defaults(parse_task_options(run_parser(), words[2:]))
    raise UsageError("UNKNOWN_COMMAND_LINE", f"It is not known how to repeat {shlex.join(words)!r}.")


def retry_options(command_line: Sequence[str], root: str, rerun: str | None, output: str | None) -> TaskOptions:
    """What a run's command line must say to do only its failures, in the same rerun with the same configuration."""
    options = replace(
        options_of(command_line),
        input=root,
        output=output,
        failed=True,
        redo=False,
        detach=False,
        show=[],
        profile=None,
        reuse_outputs_from="",
        clobber_output=False,
        clobber_config=False,
        clobber_versions=False,
    )
    if output is not None:
        options.rerun = None
    elif rerun is not None and (options.rerun or "").rpartition(":")[2] != rerun:
        options.rerun = rerun
    return options
