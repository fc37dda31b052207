"""A raw frame has the camera's own format, header and mirroring."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits
from astropy.wcs import WCS

from safelight.instruments import read_raw
from safelight.simulate.header import raw_header
from safelight.simulate.optics import TrueWcs, true_pointing
from safelight.simulate.rawfile import raw_size, write_raw
from safelight.simulate.spec import VisitSpec


@pytest.fixture(scope="module")
def raw_files(tmp_path_factory, hsc, whole_frame):
    """Files of CCD 16 (mirrored left-right) and 100 (top-bottom)."""
    folder = tmp_path_factory.mktemp("raw")
    paths = {}
    for ccd in (16, 100):
        night, frame = whole_frame(ccd)
        paths[ccd] = folder / f"{ccd}.fits"
        write_raw(paths[ccd], frame.pixels, raw_header(night.visit(903334), hsc.detector(ccd)))
    return paths


@pytest.mark.parametrize("ccd", [16, 100])
def test_a_raw_frame_is_2144_by_4241_unsigned_16_bit_numbers(raw_files, whole_frame, ccd):
    with fits.open(raw_files[ccd]) as hdus:
        hdus.verify("exception")
        assert len(hdus) == 1
        assert hdus[0].header["BITPIX"] == 16
        assert hdus[0].header["BZERO"] == 32768
        assert hdus[0].data.dtype == np.uint16
        assert hdus[0].data.shape == (4241, 2144)
        np.testing.assert_array_equal(hdus[0].data, whole_frame(ccd)[1].pixels)
    assert Path(raw_files[ccd]).stat().st_size % 2880 == 0
    assert Path(raw_files[ccd]).stat().st_size >= raw_size((4241, 2144))


def test_the_header_agrees_with_a_real_frame_of_the_same_visit_and_ccd(hsc):
    # Cards of HSCA90402512.fits, a real frame of CCD 50.
    visit = VisitSpec(904024, "HSC-I", (50,), "2013-11-02", "06:15:55.908", 320.749925, 0.500019444444)
    header = raw_header(visit, hsc.detector(50))
    exact = {
        "EXP-ID": "HSCA90402400",
        "FRAMEID": "HSCA90402512",
        "DET-ID": 50,
        "OBJECT": "STRIPE82L",
        "DATA-TYP": "OBJECT",
        "FILTER01": "HSC-i",
        "EXPTIME": 30.0,
        "DATE-OBS": "2013-11-02",
        "UT-STR": "06:15:55.908",
        "HST-STR": "20:15:55.908",
        "RA2000": "21:22:59.982",
        "DEC2000": "+00:30:00.07",
        "INST-PA": "0.000",
        "T_CCDSN": "050",
        "CTYPE1": "RA---TAN",
        "T_BEEID": 1,
        "T_SDOID": 12,
        "T_OSMN11": 521,
        "T_EFMX22": 4225,
        "T_OSMN31": 1593,
    }
    assert {keyword: header[keyword] for keyword in exact} == exact
    assert header["MJD"] == pytest.approx(56598.26106397435, abs=1e-7)
    assert header["MJD-END"] == pytest.approx(56598.26143435203, abs=1e-6)
    assert header["ALTITUDE"] == pytest.approx(63.04, abs=0.3)
    assert header["AZIMUTH"] == pytest.approx(226.69, abs=0.3)
    assert header["CD1_2"] == pytest.approx(4.72222e-5, rel=1e-4)
    assert header["CD2_1"] == pytest.approx(-4.72222e-5, rel=1e-4)
    assert header["CRPIX1"] == pytest.approx(1024.5, abs=5)
    assert header["CRPIX2"] == pytest.approx(4395.167, abs=25)


def test_frame_numbers_and_rough_wcs_of_another_real_frame_are_met(hsc):
    # HSCA04090107.fits, CCD 37 of exposure 40900.
    visit = VisitSpec(40900, "HSC-R", (37,), "2015-10-10", "08:20:06.598", 21.157, 1.2598)
    header = raw_header(visit, hsc.detector(37))
    assert header["FRAMEID"] == "HSCA04090107"
    assert header["EXP-ID"] == "HSCA04090000"
    assert header["CRPIX1"] == pytest.approx(-3220.833, abs=10)
    assert header["CRPIX2"] == pytest.approx(17801.167, abs=50)


def test_gains_in_the_header_count_channels_from_the_left_of_the_frame_on_disk(hsc):
    visit = VisitSpec(903334, "HSC-R", (16, 100), "2013-06-17", "13:00:00")
    for ccd, order in ((16, (3, 2, 1, 0)), (100, (0, 1, 2, 3))):
        header, amplifiers = raw_header(visit, hsc.detector(ccd)), hsc.detector(ccd).amplifiers
        assert [header[f"T_GAIN{k}"] for k in (1, 2, 3, 4)] == [round(amplifiers[k].gain, 2) for k in order]


def _on_disk(detector, x, y):
    """0-based place on disk of an assembled pixel, from the published layout: 8 prescan columns, 16 of overscan."""
    amplifier = int(x // 512)
    raw_x = x + 8 + 24 * amplifier + (8 if amplifier % 2 else 0)
    raw_y = y + 49
    return (2143 - raw_x, raw_y) if detector.raw_flip == "LR" else (raw_x, 4240 - raw_y)


@pytest.mark.parametrize("ccd", [16, 100])
def test_a_bright_star_lies_on_disk_where_the_true_wcs_and_the_mirroring_put_it(hsc, whole_frame, ccd):
    night, frame = whole_frame(ccd)
    detector = hsc.detector(ccd)
    wcs = TrueWcs.of(hsc, ccd, true_pointing(night, night.visit(903334)))
    placed = frame.truth.sources
    away = np.abs((placed.x % 512) - 255.5) < 230
    inside = away & (placed.y > 50) & (placed.y < 4100) & (placed.x > 0) & (placed.x < 2048) & placed.sky.is_star
    chosen = np.flatnonzero(inside & (placed.magnitude > 17.0) & (placed.magnitude < 18.5))[:8]
    assert len(chosen) >= 5
    misses = []
    for k in chosen:
        x, y = wcs.sky_to_pixel(placed.sky.ra_deg[k], placed.sky.dec_deg[k])
        disk_x, disk_y = _on_disk(detector, float(x), float(y))
        column, row = round(disk_x), round(disk_y)
        cut = frame.pixels[row - 6 : row + 7, column - 6 : column + 7].astype(float)
        light = np.clip(cut - np.median(frame.pixels[row - 20 : row + 21, column - 20 : column + 21]), 0, None)
        dy, dx = np.mgrid[-6:7, -6:7]
        found_x, found_y = column + (light * dx).sum() / light.sum(), row + (light * dy).sum() / light.sum()
        misses.append(np.hypot(found_x - disk_x, found_y - disk_y))
    assert np.median(misses) < 0.15


@pytest.mark.parametrize("ccd", [16, 100])
def test_the_rough_wcs_of_the_file_on_disk_finds_the_stars_within_three_arcminutes(hsc, raw_files, whole_frame, ccd):
    night, _ = whole_frame(ccd)
    header = fits.getheader(raw_files[ccd])
    rough = WCS({key: header[key] for key in header if key[:5] in ("CTYPE", "CRPIX", "CRVAL") or key[:2] == "CD"})
    truth = TrueWcs.of(hsc, ccd, true_pointing(night, night.visit(903334)))
    flip = hsc.detector(ccd).raw_flip
    for x, y in ((100.0, 200.0), (1900.0, 300.0), (150.0, 4000.0), (1023.5, 2087.5)):
        trimmed = (2047 - x, y) if flip == "LR" else (x, 4175 - y)
        ra, dec = truth.pixel_to_sky(x, y)
        found = rough.pixel_to_world(*trimmed)
        # The header's scale is off by 4 % at the edge of the field, the pointing by up to 40"; a mirroring that was
        # forgotten would show as 300" or more at the corners.
        assert found.separation(SkyCoord(float(ra), float(dec), unit="deg")).arcsec < 180


@pytest.mark.parametrize("ccd", [16, 100])
def test_the_reader_takes_the_frame_and_is_off_by_the_stated_pointing_error(hsc, raw_files, whole_frame, ccd):
    night, _ = whole_frame(ccd)
    raw = read_raw(raw_files[ccd], hsc)
    assert (raw.data_id["visit"], raw.data_id["ccd"], raw.data_id["pointing"]) == (903334, ccd, 533)
    assert raw.data_id["field"] == "STRIPE82L"
    truth = TrueWcs.of(hsc, ccd, true_pointing(night, night.visit(903334)))
    claimed = SkyCoord(*(float(a) for a in raw.wcs.pixel_to_sky(1023.5, 2087.5)), unit="deg")
    true = SkyCoord(*(float(a) for a in truth.pixel_to_sky(1023.5, 2087.5)), unit="deg")
    # 40" of pointing, 0.05 degree of rotation at 0.8 degree from the axis, and the scale.
    assert 0.5 < claimed.separation(true).arcsec < 50.0


def test_overscans_hold_the_bias_level_and_read_noise_only(hsc, whole_frame):
    _, frame = whole_frame(16)
    flipped = frame.pixels[:, ::-1]
    for amplifier in hsc.detector(16).amplifiers:
        for box in (amplifier.serial_overscan, amplifier.parallel_overscan):
            values = flipped[box.slices].astype(float)
            assert 955 < np.median(values) < 1045
            by_row = values - np.median(values, axis=1, keepdims=True)
            expected = np.hypot(amplifier.read_noise_adu, 1 / np.sqrt(12))  # quantisation
            assert by_row.std() == pytest.approx(expected, rel=0.08)
        light = np.median(flipped[amplifier.raw_data_box.slices]) - np.median(flipped[amplifier.serial_overscan.slices])
        assert 80 < light < 220
