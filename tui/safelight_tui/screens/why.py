"""Enter on a failure, in any screen: code, sentence, hint, and the end of the CCD's log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from safelight_tui.session.reruns import CcdState
from safelight_tui.widgets.run_failure import WhyDialog

if TYPE_CHECKING:
    from safelight_tui.app import SafelightApp

__all__ = ["tell_why"]

_LINES = 20
_TAIL_BYTES = 32768


def tell_why(shell: SafelightApp, rerun: Path, name: str, state: CcdState) -> None:
    """Show what happened to a CCD; L there goes to the whole log.

    Parameters
    ----------
    rerun : Path
        The rerun's directory.
    name : str
        The CCD as journals call it, ``visit=903986 ccd=16``.
    """

    def answered(wanted: str | None) -> None:
        if wanted:
            shell.go(wanted)

    def read(lines: list[str]) -> None:
        shell.push_screen(WhyDialog(name, state, lines), answered)

    shell.jobs.start(lambda job: _end_of_log(rerun, state.run, name), read, failed=shell.show_error, group="why")


def _end_of_log(rerun: Path, run: str, name: str) -> list[str]:
    from safelight.processccd.logs import ccd_log, log_folder

    path = log_folder(rerun, run) / ccd_log(name)
    if not run or not path.is_file():
        return ["(it has none)"]
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        return file.read().decode(errors="replace").splitlines()[-_LINES:]
