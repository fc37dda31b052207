"""What is seen is the right part of the image, the right way up, and positions go there and back."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS
from hypothesis import given
from hypothesis import strategies as st

from safelight.exposure.wcs import TanSipWcs
from safelight_tui.images.directions import local_cd
from safelight_tui.pixels.overlay import Label, Marks, MaskLayer, characters_over, compass_over, cursor_over
from safelight_tui.pixels.view import Orientation, View, sampled, sampled_bits

orientations = st.builds(Orientation, st.booleans(), st.booleans(), st.booleans())
views = st.builds(
    View,
    st.floats(-20, 60),
    st.floats(-20, 60),
    st.sampled_from([1 / 16, 0.3, 0.5, 1.0, 2.0, 5.0]),
    st.integers(1, 40),
    st.integers(1, 40),
    orientations,
)

ROWS, COLUMNS = 37, 23
IMAGE = np.arange(ROWS * COLUMNS, dtype=np.float32).reshape(ROWS, COLUMNS)


@given(views, st.floats(-30, 30), st.floats(-30, 30))
def test_positions_go_there_and_back(view: View, column: float, row: float) -> None:
    assert view.to_screen(*view.to_image(column, row)) == pytest.approx((column, row), abs=1e-9)


@given(views.filter(lambda view: view.zoom >= 1))
def test_each_screen_pixel_shows_the_image_pixel_under_it(view: View) -> None:
    shown = sampled(IMAGE, view)
    assert shown.shape == (view.height, view.width)
    for row in range(0, view.height, 7):
        for column in range(0, view.width, 5):
            x, y = (int(np.floor(value + 0.5)) for value in view.to_image(column, row))
            inside = 0 <= x < COLUMNS and 0 <= y < ROWS
            assert shown[row, column] == IMAGE[y, x] if inside else np.isnan(shown[row, column])


def test_the_first_row_of_the_image_is_at_the_bottom() -> None:
    shown = sampled(IMAGE, View.fit(IMAGE.shape, COLUMNS, ROWS))
    assert (shown == IMAGE[::-1]).all()


def test_a_transposed_image_has_y_along_the_rows() -> None:
    shown = sampled(IMAGE, View.fit(IMAGE.shape, ROWS, COLUMNS, Orientation(transposed=True)))
    assert (shown == IMAGE.T[::-1]).all()


@given(orientations, st.integers(5, 50), st.integers(5, 50))
def test_a_fitted_image_is_seen_whole(orientation: Orientation, width: int, height: int) -> None:
    view = View.fit(IMAGE.shape, width, height, orientation)
    for x, y in ((0, 0), (COLUMNS - 1, ROWS - 1)):
        column, row = view.to_screen(x, y)
        assert -0.5 <= column <= width - 0.5
        assert -0.5 <= row <= height - 0.5


def test_below_a_zoom_of_one_the_mean_is_shown() -> None:
    image = np.kron([[1.0, 2.0], [3.0, 4.0]], np.ones((30, 30))).astype(np.float32)
    image[0, 0] = np.nan
    view = View.fit(image.shape, 6, 6)
    shown = sampled(image, view)
    assert shown[:3, :3] == pytest.approx(3.0)
    assert shown[3:, 3:] == pytest.approx(2.0)
    assert shown[5, 0] == pytest.approx(1.0)


def test_nothing_is_seen_of_an_image_that_is_elsewhere() -> None:
    assert np.isnan(sampled(IMAGE, View(1000, 1000, 1.0, 5, 5))).all()
    assert not sampled_bits(np.ones((5, 5), np.int32), View(1000, 1000, 0.2, 5, 5)).any()


@given(views, st.integers(0, ROWS - 1), st.integers(0, COLUMNS - 1))
def test_a_single_bad_pixel_is_seen_at_any_zoom(view: View, row: int, column: int) -> None:
    mask = np.zeros((ROWS, COLUMNS), np.int32)
    mask[row, column] = 4
    bits = sampled_bits(mask, view)
    place = view.to_screen(column, row)
    well_inside = 0 <= place[0] <= view.width - 1 and 0 <= place[1] <= view.height - 1
    if well_inside:
        x, y = round(place[0]), round(place[1])
        assert bits[max(0, y - 1) : y + 2, max(0, x - 1) : x + 2].any()
    assert set(np.unique(bits)) <= {0, 4}


def test_zooming_keeps_the_pixel_under_the_cursor_where_it_is() -> None:
    view = View.fit((4176, 2048), 80, 44)
    before = view.to_screen(300, 500)
    for steps in (1, 1, 1, -1):
        view = view.zoomed(steps, 300, 500)
        assert np.log2(view.zoom) == pytest.approx(round(np.log2(view.zoom)))
        assert view.to_screen(300, 500) == pytest.approx(before)


def test_zoom_ends_somewhere() -> None:
    view = View(0, 0, 1.0, 10, 10)
    for _ in range(30):
        view = view.zoomed(1, 0, 0)
    assert view.zoom == View.LARGEST
    for _ in range(30):
        view = view.zoomed(-1, 0, 0)
    assert view.zoom == View.SMALLEST


def test_panning_moves_by_screen_pixels() -> None:
    view = View(10, 10, 2.0, 20, 20).panned(4, 2)
    assert (view.x, view.y) == (12, 11)


@given(orientations)
def test_north_is_up_and_east_left_in_all_eight_orientations(orientation: Orientation) -> None:
    # Pixel steps of one screen step right (west) and up (north) for this orientation.
    west, north = orientation.matrix[:, 0], orientation.matrix[:, 1]
    cd = np.linalg.inv(np.stack([-west, north], axis=1)) * 0.168 / 3600
    assert Orientation.north_up(cd) == orientation


@given(views, st.lists(st.tuples(st.integers(0, COLUMNS - 1), st.integers(0, ROWS - 1)), max_size=10))
def test_marks_stand_in_the_cell_of_their_pixel(view: View, places: list[tuple[int, int]]) -> None:
    x, y = [place[0] for place in places], [place[1] for place in places]
    over = characters_over(view, [Marks("sources", "o", "source", np.array(x), np.array(y))])
    for place in places:
        column, row = view.to_screen(*place)
        cell = (int(np.floor(column + 0.5)), int(np.floor(row + 0.5)) // 2)
        if 0 <= column + 0.5 < view.width - 1e-9 and 0 <= row + 0.5 < view.height - 1e-9:
            assert over.get(cell) == ("o", "source")
    assert all(0 <= column < view.width and 0 <= row <= view.height // 2 for column, row in over)


def test_mask_planes_are_letters_under_marks() -> None:
    mask = np.zeros((10, 10), np.int32)
    mask[2, 3] = 0b10
    mask[8, 8] = 0b110
    layer = MaskLayer(mask, {"BAD": 0, "SAT": 1, "CR": 2}, {"CR": ("c", "mask-ray"), "SAT": ("s", "mask-other")})
    view = View.fit(mask.shape, 10, 10)
    over = characters_over(view, (), layer)
    assert over == {(3, 3): ("s", "mask-other"), (8, 0): ("c", "mask-ray")}
    hidden = characters_over(view, [Marks("stars", "*", "match", np.array([3.0]), np.array([2.0]))], layer)
    assert hidden[3, 3] == ("*", "match")
    assert layer.names_at(8, 8) == ["SAT", "CR"]


@pytest.mark.parametrize("angle", [0.0, 30.0, 90.0, 200.0, 330.0])
@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_the_compass_points_where_astropy_has_north_and_east(angle: float, mirrored: bool, turned: bool) -> None:
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    header = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 101.0, "CRPIX2": 101.0, "CRVAL1": 40.0, "CRVAL2": 60.0,
        "CD1_1": (1 if mirrored else -1) * c * 5e-5, "CD1_2": -s * 5e-5, "CD2_1": s * 5e-5 * (-1 if mirrored else 1),
        "CD2_2": c * 5e-5,
    }  # fmt: skip
    wcs = WCS(header)
    cd = local_cd(TanSipWcs.from_header(header), (200, 200))
    assert cd is not None
    orientation = Orientation.north_up(cd) if turned else Orientation()
    view = View.fit((200, 200), 100, 80, orientation)
    over = compass_over(view, cd)
    (middle,) = (place for place, (character, _) in over.items() if character == "+")
    step = 5.0 / 3600.0
    for letter, (dra, ddec) in {"N": (0.0, step), "E": (step / np.cos(np.radians(60.0)), 0.0)}.items():
        (tip,) = (place for place, (character, _) in over.items() if character == letter)
        x, y = wcs.all_world2pix(40.0 + dra, 60.0 + ddec, 0)
        column, row = view.to_screen(float(x), float(y))
        column0, row0 = view.to_screen(100.0, 100.0)
        drawn = np.array([tip[0] - middle[0], 2 * (tip[1] - middle[1])], float)
        true = np.array([column - column0, row - row0])
        cosine = drawn @ true / np.hypot(*drawn) / np.hypot(*true)
        assert cosine > 0.93  # characters are coarse
    if turned:
        up = {c: place for place, (c, _) in over.items() if c in "NE"}
        assert up["N"][1] < middle[1]
        assert up["E"][0] < middle[0]


def test_an_image_without_a_usable_wcs_has_no_directions() -> None:
    class Nowhere:
        def pixel_to_sky(self, x: object, y: object) -> tuple[np.ndarray, np.ndarray]:
            return np.full(3, np.nan), np.full(3, np.nan)

        sky_to_pixel = pixel_to_sky

    assert local_cd(Nowhere(), (10, 10)) is None


def test_the_cursor_is_a_cross_with_arms_that_leave_its_neighbours_free() -> None:
    view = View.fit((100, 100), 60, 60)
    over = cursor_over(view, 50.0, 50.0)
    (middle,) = (place for place, (character, _) in over.items() if character == "+")
    arms = sorted((place[0] - middle[0], place[1] - middle[1]) for place, (c, _) in over.items() if c != "+")
    assert arms == [(-2, 0), (0, -2), (0, 2), (2, 0)]


def test_labels_stand_in_the_middle_of_their_place() -> None:
    view = View.fit((100, 100), 100, 100)
    over = characters_over(view, (), None, [Label(50.0, 49.0, "103")])
    row = next(iter({row for _, row in over}))
    assert "".join(over[column, row][0] for column in (49, 50, 51)) == "103"
