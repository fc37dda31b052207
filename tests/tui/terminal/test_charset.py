"""Which characters the terminal takes, and their ASCII stand-ins."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from safelight_tui.terminal.charset import ascii_cell, shows_unicode, to_ascii


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"LANG": "en_US.UTF-8"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LANG": "C"}, False),
        ({}, False),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, False),
        ({"LANG": "C", "LC_ALL": "", "LC_CTYPE": "C.UTF-8"}, True),
        ({"LANG": "ja_JP.eucJP"}, False),
        ({"LANG": "C", "SAFELIGHT_CHARACTERS": "unicode"}, True),
        ({"LANG": "C.UTF-8", "SAFELIGHT_CHARACTERS": "ascii"}, False),
    ],
)
def test_the_first_locale_variable_that_is_set_decides(environment: dict[str, str], expected: bool) -> None:
    assert shows_unicode(environment) is expected


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_pythons_own_coercion_of_the_c_locale_does_not_count() -> None:
    source = (
        "import os; from safelight_tui.terminal.charset import *;"
        "print(os.environ.get('LC_CTYPE'), shows_unicode(environment_at_start()))"
    )
    done = subprocess.run([sys.executable, "-c", source], env={"LANG": "C"}, capture_output=True, text=True, check=True)
    assert done.stdout.split()[1] == "False"


@given(st.characters(min_codepoint=0x20, exclude_categories=("Cs", "Cc", "Mn", "Me", "Mc", "Cf")))
def test_a_stand_in_is_ascii_of_the_same_width(character: str) -> None:
    assert ascii_cell(character).isascii()
    if cell_len(character):
        assert len(ascii_cell(character)) == cell_len(character)


def test_frames_and_bars_stay_readable() -> None:
    assert to_ascii("┌──┐│▶ 5 µm ± 2│└──┘ ███░░") == "+--+|> 5 um + 2|+--+ ###.."
