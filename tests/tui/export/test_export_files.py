"""Pictures, regions and messages that leave the application; the mosaic's geometry."""

from __future__ import annotations

import os
import pty
import re
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest

from safelight.errors import UsageError
from safelight.exposure.wcs import TanSipWcs
from safelight.instruments import load_instrument
from safelight.instruments.geometry import pixel_to_focal_plane
from safelight.processccd.mosaic import Mosaic, MosaicPlan, block_medians, sampled_rows
from safelight.processccd.viewing import Positions
from safelight_tui.export.fullscreen import graphics_of_answer, screen_pixels
from safelight_tui.export.png import Look, picture_png, rendered
from safelight_tui.export.regions import region_text
from safelight_tui.export.samp import NoHub, home_lines, send_fits
from safelight_tui.pixels.overlay import Marks
from safelight_tui.pixels.view import View


def scene() -> np.ndarray:
    image = np.random.default_rng(1).normal(10.0, 1.0, (40, 60)).astype(np.float32)
    image[30, 10] = 900.0
    return image


def decoded(png: bytes) -> np.ndarray:
    width, height = int.from_bytes(png[16:20]), int.from_bytes(png[20:24])
    data = b"".join(png[m.end() : m.end() + int.from_bytes(png[m.start() - 4 : m.start()])]
                    for m in re.finditer(b"IDAT", png))  # fmt: skip
    rows = np.frombuffer(zlib.decompress(data), np.uint8).reshape(height, 1 + 3 * width)
    return rows[:, 1:].reshape(height, width, 3)


def test_a_picture_has_the_image_the_right_way_up() -> None:
    rgb = decoded(picture_png(scene(), Look()))
    assert rgb.shape == (40, 60, 3)
    row, column = np.unravel_index(int(rgb[..., 0].argmax()), (40, 60))
    assert (row, column) == (9, 10)  # y runs upwards


def test_a_red_picture_has_no_other_hue_rings_included() -> None:
    marks = [Marks("sources", "o", "source", np.array([20.0]), np.array([20.0]))]
    view = View.fit((40, 60), 60, 40)
    red = rendered(scene(), view, Look(red_only=True), marks)
    assert not red[..., 1:].any()
    assert red[..., 0].max() == 255
    coloured = rendered(scene(), view, Look(), marks)
    ring = np.argwhere(coloured[..., 1] > coloured[..., 0])
    assert np.hypot(*(ring - [19, 20]).T) == pytest.approx(np.full(len(ring), 5.0), abs=1.0)
    assert len(ring) > 12


def test_regions_are_in_fits_pixels_or_on_the_sky() -> None:
    positions = [Positions("matches", np.array([10.0, np.nan]), np.array([20.0, 1.0]))]
    text = region_text(positions, cursor=(3.0, 4.0))
    assert "image\ncircle(11.000,21.000,10) # color=yellow tag={matches}\npoint(4.000,5.000)" in text
    wcs = TanSipWcs(crpix=np.array([10.0, 20.0]), crval=np.array([33.0, -4.0]), cd=np.eye(2) * 1e-4)
    assert 'icrs\ncircle(33.0000000,-4.0000000,2.0")' in region_text(positions, wcs)


def test_a_terminal_says_which_graphics_it_has() -> None:
    assert graphics_of_answer(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c") == "kitty"
    assert graphics_of_answer(b"\x1b[?62;4;22c") == "sixel"
    assert graphics_of_answer(b"\x1b[?64;22c") is None
    assert graphics_of_answer(b"\x1b[?4c") is None  # a VT132, not graphics
    assert graphics_of_answer(b"") is None


def test_the_size_of_a_terminal_that_does_not_say_is_guessed() -> None:
    first, second = pty.openpty()
    try:
        columns, rows, width, height = screen_pixels(second)
        assert (columns, rows) == (80, 24)
        assert width > columns
        assert height > rows
    finally:
        os.close(first)
        os.close(second)


def test_without_a_hub_a_sentence_and_the_lines_for_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'none').as_uri()}")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(NoHub, match="No SAMP hub") as caught:
        send_fits(tmp_path / "a b.fits", "image")
    assert caught.value.hint.splitlines() == home_lines(tmp_path / "a b.fits")
    assert home_lines(tmp_path / "a b.fits")[1] == "ds9 'a b.fits'"


@pytest.mark.filterwarnings("ignore")
def test_a_program_on_the_hub_is_asked_to_load_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient

    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAMP_HUB", raising=False)
    hub = SAMPHubServer(web_profile=False, lockfile=str(tmp_path / ".samp"), addr="localhost")
    hub.start()
    viewer = SAMPIntegratedClient(name="viewer", addr="localhost")
    try:
        with pytest.raises(NoHub, match="No program"):
            send_fits(tmp_path / "x.fits", "image")
        viewer.connect()
        came = threading.Event()
        messages: list[dict[str, str]] = []

        def receive(key: str, sender: str, kind: str, parameters: dict[str, str], extra: object) -> None:
            messages.append(parameters)
            came.set()

        viewer.bind_receive_notification("image.load.fits", receive)
        assert send_fits(tmp_path / "x.fits", "calexp 1 2") == 1
        assert came.wait(10)
        assert messages[0]["url"] == (tmp_path / "x.fits").as_uri()
        assert messages[0]["name"] == "calexp 1 2"
    finally:
        if viewer.is_connected:
            viewer.disconnect()
        hub.stop()


