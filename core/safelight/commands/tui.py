"""``safelight tui [REPOSITORY]``: the terminal application."""

from __future__ import annotations

from collections.abc import Sequence

from safelight.commands.shell import arguments_of
from safelight.errors import UsageError

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    from safelight.commands.main import has_application, open_application

    if not has_application():
        raise UsageError(
            "NO_APPLICATION", "The terminal application is not installed.", "Install the whole distribution."
        )
    return open_application(arguments_of(argv))
