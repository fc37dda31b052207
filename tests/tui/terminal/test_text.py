"""Text from data is made harmless and exactly as wide as asked."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from safelight_tui.terminal.text import fit, number, printable, width_of


@given(st.text(max_size=60), st.integers(1, 40), st.booleans())
def test_fitted_text_has_exactly_the_width(text: str, width: int, right: bool) -> None:
    assert width_of(fit(text, width, right=right)) == width


@given(st.text())
def test_no_control_character_survives(text: str) -> None:
    assert not any(ord(character) < 32 or 0x7F <= ord(character) < 0xA0 for character in printable(text))


def test_escape_sequences_of_a_coloured_log_vanish() -> None:
    assert printable("\x1b[31mred\x1b[0m \x1b]0;title\x07text") == "red text"


def test_a_lone_escape_is_shown_as_a_dot() -> None:
    assert printable("a\x1bb\x00c\rd") == "a·b·c·d"


def test_tabs_are_expanded() -> None:
    assert printable("a\tb") == "a       b"


def test_cut_text_says_so() -> None:
    assert fit("STRIPE82L", 6) == "STRIP…"
    assert fit("漢字漢字", 4) == "漢 …"


def test_numbers_are_aligned_to_the_right() -> None:
    assert fit("1.50", 6, right=True) == "  1.50"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "--"), (math.nan, "--"), (math.inf, "inf"), (-math.inf, "-inf"), (3, "3"), (1.256, "1.26")],
)
def test_what_is_no_number_is_said_so(value: float | None, text: str) -> None:
    assert number(value) == text


def test_huge_numbers_are_written_with_powers() -> None:
    assert number(1.5e300) == "1.5e+300"