def test_blocks_of_a_mosaic_are_medians_of_some_of_their_rows() -> None:
    image = np.arange(42, dtype=np.float32).reshape(6, 7)
    assert sampled_rows(6, 3).tolist() == [0, 1, 2, 3, 4, 5]
    assert block_medians(image, 3).tolist() == [[8.0, 11.0], [29.0, 32.0]]
    assert sampled_rows(21, 10).tolist() == [1, 3, 5, 7, 9, 11, 13, 15, 17, 19]
    rows = sampled_rows(4176, 26, tile=16).reshape(-1, 5)  # all of a block from one tile
    assert (rows // 16 == rows[:, :1] // 16).all()
    assert (rows // 26 == np.arange(160)[:, None]).all()
    assert (np.ptp(rows, axis=1) >= 9).all()


@pytest.mark.parametrize("tile", [1, 16])
def test_a_star_leaves_no_speckle_in_a_mosaic(tile: int) -> None:
    rng = np.random.default_rng(2)
    rows, columns = np.indices((270, 270))
    sky = rng.normal(100.0, 8.0, (270, 270))
    star = 50000.0 * np.exp(-0.5 * ((columns - 121.0) ** 2 + (rows - 148.0) ** 2) / 4.0)
    blocks = block_medians((sky + star)[sampled_rows(270, 27, tile)], 27)
    assert np.abs(blocks - 100.0).max() < 10.0  # the mean of its block is a thousand above


@pytest.mark.parametrize("ccd", [16, 49, 100, 102])
def test_a_mosaic_puts_pixels_where_the_camera_has_them(ccd: int) -> None:
    hsc = load_instrument("hsc")
    detectors = tuple(one for one in hsc.detectors if one.type == "SCIENCE")
    plan = MosaicPlan.of(hsc, detectors)
    detector = next(one for one in detectors if one.id == ccd)
    image = np.zeros((detector.height, detector.width), np.float32)
    image[3000:3100, 500:600] = 1000.0
    mosaic = np.full(plan.shape, np.nan, np.float32)
    plan.place(mosaic, detector, block_medians(image[sampled_rows(detector.height, plan.factor)], plan.factor))
    rows, columns = np.nonzero(np.nan_to_num(mosaic) > 500.0)
    x_mm, y_mm = pixel_to_focal_plane(detector, 549.5, 3049.5)
    assert plan.x0_mm + columns.mean() * plan.step_mm == pytest.approx(float(x_mm), abs=plan.step_mm)
    assert plan.y0_mm + rows.mean() * plan.step_mm == pytest.approx(float(y_mm), abs=plan.step_mm)
    shown = Mosaic("raw", 1, mosaic, plan, hsc, detectors, 1, 1)
    found = shown.ccd_at(columns.mean(), rows.mean())
    assert found is not None
    assert found[0] == ccd
    assert found[1:] == pytest.approx((549.5, 3049.5), abs=1.5 * plan.factor)
    assert shown.ccd_at(-50.0, -50.0) is None
    middle = shown.ccd_at(*shown.centre_of(detector))
    assert middle is not None
    assert middle[0] == ccd
    assert middle[1:] == pytest.approx(((detector.width - 1) / 2, (detector.height - 1) / 2), abs=0.01)


def test_full_screen_needs_a_terminal_that_draws() -> None:
    from safelight_tui.export.fullscreen import show_full_screen

    pid, descriptor = pty.fork()
    if pid == 0:
        code = 1
        try:
            show_full_screen(lambda width, height: np.zeros((height, width, 3), np.uint8), "x", seconds=0.2)
        except UsageError as error:
            code = 0 if error.code == "NO_GRAPHICS" else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(status) == 0


@pytest.mark.parametrize(
    ("answer", "begins"),
    [(b"\x1b_Gi=31;OK\x1b\\\x1b[?62;4c", b"\x1b_Ga=T"), (b"\x1b[?62;4;22c", b"\x1bP0;1q")],
)
def test_full_screen_draws_what_the_terminal_can_until_a_key_is_pressed(answer: bytes, begins: bytes) -> None:
    from safelight_tui.export.fullscreen import show_full_screen

    pid, descriptor = pty.fork()
    if pid == 0:
        code = 1
        try:
            view = View.fit((40, 60), 60, 40)
            show_full_screen(lambda width, height: rendered(scene(), view, Look()), "caption", seconds=5.0)
            code = 0
        finally:
            os._exit(code)
    output = b""
    while b"\x1b[c" not in output:
        output += os.read(descriptor, 65536)
    os.write(descriptor, answer)
    while b"caption" not in output:
        output += os.read(descriptor, 65536)
    assert begins in output
    os.write(descriptor, b"q")
    _, status = os.waitpid(pid, 0)
    os.close(descriptor)
    assert os.waitstatus_to_exitcode(status) == 0
