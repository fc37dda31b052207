"""Pictures of the application: cells become rectangles and glyphs in the right place, of the right size and colour."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.segment import Segment
from rich.style import Style

from safelight.errors import ConfigurationError, ProcessingError, UsageError
from safelight_tui.screenshots.drawing import BLOCKS, CELL, Artist, find_font
from safelight_tui.screenshots.live import RERUN, live_run
from safelight_tui.screenshots.tour import STOPS, main

pytest.importorskip("PIL", reason="pictures are drawn with Pillow: pip install 'safelight[screenshots]'")
RED, BLUE = Style.parse("#ff0000 on #0000ff"), Style.parse("reverse #ff0000 on #0000ff")


@pytest.fixture(scope="module")
def artist() -> Artist:
    try:
        return Artist(find_font())
    except ConfigurationError as error:
        pytest.skip(f"{error.message} {error.hint}")


def test_a_picture_has_the_size_of_its_cells(artist: Artist) -> None:
    assert artist.draw([[Segment(" " * 80)]] * 24, 80).size == (80 * CELL[0], 24 * CELL[1])


def test_a_half_block_is_its_colour_above_and_the_background_below(artist: Artist) -> None:
    picture = artist.draw([[Segment(" ▀", RED), Segment("▀", BLUE)]], 3)
    width, height = CELL
    assert {picture.getpixel((x, y)) for x in range(width, 2 * width) for y in range(height // 2)} == {(255, 0, 0)}
    assert {picture.getpixel((x, y)) for x in range(width) for y in range(height)} == {(0, 0, 255)}
    assert picture.getpixel((2 * width, 0)) == (0, 0, 255)
    assert picture.getpixel((2 * width, height - 1)) == (255, 0, 0)


def test_every_block_covers_the_share_of_the_cell_that_it_stands_for(artist: Artist) -> None:
    for character, boxes in BLOCKS.items():
        share = sum((right - left) * (bottom - top) for left, top, right, bottom in boxes)
        picture = artist.draw([[Segment(character, RED)]], 1)
        red = sum(picture.getpixel((x, y)) == (255, 0, 0) for x in range(CELL[0]) for y in range(CELL[1]))
        assert red / (CELL[0] * CELL[1]) == pytest.approx(share, abs=0.09), character


def test_lines_meet_at_the_edges_of_cells(artist: Artist) -> None:
    picture = artist.draw([[Segment("┌┐", RED)], [Segment("└┘", RED)]], 2)
    x, y = CELL[0] // 2, CELL[1] // 2
    assert all(picture.getpixel((x, row)) == (255, 0, 0) for row in range(y, CELL[1] + y))
    assert all(picture.getpixel((column, y)) == (255, 0, 0) for column in range(x, CELL[0] + x))
    assert picture.getpixel((x, y - 1)) == (0, 0, 255)


def test_text_stays_in_its_cell(artist: Artist) -> None:
    picture = artist.draw([[Segment(" Wg ", RED)]] * 2, 4)
    box = [
        picture.getpixel((x, y))
        for y in range(2 * CELL[1])
        for x in range(4 * CELL[0])
        if not CELL[0] <= x < 3 * CELL[0]
    ]
    assert set(box) == {(0, 0, 255)}
    assert len(set(picture.get_flattened_data() if hasattr(picture, "get_flattened_data") else picture.getdata())) > 2


def test_a_missing_font_is_said_with_what_installs_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="There is no font file") as caught:
        find_font(tmp_path / "none.ttf")
    assert "fonts-dejavu-core" in caught.value.hint


def test_a_picture_that_there_is_not_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no picture 'nonsense'"):
        main([str(tmp_path), "--rerun", "x", "--only", "nonsense"])


def test_every_stop_has_a_picture_in_the_repository_of_its_size() -> None:
    from PIL import Image

    folder = Path(__file__).parents[2] / "screenshots"
    for stop in STOPS:
        with Image.open(folder / f"{stop.name}.png") as picture:
            assert picture.size == (stop.size[0] * CELL[0], stop.size[1] * CELL[1]), stop.name
    assert sum(path.stat().st_size for path in folder.glob("*.png")) < 1_000_000


def test_a_rerun_that_is_somebodys_work_is_not_run_in_and_not_removed(tmp_path: Path) -> None:
    work = tmp_path / "rerun" / RERUN / "work.fits"
    work.parent.mkdir(parents=True)
    work.write_text("mine")
    with pytest.raises(UsageError, match="is there already"), live_run(tmp_path, "visit=1"):
        pass
    assert work.read_text() == "mine"


def test_a_run_that_does_not_begin_is_said_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(ProcessingError, match=r"NOT_A_REPOSITORY|no repository"), live_run(tmp_path, "visit=1"):
        pass
    assert not (tmp_path / "rerun" / RERUN).exists()
