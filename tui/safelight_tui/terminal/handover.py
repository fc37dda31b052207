"""Handing the terminal to another program, and taking it back whatever becomes of that program."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from textual.app import App

__all__ = ["deaf_to_interrupts", "run_program", "taking_back"]


@contextlib.contextmanager
def taking_back(handed_over: contextlib.AbstractContextManager[None]) -> Iterator[None]:
    """`handed_over` (Textual's ``App.suspend``), whose end is reached also when the body raises: without it the
    application would be left without its terminal. The error is raised after that.
    """
    raised: BaseException | None = None
    with handed_over, deaf_to_interrupts():
        try:
            yield
        except BaseException as error:  # raised again below
            raised = error
    if raised is not None:
        raise raised


@contextlib.contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Ctrl+C in a program that shares our process group is meant for that program.

    A handler, not SIG_IGN: the program would inherit the latter.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def nothing(number: int, frame: FrameType | None) -> None:
        pass

    before = {number: signal.signal(number, nothing) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_program(
    app: App[Any],
    command: Sequence[str],
    directory: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program that takes the whole terminal (a shell, a pager) until it ends.

    Returns
    -------
    str
        Why it could not be started, in a sentence; empty otherwise, whatever its exit status.
    """
    trouble = ""
    with app.suspend():
        try:
            subprocess.run(list(command), cwd=directory, env=environment, check=False)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            where = f" in {directory}" if directory is not None else ""
            trouble = f"{command[0]} could not be started{where}: {reason}."
    return trouble
