"""The image is drawn whole, moves, zooms, blinks, and tells where the cursor is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from textual.app import App, ComposeResult

from safelight_tui.actions import ACTIONS
from safelight_tui.pixels.overlay import Marks, MaskLayer
from safelight_tui.pixels.palette import Colours
from safelight_tui.pixels.scaling import Stretch
from safelight_tui.pixels.view import Orientation
from safelight_tui.widgets.image_view import ImageView, Picture


def scene() -> Picture:
    rng = np.random.default_rng(4)
    pixels = rng.normal(100.0, 3.0, (120, 60)).astype(np.float32)
    pixels[90, 20] = 5000.0
    pixels[:2] = np.nan
    return Picture(pixels, "calexp")


class Host(App[None]):
    def __init__(self, view: ImageView) -> None:
        super().__init__()
        self.view = view
        self.moved: list[tuple[int, int, float]] = []
        self.examined: list[tuple[str, int, int]] = []
        self.looks = 0

    def compose(self) -> ComposeResult:
        yield self.view

    def on_mount(self) -> None:
        self.view.focus()

    def on_image_view_cursor_moved(self, message: ImageView.CursorMoved) -> None:
        self.moved.append((message.x, message.y, message.value))

    def on_image_view_examined(self, message: ImageView.Examined) -> None:
        self.examined.append((message.kind, message.x, message.y))

    def on_image_view_look_changed(self) -> None:
        self.looks += 1


def lines(view: ImageView) -> list[str]:
    shown = [view.render_line(y) for y in range(view.size.height)]
    assert all(strip.cell_length == view.size.width for strip in shown)
    assert all(len(strip.text) == view.size.width for strip in shown)
    return [strip.text for strip in shown]


def half(picture: Picture | None = None) -> ImageView:
    view = ImageView(picture if picture is not None else scene())
    view.rendering = "half"
    return view


async def test_half_blocks_show_two_pixels_a_cell() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)):
        shown = lines(host.view)
        assert any("▀" in line for line in shown)
        assert sum(line.count("+") for line in shown) == 1


async def test_the_ramp_is_ascii() -> None:
    view = ImageView(scene())
    view.rendering = "ramp"
    host = Host(view)
    async with host.run_test(size=(80, 24)):
        shown = lines(view)
        assert all(line.isascii() for line in shown)
        assert len(set("".join(shown))) > 5


async def test_arrows_move_over_pixels_and_say_the_value() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        host.view.move_to(20, 90)
        await pilot.pause()
        assert host.moved[-1] == (20, 90, 5000.0)
        for _ in range(3):
            await pilot.press(")")
        assert host.view.view is not None
        assert host.view.view.zoom >= 1
        await pilot.press("up", "right", "down", "left")
        assert [place[:2] for place in host.moved[-4:]] == [(20, 91), (21, 91), (21, 90), (20, 90)]
        host.view.move_to(5, 0)
        await pilot.pause()
        assert math.isnan(host.moved[-1][2])


async def test_the_cursor_stays_on_the_image_and_in_view() -> None:
    host = Host(half())
    async with host.run_test(size=(40, 12)) as pilot:
        for _ in range(4):
            await pilot.press(")")
        host.view.move_to(10_000, -5)
        await pilot.pause()
        assert host.view.cursor == (59, 0)
        assert sum(line.count("+") for line in lines(host.view)) == 1


async def test_zoom_pan_and_fit() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        fitted = lines(host.view)
        await pilot.press(")", "pageup", "home", "end", "pagedown", "(")
        assert lines(host.view) != fitted
        await pilot.press("0")
        assert lines(host.view) == fitted
        assert host.looks >= 7


async def test_stretch_and_colours_go_round() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        before = host.view.levels()
        assert before is not None
        await pilot.press("T", "C")
        assert (host.view.stretch, host.view.colours) == (Stretch.LOG, Colours.INVERTED)
        after = host.view.levels()
        assert after is not None
        assert (after != before).any()


async def test_blinking_shows_the_other_image_at_the_same_place() -> None:
    host = Host(half())
    other = Picture(np.zeros((120, 60), np.float32), "raw")
    async with host.run_test(size=(80, 24)) as pilot:
        host.view.show(scene(), other)
        await pilot.press(")", "B")
        view = host.view.view
        assert host.view.picture is other
        await pilot.press("B")
        assert host.view.picture is not None
        assert host.view.picture.title == "calexp"
        assert host.view.view == view


@pytest.mark.parametrize("key", "arclhmjkevzg")
async def test_keys_of_imexamine_ask_for_the_place_under_the_cursor(key: str) -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        host.view.move_to(20, 90)
        await pilot.press(key)
        await pilot.pause()
        action = next(action for action in ACTIONS.of("image") if key in action.keys)
        assert host.examined == [(action.name, 20, 90)]


async def test_marks_and_masks_are_characters() -> None:
    picture = scene()
    mask = np.zeros(picture.pixels.shape, np.int32)
    mask[10, 10] = 1
    picture.marks = [Marks("sources", "o", "source", np.array([20.0]), np.array([90.0]))]
    picture.layer = MaskLayer(mask, {"CR": 0}, {"CR": ("c", "mask-ray")})
    host = Host(half(picture))
    async with host.run_test(size=(80, 24)):
        text = "".join(lines(host.view))
        assert text.count("o") == 1
        assert text.count("c") == 1


async def test_a_click_puts_the_cursor_on_the_pixel() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        view = host.view
        assert view.levels() is not None
        assert view.view is not None
        column, row = view.view.to_screen(20, 90)
        await pilot.click(offset=(int(column + 0.5), int(row + 0.5) // 2))
        assert abs(view.cursor[0] - 20) <= 3
        assert abs(view.cursor[1] - 90) <= 4


async def test_an_image_may_be_turned() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        upright = lines(host.view)
        host.view.set_orientation(Orientation(transposed=True))
        await pilot.pause()
        assert lines(host.view) != upright


async def test_no_image_is_a_sentence() -> None:
    host = Host(ImageView())
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.press("up", ")", "0", "T", "B", "a", "pageup")
        assert sum("no image" in line for line in lines(host.view)) == 1
        assert host.examined == []


async def test_another_size_keeps_the_image_whole() -> None:
    host = Host(half())
    async with host.run_test(size=(80, 24)) as pilot:
        await pilot.resize_terminal(50, 30)
        levels = host.view.levels()
        assert levels is not None
        assert levels.shape == (60, 50)
        assert len(lines(host.view)) == 30


def test_an_image_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="rows and columns"):
        Picture(np.zeros((0, 5), np.float32))
