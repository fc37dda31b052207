"""``safelight settings``: what is set, where, and the documented files to change it in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from safelight.commands.main import has_application, open_application
from safelight.commands.shell import Parser, arguments_of
from safelight.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["main"]

_DESCRIPTION = """\
Say what is set, and in which file. --create writes the documented files of settings and keys,
all commented out, where there are none. A setting and a value change that line of the file."""

_EXAMPLE = """\
safelight settings
  safelight settings --create
  safelight settings alarms 'fwhm_arcsec>1.2' 'zeropoint_mag<median-0.3'
  safelight settings bell false"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = Parser(prog="safelight settings", description=_DESCRIPTION, example=_EXAMPLE)
    parser.add_argument("--create", action="store_true", help="write the documented files where there are none")
    parser.add_argument("name", nargs="?", metavar="NAME", help="a setting to change")
    parser.add_argument("values", nargs="*", metavar="VALUE", help="its value; alarms: off, or one or more")
    options = parser.parse_args(arguments_of(argv))
    from safelight.settings import read_settings, settings_path

    path = settings_path()
    if options.create:
        return _create(path)
    if options.name is None:
        _show(path)
        return 0
    current = read_settings(path)
    _change(path, options.name, options.values, current)
    _show(path)
    return 0


def _create(path: Path) -> int:
    from safelight.settings import write_default_settings

    try:
        write_default_settings(path)
        print(f"wrote {path}")
    except FileExistsError:
        print(f"{path} is there already; it is yours, and was not changed")
    return open_application(["--keys"]) if has_application() else 0


def _show(path: Path) -> None:
    from dataclasses import fields

    from safelight.settings import read_settings

    settings = read_settings(path)
    print(f"# {path}" + ("" if path.is_file() else " (not there: the defaults hold; --create writes it)"))
    for one in fields(settings):
        if one.name != "path":
            print(f"{one.name} = {_toml(getattr(settings, one.name))}")


def _toml(value: Any) -> str:
    import json

    return json.dumps(list(value) if isinstance(value, tuple) else value, ensure_ascii=False)


def _change(path: Path, name: str, values: Sequence[str], current: object) -> None:
    from safelight.settings import change_setting

    if not hasattr(current, name) or name == "path":
        raise UsageError("UNKNOWN_SETTING", f"There is no setting {name!r}.", "safelight settings lists them.")
    if not values:
        raise UsageError("NO_VALUE", f"What shall {name} be?", "safelight settings --help")
    if name == "alarms":
        change_setting(path, name, [value for value in values if value != "off"])
        return
    if len(values) > 1:
        raise UsageError("TOO_MANY_VALUES", f"{name} has one value, not {len(values)}.")
    change_setting(path, name, _value(values[0], getattr(current, name)))


def _value(text: str, like: object) -> bool | float | str:
    if isinstance(like, bool):
        return {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}.get(text, text)
    if isinstance(like, float):
        try:
            return float(text)
        except ValueError:
            return text  # the settings say what it must be
    return text
