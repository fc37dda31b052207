"""What happens to a detached run when its user logs out.

Where systemd is told ``KillUserProcesses=yes`` it ends everything a user has left behind, detached or not. A scope of
the user's own service manager is spared, as long as that lingers (``loginctl enable-linger``).
"""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from dataclasses import dataclass

__all__ = ["LogoutSafety", "logout_safety"]

_SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class LogoutSafety:
    """How to start what shall outlive a logout, and what to tell the user first."""

    prefix: tuple[str, ...] = ()  # to be put before the command
    warning: str = ""


def logout_safety() -> LogoutSafety:
    """Ask the system; takes up to a few seconds where its services hang, so not to be called in an event loop."""
    if not shutil.which("loginctl") or not _kills_user_processes():
        return LogoutSafety()
    lingers = _says(["loginctl", "show-user", _user(), "--property=Linger", "--value"]) == "yes"
    if lingers and shutil.which("systemd-run") and _says([*_SCOPE, "true"]) is not None:
        return LogoutSafety(prefix=_SCOPE)
    todo = "Run it inside a lingering session" if lingers else "Allow it once with: loginctl enable-linger"
    return LogoutSafety(
        warning=f"This system ends all processes of a user at logout (systemd, KillUserProcesses=yes). {todo}"
    )


def _kills_user_processes() -> bool:
    answer = _says(
        [
            "busctl",
            "get-property",
            "org.freedesktop.login1",
            "/org/freedesktop/login1",
            "org.freedesktop.login1.Manager",
            "KillUserProcesses",
        ]
    )
    return answer == "b true"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name
        return str(os.getuid())


def _says(command: list[str]) -> str | None:
    """What a program prints; None where it fails or does not answer."""
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
