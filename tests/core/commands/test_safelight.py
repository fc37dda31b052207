"""The command safelight and its sub-commands, as far as they need no pixels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safelight.commands.main import main

Call = Callable[..., Any]

COMMANDS = ["demo", "simulate", "ingest", "calibs", "plan", "run", "report", "show", "check", "version"]


def test_help_lists_every_command_with_an_example(call: Call) -> None:
    result = call(main, "--help")
    assert result.code == 0
    for name in COMMANDS:
        assert f"  {name} " in result.out
    assert "safelight demo" in result.out
    assert call(main).out == result.out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_a_help_with_an_example(call: Call, name: str) -> None:
    result = call(main, name, "--help")
    assert result.code == 0
    assert "example" in result.out
    assert f"safelight {name}" in result.out


def test_an_unknown_command_names_the_nearest_one(call: Call) -> None:
    result = call(main, "rapport")
    assert result.code == 2
    assert "report" in result.err


def test_version_names_what_results_depend_on(call: Call) -> None:
    out = call(main, "version").out
    assert all(f"{name} " in out for name in ("safelight", "python", "numpy", "astropy", "numba"))


def test_a_plan_says_of_every_ccd_why_it_cannot_run_and_writes_nothing(call: Call, listing: Path) -> None:
    before = sorted(listing.rglob("*"))
    result = call(main, "plan", listing, "--rerun", "a", "--id", "visit=903986", "--format", "json")
    plan = json.loads(result.out)
    assert result.code == 0
    assert plan["counts"] == {"run": 0, "skip": 0, "blocked": 4}
    ccd = plan["ccds"][0]
    assert (ccd["action"], ccd["state"], ccd["code"]) == ("blocked", "absent", "NO_CALIB_ROOT")
    assert ccd["outputs"]["calexp"].endswith("rerun/a/00671/HSC-I/corr/CORR-0903986-016.fits")
    assert sorted(listing.rglob("*")) == before


def test_a_plan_as_a_table_ends_in_a_summary(call: Call, listing: Path) -> None:
    out = call(main, "plan", listing, "--id", "visit=903986").out
    assert "run 0, skip 0, blocked 4" in out


def test_a_run_of_ccds_that_cannot_run_fails_each_and_keeps_their_reasons(call: Call, listing: Path) -> None:
    result = call(main, "run", listing, "--rerun", "a", "--id", "visit=903986", "ccd=16..23")
    assert result.code == 1
    assert "Traceback" not in result.err
    report = call(main, "report", listing, "--rerun", "a", "--format", "json")
    rows = json.loads(report.out)
    assert [(row["ccd"], row["status"], row["code"]) for row in rows] == [
        (16, "failed", "NO_CALIB_ROOT"),
        (22, "failed", "NO_CALIB_ROOT"),
        (23, "failed", "NO_CALIB_ROOT"),
    ]
    one = call(main, "report", listing, "--rerun", "a", "--id", "ccd=22", "--format", "csv")
    assert len(one.out.splitlines()) == 2


def test_a_report_of_a_rerun_that_is_not_there_names_those_that_are(call: Call, listing: Path) -> None:
    call(main, "run", listing, "--rerun", "first", "--id", "visit=903986", "ccd=16")
    result = call(main, "report", listing, "--rerun", "second")
    assert result.code == 5
    assert "first" in result.err


def test_show_describes_one_dataset_and_wants_one_ccd(call: Call, listing: Path) -> None:
    many = call(main, "show", listing, "raw", "--id", "visit=903986")
    assert (many.code, "4 CCDs" in many.err) == (2, True)
    none = call(main, "show", listing, "raw")
    assert none.code == 2
    absent = call(main, "show", listing, "calexp", "--id", "visit=903986", "ccd=16")
    assert absent.code == 5
    assert "CORR-0903986-016.fits" in absent.err


def test_show_lists_the_columns_of_a_table_with_type_unit_and_description(tmp_path: Path) -> None:
    from astropy.table import Column, Table

    from safelight.commands.show import summarize
    from safelight.exposure.tables import write_table

    path = tmp_path / "src.fits"
    table = Table([Column([1.0, 2.0], "base_SdssCentroid_x", unit="pix", description="centroid"), Column([1, 2], "id")])
    write_table(path, table)
    lines = list(summarize(path))
    assert lines[1] == "HDU 1 TABLE: 2 rows, 2 columns"
    assert lines[2].split() == ["base_SdssCentroid_x", "1D", "pix", "centroid"]
    assert lines[3].split() == ["id", "1K"]


def test_listing_calibrations_of_a_repository_without_any_says_so(call: Call, listing: Path) -> None:
    result = call(main, "calibs", "list", listing)
    assert result.code == 5
    assert "safelight calibs build" in result.err


def test_check_finds_damage_and_tells_it_from_leftovers(call: Call, listing: Path) -> None:
    from safelight.butler.datasets import CcdRecord, DatasetLedger, file_record

    call(main, "run", listing, "--rerun", "a", "--id", "visit=903986", "ccd=16")
    rerun = listing / "rerun" / "a"
    file = rerun / "00671" / "CORR.fits"
    file.parent.mkdir()
    file.write_bytes(b"x" * 100)
    (file.parent / "left.fits").touch()
    (file.parent / ".CORR.fits.tmp-1-0123456789abcdef").touch()
    DatasetLedger(rerun).record_ccd(CcdRecord({"visit": 1, "ccd": 1}, "done"), [file_record("calexp", file)])
    whole = call(main, "check", listing)
    assert whole.code == 0
    by_itself = call(main, "check", rerun)
    assert by_itself.out.splitlines()[-1] == "1 rerun: all files are whole"
    assert ": 3 files recorded" in by_itself.out
    assert "not recorded: 00671/left.fits" in whole.err
    assert "temporary: 00671/.CORR.fits.tmp" in whole.err
    file.write_bytes(b"y" * 100)
    assert call(main, "check", listing, "--quick").code == 0
    changed = call(main, "check", listing, "--rerun", "a")
    assert (changed.code, "FILE_CHECKSUM" in changed.err) == (1, True)
    file.write_bytes(b"x")
    assert "FILE_SIZE" in call(main, "check", listing, "--quick").err
    file.unlink()
    assert "FILE_MISSING" in call(main, "check", listing).err
