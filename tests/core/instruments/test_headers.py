"""From headers to registry columns, visit information and cameras."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest
from astropy.coordinates import Angle
from astropy.io import fits
from astropy.time import Time

from safelight.errors import ConfigurationError, ProcessingError
from safelight.instruments import identify_instrument, load_instrument, read_raw_header, translate_header, visit_info
from safelight.instruments.header import utc_to_tai_mjd
from safelight.instruments.rules import HeaderRule


def test_hsc_registry_columns_are_gen2s(hsc_header: dict[str, Any]) -> None:
    assert translate_header(load_instrument("hsc"), hsc_header) == {
        "field": "STRIPE82L", "visit": 904024, "ccd": 50, "pointing": 671, "filter": "HSC-I", "proposal": "o13015",
        "dateObs": "2013-11-02", "taiObs": "2013-11-02", "expTime": 30.0, "pa": 0.0, "autoguider": 0,
        "ccdTemp": -101.158, "config": "20130327.cfg", "frameId": "HSCA90402512", "expId": "HSCA90402400",
        "dataType": "OBJECT",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("exposure", "frame", "visit"),
    [
        ("HSCA90333400", "HSCA90333412", 903334),
        ("HSCB00012300", "HSCB00012301", 1000123),
        ("HSCE00084532", "HSCE00084532", 84532),
        ("HSCA04090000", "HSCA04090107", 40900),
        ("HSCA00000000", "HSCA00123512", 1234),
        ("HSCC00000000", "HSCC00123412", 2001234),
    ],
)
def test_hsc_visits_are_read_in_all_schemes(hsc_header: dict[str, Any], exposure: str, frame: str, visit: int) -> None:
    header = hsc_header | {"EXP-ID": exposure, "FRAMEID": frame}
    assert translate_header(load_instrument("hsc"), header)["visit"] == visit


@pytest.mark.parametrize("exposure", ["SUPA00112230", "HSCA9033340", "HSCA90333401", "HSCE1234567"])
def test_other_exposure_ids_are_refused_by_name(hsc_header: dict[str, Any], exposure: str) -> None:
    with pytest.raises(ProcessingError, match=f"EXP-ID = '{exposure}'") as caught:
        translate_header(load_instrument("hsc"), hsc_header | {"EXP-ID": exposure})
    assert caught.value.code == "BAD_KEYWORD"


@pytest.mark.parametrize(
    ("changes", "column", "value"),
    [
        ({"OBJECT": "M31 (deep)"}, "field", "M31__DEEP_"),
        ({"OBJECT": "#"}, "field", "UNKNOWN"),
        ({"OBJECT": "ssp-wide "}, "field", "SSP_WIDE"),
        ({"FILTER01": "HSC-r2"}, "filter", "HSC-R2"),
        ({"FILTER01": None}, "filter", "Unrecognized"),
        ({"MJD": 56460.99}, "pointing", 533),
        ({"MJD": None}, "pointing", 671),
        ({"MJD": None, "DATE-OBS": "2013-06-17T05:00:00"}, "pointing", 533),
        ({"DATE-OBS": "2013-06-17T05:00:00"}, "dateObs", "2013-06-17"),
        ({"T_AG": None}, "autoguider", 0),
        ({"T_CCDTV": None}, "ccdTemp", 0.0),
        ({"INST-PA": "-12.5"}, "pa", -12.5),
    ],
)
def test_hsc_columns_are_cleaned_and_have_their_fall_backs(
    hsc_header: dict[str, Any], changes: dict[str, Any], column: str, value: Any
) -> None:
    header = {key: item for key, item in (hsc_header | changes).items() if item is not None}
    assert translate_header(load_instrument("hsc"), header)[column] == value


def test_a_pointing_without_any_date_is_0_with_a_warning(
    hsc_header: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    rule = load_instrument("hsc").header.columns["pointing"]
    with caplog.at_level(logging.WARNING, logger="safelight.instruments"):
        assert rule.apply({}, "pointing") == 0
    assert "neither a usable MJD nor DATE-OBS" in caplog.text


@pytest.mark.parametrize("keyword", ["DET-ID", "EXP-ID", "OBJECT", "DATE-OBS", "EXPTIME", "INST-PA", "T_CFGFIL"])
def test_a_missing_keyword_is_named(hsc_header: dict[str, Any], keyword: str) -> None:
    del hsc_header[keyword]
    with pytest.raises(ProcessingError, match=keyword) as caught:
        translate_header(load_instrument("hsc"), hsc_header)
    assert caught.value.code == "MISSING_KEYWORD"


def test_hsc_visit_information_agrees_with_astropy(hsc_header: dict[str, Any]) -> None:
    hsc = load_instrument("hsc")
    info = visit_info(hsc, hsc_header, hsc.detector(50))
    begin, end = Time("2013-11-02T06:15:55.908", scale="utc"), Time("2013-11-02T06:16:27.928", scale="utc")
    middle = begin.tai.mjd + 0.5 * (end.tai.mjd - begin.tai.mjd)
    assert info.mjd_mid_tai == pytest.approx(middle, abs=1e-9)
    assert info.boresight_ra_deg == pytest.approx(Angle("21:22:59.982", unit="hourangle").deg, abs=1e-11)
    assert info.boresight_dec_deg == pytest.approx(Angle("+00:30:00.07", unit="deg").deg, abs=1e-11)
    assert info.rotator_angle_deg == 270.0
    assert info.exposure_time_s == info.dark_time_s == 30.0
    assert info.air_temperature_c == pytest.approx(-0.8)
    assert info.air_pressure_pa == pytest.approx(62170)
    assert (info.longitude_deg, info.latitude_deg, info.elevation_m) == (-155.476667, 19.825556, 4139)
    assert info.exposure_id == 904024 * 200 + 50


@pytest.mark.parametrize(
    ("begin", "end", "seconds"),
    [
        ("06:15:55.9", "06:16:00.0", 30.0),  # an end too early is begin + exposure time
        ("06:15:55.9", "06:15:55.0", 30.0),
        ("23:59:50.0", "00:00:24.0", 34.0),  # across midnight
        ("06:00:00.0", "06:00:50.0", 50.0),
    ],
)
def test_an_exposure_ends_no_earlier_than_its_exposure_time(
    hsc_header: dict[str, Any], begin: str, end: str, seconds: float
) -> None:
    hsc = load_instrument("hsc")
    info = visit_info(hsc, hsc_header | {"UT-STR": begin, "UT-END": end}, hsc.detector(50))
    expected = Time(f"2013-11-02T{begin}", scale="utc").tai.mjd + 0.5 * seconds / 86400
    assert info.mjd_mid_tai == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("pa", "rotator"), [("0.0", 270), ("270", 0), ("300", 330), ("-90", 0), ("-180", 90)])
def test_the_rotator_angle_is_within_a_turn(hsc_header: dict[str, Any], pa: str, rotator: float) -> None:
    hsc = load_instrument("hsc")
    assert visit_info(hsc, hsc_header | {"INST-PA": pa}, hsc.detector(50)).rotator_angle_deg == rotator


@pytest.mark.parametrize(
    "date", ["2012-06-29T23:59:59", "2012-07-01T00:00:00", "1999-05-05", "2016-12-31", "2024-02-29"]
)
def test_leap_seconds_are_astropys(date: str) -> None:
    time = Time(date, scale="utc")
    assert utc_to_tai_mjd(time.mjd) == pytest.approx(time.tai.mjd, abs=2e-10)


def test_dates_beyond_the_table_keep_the_last_leap_second() -> None:
    assert (utc_to_tai_mjd(70000.0) - 70000.0) * 86400 == pytest.approx(37.0, abs=1e-5)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ({"INSTRUME": "Hyper Suprime-Cam"}, "hsc"),
        ({"EXP-ID": "HSCA90402400", "DET-ID": 50, "TELESCOP": "Subaru"}, "hsc"),
        ({"INSTRUME": "371d420013090900", "CAM-MOD": "ZWO ASI183MM Pro"}, "huntsman"),
    ],
)
def test_cameras_are_known_by_their_keywords(header: dict[str, Any], name: str) -> None:
    assert identify_instrument(header).name == name


def test_an_unknown_camera_is_answered_with_the_keywords_that_were_looked_for() -> None:
    with pytest.raises(ConfigurationError) as caught:
        identify_instrument({"INSTRUME": "SBIG ST-10 3 CCD Camera"})
    assert caught.value.code == "UNKNOWN_CAMERA"
    for words in ("INSTRUME = 'SBIG ST-10 3 CCD Camera'", "no CAM-MOD", "no EXP-ID"):
        assert words in caught.value.message
    assert "generic" in caught.value.hint


def test_a_header_that_says_little_is_translated_all_the_same(shared_data: Any) -> None:
    generic = load_instrument("generic")
    lights = [
        translate_header(generic, read_raw_header(p)) for p in sorted((shared_data / "tres1").glob("tres1-0??.fits.gz"))
    ]
    darks = [
        translate_header(generic, read_raw_header(p))
        for p in sorted((shared_data / "tres1").glob("tres1-0??d.fits.gz"))
    ]
    assert (len(lights), len(darks)) == (8, 10)
    assert {row["dataType"] for row in lights} == {"OBJECT"}
    assert {row["dataType"] for row in darks} == {"DARK"}
    assert {row["filter"] for row in lights} == {"Filter_2"}
    assert {row["filter"] for row in darks} == {"NONE"}
    assert {row["field"] for row in lights} == {"UNKNOWN"}
    assert len({row["visit"] for row in lights + darks}) == 18
    expected = Time("2012-06-17T01:56:40").unix - Time("2000-01-01T00:00:00").unix
    assert lights[0]["visit"] == round(expected)


def test_huntsman_flats_are_known_by_their_field(shared_data: Any) -> None:
    camera = load_instrument("huntsman")
    rows = {
        n: translate_header(camera, read_raw_header(shared_data / "huntsman" / f"{n}.fits"))
        for n in ("science", "dark", "flat")
    }
    assert {name: row["dataType"] for name, row in rows.items()} == {
        "science": "OBJECT",
        "dark": "DARK",
        "flat": "FLAT",
    }
    assert rows["science"]["field"] == "DORADOGROUP_P0P0"
    known = camera.filter(rows["science"]["filter"])
    assert known is not None
    assert known.band == "g"


@pytest.mark.parametrize(
    ("rule", "header", "value"),
    [
        ("A", {"A": "  x "}, "x"),
        (["A", "B"], {"A": "   ", "B": 3}, "3"),
        ({"keywords": ["A"], "type": "int"}, {"A": "12.9"}, 12),
        ({"keywords": ["A"], "type": "int"}, {"A": -0.5}, -1),
        ({"keywords": ["A"], "pattern": r"run(\d+)", "type": "int"}, {"A": "run0042.fits"}, 42),
        ({"keywords": ["A", "B"], "pattern": r"^\d+$", "type": "int"}, {"A": "x", "B": "7"}, 7),
        ({"keywords": ["A"], "map": {"li.*": "OBJECT"}}, {"A": "Light Frame"}, "OBJECT"),
        ({"keywords": ["A"], "sexagesimal": "hours", "type": "float"}, {"A": "-00:30:00"}, -7.5),
        ({"keywords": ["A"], "sexagesimal": "degrees", "type": "float"}, {"A": "-00 30 36"}, -0.51),
        ({"keywords": ["A"], "sexagesimal": "hours", "type": "float"}, {"A": 286.04}, 286.04),
        ({"keywords": ["A"], "scale": 100, "offset": 1, "type": "float"}, {"A": 2}, 201.0),
        ({"keywords": ["A"], "default": "none"}, {}, "none"),
        ({"keywords": ["A"], "type": "float", "default": 1.5}, {"A": float("nan")}, 1.5),
    ],
)
def test_rules_read_what_headers_say(rule: Any, header: dict[str, Any], value: Any) -> None:
    found = HeaderRule.model_validate(rule).apply(header, "quantity")
    assert found == pytest.approx(value) if isinstance(value, float) else found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("text", ["12:60:00", "12:34:56:7", "north", "12:-3:00"])
def test_a_value_that_cannot_be_read_is_shown(text: str) -> None:
    rule = HeaderRule.model_validate({"keywords": ["RA"], "sexagesimal": "hours", "type": "float"})
    with pytest.raises(ProcessingError, match=f"RA = '{text}' cannot be read as the boresight"):
        rule.apply({"RA": text}, "boresight")


def test_an_astropy_header_serves_as_well(hsc_header: dict[str, Any]) -> None:
    hsc = load_instrument("hsc")
    assert translate_header(hsc, fits.Header(hsc_header)) == translate_header(hsc, hsc_header)
    info = visit_info(hsc, fits.Header(hsc_header), hsc.detector(50))
    assert np.isfinite(info.mjd_mid_tai)
