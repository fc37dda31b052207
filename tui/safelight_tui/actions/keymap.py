"""The user's key map: a documented TOML file that gives actions other keys.

The file that `default_keymap` writes holds every action with its keys, commented out. Removing a ``#`` and changing the
keys is all there is to it::

    move_down = ["j", "down", "e"]
    run = []                         # no key: the palette still has it
"""

from __future__ import annotations

import difflib
import tomllib
from pathlib import Path

import platformdirs

from safelight.errors import ConfigurationError
from safelight.settings import line_of, toml_error_line
from safelight_tui.actions.keys import is_key
from safelight_tui.actions.registry import Registry

__all__ = ["default_keymap", "keymap_path", "read_keymap", "textual_keymap", "write_default_keymap"]

_HEADER = """\
# Keys of the safelight application. Every action with its keys is listed, commented out.
#
# Take away a '#' and change the keys to your liking; an empty list takes all keys away (the command palette still has
# the action). Keys are single characters ("g", "G", "/"), "ctrl+d", "f5", "up", "pageup", "home", "enter", "space".
# Every terminal sends letters, digits, function keys and Ctrl with a letter other than S B A H I M J Z and C;
# Alt, Shift with an arrow, and Escape alone depend on the line.
# Two actions that can be active together may not share a key: the application says so at the start.
"""


def keymap_path() -> Path:
    """Where the key map is looked for."""
    return Path(platformdirs.user_config_dir("safelight")) / "keys.toml"


def default_keymap(registry: Registry) -> str:
    """The documented file."""
    lines = [_HEADER]
    for context in registry.contexts:
        lines.append(f"\n# {context.replace('_', ' ')}")
        for action in registry.of(context):
            keys = ", ".join(f'"{key}"' for key in action.keys)
            lines.append(f"# {action.name} = [{keys}]".ljust(44) + f"# {action.description}")
    return "\n".join(lines) + "\n"


def write_default_keymap(path: Path, registry: Registry) -> None:
    """Write the documented file where there is none.

    Raises
    ------
    FileExistsError
        There is one: it is the user's.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(default_keymap(registry))


def read_keymap(path: Path, registry: Registry) -> Registry:
    """The registry with the user's keys; unchanged where there is no file.

    Raises
    ------
    ConfigurationError
        BAD_KEYMAP: not TOML, an unknown action, something that is no key, or a key given to two actions.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return registry
    except (OSError, UnicodeDecodeError) as error:
        raise _bad(str(path), f"it cannot be read ({error})") from error
    try:
        entries = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(f"{path}:{toml_error_line(text, error)}", str(error)) from error
    keys: dict[str, list[str]] = {}
    for name, value in entries.items():
        keys[name] = _keys(f"{path}:{line_of(text, name)}", registry, name, value)
    changed = registry.with_keys(keys)
    collisions = changed.collisions()
    if collisions:
        changed_first = next((one.name for one in (collisions[0].first, collisions[0].second) if one.name in keys), "")
        raise _bad(f"{path}:{line_of(text, changed_first)}", "; ".join(map(str, collisions)))
    return changed


def _keys(where: str, registry: Registry, name: str, value: object) -> list[str]:
    if name not in registry:
        close = difflib.get_close_matches(name, [action.name for action in registry], n=1)
        raise _bad(where, f"there is no action {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise _bad(where, f"{name} must be a list of keys, not {value!r}")
    for key in keys:
        if not is_key(key):
            raise _bad(where, f"{key!r}, given to {name}, is not a key")
    return keys


def _bad(where: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        "BAD_KEYMAP",
        f"{where}: the key map cannot be used: {reason}",
        "Mend the line, or start with --safe to ignore it.",
    )


def textual_keymap(registry: Registry) -> dict[str, str]:
    """What `App.set_keymap` takes: keys by the id of the binding."""
    return {action.name: ",".join(action.keys) for action in registry if action.keys}
