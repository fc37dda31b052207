"""The user's settings: a TOML file whose every line is documented in place, all commented out at first.

A missing file means the defaults. The file belongs to the user: a program changes one value of it only when told to,
leaves every other line as it is, and never writes a file that it could not read back.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from safelight.errors import ConfigurationError, UsageError

__all__ = [
    "Settings",
    "change_setting",
    "default_settings",
    "line_of",
    "read_settings",
    "settings_path",
    "toml_error_line",
    "write_default_settings",
]


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set. `alarms` are texts of `safelight.processccd.alarms`, already found to be right."""

    alarms: tuple[str, ...] = ()
    bell: bool = True
    title: bool = True
    follow: bool = False
    theme: str = "auto"
    stale_s: float = 30.0
    mount_s: float = 5.0
    path: Path | None = field(default=None, compare=False)
    """The file they were read from, or would be."""


_HEADER = """\
# Settings of Safelight. Every setting is listed with its default, commented out: take away the '#' and change it.
# `safelight settings` says what holds. The application has its keys in keys.toml beside this file.
"""

_DOCUMENTED: Mapping[str, tuple[str, str]] = {
    "alarms": (
        '["fwhm_arcsec>1.2", "zeropoint_mag<median-0.3"]',
        "Thresholds that ring, once a visit, while a run goes on: METRIC>NUMBER or METRIC<NUMBER with a metric of\n"
        "`safelight report`. `median` is the median over the other visits of the same filter and night: a zeropoint\n"
        "0.3 mag below it means clouds. None by default; in the application :alarm changes this line.",
    ),
    "bell": ("true", "Ring the terminal's bell when a CCD fails, a run ends or dies, or an alarm rings."),
    "title": ("true", "Put the progress of runs into the terminal's title: 34/112 2F."),
    "follow": ("false", "Follow the newest visit from the start (the key f)."),
    "theme": (
        '"auto"',
        "The theme until one is chosen in the application: auto, dark, light, terminal (its own colours) or safelight\n"
        "(red).",
    ),
    "stale_s": ("30.0", "Seconds without news of the repository, or of a run, after which the header says so."),
    "mount_s": ("5.0", "Seconds that the disk may take to answer before the header says so: mount 12s?"),
}


def settings_path() -> Path:
    """Where the settings are looked for."""
    import platformdirs

    return Path(platformdirs.user_config_dir("safelight")) / "settings.toml"


def default_settings() -> str:
    """The documented file."""
    parts = [_HEADER]
    for name, (value, text) in _DOCUMENTED.items():
        parts.append("\n".join(f"# {line}" for line in text.splitlines()) + f"\n# {name} = {value}\n")
    return "\n".join(parts)


def write_default_settings(path: Path) -> None:
    """Write the documented file where there is none; raises `FileExistsError` where there is: it is the user's."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(default_settings())


# --- reading ----------------------------------------------------------------------------------------------------------


def read_settings(path: Path) -> Settings:
    """The settings of a file; the defaults where there is none.

    Raises
    ------
    ConfigurationError
        BAD_SETTINGS: not TOML, an unknown name, or a wrong value, with the file and the line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings(path=path)
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(str(path), f"it cannot be read ({error})") from error
    return _from_text(text, path)


