"""A log in the user's pager, while the application steps aside."""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safelight_tui.screens.mode import ModeScreen

if TYPE_CHECKING:
    from safelight_tui.app import SafelightApp

__all__ = ["page_log", "pager"]


def pager(environment: Mapping[str, str]) -> list[str]:
    """The words of $PAGER; less, or else more, without it."""
    import shutil

    try:
        words = shlex.split(environment.get("PAGER", ""))
    except ValueError:  # a quote that is never closed
        words = []
    return words or ["less" if shutil.which("less") else "more"]


def page_log(shell: SafelightApp) -> None:
    """Show the log in view with the pager; say so where there is none."""
    screen = shell.screen
    path = screen.log_in_view() if isinstance(screen, ModeScreen) else None
    if path is None:
        shell.say("There is no log of the CCD under the cursor.", severity="warning")
        return
    log = path

    def found(there: bool) -> None:
        from safelight_tui.terminal.handover import run_program

        trouble = run_program(shell, [*pager(os.environ), str(log)]) if there else f"There is no log {log}."
        if trouble:
            shell.say(trouble, severity="warning")

    shell.jobs.start(lambda job: Path.is_file(log), found, failed=shell.show_error, group="pager")
