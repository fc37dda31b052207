"""What stands on an image can be read on every pixel, in every palette, and stays red in the red theme."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.color import Color
from rich.color_triplet import ColorTriplet
from rich.style import Style
from textual.color import Color as TextualColor

from safelight_tui.pixels.contrast import contrast_ratio, readable, style_over
from safelight_tui.pixels.half_blocks import half_block_line
from safelight_tui.pixels.palette import Colours, colour_table
from safelight_tui.pixels.scaling import LEVELS

colours = st.builds(ColorTriplet, *[st.integers(0, 255)] * 3)
BLACK, WHITE = ColorTriplet(0, 0, 0), ColorTriplet(255, 255, 255)


def test_the_ratio_is_that_of_the_standard() -> None:
    assert contrast_ratio(BLACK, WHITE) == pytest.approx(21.0)
    assert contrast_ratio(WHITE, WHITE) == 1.0
    # The grey that the standard's examples name as the darkest that passes 4.5 on white.
    assert contrast_ratio(ColorTriplet(118, 118, 118), WHITE) == pytest.approx(4.54, abs=0.01)
    luminance = TextualColor(90, 220, 110)
    ours = contrast_ratio(ColorTriplet(*luminance.rgb), BLACK)
    linear = [((part + 0.055) / 1.055) ** 2.4 for part in luminance.normalized]
    assert ours == pytest.approx((np.dot(linear, [0.2126, 0.7152, 0.0722]) + 0.05) / 0.05)


@given(colours, colours)
def test_any_colour_becomes_readable_on_any_other(front: ColorTriplet, back: ColorTriplet) -> None:
    assert contrast_ratio(readable(front, back), back) >= 3.0


@given(colours, colours)
def test_a_colour_that_can_be_read_is_left_as_it_is(front: ColorTriplet, back: ColorTriplet) -> None:
    if contrast_ratio(front, back) >= 3.0:
        assert readable(front, back) == front


@given(st.integers(0, 255), st.integers(0, 255))
def test_red_stays_red(front: int, back: int) -> None:
    shown = readable(ColorTriplet(front, 0, 0), ColorTriplet(back, 0, 0), red_only=True)
    assert shown.green == shown.blue == 0
    assert contrast_ratio(shown, ColorTriplet(back, 0, 0)) > 2.2  # black or the brightest red


@pytest.mark.parametrize("palette", list(Colours))
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("red_only", [False, True])
def test_a_mark_and_the_cursor_can_be_read_on_every_level(palette: Colours, reverse: bool, red_only: bool) -> None:
    own = Color.from_rgb(255, 0, 0) if red_only else Color.from_rgb(111, 191, 115)
    for level in range(LEVELS):
        row = np.full(3, level, np.uint8)
        over = {1: ("o", Style(color=own, reverse=reverse))}
        strip = half_block_line(row, row, palette, red_only=red_only, outside=Color.from_rgb(0, 0, 0), over=over)
        (mark,) = (segment for segment in strip if segment.text == "o")
        assert mark.style is not None
        assert mark.style.color is not None
        assert mark.style.bgcolor is not None
        assert not mark.style.reverse
        front, back = mark.style.color.get_truecolor(), mark.style.bgcolor.get_truecolor()
        assert contrast_ratio(front, back) > (2.2 if red_only else 3.0)
        behind = ColorTriplet(*colour_table(palette, red_only=red_only)[level].tolist())
        assert (back == behind) is not reverse or behind == own.get_truecolor()
        if red_only:
            assert front.green == front.blue == back.green == back.blue == 0


def test_a_reversed_style_is_a_block_of_its_own_colour() -> None:
    style = style_over(Color.from_rgb(238, 238, 238), Style(color=Color.from_rgb(216, 180, 90), reverse=True))
    assert style.bgcolor == Color.from_rgb(216, 180, 90)
