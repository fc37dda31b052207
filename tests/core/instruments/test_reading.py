"""Raw frames of all forms and faults: plain, gzipped, tile-compressed, mirrored, truncated, foreign."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

from safelight.errors import ProcessingError
from safelight.exposure import TanSipWcs, Workspace, angular_separation
from safelight.fitscards import parse_cards
from safelight.instruments import Pointing, load_instrument, read_raw, read_raw_header

HSC = load_instrument("hsc")


def _packed(path: Path, folder: Path, form: str) -> Path:
    if form == "plain":
        return path
    if form == "gz":
        out = folder / "raw.fits.gz"
        out.write_bytes(gzip.compress(path.read_bytes(), 1))
        return out
    out = folder / ("raw.fits.fz" if form == "fz" else "raw.fits")
    with fits.open(path) as hdus:
        image = fits.CompImageHDU(hdus[0].data, hdus[0].header, compression_type="RICE_1")
        fits.HDUList([fits.PrimaryHDU(), image]).writeto(out)
    return out


@pytest.mark.parametrize("form", ["plain", "gz", "fz", "compressed under a plain name"])
def test_all_forms_of_a_raw_file_give_the_same_frame(
    hsc_raw: Path, hsc_pixels: np.ndarray, tmp_path: Path, form: str
) -> None:
    path = _packed(hsc_raw, tmp_path, form)
    raw = read_raw(path, HSC)
    assert raw.pixels.dtype == np.uint16
    np.testing.assert_array_equal(raw.pixels, hsc_pixels[:, ::-1])
    assert raw.mirrored == "LR"
    assert raw.data_id == {
        "field": "STRIPE82L", "dateObs": "2013-11-02", "pointing": 671, "filter": "HSC-I", "visit": 904024, "ccd": 50,
        "taiObs": "2013-11-02", "expTime": 30.0,
    }  # fmt: skip
    assert (raw.filter_name, raw.band, raw.wcs_origin) == ("HSC-I", "i", "camera model")
    header = read_raw_header(path)
    assert header == raw.header
    # The compressed table's own structure does not show; the image's does.
    assert (header["NAXIS"], header["NAXIS1"], header["NAXIS2"], header["BITPIX"]) == (2, 2144, 4241, 16)
    assert "ZIMAGE" not in header
    assert "TFORM1" not in header


def test_a_mirrored_frame_is_a_view_and_a_workspace_is_used_again(hsc_raw: Path, hsc_pixels: np.ndarray) -> None:
    workspace = Workspace()
    first = read_raw(hsc_raw, HSC, workspace=workspace)
    assert first.pixels.strides[1] == -2
    second = read_raw(hsc_raw, HSC, workspace=workspace)
    assert np.shares_memory(first.pixels, second.pixels)
    np.testing.assert_array_equal(second.pixels, hsc_pixels[:, ::-1])


def test_ccds_100_to_103_are_mirrored_top_to_bottom(hsc_raw: Path, hsc_pixels: np.ndarray) -> None:
    raw = read_raw(hsc_raw, HSC, ccd=101)
    assert raw.mirrored == "TB"
    np.testing.assert_array_equal(raw.pixels, hsc_pixels[::-1])


def test_a_frame_is_mirrored_even_when_its_header_has_no_wcs(
    hsc_pixels: np.ndarray, hsc_header: dict[str, Any], tmp_path: Path
) -> None:
    header = fits.Header({k: v for k, v in hsc_header.items() if not k.startswith(("CD", "CRV", "CRP", "CTY", "CUN"))})
    fits.PrimaryHDU(hsc_pixels, header).writeto(tmp_path / "raw.fits")
    np.testing.assert_array_equal(read_raw(tmp_path / "raw.fits", HSC).pixels, hsc_pixels[:, ::-1])


def test_the_first_wcs_of_hsc_agrees_with_the_headers_rough_one(hsc_raw: Path) -> None:
    raw = read_raw(hsc_raw, HSC)
    assert raw.wcs is not None
    disk = TanSipWcs.from_header(raw.header)
    amplifier = raw.detector.amplifiers[1]
    x, y = 1000.0, 2000.0
    on_disk = (2143 - (x - amplifier.box.x0 + amplifier.raw_data_box.x0), y + amplifier.raw_data_box.y0)
    assert angular_separation(*raw.wcs.pixel_to_sky(x, y), *disk.pixel_to_sky(*on_disk)) * 3600 < 12.0
    ra, dec = raw.wcs.pixel_to_sky([x, x - 1, x], [y, y, y + 1])
    # Towards larger x on disk declination falls, towards larger y right ascension rises: as CD2_1 and CD1_2 say.
    assert dec[1] - dec[0] == pytest.approx(-4.66e-5, abs=5e-8)
    assert (ra[2] - ra[0]) * np.cos(np.radians(dec[0])) == pytest.approx(4.66e-5, abs=5e-8)


def test_a_stated_pointing_replaces_the_headers(hsc_raw: Path) -> None:
    raw = read_raw(hsc_raw, HSC, pointing=Pointing.parse("10.5, -3.25"))
    assert (raw.visit_info.boresight_ra_deg, raw.visit_info.boresight_dec_deg) == (10.5, -3.25)
    assert raw.wcs is not None
    assert raw.wcs_origin == "camera model"
    assert angular_separation(*raw.wcs.pixel_to_sky(1000, 2000), 10.5, -3.25) < 0.2


@pytest.mark.parametrize(
    ("dtype", "bzero", "kind"),
    [(np.int16, None, np.int32), (np.uint16, None, np.uint16), (np.int32, None, np.int32), (np.uint8, None, np.int32),
     (np.float32, None, np.float32), (np.float64, None, np.float32), (np.uint32, None, np.int32)],
)  # fmt: skip
def test_pixels_of_other_types_have_astropys_values(tmp_path: Path, dtype: Any, bzero: Any, kind: Any) -> None:
    data = np.arange(60, dtype=dtype).reshape(6, 10)
    header = fits.Header({"DATE-OBS": "2020-01-01T00:00:00", "EXPTIME": 1.0})
    fits.PrimaryHDU(data, header).writeto(tmp_path / "a.fits")
    raw = read_raw(tmp_path / "a.fits", load_instrument("generic"))
    assert raw.pixels.dtype == kind
    assert raw.pixels.dtype.isnative
    np.testing.assert_array_equal(raw.pixels, data)


def test_scaled_integers_become_floats(tmp_path: Path) -> None:
    header = fits.Header({"DATE-OBS": "2020-01-01T00:00:00", "EXPTIME": 1.0})
    hdu = fits.PrimaryHDU(np.linspace(0, 100, 60).reshape(6, 10), header)
    hdu.scale("int16", bscale=0.01, bzero=50.0)
    hdu.writeto(tmp_path / "a.fits")
    raw = read_raw(tmp_path / "a.fits", load_instrument("generic"))
    np.testing.assert_allclose(raw.pixels, fits.getdata(tmp_path / "a.fits"), atol=1e-5)
    assert raw.pixels.dtype == np.float32


def test_a_camera_without_a_stated_size_takes_cut_outs_of_any_size(shared_data: Path) -> None:
    path = shared_data / "huntsman" / "science.fits"
    raw = read_raw(path, load_instrument("huntsman"))
    np.testing.assert_array_equal(raw.pixels, fits.getdata(path))
    assert (raw.detector.width, raw.detector.raw_height) == (1000, 1000)
    amplifier = raw.detector.amplifiers[0]
    assert amplifier.box.slices == (slice(0, 1000), slice(0, 1000))
    assert amplifier.gain == pytest.approx(1.144744515419006)
    assert amplifier.saturation_adu == raw.pixels.max() == 4094
    assert (raw.wcs_origin, raw.band) == ("header", "g")
    assert raw.wcs is not None
    assert angular_separation(*raw.wcs.pixel_to_sky(591.79958089, 488.58190918), 65.2078253793, -54.9549268803) < 1e-9


def test_a_frame_without_coordinates_gets_its_wcs_from_the_stated_pointing(shared_data: Path) -> None:
    path = shared_data / "tres1" / "tres1-021.fits.gz"
    generic = load_instrument("generic")
    blind = read_raw(path, generic)
    assert blind.wcs is None
    assert blind.wcs_origin == ""
    pointing = Pointing(286.04, 36.63, pixel_scale_arcsec=2.374, mirrored=True)
    raw = read_raw(path, generic, pointing=pointing)
    assert raw.wcs_origin == "pointing"
    assert raw.band == ""
    assert raw.detector.amplifiers[0].gain == pytest.approx(0.78)
    assert raw.wcs is not None
    ra, dec = raw.wcs.pixel_to_sky([545.5, 545.5, 645.5], [367.5, 467.5, 367.5])
    np.testing.assert_allclose([ra[0], dec[0]], [286.04, 36.63], atol=1e-9)
    assert (dec[1] - dec[0]) * 3600 == pytest.approx(237.4, rel=1e-5)  # +y to the North
    assert (ra[2] - ra[0]) * np.cos(np.radians(36.63)) * 3600 == pytest.approx(237.4, rel=1e-5)  # mirrored: +x East


@pytest.mark.parametrize(("mirrored", "angle"), [(False, 0.0), (True, 0.0), (False, 90.0), (True, 30.0)])
def test_orientation_is_stated_by_position_angle_and_mirroring(tmp_path: Path, mirrored: bool, angle: float) -> None:
    header = fits.Header({"DATE-OBS": "2020-01-01T00:00:00", "EXPTIME": 1.0, "RA": "12:00:00", "DEC": "-30:00:00"})
    fits.PrimaryHDU(np.zeros((101, 101), np.uint16), header).writeto(tmp_path / "a.fits")
    pointing = Pointing(pixel_scale_arcsec=1.0, position_angle_deg=angle, mirrored=mirrored)
    raw = read_raw(tmp_path / "a.fits", load_instrument("generic"), pointing=pointing)
    assert raw.wcs is not None
    centre = raw.wcs.pixel_to_sky(50, 50)
    np.testing.assert_allclose([float(c) for c in centre], [180.0, -30.0], atol=1e-10)

    def position_angle(x: float, y: float) -> float:
        ra, dec = raw.wcs.pixel_to_sky(x, y)  # type: ignore[union-attr]
        east, north = (ra - centre[0]) * np.cos(np.radians(-30.0)), dec - centre[1]
        return float(np.degrees(np.arctan2(east, north)) % 360)

    assert position_angle(50, 51) == pytest.approx(angle, abs=0.01)
    assert position_angle(51, 50) == pytest.approx((angle + (90 if mirrored else -90)) % 360, abs=0.01)


def test_pixel_scale_comes_from_focal_length_and_pixel_size(tmp_path: Path) -> None:
    header = fits.Header({"DATE-OBS": "2020-01-01T00:00:00", "EXPTIME": 1.0, "XPIXSZ": 9.0, "FOCALLEN": 1000.0})
    header["OBJCTRA"], header["OBJCTDEC"] = "12 00 00", "+10 00 00"
    fits.PrimaryHDU(np.zeros((10, 10), np.uint16), header).writeto(tmp_path / "a.fits")
    raw = read_raw(tmp_path / "a.fits", load_instrument("generic"))
    assert isinstance(raw.wcs, TanSipWcs)
    assert raw.wcs.pixel_scale_arcsec == pytest.approx(1.85639, rel=1e-5)


def _faulty(fault: str, source: Path, path: Path) -> None:
    content = source.read_bytes()
    if fault == "truncated":
        path.write_bytes(content[:9_000_000])
    elif fault == "truncated header":
        path.write_bytes(content[:2000])
    elif fault == "truncated gzip":
        path.write_bytes(gzip.compress(content, 1)[:3_000_000])
    elif fault == "damaged gzip":
        packed = bytearray(gzip.compress(content, 1))
        packed[1_000_000:1_000_400] = bytes(400)
        path.write_bytes(packed)
    elif fault == "empty":
        path.write_bytes(b"")
    elif fault == "text":
        path.write_text("this is a log\n" * 500)
    elif fault == "small":
        fits.PrimaryHDU(np.zeros((100, 200), np.uint16), fits.getheader(source)).writeto(path)
    elif fault == "cube":
        fits.PrimaryHDU(np.zeros((2, 10, 10), np.uint16)).writeto(path)
    elif fault == "no image":
        fits.PrimaryHDU().writeto(path)
    elif fault == "table":
        table = fits.BinTableHDU.from_columns([fits.Column("a", "E", array=np.zeros(3, np.float32))])
        fits.HDUList([fits.PrimaryHDU(), table]).writeto(path)
    elif fault == "no keyword":
        header = fits.getheader(source)
        del header["DET-ID"]
        fits.PrimaryHDU(fits.getdata(source), header).writeto(path)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("truncated", "RAW_TRUNCATED"),
        ("truncated header", "RAW_TRUNCATED"),
        ("truncated gzip", "RAW_TRUNCATED"),
        ("damaged gzip", "RAW_TRUNCATED"),
        ("empty", "RAW_EMPTY"),
        ("text", "RAW_NOT_FITS"),
        ("small", "RAW_WRONG_SIZE"),
        ("cube", "RAW_WRONG_SIZE"),
        ("no image", "RAW_WRONG_SIZE"),
        ("table", "RAW_WRONG_SIZE"),
        ("no keyword", "MISSING_KEYWORD"),
        ("absent", "RAW_UNREADABLE"),
    ],
)
def test_a_faulty_file_is_answered_with_its_name_and_a_code(
    hsc_raw: Path, tmp_path: Path, fault: str, code: str
) -> None:
    path = tmp_path / "faulty.fits"
    _faulty(fault, hsc_raw, path)
    with pytest.raises(ProcessingError, match=r"faulty\.fits") as caught:
        read_raw(path, HSC)
    assert caught.value.code == code


def test_a_truncated_tile_compressed_file_is_refused(hsc_raw: Path, tmp_path: Path) -> None:
    path = _packed(hsc_raw, tmp_path, "fz")
    path.write_bytes(path.read_bytes()[:2_000_000])
    with pytest.raises(ProcessingError) as caught:
        read_raw(path, HSC)
    assert caught.value.code == "RAW_TRUNCATED"


def test_cards_are_parsed_as_astropy_does() -> None:
    header = fits.Header()
    header["TEXT"] = "it's a 'quoted' / text"
    header["LONGTEXT"] = "word " * 40
    header["NOTHING"] = None
    header["YES"], header["NO"] = True, False
    header["INT"], header["NEG"], header["FLOAT"], header["EXP"] = 42, -7, 1.5, -1e-21
    header["HIERARCH LONG KEYWORD NAME"] = 3.25
    header["COMMENT"] = "a comment = not a value"
    header["EMPTY"] = ""
    header.append(fits.Card.fromstring("DOUBLE  =  1.5D-03 / Fortran"))
    header.append(fits.Card.fromstring("SLASH   =                    5/no space"))
    cards = parse_cards(header.tostring().encode())
    expected = {key: header[key] for key in header if key not in ("COMMENT", "NOTHING", "LONGTEXT")}
    assert {key: value for key, value in cards.items() if key not in ("NOTHING", "LONGTEXT")} == expected
    assert cards["NOTHING"] is None
    assert cards["LONGTEXT"] == header["LONGTEXT"].rstrip()


@pytest.mark.parametrize("text", ["286.04", "a,b", "400,0", "10,95", "1,2,3"])
def test_a_pointing_that_is_none_is_refused(text: str) -> None:
    from safelight.errors import ConfigurationError

    with pytest.raises(ConfigurationError, match="is not a pointing"):
        Pointing.parse(text)


def test_a_pointing_is_read_in_degrees_and_sexagesimal() -> None:
    assert Pointing.parse("286.04,+36.63") == Pointing(286.04, 36.63)
    pointing = Pointing.parse("19:04:09.6, +36:37:48")
    assert pointing.ra_deg == pytest.approx(286.04)
    assert pointing.dec_deg == pytest.approx(36.63)


MOSAIC = """\
extends: generic
name: mosaic
pixel_scale_arcsec: 0.5
pixel_size_mm: 0.01
parity_known: true
detectors: |
  id, width, height, raw_width, raw_height, raw_flip, reference_x, reference_y, offset_x_mm, offset_y_mm, yaw_deg
  0,  100,   60,     110,       60,         LR,       49.5,        29.5,        0,           0,           0
  1,  100,   60,     110,       60,         LR,       49.5,        29.5,        2.0,         -1.0,        180
