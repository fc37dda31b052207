"""A filter over everything that is painted: red, and nothing else."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color as RichColor
from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.filter import LineFilter

__all__ = ["RedOnly"]


def _red(colour: RichColor | None, default: int) -> RichColor:
    if colour is None or colour.is_default:
        return RichColor.from_rgb(default, 0, 0)
    red, green, blue = colour.get_truecolor()
    if not (green or blue):
        return RichColor.from_rgb(red, 0, 0)
    return RichColor.from_rgb(round(0.30 * red + 0.59 * green + 0.11 * blue), 0, 0)


@lru_cache(maxsize=4096)
def _red_style(style: Style | None, foreground: int, background: int) -> Style:
    style = style or Style()
    return style + Style.from_color(_red(style.color, foreground), _red(style.bgcolor, background))


class RedOnly(LineFilter):
    """Turns every colour into red of the same lightness.

    The theme's colours are red to begin with; but widgets tint, blend with white, or bring colours of their own, and
    one white cell undoes half an hour of dark adaptation.

    Parameters
    ----------
    foreground, background : int
        Red of what has no colour of its own, 0 to 255.
    """

    def __init__(self, foreground: int = 0xC0, background: int = 0) -> None:
        super().__init__()
        self._default = (foreground, background)

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The segments in red."""
        return [Segment(text, _red_style(style, *self._default), control) for text, style, control in segments]
