"""Draw a grid of character cells: text with a monospace font, blocks, lines and Braille as rectangles.

Fonts do not join box and block characters at every size; a terminal draws them itself, and so is it done here.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.cells import cell_len
from rich.color import Color
from rich.segment import Segment
from rich.style import Style

from safelight.errors import ConfigurationError

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

__all__ = ["CELL", "FONT_HINT", "Artist", "find_font"]

CELL = (9, 18)
"""Width and height of a cell, pixels."""
FONT_SIZE = 15
FOREGROUND, BACKGROUND = (0xD0, 0xD0, 0xD0), (0, 0, 0)
"""Of cells that leave their colours to the terminal."""
FONT_HINT = "apt-get install fonts-dejavu-core, or name a TrueType file with --font"

_FOLDERS = (
    "/usr/share/fonts/truetype/dejavu",
    "/usr/share/fonts/dejavu",
    "/usr/share/fonts/TTF",
    "~/.local/share/fonts",
    "~/Library/Fonts",
)
_NAMES = ("DejaVuSansMono", "DejaVu Sans Mono")

Rgb = tuple[int, int, int]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom in fractions of the cell."""


def find_font(name: Path | None = None) -> Path:
    """The monospace font to draw with.

    Raises
    ------
    ConfigurationError
        NO_FONT.
    """
    if name is not None:
        if not name.is_file():
            raise ConfigurationError("NO_FONT", f"There is no font file {name}.", FONT_HINT)
        return name
    for folder in _FOLDERS:
        path = Path(folder).expanduser() / f"{_NAMES[0]}.ttf"
        if path.is_file():
            return path
    found = _ask_fontconfig()
    if found is not None:
        return found
    raise ConfigurationError("NO_FONT", "The font DejaVu Sans Mono is not installed.", FONT_HINT)


def _ask_fontconfig() -> Path | None:
    program = shutil.which("fc-match")
    if program is None:
        return None
    asked = subprocess.run([program, "-f", "%{file}", _NAMES[1]], capture_output=True, text=True, check=False)
    path = Path(asked.stdout.strip())
    return path if path.stem.startswith(_NAMES[0]) and path.is_file() else None


def _blocks() -> dict[str, list[Box]]:
    """Block elements, U+2580 to U+259F without the shades."""
    found: dict[str, list[Box]] = {"▀": [(0, 0, 1, 0.5)], "▐": [(0.5, 0, 1, 1)]}
    for eighths in range(1, 9):
        found[chr(0x2580 + eighths)] = [(0, 1 - eighths / 8, 1, 1)]
        found[chr(0x2590 - eighths)] = [(0, 0, eighths / 8, 1)]
    found["▔"], found["▕"] = [(0, 0, 1, 0.125)], [(0.875, 0, 1, 1)]
    quarters: dict[str, Box] = {
        "a": (0, 0, 0.5, 0.5),
        "b": (0.5, 0, 1, 0.5),
        "c": (0, 0.5, 0.5, 1),
        "d": (0.5, 0.5, 1, 1),
    }
    corners = ("c", "d", "a", "acd", "ad", "abc", "abd", "b", "bc", "bcd")
    for character, names in zip("▖▗▘▙▚▛▜▝▞▟", corners, strict=True):
        found[character] = [quarters[name] for name in names]
    return found


BLOCKS = _blocks()
SHADES = {"░": 0.25, "▒": 0.5, "▓": 0.75}
# Which arms a line character has: up, right, down, left.
LINES = {
    "─": "rl", "│": "ud", "┌": "rd", "┐": "dl", "└": "ur", "┘": "ul", "├": "urd", "┤": "udl", "┬": "rdl", "┴": "url",
    "┼": "urdl", "╭": "rd", "╮": "dl", "╰": "ur", "╯": "ul", "╴": "l", "╵": "u", "╶": "r", "╷": "d",
    "━": "RL", "┃": "UD", "┏": "RD", "┓": "DL", "┗": "UR", "┛": "UL",
}  # fmt: skip
_DOTS = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))  # bits of Braille: column, row


def _blend(one: Rgb, other: Rgb, share: float) -> Rgb:
    red, green, blue = (round(a * share + b * (1 - share)) for a, b in zip(one, other, strict=True))
    return red, green, blue


def _rgb(colour: Color | None, default: Rgb) -> Rgb:
    return default if colour is None or colour.is_default else tuple(colour.get_truecolor())  # type: ignore[return-value]


