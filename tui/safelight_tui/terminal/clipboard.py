"""Copying over SSH: through tmux where there is tmux, else by the terminal's own sequence (OSC 52), else to a file."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from safelight.errors import UsageError

__all__ = ["OSC_52_LIMIT", "copy", "osc_52", "write_new_file"]

OSC_52_LIMIT = 74_000
"""Bytes of an OSC 52 sequence, encoded: what the least of the usual terminals take."""

_SCREEN_PIECE = 240  # GNU screen cuts longer control strings


def osc_52(text: str, *, inside_screen: bool = False) -> str:
    """The sequence that asks the terminal to put `text` on its clipboard.

    Raises
    ------
    UsageError
        TOO_MUCH_TO_COPY: the terminal would drop it, or put a part of it there.
    """
    payload = base64.standard_b64encode(text.encode("utf-8", "replace")).decode()
    sequence = f"\x1b]52;c;{payload}\x07"
    if len(sequence) > OSC_52_LIMIT:
        raise UsageError(
            "TOO_MUCH_TO_COPY",
            f"{len(text):,} characters are more than a terminal takes to its clipboard",
            "write them to a file instead (the key w)",
        )
    if not inside_screen:
        return sequence
    pieces = [sequence[start : start + _SCREEN_PIECE] for start in range(0, len(sequence), _SCREEN_PIECE)]
    return "".join(f"\x1bP{piece}\x1b\\" for piece in pieces)


def copy(text: str, write: Callable[[str], None], environment: Mapping[str, str]) -> str:
    """Copy `text` and say where it went. Runs a program inside tmux: call it in a thread.

    tmux swallows OSC 52 by default, but passes on what it is given itself.

    Parameters
    ----------
    write : callable
        Writes a control sequence to the terminal (the driver's `write`).

    Raises
    ------
    UsageError
        TOO_MUCH_TO_COPY
    """
    if environment.get("TMUX") and _to_tmux(text, environment):
        return "copied to tmux's buffer (paste with its prefix and ]) and to the clipboard if the terminal takes it"
    write(osc_52(text, inside_screen=bool(environment.get("STY"))))
    return "sent to the terminal's clipboard; if it does not arrive there, write a file (the key w)"


def _to_tmux(text: str, environment: Mapping[str, str]) -> bool:
    # tmux before 3.2 has no -w: its own buffer is all there is.
    for options in (["-w", "-"], ["-"]):
        try:
            done = subprocess.run(
                ["tmux", "load-buffer", *options],
                input=text.encode("utf-8", "replace"),
                env=dict(environment),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=3,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        if done.returncode == 0:
            return True
    return False


def write_new_file(text: str, directory: Path, stem: str, suffix: str) -> Path:
    """Write a file under a name that is not taken (``ids.txt``, ``ids-2.txt``...), never over another.

    Raises
    ------
    OSError
        The directory cannot be written to.
    """
    number = 1
    while True:
        path = directory / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            number += 1
            continue
        return path
