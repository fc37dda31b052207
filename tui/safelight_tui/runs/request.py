"""What the user wants to be run: the state of the Plan screen, and the processCcd.py line that means the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from safelight.errors import UsageError
from safelight_tui.session.reruns import SCRATCH

if TYPE_CHECKING:
    from safelight.commands.taskoptions import TaskOptions

__all__ = ["RunRequest", "calib_of", "free_rerun_name", "valid_rerun_name"]


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A run that could be started.

    Parameters
    ----------
    root : Path
        The repository.
    rerun : str
        Name of the rerun to write to.
    parent : str
        Name of the rerun to read from as well; empty: none.
    id_text : str
        Data IDs in the language of ``--id``; empty: everything.
    config : mapping of str to str
        Values given with ``-c``, by path, in the order in which they were given.
    config_files : tuple of Path
        Files given with ``-C``, absolute; what is given with ``-c`` wins over them.
    calib : str
        The calibration repository given with ``--calib``; empty: the repository's own.
    """

    root: Path
    rerun: str
    parent: str = ""
    id_text: str = ""
    config: Mapping[str, str] = field(default_factory=dict)
    config_files: tuple[Path, ...] = ()
    calib: str = ""
    redo: bool = False
    failed: bool = False
    processes: int = 1
    nice: int = 0
    in_process: bool = False

    @property
    def output(self) -> Path:
        """The directory of the rerun."""
        return self.root / "rerun" / self.rerun

    @property
    def source(self) -> Path:
        """The directory of the rerun that is read, else the repository."""
        return self.root / "rerun" / self.parent if self.parent else self.root

    def options(self) -> TaskOptions:
        """As processCcd.py's options."""
        from safelight.commands.taskoptions import TaskOptions
        from safelight.dataid import parse

        files = [("-C", str(path)) for path in self.config_files]
        return TaskOptions(
            input=str(self.root),
            calib=self.calib or None,
            rerun=f"{self.parent}:{self.rerun}" if self.parent else self.rerun,
            ids=[list(group.words()) for group in parse(self.id_text).groups],
            overrides=[*files, *(("-c", f"{path}={text}") for path, text in self.config.items())],
            redo=self.redo,
            failed=self.failed,
            processes=self.processes,
        )

    def words(self) -> list[str]:
        """The arguments of processCcd.py."""
        from safelight.commands.taskline import task_words

        return task_words(self.options())

    def command(self) -> str:
        """The line to be typed into a shell; ``nice`` before it where that is wanted."""
        from safelight.commands.taskline import command_text

        return (f"nice -n {self.nice} " if self.nice else "") + command_text(self.options())

    def with_value(self, path: str, text: str | None) -> RunRequest:
        """With a configuration value set, or with None, no longer set."""
        config = {name: value for name, value in self.config.items() if name != path}
        return replace(self, config=config if text is None else {**config, path: text})


def calib_of(command_line: Sequence[str], directory: str) -> str:
    """The calibration repository that a run was given; empty where it was given none, or another program ran it."""
    from safelight.commands.taskline import options_of

    try:
        calib = options_of(command_line).calib
    except UsageError:
        return ""
    return str(Path(directory) / calib) if calib else ""


def valid_rerun_name(name: str) -> str:
    """The name without blanks around it.

    Raises
    ------
    UsageError
        BAD_RERUN: empty, or not the name of a directory below ``rerun``.
    """
    name = name.strip().strip("/")
    parts = name.split("/")
    wrong = not name or any(part in ("", ".", "..") or part.startswith((".", "-")) for part in parts)
    if wrong or ":" in name or not name.isprintable():
        raise UsageError(
            "BAD_RERUN", f"{name!r} cannot be the name of a rerun.", "Letters, digits, '-', '_', '.', and '/' between."
        )
    return name


def free_rerun_name(taken: Mapping[str, object], wish: str) -> str:
    """`wish`, or `wish` with the first number that is free; a visit and a CCD at its end are no such number."""
    stem = wish if wish.startswith(SCRATCH) else wish.rstrip("0123456789").rstrip("-") or wish
    number, name = 2, wish
    while name in taken:
        name, number = f"{stem}-{number}", number + 1
    return name
