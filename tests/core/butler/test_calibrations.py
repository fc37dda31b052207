"""Choosing calibrations by validity: inclusive date strings, exactly one match, everything said when there is none."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from pathlib import Path

import pytest

from safelight.butler import Butler
from safelight.butler.calibrations import CalibrationRegistry
from safelight.butler.validity import Validity, symmetric_validity, until_superseded
from safelight.errors import DatasetNotFound, UsageError


@pytest.fixture
def gen2_calib(tmp_path: Path, shared_data: Path) -> Path:
    """A writable copy of a real Gen2 calibration registry (LSST's testdata_ci_hsc), without the files."""
    root = tmp_path / "CALIB"
    root.mkdir()
    shutil.copyfile(shared_data / "gen2" / "ci_hsc_calibRegistry.sqlite3", root / "calibRegistry.sqlite3")
    return root


def sql(root: Path, statement: str) -> None:
    connection = sqlite3.connect(root / "calibRegistry.sqlite3")
    connection.execute(statement)
    connection.commit()
    connection.close()


def refused(registry: CalibrationRegistry, kind: str, **data_id: object) -> DatasetNotFound:
    with pytest.raises(DatasetNotFound) as caught:
        registry.choose(kind, data_id)
    return caught.value


@pytest.mark.real_data
def test_both_ends_of_a_validity_range_are_included(gen2_calib: Path) -> None:
    registry = CalibrationRegistry(gen2_calib)
    for date in ("2013-05-07", "2013-11-03", "2014-05-02"):
        row = registry.choose("bias", {"ccd": 16, "taiObs": date})
        assert (row.calib_date, row.valid_start, row.valid_end) == ("2013-11-03", "2013-05-07", "2014-05-02")
    for date in ("2013-05-06", "2014-05-03"):
        assert refused(registry, "bias", ccd=16, taiObs=date).code == "NO_BIAS"


@pytest.mark.real_data
def test_dates_are_compared_as_text(gen2_calib: Path) -> None:
    registry = CalibrationRegistry(gen2_calib)
    # A time on the last day sorts behind the bare date; one on the first day does not.
    assert refused(registry, "bias", ccd=16, taiObs="2014-05-02T00:00:00").code == "NO_BIAS"
    assert registry.choose("bias", {"ccd": 16, "taiObs": "2013-05-07T00:00:00"}).ccd == 16


@pytest.mark.real_data
def test_flats_are_chosen_by_filter_too(gen2_calib: Path) -> None:
    registry = CalibrationRegistry(gen2_calib)
    choices = {f: registry.choose("flat", {"ccd": 16, "filter": f, "taiObs": "2013-11-02"}) for f in ("HSC-I", "HSC-R")}
    assert {f: row.calib_date for f, row in choices.items()} == {"HSC-I": "2013-11-03", "HSC-R": "2013-06-17"}


@pytest.mark.real_data
def test_a_calibration_date_may_lie_outside_its_range(gen2_calib: Path) -> None:
    row = CalibrationRegistry(gen2_calib).choose("sky", {"ccd": 16, "filter": "HSC-R", "taiObs": "2013-06-17"})
    assert row.calib_date == "2014-11-12"
    assert row.valid_end == "2013-12-01"


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("date", "epoch"),
    [
        ("2013-01-30", "1970-01-01T00:00:00"),
        ("2013-01-31", "2013-01-31T00:00:00"),
        ("2013-06-17", "2013-01-31T00:00:00"),
        ("2016-12-22", "2016-11-22T00:00:00"),
        ("2037-12-31", "2016-12-23T00:00:00"),
    ],
)
def test_defects_hold_until_superseded(gen2_calib: Path, date: str, epoch: str) -> None:
    assert CalibrationRegistry(gen2_calib).choose("defects", {"ccd": 9, "taiObs": date}).calib_date == epoch


@pytest.mark.real_data
def test_two_masters_for_one_date_are_an_error_that_names_both(gen2_calib: Path) -> None:
    sql(
        gen2_calib,
        "INSERT INTO bias (filter, ccd, validStart, calibDate, validEnd) "
        "VALUES ('NONE', 16, '2014-05-02', '2014-06-01', '2014-12-01')",
    )
    registry = CalibrationRegistry(gen2_calib)
    error = refused(registry, "bias", ccd=16, taiObs="2014-05-02")
    assert error.code == "AMBIGUOUS_CALIBRATION"
    assert "2013-11-03 valid 2013-05-07 to 2014-05-02" in error.message
    assert "2014-06-01 valid 2014-05-02 to 2014-12-01" in error.message
    assert registry.choose("bias", {"ccd": 16, "taiObs": "2014-05-01"}).calib_date == "2013-11-03"
    assert registry.choose("bias", {"ccd": 16, "taiObs": "2014-05-03"}).calib_date == "2014-06-01"


