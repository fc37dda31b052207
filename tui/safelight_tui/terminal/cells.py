"""The screen as cells: what the application wants shown, what the terminal was sent, and the difference as bytes.

Textual repaints whole regions, most of whose cells have not changed. A `CellScreen` is fed Textual's output and keeps
two grids; `encode` returns the shortest plain sequence (cursor moves, SGR changes, characters) that turns the one into
the other. However many frames are fed between two calls, only the newest state is sent.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from rich.cells import cell_len, get_character_cell_size

from safelight_tui.terminal.charset import ascii_cell

__all__ = ["CellScreen", "split_cells", "style_change"]

# Everything else that begins with an escape has no place in a painted frame: it came out of someone's data.
_TOKEN = re.compile(
    r"\x1b\[([0-9;:<=>?]*)[ -/]*([@-~])"  # control sequence: parameters, final letter
    r"|\x1b[\]P^_X][^\x07\x1b]*(?:\x07|\x1b\\)?"  # strings (OSC, DCS...): dropped
    r"|(\n)"
    r"|([^\x1b\n]+)"
    r"|\x1b"
)
_SINGLE = frozenset(
    chr(code)
    for first, last in ((0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x2FF), (0x370, 0x482), (0x2500, 0x25FC), (0x2800, 0x28FF))
    for code in range(first, last + 1)
)
_JOINER = "\u200d"
_UNKNOWN = "\0"  # a cell of which it is not known what the terminal shows


def split_cells(text: str) -> Sequence[str]:
    """One string per terminal cell; the second cell of a wide character is empty.

    Control characters and invisible formatting ones (bidirectional overrides) are dropped: Textual reckons them as
    zero cells wide, and they must never reach the terminal.
    """
    if _SINGLE.issuperset(text):
        return text
    clusters: list[str] = []
    for character in text:
        if character in _SINGLE:
            clusters.append(character)
        elif clusters and (clusters[-1].endswith(_JOINER) or character == _JOINER):
            clusters[-1] += character
        elif get_character_cell_size(character):
            clusters.append(character)
        elif clusters and unicodedata.category(character) in ("Mn", "Me", "Mc"):
            clusters[-1] += character
    cells: list[str] = []
    for cluster in clusters:
        cells.append(cluster)
        if len(cluster) > 1 or cluster not in _SINGLE:
            cells.extend([""] * (cell_len(cluster) - 1))
    return cells


def _parts(style: str) -> tuple[frozenset[str], str, str]:
    """Attributes, foreground and background of an SGR parameter string."""
    attributes, foreground, background = set(), "", ""
    words = style.split(";")
    i = 0
    while i < len(words):
        word = words[i]
        if word in ("38", "48") and i + 1 < len(words):
            length = 5 if words[i + 1] == "2" else 3
            colour = ";".join(words[i : i + length])
            foreground, background = (colour, background) if word == "38" else (foreground, colour)
            i += length
            continue
        number = int(word) if word.isdigit() else 0
        if 30 <= number <= 39 or 90 <= number <= 97:
            foreground = word
        elif 40 <= number <= 49 or 100 <= number <= 107:
            background = word
        elif number:
            attributes.add(word)
        i += 1
    return frozenset(attributes), foreground, background


@lru_cache(maxsize=16384)
def style_change(old: str | None, new: str) -> str:
    """Shortest control sequence from one SGR state to another; `old` None means unknown."""
    if old == new:
        return ""
    if not new:
        return "\x1b[m"
    if old is None:
        return f"\x1b[0;{new}m"
    old_attributes, old_foreground, old_background = _parts(old)
    attributes, foreground, background = _parts(new)
    lost_colour = (old_foreground and not foreground) or (old_background and not background)
    if lost_colour or not old_attributes <= attributes:
        return f"\x1b[0;{new}m"
    gained = sorted(attributes - old_attributes)
    if foreground != old_foreground:
        gained.append(foreground)
    if background != old_background:
        gained.append(background)
    # Two spellings of one state, as "1;31" and "31;1", differ in nothing.
    return f"\x1b[{';'.join(gained)}m" if gained else ""


class CellScreen:
    """Wanted and sent cells of a terminal of `width` x `height`. Not thread-safe: callers hold a lock.

    Parameters
    ----------
    width, height : int
        Size in cells.
    ascii_only : bool
        Replace what is not ASCII by stand-ins of the same width.
    """

    BRIDGE = 4
    """Unchanged cells of the same style that are cheaper written again than stepped over."""

    def __init__(self, width: int, height: int, *, ascii_only: bool = False) -> None:
        self.ascii_only = ascii_only
        self._x = self._y = 0
        self._style = ""
        self._sent_cursor: tuple[int, int] | None = None
        self._sent_style: str | None = None
        self._shape(width, height, [], [])

    def _shape(self, width: int, height: int, characters: list[list[str]], styles: list[list[str]]) -> None:
        self.width, self.height = max(1, width), max(1, height)

        def fitted(rows: list[list[str]], blank: str) -> list[list[str]]:
            kept = [(row + [blank] * self.width)[: self.width] for row in rows[: self.height]]
            return kept + [[blank] * self.width for _ in range(self.height - len(kept))]

        self._characters = fitted(characters, " ")
        self._styles = fitted(styles, "")
        self.forget()

    def resize(self, width: int, height: int) -> None:
        """Take a new size; what the terminal shows after a resize is unknown."""
        self._shape(width, height, self._characters, self._styles)

    def forget(self) -> None:
        """Hold everything the terminal shows for unknown, so that `encode` sends every cell again."""
        self._sent_characters = [[_UNKNOWN] * self.width for _ in range(self.height)]
        self._sent_styles = [[""] * self.width for _ in range(self.height)]
        self._dirty = dict.fromkeys(range(self.height), (0, self.width))
        self._sent_cursor = None
        self._sent_style = None

    @property
    def text(self) -> list[str]:
        """The wanted characters, one string a row."""
        return ["".join(row) for row in self._characters]

    def feed(self, data: str) -> None:
        """Apply one piece of Textual's output: absolute moves, SGR, line feeds and text."""
        for parameters, final, newline, text in _TOKEN.findall(data):
            if text:
                self._put(text)
            elif final == "m":
                self._style = "" if parameters == "0" else parameters
            elif final == "H":
                row, _, column = parameters.partition(";")
                if (not row or row.isdigit()) and (not column or column.isdigit()):
                    self._y, self._x = int(row or 1) - 1, int(column or 1) - 1
            elif newline:
                self._y, self._x = self._y + 1, 0

    def _put(self, text: str) -> None:
        cells = split_cells(text)
        x, y, length = self._x, self._y, len(cells)
        self._x = x + length
        if not (0 <= y < self.height and 0 <= x < self.width):
            return
        if x + length > self.width:
            cells = cells[: self.width - x]
            length = len(cells)
            if len(split_cells(cells[-1])) > 1:  # half of a wide character does not fit
                cells = [*cells[:-1], " "]
        if self.ascii_only and not text.isascii():
            cells = "".join(map(ascii_cell, cells))[:length].ljust(length)
        row, end = self._characters[y], x + length
        first, last = x, end
        if row[x] == "" and x > 0:  # the other half of a wide character cut in two goes blank
            row[x - 1] = " "
            first = x - 1
        if end < self.width and row[end] == "":
            row[end] = " "
            last = end + 1
        row[x:end] = cells
        self._styles[y][x:end] = [self._style] * length
        before = self._dirty.get(y)
        self._dirty[y] = (first, last) if before is None else (min(first, before[0]), max(last, before[1]))

    def encode(self) -> str:
        """The sequence that brings the terminal from what it was sent to what is wanted; empty if they agree."""
        out: list[str] = []
        for y in sorted(self._dirty):
            start, stop = self._dirty[y]
            same_text = self._characters[y][start:stop] == self._sent_characters[y][start:stop]
            if not (same_text and self._styles[y][start:stop] == self._sent_styles[y][start:stop]):
                self._encode_row(y, start, stop, out)
        self._dirty.clear()
        cursor = min(max(self._x, 0), self.width - 1), min(max(self._y, 0), self.height - 1)
        if self._sent_cursor != cursor:
            out.append(f"\x1b[{cursor[1] + 1};{cursor[0] + 1}H")
            self._sent_cursor = cursor
        return "".join(out)

    def _encode_row(self, y: int, start: int, stop: int, out: list[str]) -> None:
        characters, styles = self._characters[y], self._styles[y]
        sent_characters, sent_styles = self._sent_characters[y], self._sent_styles[y]
        changed = [x for x in range(start, stop) if characters[x] != sent_characters[x] or styles[x] != sent_styles[x]]
        position = 0
        while position < len(changed):
            first = last = changed[position]
            position += 1
            while position < len(changed) and self._bridged(styles, last, changed[position]):
                last = changed[position]
                position += 1
            while first > 0 and characters[first] == "":
                first -= 1
            last += 1
            while last < self.width and characters[last] == "":
                last += 1
            self._encode_run(y, first, last, out)

    def _bridged(self, styles: list[str], last: int, following: int) -> bool:
        gap = following - last
        return gap == 1 or (gap <= self.BRIDGE and all(style == styles[last] for style in styles[last + 1 : following]))

    def _encode_run(self, y: int, first: int, last: int, out: list[str]) -> None:
        out.append(self._move(first, y))
        characters, styles = self._characters[y], self._styles[y]
        x = first
        while x < last:
            style, begin = styles[x], x
            while x < last and styles[x] == style:
                x += 1
            out.append(style_change(self._sent_style, style))
            out.append("".join(characters[begin:x]))
            self._sent_style = style
        self._sent_characters[y][first:last] = characters[first:last]
        self._sent_styles[y][first:last] = styles[first:last]
        # Terminals disagree on the width of unusual characters and on where the cursor waits after the last column.
        plain = last < self.width and _SINGLE.issuperset("".join(characters[first:last]))
        self._sent_cursor = (last, y) if plain else None

    def _move(self, x: int, y: int) -> str:
        if self._sent_cursor == (x, y):
            return ""
        if self._sent_cursor is not None and self._sent_cursor[1] == y and x > self._sent_cursor[0]:
            step = x - self._sent_cursor[0]
            return "\x1b[C" if step == 1 else f"\x1b[{step}C"
        return f"\x1b[{y + 1};{x + 1}H"
