"""What happens to a detached run when its user logs out.

Two things of systemd end processes that were left behind, detached or not:

* a *session* (a login by SSH or at a console) is killed at logout where logind is told so: ``KillUserProcesses=yes``,
  or ``KillOnlyUsers=`` with the user's name; ``KillExcludeUsers=`` exempts (logind.conf(5));
* the user's own service *manager*, to which the terminals of some desktops belong, ends with the last session and
  takes all below it along, unless it lingers (``loginctl enable-linger``).

A scope of a lingering manager is spared by both. What is neither in a session nor below a manager (a system service, a
container) is nobody's to end.
"""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["LogoutSafety", "logout_safety"]

_SCOPE = ("systemd-run", "--user", "--scope", "--quiet", "--collect", "--")
_TIMEOUT_S = 3.0
_KILLS = ("KillUserProcesses", "KillOnlyUsers", "KillExcludeUsers")
_LOGIND = ("org.freedesktop.login1", "/org/freedesktop/login1", "org.freedesktop.login1.Manager")
_ALLOW = "Allow it once with: loginctl enable-linger"

Place = Literal["session", "manager", "elsewhere"]


@dataclass(frozen=True, slots=True)
class LogoutSafety:
    """How to start what shall outlive a logout, and what to tell the user first."""

    prefix: tuple[str, ...] = ()  # to be put before the command
    warning: str = ""


def logout_safety(root: Path = Path("/")) -> LogoutSafety:
    """Ask the system; takes up to a few seconds where its services hang, so not to be called in an event loop.

    Parameters
    ----------
    root : Path
        Where the system's files (/proc, /etc …) are looked for.
    """
    place = _place(root)
    if place == "elsewhere" or not shutil.which("loginctl"):
        return LogoutSafety()
    user = _user()
    lingers = _lingers(root, user)
    if place == "manager":
        warning = f"This terminal belongs to your systemd manager, which ends with your last login. {_ALLOW}"
        return LogoutSafety(warning="" if lingers else warning)
    if not _shall_kill(_settings(root), user):
        return LogoutSafety()
    if lingers and shutil.which("systemd-run") and _says([*_SCOPE, "true"]) is not None:
        return LogoutSafety(prefix=_SCOPE)
    todo = "Your systemd manager does not answer (is XDG_RUNTIME_DIR set?)" if lingers else _ALLOW
    return LogoutSafety(
        warning=f"This system ends all processes of a user at logout (systemd, KillUserProcesses=yes). {todo}"
    )


def _place(root: Path) -> Place:
    """What this process belongs to, by its control group; a session where that cannot be told."""
    try:
        groups = (root / "proc/self/cgroup").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "session"
    if re.search(r"/user@\d+\.service(/|$)", groups, re.MULTILINE):
        return "manager"
    return "session" if re.search(r"/session-[^/]+\.scope(/|$)", groups, re.MULTILINE) else "elsewhere"


def _lingers(root: Path, user: str) -> bool:
    said = _says(["loginctl", "show-user", user, "--property=Linger", "--value"])
    return said == "yes" if said is not None else (root / "var/lib/systemd/linger" / user).exists()


# --- whom logind kills ------------------------------------------------------------------------------------------------


def _shall_kill(settings: Mapping[str, str], user: str) -> bool:
    """As logind decides it (manager_shall_kill): exempted, else listed, else everybody or nobody."""
    if user in settings.get("KillExcludeUsers", "root").split():
        return False
    only = settings.get("KillOnlyUsers", "").split()
    return user in only if only else settings.get("KillUserProcesses", "no") in ("yes", "true", "1", "on")


def _settings(root: Path) -> Mapping[str, str]:
    """What logind says it was told; what its files say where it does not answer."""
    said = _says(["busctl", "get-property", *_LOGIND, *_KILLS])
    lines = said.splitlines() if said is not None else []
    if len(lines) != len(_KILLS):
        return _files(root)
    return {name: _value(line) for name, line in zip(_KILLS, lines)}


def _value(line: str) -> str:
    """What busctl prints, as the file has it: ``b true``, ``as 2 "ann" "ben"``."""
    kind, *words = line.split()
    return " ".join(word.strip('"') for word in (words[1:] if kind == "as" else words))


def _files(root: Path) -> dict[str, str]:
    """The settings of logind.conf and its drop-ins: by name, a file of /etc in place of one of /run or /usr/lib."""
    drop_ins: dict[str, Path] = {}
    for folder in ("usr/lib", "usr/local/lib", "run", "etc"):
        drop_ins |= {path.name: path for path in (root / folder / "systemd/logind.conf.d").glob("*.conf")}
    main = next((root / f / "systemd/logind.conf" for f in ("etc", "run", "usr/lib") if _is_file(root, f)), None)
    found: dict[str, str] = {}
    for path in [*([main] if main else []), *(drop_ins[name] for name in sorted(drop_ins))]:
        found |= _login_section(path)
    return found


def _is_file(root: Path, folder: str) -> bool:
    return (root / folder / "systemd/logind.conf").is_file()


def _login_section(path: Path) -> dict[str, str]:
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    section, found = "", {}
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line
        name, equals, value = (part.strip() for part in line.partition("="))
        if section == "[Login]" and equals and name in _KILLS:
            found[name] = value
    return found


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