@pytest.mark.real_data
def test_no_master_is_an_error_that_says_criterion_and_what_exists(gen2_calib: Path) -> None:
    registry = CalibrationRegistry(gen2_calib)
    late = refused(registry, "dark", ccd=16, taiObs="2020-01-01")
    assert late.code == "NO_DARK"
    assert "validStart <= 2020-01-01 <= validEnd" in late.message
    assert "2013-11-03 valid 2013-05-07 to 2014-05-02" in late.message
    other_ccd = refused(registry, "dark", ccd=77, taiObs="2013-11-02")
    assert "ccd=77" in other_ccd.message
    assert "0..1, 4..6, 10..12, 16..18, 22..25, 100" in other_ccd.message
    other_filter = refused(registry, "flat", ccd=16, filter="HSC-Z", taiObs="2013-11-02")
    assert other_filter.code == "NO_FLAT"
    assert "For ccd=16 there are filters HSC-I, HSC-R." in other_filter.message
    assert (
        "There is no fringe at all." in refused(registry, "fringe", ccd=1, filter="HSC-Y", taiObs="2013-11-02").message
    )


@pytest.mark.real_data
def test_the_butler_finds_the_file_and_keeps_the_reason(repository: Path, gen2_calib: Path) -> None:
    gen2_calib.rename(repository / "CALIB")
    path = repository / "CALIB" / "FLAT/2013-06-17/HSC-R/FLAT-2013-06-17-HSC-R-016.fits.fz"
    path.parent.mkdir(parents=True)
    path.touch()
    choice = Butler(repository).find_calibration("flat", {"visit": 903334, "ccd": 16})
    assert choice.path == path
    assert (choice.calib_date, choice.valid_start, choice.valid_end) == ("2013-06-17", "2012-12-19", "2013-12-14")
    assert choice.reason == (
        "the only flat for ccd=16 filter=HSC-R taiObs=2013-06-17: calibDate 2013-06-17, valid 2012-12-19 to 2013-12-14"
    )
    with pytest.raises(DatasetNotFound) as caught:
        Butler(repository).find_calibration("bias", {"visit": 903334, "ccd": 16})
    assert caught.value.code == "CALIBRATION_FILE_MISSING"
    assert "BIAS/2013-11-03/NONE/BIAS-2013-11-03-016.fits" in caught.value.message


def test_without_calibrations_every_place_looked_at_is_named(repository: Path) -> None:
    with pytest.raises(DatasetNotFound) as caught:
        Butler(repository).find_calibration("bias", {"visit": 903334, "ccd": 16})
    assert caught.value.code == "NO_CALIB_ROOT"
    assert str(repository / "CALIB") in caught.value.message


def test_what_is_no_calibration_is_refused(repository: Path) -> None:
    with pytest.raises(UsageError):
        Butler(repository).find_calibration("calexp", {"visit": 903334, "ccd": 16})


@pytest.mark.real_data
def test_the_calibration_root_is_found_beside_the_repository_or_its_parents(repository: Path, gen2_calib: Path) -> None:
    explicit = Butler(repository, calib=gen2_calib)
    assert explicit.calib_root == gen2_calib
    (repository / "CALIB").symlink_to(gen2_calib)
    assert Butler(repository).calib_root == repository / "CALIB"
    child = Butler(repository, rerun="a")
    child.create_output()
    assert Butler(repository / "rerun" / "a").calib_root == repository / "CALIB"


def test_defects_come_from_the_cameras_curated_list_where_the_repository_has_none(repository: Path) -> None:
    boxes, origin = Butler(repository).defects({"visit": 903334, "ccd": 9, "taiObs": "2012-12-31"})
    assert "curated list of camera hsc, epoch 1970-01-01" in origin
    assert (1024, 1024, 4176) in [(box.x0, box.width, box.height) for box in boxes]


def test_validity_is_trimmed_at_the_middle_between_neighbours() -> None:
    assert symmetric_validity(["2013-11-03"], 180) == [Validity("2013-05-07", "2014-05-02")]
    # 2013-06-17 and 2013-11-03 are 139 days apart: the middle is 69 days after the first.
    assert symmetric_validity(["2013-06-17", "2013-11-03"], 180) == [
        Validity("2012-12-19", "2013-08-25"),
        Validity("2013-08-26", "2014-05-02"),
    ]
    # Ranges that do not reach each other stay as they are.
    assert symmetric_validity(["2013-01-01", "2014-01-01"], 10) == [
        Validity("2012-12-22", "2013-01-11"),
        Validity("2013-12-22", "2014-01-11"),
    ]


def test_neighbouring_ranges_never_overlap() -> None:
    dates = ["2013-01-01", "2013-01-02", "2013-01-05", "2013-03-01", "2013-03-01T12:00:00", "2014-01-01"]
    ranges = symmetric_validity(dates[:4] + dates[5:], 400)
    for earlier, later in itertools.pairwise(ranges):
        assert earlier.end < later.start


def test_validity_until_superseded_ends_the_day_before_the_next() -> None:
    assert until_superseded(["1970-01-01T00:00:00", "2013-01-31T00:00:00"]) == [
        Validity("1970-01-01", "2013-01-30"),
        Validity("2013-01-31", "2037-12-31"),
    ]
    with pytest.raises(ValueError, match="2013-1-1"):
        until_superseded(["2013-1-1"])
