"""``python -m safelight_tui.screenshots DATA --rerun NAME``."""

from __future__ import annotations

import os
import sys

from safelight.commands.shell import guarded
from safelight_tui.screenshots.tour import main

TERMINAL = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "SAFELIGHT_CHARACTERS": "unicode"}
"""Pictures show what a terminal with all colours and UTF-8 shows, wherever they are made."""


def _with_terminal() -> None:
    """Start again in the environment of such a terminal: what a process is started with is what counts."""
    if "NO_COLOR" in os.environ or any(os.environ.get(name) != value for name, value in TERMINAL.items()):
        kept = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
        command = [sys.executable, "-m", "safelight_tui.screenshots", *sys.argv[1:]]
        os.execve(sys.executable, command, kept | TERMINAL)


if __name__ == "__main__":
    _with_terminal()
    sys.exit(guarded("safelight_tui.screenshots", lambda: main(sys.argv[1:])))
