"""What the application needs of a terminal, said in a sentence when it is not there."""

from __future__ import annotations

import os
from collections.abc import Mapping

from safelight.errors import UsageError

__all__ = ["HEADLESS_HINT", "MINIMUM_SIZE", "output_descriptor", "require_terminal"]

MINIMUM_SIZE = (80, 24)
"""Columns and rows below which the screens only say what they need."""

HEADLESS_HINT = (
    "every screen has a plain-text twin: processCcd.py --help, "
    "and safelight runs, logs, retry, mark, export, image --help"
)


def output_descriptor() -> int | None:
    """File descriptor of the terminal that is written to: standard error, else standard output; None without one."""
    for descriptor in (2, 1):
        if os.isatty(descriptor):
            return descriptor
    return None


def require_terminal(environment: Mapping[str, str]) -> int:
    """The descriptor to write to.

    Raises
    ------
    UsageError
        NO_TERMINAL when input or output is not a terminal; TERMINAL_TOO_SIMPLE for ``TERM=dumb`` (or none), which
        cannot place a cursor: full-screen output would be an unreadable stream of control sequences.
    """
    descriptor = output_descriptor()
    if descriptor is None or not os.isatty(0):
        raise UsageError(
            "NO_TERMINAL", "the application needs a terminal, but its input or output is not one", HEADLESS_HINT
        )
    kind = environment.get("TERM", "")
    if kind in ("", "dumb", "unknown"):
        raise UsageError(
            "TERMINAL_TOO_SIMPLE",
            f"a terminal of type {kind or '(none)'!r} cannot place a cursor, so no screen can be drawn on it",
            HEADLESS_HINT + "; if the terminal can do more than it says, set TERM, e.g. TERM=vt100",
        )
    return descriptor
