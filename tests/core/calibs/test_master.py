"""Masters against the truth that the raw frames were made from, and of real frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from safelight import isr
from safelight.calibs.config import BuildConfig
from safelight.calibs.master import build_bias, build_dark, build_flat, build_master
from safelight.errors import ProcessingError, UsageError
from safelight.exposure import MasterFrame
from safelight.exposure.fits import read_master, write_master
from safelight.instruments import Instrument, load_instrument

Writer = Callable[..., Path]
NOISE = np.repeat([3.0, 1.5], 40)


@pytest.fixture
def bias_paths(write_raw: Writer) -> list[Path]:
    return [write_raw(f"bias{i}.fits", "Bias Frame", seed=i) for i in range(12)]


def test_a_bias_is_the_structure_that_the_overscan_leaves(
    attic: Instrument, truth: Any, bias_paths: list[Path]
) -> None:
    master = build_bias(bias_paths, attic)
    pulls = (master.image - truth.bias) / (NOISE / np.sqrt(12))
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12)  # rounding to whole ADU and overscan noise included
    assert np.abs(pulls).max() < 6  # no cosmic ray is left
    assert master.variance is not None
    assert np.sqrt(np.median(master.variance[:, :40])) == pytest.approx(3.0 / np.sqrt(12), rel=0.15)
    assert (master.contains_bias, master.exposure_time_s) == (False, 1.0)
    assert master.mask is not None
    assert not master.mask.any()


def test_a_dark_is_bias_free_and_per_second(
    attic: Instrument, truth: Any, bias_paths: list[Path], write_raw: Writer
) -> None:
    bias = build_bias(bias_paths, attic)
    paths = [
        write_raw(f"dark{i}.fits", "Dark Frame", seconds=s, seed=50 + i) for i, s in enumerate([300] * 6 + [600] * 6)
    ]
    master = build_dark(paths, attic, bias)
    assert (master.contains_bias, master.exposure_time_s) == (False, 1.0)
    assert np.median(master.image) == pytest.approx(0.05, abs=0.005)
    hot = truth.dark > 1
    np.testing.assert_allclose(master.image[hot], 4.0, rtol=0.05)
    assert np.all(master.image[~hot] < 0.1)


def test_a_flat_is_the_response_with_median_one(
    attic: Instrument, truth: Any, bias_paths: list[Path], write_raw: Writer
) -> None:
    bias = build_bias(bias_paths, attic)
    dark = MasterFrame(truth.dark.astype(np.float32))
    levels = [9000, 12000, 15000, 11000, 13000, 14000, 10000, 12500, 9500]
    paths = [
        write_raw(f"flat{i}.fits", "Flat Field", seconds=10, level=level, seed=80 + i) for i, level in enumerate(levels)
    ]
    master = build_flat(paths, attic, bias, dark)
    # Response in ADU: the amplifiers' gains are part of it, as in a real flat.
    expected = truth.flat * np.repeat([1.0, 0.5], 40)
    expected /= np.median(expected)
    assert np.median(master.image) == pytest.approx(1.0, abs=1e-3)
    pulls = (master.image - expected * np.median(master.image / expected)) / expected
    assert np.std(pulls) < 1.3 / np.sqrt(2 * sum(levels))
    assert master.variance is not None
    assert np.sqrt(np.median(master.variance)) == pytest.approx(1 / np.sqrt(2 * sum(levels)), rel=0.3)
    assert master.header["SCALING"] == "median of each frame of this CCD"


def test_flats_of_any_brightness_weigh_the_same(attic: Instrument, write_raw: Writer) -> None:
    paths = [write_raw(f"f{i}.fits", "Flat", seconds=5, level=level, seed=i) for i, level in enumerate((5000, 20000))]
    scales = build_flat(paths, attic).header
    assert scales["CPP_INPUT_SCALE_1"] / scales["CPP_INPUT_SCALE_0"] == pytest.approx(4.0, rel=0.01)


def test_a_dark_without_a_bias_keeps_it_and_its_exposure_time(
    attic: Instrument, truth: Any, write_raw: Writer, tmp_path: Path
) -> None:
    paths = [write_raw(f"dark{i}.fits", "Dark Frame", seconds=60, seed=i) for i in range(8)]
    master = build_dark(paths, attic)
    assert (master.contains_bias, master.exposure_time_s) == (True, 60.0)
    assert np.median(master.image - truth.bias - 60 * truth.dark) == pytest.approx(0, abs=0.3)
    write_master(tmp_path / "master.fits", master)
    read = read_master(tmp_path / "master.fits")
    assert (read.contains_bias, read.exposure_time_s) == (True, 60.0)


def test_darks_of_different_times_need_a_bias(attic: Instrument, write_raw: Writer) -> None:
    paths = [write_raw(f"dark{s}.fits", "Dark Frame", seconds=s) for s in (60, 120)]
    with pytest.raises(ProcessingError, match="60 to 120 s") as caught:
        build_dark(paths, attic)
    assert caught.value.code == "DARK_EXPOSURE_MISMATCH"


def test_narrow_bands_give_the_same_master(attic: Instrument, bias_paths: list[Path]) -> None:
    whole = build_bias(bias_paths, attic)
    config = BuildConfig(memory=1.0).model_copy(update={"memory": 0.01})
    banded = build_master("bias", bias_paths, attic, isr.Masters(), config)
    np.testing.assert_array_equal(banded.image, whole.image)
    np.testing.assert_array_equal(banded.variance, whole.variance)


def test_the_scratch_folder_is_left_empty(attic: Instrument, bias_paths: list[Path], tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    lines: list[str] = []
    build_bias(bias_paths[:2], attic, scratch=scratch, progress=lines.append)
    assert list(scratch.iterdir()) == []
    assert lines == ["bias 1/2: bias0.fits", "bias 2/2: bias1.fits", "bias: combining 2 frames"]


def test_saturated_pixels_do_not_count(attic: Instrument, write_raw: Writer) -> None:
    paths = [write_raw(f"f{i}.fits", "Flat", seconds=5, level=9000, seed=i) for i in range(3)]
    for number, path in enumerate(paths):
        with fits.open(path, mode="update") as hdus:
            hdus[0].data[10, 10] = 65000
            if number == 0:
                hdus[0].data[20, 20] = 65000
    master = build_flat(paths, attic)
    assert master.mask is not None
    assert master.planes.names(int(master.mask[10, 10])) == ["NO_DATA"]
    assert np.isnan(master.image[10, 10])
    assert master.image[20, 20] == pytest.approx(np.median(master.image[18:23, 18:23]), rel=0.1)
    assert np.count_nonzero(master.mask) == 1


def test_the_header_is_what_ingest_reads(attic: Instrument, bias_paths: list[Path], tmp_path: Path) -> None:
    write_master(tmp_path / "m.fits", build_bias(bias_paths, attic))
    header = fits.getheader(tmp_path / "m.fits")
    assert header["OBSTYPE"] == "bias"
    assert header["CALIB_ID"] == "filter=NONE calibDate=2013-11-03 calibVersion=safelight ccd=0"
    assert (header["NCOMBINE"], header["CLIPSIG"], header["HASBIAS"]) == (12, 3.0, False)
    assert header["CPP_INPUT_11"] == "bias11.fits"


def test_the_filter_of_a_flat_stands_in_its_calibration_id(attic: Instrument, write_raw: Writer) -> None:
    path = write_raw("f.fits", "Flat", seconds=5, level=9000)
    assert build_flat([path], attic).header["CALIB_ID"].startswith("filter=r ")
    assert build_flat([path], attic, filter_name="HSC-R").header["CALIB_ID"].startswith("filter=HSC-R ")


def test_a_bad_input_is_named(attic: Instrument, bias_paths: list[Path]) -> None:
    bias_paths[3].write_bytes(bias_paths[3].read_bytes()[:5000])
    with pytest.raises(ProcessingError, match=r"bias3\.fits") as caught:
        build_bias(bias_paths, attic)
    assert caught.value.code == "RAW_TRUNCATED"


def test_flats_without_light_are_refused(attic: Instrument, write_raw: Writer, bias_paths: list[Path]) -> None:
    bias = build_bias(bias_paths, attic)
    bias.image += 50.0
    with pytest.raises(ProcessingError, match="no light") as caught:
        build_flat([write_raw("f.fits", "Flat", seconds=5)], attic, bias)
    assert caught.value.code == "BAD_FLAT"


def test_no_frames_are_refused(attic: Instrument) -> None:
    with pytest.raises(UsageError) as caught:
        build_bias([], attic)
    assert caught.value.code == "NO_FRAMES"


@pytest.mark.real_data
def test_ten_real_darks_make_a_master_that_calms_hot_pixels(shared_data: Path) -> None:
    paths = sorted((shared_data / "tres1").glob("tres1-0*d.fits.gz"))
    assert len(paths) == 10
    camera = load_instrument("generic")
    master = build_dark(paths, camera)
    stack = np.stack([fits.getdata(path) for path in paths]).astype(np.float32)
    assert (master.contains_bias, master.exposure_time_s) == (True, 60.0)
    difference = master.image - np.median(stack, axis=0)
    assert np.median(difference) == pytest.approx(0, abs=1.0)
    assert 1.4826 * np.median(np.abs(difference)) < 3.0
    hot = master.image > np.median(master.image) + 100
    assert hot.sum() > 1000
    # A dark left out of the master: subtracting it takes the hot pixels away.
    others = build_dark(paths[1:], camera)
    before, after = stack[0][hot] - np.median(stack[0]), stack[0][hot] - others.image[hot]
    assert np.median(before) > 100
    assert abs(np.median(after)) < 0.1 * np.median(before)
    assert 1.4826 * np.median(np.abs(after)) < 0.2 * np.median(before)


@pytest.mark.real_data
def test_a_real_light_is_flat_after_the_real_dark(shared_data: Path) -> None:
    from safelight.instruments import read_raw

    camera = load_instrument("generic")
    master = build_dark(sorted((shared_data / "tres1").glob("tres1-0*d.fits.gz")), camera)
    raw = read_raw(shared_data / "tres1" / "tres1-021.fits.gz", camera)
    result = isr.run(raw, isr.Masters(dark=master), isr.IsrConfig(doFlat=False), camera)
    light = fits.getdata(shared_data / "tres1" / "tres1-021.fits.gz").astype(float)
    hot = master.image > np.median(master.image) + 100
    level = np.median(result.exposure.image)
    assert np.median(light[hot]) - np.median(light) > 100
    assert abs(np.median(result.exposure.image[hot]) - level) < 5
    assert level == pytest.approx(np.median(light) - np.median(master.image), abs=2)
