"""Text between the marks of a paste reaches the application without anything that could be taken for a key."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from safelight_tui.terminal.paste import PasteCleaner

PASTED = "\x1b[200~ccd=16\nq\n\x1b[31m!\x03\x1b]52;c;eA==\x07 é\x1b[201~"
CLEAN = "\x1b[200~ccd=16\nq\n!· é\x1b[201~"


def test_keys_outside_a_paste_pass_as_they_are() -> None:
    assert PasteCleaner().feed("q\x1b[A\x03\x1b") == "q\x1b[A\x03\x1b"


def test_sequences_inside_a_paste_are_taken_out_and_lines_are_kept() -> None:
    assert PasteCleaner().feed(f"x{PASTED}\x1b[B") == f"x{CLEAN}\x1b[B"


@given(cuts=st.lists(st.integers(2, len(PASTED)), max_size=5))
def test_a_paste_cut_by_reads_has_no_control_characters_but_its_marks(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(PASTED)]
    cleaner = PasteCleaner()
    seen = "".join(cleaner.feed(PASTED[a:b]) for a, b in pairwise(edges))
    assert seen.startswith("\x1b[200~ccd=16\nq\n")
    assert seen.endswith(" é\x1b[201~")
    inner = seen.removeprefix("\x1b[200~").removesuffix("\x1b[201~")
    assert all(character.isprintable() or character == "\n" for character in inner)