amplifiers: |
  name, gain, read_noise_adu, saturation_adu, box,        raw_box,     raw_data_box, serial_overscan
  A,    1,    5,              60000,          0 0 100 60, 0 0 110 60,  10 0 100 60,  0 0 10 60
"""


def _mosaic_frame(folder: Path, **cards: Any) -> Path:
    header = fits.Header({"DATE-OBS": "2020-01-01T00:00:00", "EXPTIME": 1.0} | cards)
    fits.PrimaryHDU(np.zeros((60, 110), np.uint16), header).writeto(folder / "a.fits", overwrite=True)
    return folder / "a.fits"


def test_the_ccds_of_a_mosaic_lie_at_their_offsets(tmp_path: Path) -> None:
    (tmp_path / "mosaic.yaml").write_text(MOSAIC)
    camera = load_instrument(tmp_path / "mosaic.yaml")
    path = _mosaic_frame(tmp_path, RA="00:00:00", DEC="00:00:00")
    centre, turned = (read_raw(path, camera, ccd=ccd) for ccd in (0, 1))
    assert centre.wcs is not None
    assert turned.wcs is not None
    assert centre.wcs_origin == turned.wcs_origin == "pointing"
    ra, dec = turned.wcs.pixel_to_sky([49.5, 49.5], [29.5, 39.5])
    # 200 pixels along +x, to the West, and 100 downwards, to the South; turned by 180 degrees +y points South.
    np.testing.assert_allclose([(ra[0] - 360) * 3600, dec[0] * 3600], [-100.0, -50.0], atol=1e-4)
    np.testing.assert_allclose((dec[1] - dec[0]) * 3600, -5.0, atol=1e-4)
    # The same sky seen through either CCD's WCS lies at the pixels that the focal plane says.
    np.testing.assert_allclose(centre.wcs.sky_to_pixel(ra[0], dec[0]), [249.5, -70.5], atol=1e-4)


def test_a_mosaic_without_a_pixel_size_is_told_so(tmp_path: Path) -> None:
    from safelight.errors import ConfigurationError

    (tmp_path / "mosaic.yaml").write_text(MOSAIC.replace("pixel_size_mm: 0.01\n", ""))
    path = _mosaic_frame(tmp_path, RA="00:00:00", DEC="00:00:00")
    with pytest.raises(ConfigurationError, match="no pixel_size_mm"):
        read_raw(path, load_instrument(tmp_path / "mosaic.yaml"), ccd=1)


def test_a_headers_wcs_is_mirrored_and_trimmed_with_the_pixels(tmp_path: Path) -> None:
    (tmp_path / "mosaic.yaml").write_text(MOSAIC)
    disk = TanSipWcs(np.array([20.0, 30.0]), np.array([150.0, 2.0]), np.array([[-1e-4, 0], [0, 1e-4]]))
    raw = read_raw(_mosaic_frame(tmp_path, **disk.to_header()), load_instrument(tmp_path / "mosaic.yaml"), ccd=0)
    assert raw.wcs_origin == "header"
    assert raw.wcs is not None
    # On disk x = 20; mirrored 109 - 20 = 89; without the 10 columns of overscan 79.
    np.testing.assert_allclose(raw.wcs.sky_to_pixel(150.0, 2.0), [79.0, 30.0], atol=1e-8)
    np.testing.assert_allclose(raw.wcs.pixel_to_sky(69, 40), disk.pixel_to_sky(30, 40), atol=1e-12)
