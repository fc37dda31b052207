"""Image, driven by keys, on small frames of a plain camera with a finished rerun."""

from __future__ import annotations

import struct
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from astropy.io import fits
from tests.support.frames import SHAPE, STAR_X, STAR_Y, calibrated, ingest_frames, pixels, sources

from safelight.butler.butler import Butler
from safelight.butler.datasets import CcdRecord
from safelight.commands.main import main


@pytest.fixture(scope="module")
def frames(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two raw frames; the first calibrated in rerun "first"."""
    root = ingest_frames(tmp_path_factory.mktemp("frames"), [200.0, 400.0])
    butler = Butler(root, rerun="first")
    row = min(butler.query("").rows, key=lambda one: one["visit"])
    butler.put(calibrated(0.0, "CR", "INTRP"), "calexp", row)
    butler.put(sources(), "src", row)
    butler.ledger.record_ccd(CcdRecord(row, "done", metrics={"fwhm_arcsec": 4.7}))
    butler.ledger.close()
    return root


async def open_first(screen: Any) -> None:
    """The calibrated CCD."""
    await screen.settle(lambda: bool(screen.app.session.feed.reruns))
    session = screen.app.session
    session.cursor_row = min(range(len(session.catalogue)), key=lambda row: session.catalogue.value(row, "visit"))
    await screen.press("5")
    await screen.shows("calexp")


async def test_a_finished_ccd_is_shown_with_place_value_sky_and_mask_planes(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        await screen.shows("(first)", "linear")
        view = screen.app.screen.view
        view.move_to(80, 59)
        value = pixels(0.0)[59, 80]
        await screen.shows("x 80 y 59", f"{value:.2f} ADU", "INTRP CR", "+02:00:00")
        await screen.press("right")
        assert view.cursor != (80, 59)


async def test_i_goes_round_raw_post_isr_and_calexp_and_says_what_is_missing(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        await screen.press("i")
        await screen.shows("raw ")
        assert screen.app.screen.view.picture.pixels[0, 0] == pixels(200.0).astype("u2")[0, 0]
        await screen.press("i")
        await screen.shows("is wanted but there is no calibRegistry")
        await screen.press("i")
        await screen.shows("calexp")


async def test_a_frame_that_was_not_processed_is_shown_raw(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        first = screen.app.session.cursor_row
        await screen.press("greater_than_sign")
        await screen.press("less_than_sign") if screen.app.session.cursor_row == first else None
        await screen.shows("raw ")
        assert screen.app.session.cursor_row != first


async def test_keys_of_imexamine_tell_of_the_star_under_the_cursor(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        screen.app.screen.view.move_to(78, 62)
        await screen.press("a")
        await screen.shows("Aperture photometry", "mag (AB)", "x 79.4", "y 60.3")
        await screen.press("r")
        await screen.shows("Radial profile", "radius, pixels", "Gaussian")
        await screen.press("m")
        await screen.shows("Statistics", "441 pixels")
        await screen.press("v")
        screen.app.screen.view.move_to(20, 20)
        await screen.press("v")
        await screen.shows("From (78, 62) to (20, 20)")
        await screen.press("x")
        await screen.settle(lambda: "From (78" not in screen.picture)


async def test_sources_and_mask_planes_are_drawn_over_the_image(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        view = screen.app.screen.view

        def drawn() -> set[str]:
            return {character for row in view._characters(view.view, view.picture).values()
                    for character, tone in row.values() if tone != "compass"}  # fmt: skip

        await screen.press("O")
        await screen.shows("overlay: sources")
        await screen.settle(lambda: drawn() == {"o"})
        await screen.press("O", "O")
        await screen.shows("overlay: mask planes")
        assert "C" in drawn() or "I" in drawn()
        await screen.press("O", "O")
        assert "overlay:" not in screen.picture


async def test_each_mask_plane_is_listed_with_its_count_and_switched_by_itself(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        view = screen.app.screen.view

        def letters() -> set[str]:
            return {character for row in view._characters(view.view, view.picture).values()
                    for character, tone in row.values() if tone.startswith("mask")}  # fmt: skip

        await screen.press("p")
        await screen.shows("[x] C CR", "[x] I INTRP", "[ ] D DETECTED", "Space switches")
        line = next(line for line in screen.picture.splitlines() if "C CR" in line)
        assert line.split("CR")[1].split()[0] == "1"  # one pixel has it
        assert letters() == {"C"}  # of the two planes of that pixel the first counts
        await screen.press("j", "j", "space")
        await screen.shows("[ ] C CR", "cosmic ray")
        assert letters() == {"I"}
        await screen.press("A")
        await screen.shows("[x] D DETECTED")
        await screen.press("A", "q")
        await screen.shows("overlay: mask planes")
        assert letters() == set()
        await screen.press("i")
        await screen.shows("raw ")
        await screen.press("p")
        await screen.shows("raw frames and mosaics have none")


async def test_nothing_is_cut_in_the_lines_around_a_narrow_image(opened: Any, frames: Path) -> None:
    async with opened(frames, size=(80, 24)) as screen:
        await open_first(screen)
        screen.app.screen.view.move_to(80, 59)
        await screen.press("d")
        await screen.shows("B: raw")
        await screen.press("O", "O", "O", "O")
        await screen.shows("overlay: everything")
        about, pixel = (str(screen.app.screen.query_one(f"#{name}").content) for name in ("about", "pixel"))
        assert len(about) <= 78
        assert len(pixel) <= 78
        assert "overlay: everything" in about
        assert "x 80 y 59" in pixel
        assert "INTRP CR" in pixel


async def test_limits_are_chosen_by_key_or_typed(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        view = screen.app.screen.view
        await screen.shows("linear zscale")
        await screen.press("s", "s", "s", "s")
        await screen.shows("linear min max")
        assert view.picture.limits == (pixels(0.0).min(), pixels(0.0).max())
        await screen.press("S", "ctrl+u")
        await screen.type("-5 120.5")
        await screen.press("enter")
        await screen.shows("linear manual", "-5..120.5")
        for wrong, sentence in (("5", "Two numbers are wanted"), ("9 1", "the smaller"), ("nan 1", "the smaller")):
            await screen.press("S", "ctrl+u")
            await screen.type(wrong)
            await screen.press("enter")
            await screen.shows(sentence)
        assert view.picture.limits == (-5.0, 120.5)
        await screen.press("i")
        await screen.shows("raw ", "linear manual", "-5..120.5")  # holds for what is shown next
        await screen.press("s")
        await screen.shows("linear zscale")


async def test_two_images_take_turns_by_themselves_until_told_to_stop(
    opened: Any, frames: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("safelight_tui.screens.image_blinking.BLINK_S", 0.05)
    async with opened(frames) as screen:
        await open_first(screen)
        await screen.press("b")  # no second image yet: the first there is
        await screen.shows("blinking with")
        seen: set[str] = set()

        def both() -> bool:
            seen.add(screen.app.screen._shown.wanted.kind)
            return seen == {"calexp", "raw"}

        await screen.settle(both)
        await screen.press("b")
        await screen.shows("B: ")
        assert not screen.app.screen.blinking
        assert "blinking" not in screen.picture


async def test_the_compass_is_drawn_from_the_wcs_and_taken_away(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        view = screen.app.screen.view

        def compass() -> dict[str, tuple[int, int]]:
            return {character: (column, row) for row, cells in view._characters(view.view, view.picture).items()
                    for column, (character, tone) in cells.items() if tone == "compass"}  # fmt: skip

        north, east, middle = (compass()[letter] for letter in "NE+")
        assert north[1] < middle[1]  # CD2_2 > 0: up
        assert north[0] == middle[0]
        assert east[0] < middle[0]  # CD1_1 < 0: left
        await screen.press("n")
        assert compass() == {}


async def test_two_images_of_a_ccd_blink(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        await screen.press("B")
        await screen.shows("no second image")
        await screen.press("d")  # post-ISR cannot be made here: the next one is taken
        await screen.shows("B: raw ")
        await screen.press("B")
        await screen.shows("B: calexp")
        assert screen.app.screen.view.picture.pixels.max() > 3000.0


async def test_pictures_and_regions_are_saved_and_nothing_is_overwritten(
    opened: Any, frames: Path, tmp_path: Path
) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        for name in ("a.png", "a.reg"):
            await screen.press("w", "ctrl+u")
            await screen.type(str(tmp_path / name))
            await screen.press("enter")
            await screen.settle((tmp_path / name).exists)
        width, height = struct.unpack(">II", (tmp_path / "a.png").read_bytes()[16:24])
        assert (width, height) == (SHAPE[1], SHAPE[0])
        assert f"circle({STAR_X + 1:.3f},{STAR_Y + 1:.3f},10)" in (tmp_path / "a.reg").read_text()
        await screen.press("w", "ctrl+u")
        await screen.type(str(tmp_path / "a.png"))
        await screen.press("enter")
        await screen.shows("FILE_EXISTS")


async def test_without_a_hub_the_lines_to_type_at_home_are_shown(
    opened: Any, frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SAMP_HUB", f"std-lockurl:{(tmp_path / 'none').as_uri()}")
    monkeypatch.setenv("HOME", str(tmp_path))
    async with opened(frames) as screen:
        await open_first(screen)
        await screen.press("D")
        await screen.shows("No SAMP hub runs on this host", "scp ", "ds9 CORR-")


async def test_a_camera_without_a_focal_plane_has_no_mosaic_and_says_so(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        await screen.press("M")
        await screen.shows("has no focal plane to show")
        await screen.shows("calexp")


async def test_north_is_turned_up_and_back(opened: Any, frames: Path) -> None:
    async with opened(frames) as screen:
        await open_first(screen)
        screen.app.screen.view.move_to(5, 5)
        await screen.press("N")
        orientation = screen.app.screen.view.view.orientation
        assert (orientation.transposed, orientation.flip_right, orientation.flip_up) == (False, False, False)


async def test_a_damaged_file_gives_a_sentence(opened: Any, frames: Path) -> None:
    path = Butler(frames, rerun="first").uri("calexp", min(Butler(frames).query("").rows, key=lambda r: r["visit"]))
    whole = path.read_bytes()
    try:
        path.write_bytes(whole[:5000])
        async with opened(frames) as screen:
            await screen.settle(lambda: bool(screen.app.session.feed.reruns))
            session = screen.app.session
            rows = range(len(session.catalogue))
            session.cursor_row = min(rows, key=lambda row: session.catalogue.value(row, "visit"))
            await screen.press("5")
            await screen.shows("CORR-", "i another kind of image")
            assert "Traceback" not in screen.picture
    finally:
        path.write_bytes(whole)


def test_the_command_prints_and_saves_the_same_image(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    visit = min(row["visit"] for row in Butler(frames).query("").rows)
    at = [str(frames), "calexp", "--rerun", "first", "--id", f"visit={visit}"]
    assert main(["image", *at, "--columns", "40", "--overlay"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 15
    assert all(len(line) == 40 for line in lines)
    assert any("o" in line for line in lines)
    assert main(["image", *at, "-o", str(tmp_path / "b.png"), "--stretch", "asinh", "--size", "80"]) == 0
    assert struct.unpack(">II", (tmp_path / "b.png").read_bytes()[16:24]) == (80, 60)
    for wrong in (["-o", str(tmp_path / "b.txt")], ["--percent", "0"], ["--limits", "3", "3"]):
        assert main(["image", *at, *wrong]) == 2
    capsys.readouterr()
    assert main(["image", *at, "--columns", "40", "--percent", "100"]) == 0
    whole = pixels(0.0)
    assert f"{whole.min():.5g} to {whole.max():.5g} ADU" in capsys.readouterr().err
    assert main(["image", str(frames), "raw", "--id", "filter=r"]) == 2
    assert "one is wanted" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore")  # of astropy's hub, about sockets that it leaves to Python to close
def test_the_command_sends_the_file_to_a_program_on_the_hub_or_says_what_to_type_at_home(
    frames: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from astropy.samp import SAMPHubServer, SAMPIntegratedClient

    visit = min(row["visit"] for row in Butler(frames).query("").rows)
    send = ["image", str(frames), "calexp", "--rerun", "first", "--id", f"visit={visit}", "--send"]
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("SAMP_HUB", raising=False)
    assert main(send) != 0
    assert "scp " in capsys.readouterr().err
    hub = SAMPHubServer(web_profile=False, lockfile=str(tmp_path / ".samp"), addr="localhost")
    hub.start()
    viewer = SAMPIntegratedClient(name="viewer", addr="localhost")
    try:
        viewer.connect()
        came, loaded = threading.Event(), []

        def load(key: str, sender: str, kind: str, parameters: dict[str, str], extra: object) -> None:
            loaded.append(parameters["url"])
            came.set()

        viewer.bind_receive_notification("image.load.fits", load)
        assert main(send) == 0
        assert f"calexp {visit} 0 sent to 1 program\n" in capsys.readouterr().err
        assert came.wait(10)
        with fits.open(Path(unquote(urlparse(loaded[0]).path))) as file:  # what arrives is the image itself
            assert file[1].data.shape == SHAPE
    finally:
        if viewer.is_connected:
            viewer.disconnect()
        hub.stop()


def test_a_terminal_without_graphics_gets_the_application_back_with_a_sentence(
    start_terminal: Any, frames: Path, tmp_path: Path
) -> None:
    source = f"""
import sys
from pathlib import Path
from safelight_tui.app import SafelightApp
from safelight_tui.terminal.driver import DeltaDriver
SafelightApp(Path({str(frames)!r}), state_file=Path({str(tmp_path / "state.json")!r}), driver_class=DeltaDriver).run()
"""
    terminal = start_terminal(source, columns=100, rows=30)
    terminal.wait_for_text("Browse", 30)
    terminal.wait_for_text("2 of 2", 30)
    terminal.send(b"5")
    terminal.wait_for_text("x 80 y 60", 30)
    terminal.send(b"F")
    terminal.wait_for_text("draws characters only", 30)
    terminal.send(b")")
    terminal.wait_for_text("0 fit", 30)
    terminal.send(b"q")
    terminal.wait_for_text("2 of 2", 30)
    terminal.send(b"q")
    assert terminal.status(20) == 0
