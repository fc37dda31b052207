"""The difference that is sent shows the same as everything that Textual painted."""

from __future__ import annotations

import pyte
from hypothesis import given, settings
from hypothesis import strategies as st

from safelight_tui.terminal.cells import CellScreen, split_cells, style_change

WIDTH, HEIGHT = 20, 6

STYLES = ["", "1", "7", "31", "1;32;44", "38;5;200", "38;5;17;48;5;230", "48;2;1;2;3", "4;38;2;9;8;7;48;2;1;2;3", "1;4"]


def painted(x: int, y: int, pieces: list[tuple[str, str]]) -> str:
    """As Textual writes it: a move, then text with each style in full and ended by a reset."""
    return f"\x1b[{y + 1};{x + 1}H" + "".join(f"\x1b[{s}m{t}\x1b[0m" if s else t for s, t in pieces)


def shown(screen: pyte.Screen) -> list[list[pyte.screens.Char]]:
    return [[screen.buffer[y][x] for x in range(screen.columns)] for y in range(screen.lines)]


def emulator(width: int = WIDTH, height: int = HEIGHT) -> tuple[pyte.Screen, pyte.Stream]:
    screen = pyte.Screen(width, height)
    screen.reset_mode(pyte.modes.DECAWM)
    return screen, pyte.Stream(screen)


narrow = st.text("ab █▀▄│é.", min_size=1, max_size=WIDTH)
pieces = st.lists(st.tuples(st.sampled_from(STYLES), narrow), min_size=1, max_size=4)


@st.composite
def frames(draw: st.DrawFn) -> list[str]:
    out = []
    for _ in range(draw(st.integers(1, 8))):
        updates = []
        for _ in range(draw(st.integers(1, 4))):
            x, y = draw(st.integers(0, WIDTH - 1)), draw(st.integers(0, HEIGHT - 2))
            cut, room = [], WIDTH - x
            for style, text in draw(pieces):
                if room:
                    cut.append((style, text[:room]))
                    room -= len(cut[-1][1])
            updates.append(painted(x, y, cut))
        # Textual repaints a line with wide characters as a whole.
        wide = draw(st.lists(st.sampled_from(["漢", "ab", "字", "e\u0301x"]), min_size=WIDTH // 2, max_size=WIDTH // 2))
        updates.append(painted(0, HEIGHT - 1, [(draw(st.sampled_from(STYLES)), "".join(wide))]))
        out.append("\n".join(updates) + f"\x1b[{draw(st.integers(1, HEIGHT))};{draw(st.integers(1, WIDTH))}H")
    return out


@settings(max_examples=80, deadline=None)
@given(frames(), st.lists(st.booleans(), min_size=8, max_size=8))
def test_the_terminal_shows_what_stock_output_shows(all_frames: list[str], sent: list[bool]) -> None:
    stock, stock_stream = emulator()
    ours, our_stream = emulator()
    model = CellScreen(WIDTH, HEIGHT)
    for index, frame in enumerate(all_frames):
        stock_stream.feed(frame)
        model.feed(frame)
        if sent[index] or index == len(all_frames) - 1:  # frames in between are never sent
            our_stream.feed(model.encode())
    assert shown(ours) == shown(stock)
    assert (ours.cursor.x, ours.cursor.y) == (stock.cursor.x, stock.cursor.y)


def test_nothing_is_sent_when_nothing_changed() -> None:
    model = CellScreen(WIDTH, HEIGHT)
    frame = painted(0, 0, [("31", "same"), ("", " as before")])
    model.feed(frame)
    assert model.encode()
    model.feed(frame)
    assert model.encode() == ""


def test_one_changed_cell_costs_a_few_bytes() -> None:
    model = CellScreen(80, 24)
    line = "x" * 80
    model.feed(painted(0, 3, [("38;2;1;2;3;48;2;4;5;6", line)]))
    model.encode()
    model.feed(painted(0, 3, [("38;2;1;2;3;48;2;4;5;6", line[:40] + "y" + line[41:])]))
    change = model.encode()
    assert "y" in change
    assert "x" not in change
    assert len(change) < 50


def test_after_a_resize_every_cell_is_sent_again() -> None:
    model = CellScreen(10, 2)
    model.feed(painted(0, 0, [("", "0123456789")]))
    model.encode()
    model.resize(6, 3)
    screen, stream = emulator(6, 3)
    stream.feed(model.encode())
    assert screen.display == ["012345", "      ", "      "]


def test_forgetting_sends_cells_that_did_not_change() -> None:
    model = CellScreen(10, 1)
    model.feed(painted(0, 0, [("1", "written on")]))
    model.encode()
    model.forget()
    assert "written on" in model.encode()


def test_a_wide_character_cut_in_two_leaves_a_blank() -> None:
    model = CellScreen(6, 1)
    model.feed(painted(0, 0, [("", "漢字ab")]))
    model.feed(painted(1, 0, [("", "x")]))
    assert model.text == [" x字ab"]


def test_text_past_the_right_edge_is_cut() -> None:
    model = CellScreen(4, 1)
    model.feed(painted(1, 0, [("", "漢漢")]))
    assert model.text == [" 漢 "]


def test_escapes_hidden_in_data_never_reach_the_terminal() -> None:
    model = CellScreen(30, 2)
    model.feed(painted(0, 0, [("", "a\x1b[2Jb\x1b]52;c;cm0gLXJm\x07c\x07\r\x9b31md\x1b")]))
    sent = model.encode()
    assert "2J" not in sent
    assert "52;c" not in sent
    assert not any(character in sent for character in "\x07\r\x9b")
    assert model.text[0].startswith("abc31md")


def test_ascii_stand_ins_are_as_wide_as_what_they_stand_for() -> None:
    model = CellScreen(12, 1, ascii_only=True)
    model.feed(painted(0, 0, [("", "│█漢é…─▶⠿x")]))
    assert model.text[0] == "|#??e~->*x  "


def test_a_combining_mark_stays_with_its_letter() -> None:
    assert list(split_cells("e\u0301a")) == ["e\u0301", "a"]


def test_a_wide_character_takes_two_cells() -> None:
    assert list(split_cells("漢a")) == ["漢", "", "a"]


@given(st.sampled_from(STYLES), st.sampled_from(STYLES))
def test_a_style_change_gives_the_style_written_in_full(old: str, new: str) -> None:
    full, full_stream = emulator()
    full_stream.feed(f"\x1b[0m\x1b[{new}mx")
    changed, changed_stream = emulator()
    changed_stream.feed(f"\x1b[0m\x1b[{old}m" + style_change(old, new) + "x")
    assert changed.buffer[0][0] == full.buffer[0][0]
