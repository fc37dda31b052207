"""Header cards against astropy's reader."""

from __future__ import annotations

import math
import re

import pytest
from astropy.io import fits
from hypothesis import given
from hypothesis import strategies as st

from safelight.exposure.fits_cards import BLOCK, Card, header_bytes, render_card
from safelight.exposure.fits_exposure import primary_hdu

# astropy 8.0 ends a string at a quote before a slash, also in cards that it wrote itself.
_TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=300).filter(
    lambda text: re.search(r"' */", text) is None
)
_KEYWORDS = st.from_regex(r"[A-Z][A-Z0-9_-]{0,15}", fullmatch=True).filter(
    lambda k: (
        k not in ("END", "COMMENT", "HISTORY", "CONTINUE", "SIMPLE", "BITPIX", "NAXIS", "EXTEND", "HIERARCH")
        and not k.startswith("NAXIS")
    )
)
_VALUES = st.one_of(
    st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False), _TEXT
)


@given(_KEYWORDS, _VALUES)
def test_astropy_reads_the_very_value(keyword: str, value: object) -> None:
    header = fits.Header.fromstring(header_bytes([Card(keyword, value)]))
    read = header[keyword]
    if isinstance(value, str):
        assert read == value.rstrip()  # FITS strings have no trailing blanks
    else:
        assert read == value
        assert type(read) is type(value)


@given(st.lists(st.tuples(_KEYWORDS, _VALUES), max_size=40, unique_by=lambda pair: pair[0]))
def test_headers_are_whole_blocks_with_valid_checksums(pairs: list[tuple[str, object]]) -> None:
    content = primary_hdu([Card(keyword, value, "a comment") for keyword, value in pairs])
    assert len(content) % BLOCK == 0
    # The 32-bit ones' complement sum of a whole HDU is all ones (FITS standard, appendix J).
    total = sum(int.from_bytes(content[i : i + 4], "big") for i in range(0, len(content), 4))
    while total >> 32:
        total = (total & 0xFFFFFFFF) + (total >> 32)
    assert total == 0xFFFFFFFF


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_what_fits_cannot_say_becomes_an_undefined_value(value: object) -> None:
    header = fits.Header.fromstring(header_bytes([Card("X", value)]))
    assert "X" in header
    assert header["X"] is None or isinstance(header["X"], fits.card.Undefined)


def test_history_is_split_into_records() -> None:
    header = fits.Header.fromstring(header_bytes([Card("HISTORY", "one\n" + "two," * 40)]))
    assert "".join(header["HISTORY"][1:]) == "two," * 40
    assert header["HISTORY"][0] == "one"


def test_characters_outside_ascii_are_replaced() -> None:
    assert "O?Neill ??" in render_card(Card("OBSERVER", "O’Neill ☄é"))