def colours_of(style: Style | None) -> tuple[Rgb, Rgb]:
    """Foreground and background as they are seen: reversed, dimmed."""
    if style is None:
        return FOREGROUND, BACKGROUND
    front, back = _rgb(style.color, FOREGROUND), _rgb(style.bgcolor, BACKGROUND)
    if style.reverse:
        front, back = back, front
    return (_blend(front, back, 0.6) if style.dim else front), back


class Artist:
    """Draws screens with one font.

    Parameters
    ----------
    font : Path
        A monospace TrueType font; the bold one beside it, ``NAME-Bold.ttf``, is used where there is one.

    Raises
    ------
    ConfigurationError
        NO_PILLOW.
    """

    def __init__(self, font: Path) -> None:
        try:
            from PIL import ImageFont
        except ImportError:
            raise ConfigurationError(
                "NO_PILLOW",
                "Pictures are drawn with Pillow, which is not installed.",
                "pip install 'safelight[screenshots]'",
            ) from None
        bold = font.with_name(f"{font.stem}-Bold{font.suffix}")
        self._plain = ImageFont.truetype(str(font), FONT_SIZE)
        self._bold = ImageFont.truetype(str(bold), FONT_SIZE) if bold.is_file() else self._plain

    @cached_property
    def _baseline(self) -> int:
        ascent, descent = self._plain.getmetrics()
        return round((CELL[1] - ascent - descent) / 2) + ascent

    def draw(self, rows: Sequence[Iterable[Segment]], columns: int) -> Any:
        """The picture (a `PIL.Image.Image`) of rows of segments, `columns` cells wide."""
        from PIL import Image, ImageDraw

        width, height = CELL
        picture = Image.new("RGB", (columns * width, len(rows) * height), BACKGROUND)
        draw = ImageDraw.Draw(picture)
        for y, row in enumerate(rows):
            x = 0
            for text, style, control in row:
                if control:
                    continue
                for character in text:
                    x += self._cell(draw, x, y, character, style)
        return picture

    def _cell(self, draw: ImageDraw.ImageDraw, x: int, y: int, character: str, style: Style | None) -> int:
        cells = cell_len(character)
        if not cells:
            return 0
        front, back = colours_of(style)
        left, top = x * CELL[0], y * CELL[1]
        right, bottom = left + cells * CELL[0] - 1, top + CELL[1] - 1
        draw.rectangle((left, top, right, bottom), fill=back)
        if character in SHADES:
            draw.rectangle((left, top, right, bottom), fill=_blend(front, back, SHADES[character]))
        elif character in BLOCKS:
            for box in BLOCKS[character]:
                self._rectangle(draw, left, top, box, front)
        elif character in LINES:
            self._lines(draw, left, top, LINES[character], front)
        elif 0x2800 < ord(character) <= 0x28FF:
            self._braille(draw, left, top, ord(character) - 0x2800, front)
        elif not character.isspace():
            font: ImageFont.FreeTypeFont = self._bold if style is not None and style.bold else self._plain
            draw.text((left, top + self._baseline), character, font=font, fill=front, anchor="ls")
        if style is not None and style.underline:
            draw.line((left, bottom - 2, right, bottom - 2), fill=front)
        if style is not None and style.strike:
            middle = top + CELL[1] // 2
            draw.line((left, middle, right, middle), fill=front)
        return cells

    @staticmethod
    def _rectangle(draw: ImageDraw.ImageDraw, left: int, top: int, box: Box, colour: Rgb) -> None:
        x0, y0, x1, y1 = (round(part * CELL[i % 2]) for i, part in enumerate(box))
        if x1 > x0 and y1 > y0:
            draw.rectangle((left + x0, top + y0, left + x1 - 1, top + y1 - 1), fill=colour)

    @staticmethod
    def _lines(draw: ImageDraw.ImageDraw, left: int, top: int, arms: str, colour: Rgb) -> None:
        x, y = left + CELL[0] // 2, top + CELL[1] // 2
        ends = {"u": (x, top), "r": (left + CELL[0] - 1, y), "d": (x, top + CELL[1] - 1), "l": (left, y)}
        for arm in arms:
            draw.line((x, y, *ends[arm.lower()]), fill=colour, width=2 if arm.isupper() else 1)

    @staticmethod
    def _braille(draw: ImageDraw.ImageDraw, left: int, top: int, bits: int, colour: Rgb) -> None:
        for bit, (column, row) in enumerate(_DOTS):
            if bits >> bit & 1:
                x, y = left + round((column + 0.5) * CELL[0] / 2), top + round((row + 0.5) * CELL[1] / 4)
                draw.rectangle((x - 1, y - 1, x, y), fill=colour)
