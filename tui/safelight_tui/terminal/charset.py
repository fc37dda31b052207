"""Which characters the terminal can show, and ASCII stand-ins for the rest.

Python's own idea of the encoding is no guide: under ``LANG=C`` it switches itself to UTF-8 (PEP 538 sets
``LC_CTYPE=C.UTF-8`` in the running process), although the terminal behind the line may show nothing but ASCII.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from rich.cells import cell_len

__all__ = ["ascii_cell", "environment_at_start", "shows_unicode", "to_ascii"]

_VARIABLES = ("LC_ALL", "LC_CTYPE", "LANG")

# fmt: off
_STAND_INS = {
    "─": "-", "━": "=", "═": "=", "╌": "-", "╍": "=", "┄": "-", "┅": "=", "┈": "-", "╴": "-", "╶": "-", "╸": "=",
    "╺": "=", "│": "|", "┃": "|", "║": "|", "╎": "|", "┆": "|",
    "┊": "|", "╵": "|", "╷": "|", "╹": "|", "╻": "|",
    "╱": "/", "╲": "\\", "╳": "X",
    "▀": '"', "▔": '"', "▄": "_", "▁": "_", "▂": "_", "▃": "_", "▅": "o", "▆": "o", "▇": "#", "█": "#",
    "▉": "#", "▊": "#", "▋": "#", "▌": "|", "▍": "|", "▎": "|", "▏": "|", "▐": "|", "▕": "|",
    "░": ".", "▒": ":", "▓": "%",
    "■": "#", "□": "o", "▪": "*", "▫": "o", "●": "*", "○": "o", "◉": "@", "◌": "o", "◆": "*", "◇": "o", "◯": "o",
    "▲": "^", "△": "^", "▴": "^", "▶": ">", "▷": ">", "▸": ">", "►": ">", "▼": "v", "▽": "v", "▾": "v", "◀": "<",
    "◁": "<", "◂": "<", "◄": "<", "◢": "/", "◣": "\\", "◤": "/", "◥": "\\",
    "←": "<", "↑": "^", "→": ">", "↓": "v", "↔": "-", "↕": "|", "⇐": "<", "⇒": ">", "↵": "<", "⏎": "<", "⌫": "<",
    "↗": "/", "↙": "/", "↖": "\\", "↘": "\\",
    "…": "~", "·": ".", "•": "*", "‣": ">", "–": "-", "—": "-", "−": "-", "‐": "-", "‑": "-",
    "‘": "'", "’": "'", "“": '"', "”": '"', "′": "'", "″": '"', "«": "<", "»": ">", "‹": "<", "›": ">",
    "✓": "+", "✔": "+", "✗": "x", "✘": "x", "✕": "x", "✖": "x", "★": "*", "☆": "*", "⚠": "!",
    "×": "x", "÷": "/", "±": "+", "≤": "<", "≥": ">", "≠": "#", "≈": "~", "°": "o", "σ": "s", "µ": "u", "μ": "u",
    "α": "a", "β": "b", "χ": "X", "δ": "d", "Δ": "D", "λ": "l", "π": "p", "²": "2", "³": "3", "¹": "1", "½": "+",
    "\u00a0": " ", "\u2007": " ", "\u2009": " ", "\u202f": " ", "\u3000": "  ",
}
# fmt: on
# Block elements not named above (quadrants) and braille patterns are shaded by how much of the cell they fill.
_SHADES = " .:-=+*#@"


def environment_at_start() -> Mapping[str, str]:
    """The environment as the process was started with, before Python coerced its locale; `os.environ` elsewhere."""
    try:
        block = Path("/proc/self/environ").read_bytes()
    except OSError:
        return os.environ
    pairs = (os.fsdecode(entry).partition("=") for entry in block.split(b"\0") if b"=" in entry)
    return {name: value for name, _, value in pairs}


def shows_unicode(environment: Mapping[str, str]) -> bool:
    """Whether the locale says that the terminal takes UTF-8.

    ``SAFELIGHT_CHARACTERS=ascii`` or ``=unicode`` overrules the locale. As POSIX has it, the first of LC_ALL, LC_CTYPE
    and LANG that is not empty counts, and no locale at all is the C locale.
    """
    wanted = environment.get("SAFELIGHT_CHARACTERS", "").lower()
    if wanted in ("ascii", "unicode"):
        return wanted == "unicode"
    locale = next((environment[name] for name in _VARIABLES if environment.get(name)), "C")
    return "utf8" in locale.lower().replace("-", "")


@lru_cache(maxsize=4096)
def ascii_cell(cell: str) -> str:
    """ASCII of the same width as one cell's character (with what combines with it); ``?`` where there is none."""
    if cell.isascii():
        return cell
    width = cell_len(cell)
    stand_in = _STAND_INS.get(cell[0])
    if stand_in is None:
        stand_in = _by_shape(cell[0])
    return stand_in[:width].ljust(width, stand_in[-1:] if stand_in == "?" else " ")


def _by_shape(character: str) -> str:
    code = ord(character)
    if 0x2500 <= code <= 0x257F:
        return "+"
    if 0x2596 <= code <= 0x259F:
        return "#"
    if 0x2800 <= code <= 0x28FF:
        return _SHADES[(code - 0x2800).bit_count()]
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return plain if plain.isprintable() and plain else "?"


def to_ascii(text: str) -> str:
    """`text` with every character replaced by ASCII of the same width."""
    return text if text.isascii() else "".join(ascii_cell(character) for character in text)