def _from_text(text: str, path: Path) -> Settings:
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(f"{path}:{toml_error_line(text, error)}", f"it is not TOML: {error}") from error
    settings = Settings(path=path)
    for name, value in entries.items():
        where = f"{path}:{line_of(text, name)}"
        if name not in _DOCUMENTED:
            near = difflib.get_close_matches(name, _DOCUMENTED, n=1)
            raise _bad(where, f"there is no setting {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
        try:
            settings = replace(settings, **{name: _checked(name, value)})
        except ValueError as error:
            raise _bad(where, str(error)) from error
    return settings


def _checked(name: str, value: object) -> Any:
    """The value as it is kept; raises `ValueError` with a sentence."""
    try:
        return _CHECKS[name](value)
    except UsageError as error:
        raise ValueError(f"{name}: {error.message} {error.hint}".strip(" .")) from error
    except ValueError as error:
        raise ValueError(f"{name} must be {error}, not {value!r}") from error


def toml_error_line(text: str, error: tomllib.TOMLDecodeError) -> int:
    """The line that an error of the parser is about; the last one where it found the end too soon."""
    found = re.search(r"at line (\d+)", str(error))
    return int(found[1]) if found else max(1, len(text.splitlines()))


def line_of(text: str, name: str) -> int:
    """The line of a TOML text on which a name is given a value."""
    pattern = re.compile(rf"\s*(?:\[+\s*)?[\"']?{re.escape(name)}[\"']?\s*(?:=|\.|\])")
    return next((number for number, line in enumerate(text.split("\n"), 1) if pattern.match(line)), 1)


def _bad(where: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        "BAD_SETTINGS",
        f"{where}: {reason}{'' if reason.endswith('?') else '.'}",
        "Mend the line, or start the application with --safe to ignore it.",
    )


def _alarms(value: object) -> tuple[str, ...]:
    from safelight.processccd.alarms import parse_alarms

    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ValueError('a list of texts such as ["fwhm_arcsec>1.2"]')
    return tuple(map(str, parse_alarms(texts)))


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.5 <= value <= 86400:
        raise ValueError("a number of seconds from 0.5 to 86400")
    return float(value)


def _theme(value: object) -> str:
    known = ("auto", "dark", "light", "terminal", "safelight")
    if value not in known:
        raise ValueError(f"one of {', '.join(known)}")
    return str(value)


_CHECKS: Mapping[str, Callable[[object], Any]] = {
    "alarms": _alarms,
    "bell": _switch,
    "title": _switch,
    "follow": _switch,
    "theme": _theme,
    "stale_s": _seconds,
    "mount_s": _seconds,
}
assert set(_CHECKS) == set(_DOCUMENTED) == {one.name for one in fields(Settings)} - {"path"}


# --- changing one value -----------------------------------------------------------------------------------------------


def change_setting(path: Path, name: str, value: bool | float | str | Sequence[str]) -> Settings:
    """Set one value in the file, made if there is none; every other line stays as it is. Returns the settings then.

    Raises
    ------
    UsageError
        BAD_VALUE: there is no such value.
    ConfigurationError
        BAD_SETTINGS: the file cannot be used; it is left as it was.
    RepositoryError
        NOT_WRITABLE, DISK_FULL.
    """
    from safelight.butler.atomic import write_text

    before = path.read_text(encoding="utf-8") if path.is_file() else default_settings()
    old = _from_text(before, path)
    try:
        _checked(name, value if isinstance(value, bool | int | float | str) else list(value))
    except ValueError as error:
        raise UsageError("BAD_VALUE", f"{error}{'' if str(error).endswith('?') else '.'}") from error
    written = value if isinstance(value, bool | int | float | str) else list(value)
    after = _with_line(before, name, f"{name} = {json.dumps(written, ensure_ascii=False)}")
    new = _from_text(after, path)
    if replace(new, **{name: getattr(old, name)}) != old or tomllib.loads(after).get(name) != written:
        raise _bad(str(path), f"{name} cannot be set without touching other lines; change it by hand")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path.resolve(), after)  # a link into somebody's dotfiles stays one
    return new


def _with_line(text: str, name: str, line: str) -> str:
    """`text` with `line` in the place of the assignment of `name`, else after its commented default, else on top."""
    lines = text.split("\n")
    assigned = re.compile(rf"\s*{re.escape(name)}\s*=")
    start = next((k for k, one in enumerate(lines) if assigned.match(one)), None)
    if start is not None:
        stop = start + 1
        while stop < len(lines) and not _parses("\n".join(lines[start:stop])):
            stop += 1  # a list over several lines
        return "\n".join([*lines[:start], line, *lines[stop:]])
    commented = re.compile(rf"\s*#\s*{re.escape(name)}\s*=")
    default = next((k for k, one in enumerate(lines) if commented.match(one)), -1)
    return "\n".join([*lines[: default + 1], line, *lines[default + 1 :]])


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True
