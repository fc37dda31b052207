"""Colours of characters that stand on an image: changed as far as they must be to be read on the pixel behind them."""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.style import Style

__all__ = ["contrast_ratio", "readable", "style_over"]

LEAST = 3.0
"""Contrast ratio (WCAG 2.1) that large text needs at least."""
_STEPS = 8


def _luminance(colour: ColorTriplet) -> float:
    parts = [part / 255.0 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast_ratio(one: ColorTriplet, other: ColorTriplet) -> float:
    """Contrast ratio of two colours (WCAG 2.1): 1 to 21."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _mixed(one: ColorTriplet, other: ColorTriplet, part: float) -> ColorTriplet:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(one, other, strict=True))
    return ColorTriplet(red, green, blue)


@lru_cache(maxsize=4096)
def readable(front: ColorTriplet, back: ColorTriplet, *, red_only: bool = False) -> ColorTriplet:
    """`front`, darkened or lightened just as far as it takes to be read on `back`; of red stays red.

    Where neither black nor white (red) is far enough from `back`, the farther of the two.
    """
    if contrast_ratio(front, back) >= LEAST:
        return front
    ends = (ColorTriplet(0, 0, 0), ColorTriplet(255, 0, 0) if red_only else ColorTriplet(255, 255, 255))
    far = max(ends, key=lambda end: contrast_ratio(end, back))
    steps = (_mixed(front, far, step / _STEPS) for step in range(1, _STEPS + 1))
    return next((one for one in steps if contrast_ratio(one, back) >= LEAST), far)


def style_over(back: Color, style: Style, *, red_only: bool = False) -> Style:
    """The style of a character on a pixel of the colour `back`. A reversed style is a block of its own colour."""
    behind = back.get_truecolor()
    own = style.color.get_truecolor() if style.color is not None else behind
    if style.reverse:
        letter = readable(behind, own, red_only=red_only)
        return Style(color=Color.from_triplet(letter), bgcolor=Color.from_triplet(own), bold=style.bold, reverse=False)
    return Style(color=Color.from_triplet(readable(own, behind, red_only=red_only)), bgcolor=back, bold=style.bold)
