"""Keys: how the user writes them, how Textual calls them, and which of them every terminal sends.

Terminals agree on letters, digits, function keys, Ctrl with a letter, and the cursor block. Some Ctrl letters are other
keys (^H ^I ^J ^M), stop the line (^S) or the process (^Z), or belong to screen and tmux (^A ^B); Ctrl+C is everyone's
reflex and quits nothing. Alt, Shift+arrow and a bare Escape differ from line to line.
"""

from __future__ import annotations

import re

from textual.keys import KEY_ALIASES, Keys, _character_to_key

__all__ = ["PUNCTUATION", "is_key", "is_portable", "key_label", "textual_key"]

PUNCTUATION = "/[]:?<>+-=;!()"
"""Punctuation that is used: on every keyboard of the western world, and sent as itself."""

_RESERVED = frozenset("sbahimjzc")
_NAMED = {
    "up": "↑",
    "down": "↓",
    "left": "←",
    "right": "→",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "home": "Home",
    "end": "End",
    "enter": "Enter",
    "backspace": "Bksp",
    "tab": "Tab",
    "shift+tab": "S-Tab",
    "space": "Space",
}
_KNOWN = {key.value for key in Keys} | set(KEY_ALIASES)


def textual_key(key: str) -> str:
    """Textual's name of a key: ``"/"`` is ``"slash"``, ``"G"`` is ``"G"``."""
    return _character_to_key(key) if len(key) == 1 else key


def is_key(key: str) -> bool:
    """Whether this is a key at all, portable or not."""
    return (len(key) == 1 and key.isprintable() and key != " ") or key in _KNOWN or bool(re.fullmatch(r"alt\+\w+", key))


def is_portable(key: str) -> bool:
    """Whether every terminal, inside tmux and over SSH, sends this key as itself."""
    if len(key) == 1:
        return (key.isascii() and key.isalnum()) or key in PUNCTUATION
    if key in _NAMED:
        return True
    modified = re.fullmatch(r"ctrl\+([a-z])", key)
    if modified:
        return modified[1] not in _RESERVED
    return bool(re.fullmatch(r"f([1-9]|1[0-2])", key))


def key_label(key: str) -> str:
    """The key as the footer and the help show it: ``^D``, ``PgUp``, ``F1``, ``/``."""
    if key.startswith("ctrl+"):
        return "^" + key[5:].upper()
    return _NAMED.get(key, key.upper() if re.fullmatch(r"f\d+", key) else key)
