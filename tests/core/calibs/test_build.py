"""Masters of a whole repository, found again by the butler."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safelight.butler.butler import Butler
from safelight.butler.ingest import ingest_images
from safelight.butler.repository import create_repository
from safelight.calibs.build import build_masters
from safelight.errors import UsageError
from safelight.exposure.fits import read_master

Writer = Callable[..., Path]


@pytest.fixture
def repository(tmp_path: Path, attic_path: Path, write_raw: Writer) -> Path:
    """Biases, darks and flats of two filters, in a repository of the two-amplifier camera."""
    root = tmp_path / "repo"
    create_repository(root, attic_path)
    files = []
    for i in range(4):
        files.append(write_raw(f"b{i}.fits", "Bias Frame", seed=i, VISIT=100 + i))
        files.append(write_raw(f"d{i}.fits", "Dark Frame", seconds=300, seed=20 + i, VISIT=200 + i))
        for j, name in enumerate("rg"):
            visit = 300 + 10 * j + i
            files.append(
                write_raw(f"f{name}{i}.fits", "Flat", seconds=5, level=12000, seed=visit, VISIT=visit, FILTER=name)
            )
    report = ingest_images(root, files, mode="copy")
    assert len(Butler(root).query("").rows) == len(files), report
    return root


def _build(root: Path, kind: Any, expression: str) -> Any:
    butler = Butler(root)
    report = build_masters(butler, kind, butler.query(expression).rows, validity_days=100)
    assert report.failed == []
    return report


def test_masters_are_built_in_turn_and_found_by_the_frames_they_are_for(
    repository: Path, truth: Any, tmp_path: Path
) -> None:
    assert [m.n_frames for m in _build(repository, "bias", "dataType=BIAS").built] == [4]
    _build(repository, "dark", "dataType=DARK")
    flats = _build(repository, "flat", "dataType=FLAT")
    assert [(m.ccd, m.filter_name, m.n_frames) for m in flats.built] == [(0, "g", 4), (0, "r", 4)]

    butler = Butler(repository)
    science = {"visit": 310, "ccd": 0, "filter": "g", "taiObs": "2013-11-05"}
    masters = {kind: read_master(butler.find_calibration(kind, science).path) for kind in ("bias", "dark", "flat")}
    assert not masters["dark"].contains_bias
    assert np.median(np.abs(masters["bias"].image - truth.bias)) < 1.5
    assert np.median(masters["dark"].image) == pytest.approx(0.05, abs=0.01)
    assert np.median(masters["flat"].image) == pytest.approx(1.0, abs=1e-3)
    assert "filter=g " in masters["flat"].header["CALIB_ID"]
    sets = {built.filter_name: read_master(built.path).header["FLATSET"] for built in flats.built}
    assert sets["g"] != sets["r"], "levels are those of one filter"
    assert flats.built[0].path == butler.find_calibration("flat", science).path


def test_a_master_of_the_same_date_is_kept_unless_it_is_to_be_replaced(repository: Path) -> None:
    path = _build(repository, "bias", "dataType=BIAS").built[0].path
    content = path.read_bytes()
    butler = Butler(repository)
    rows = butler.query("dataType=BIAS visit=100..101").rows
    report = build_masters(butler, "bias", rows)
    assert [failure.error.code for failure in report.failed] == ["MASTER_EXISTS"]
    assert path.read_bytes() == content
    assert build_masters(butler, "bias", rows, replace=True).failed == []
    assert read_master(path).header["NCOMBINE"] == 2


def test_a_dark_without_a_bias_in_the_repository_keeps_it(repository: Path) -> None:
    _build(repository, "dark", "dataType=DARK")
    butler = Butler(repository)
    dark = read_master(butler.find_calibration("dark", {"visit": 200, "ccd": 0, "taiObs": "2013-11-03"}).path)
    assert (dark.contains_bias, dark.exposure_time_s) == (True, 300.0)


def test_a_ccd_that_fails_is_reported_and_nothing_is_ingested_of_it(repository: Path) -> None:
    butler = Butler(repository)
    rows = butler.query("dataType=FLAT").rows
    bad = butler.uri("raw", dict(next(row for row in rows if row["filter"] == "g")))
    bad.write_bytes(bad.read_bytes()[:4000])
    lines: list[str] = []
    report = build_masters(butler, "flat", rows, progress=lines.append)
    assert [(failure.filter_name, failure.error.code) for failure in report.failed] == [("g", "RAW_TRUNCATED")]
    assert [built.filter_name for built in report.built] == ["r"]
    assert any("failed" in line for line in lines)


def test_flats_of_a_camera_without_overscan_need_a_bias(tmp_path: Path, write_raw: Writer) -> None:
    root = tmp_path / "plain"
    create_repository(root, "generic")
    ingest_images(root, [write_raw("f.fits", "Flat", seconds=5, level=9000, VISIT=5)], mode="copy")
    butler = Butler(root)
    report = build_masters(butler, "flat", butler.query("").rows)
    assert [failure.error.code for failure in report.failed] == ["MISSING_BIAS"]
    assert report.built == []


def test_no_rows_are_refused(repository: Path) -> None:
    with pytest.raises(UsageError) as caught:
        build_masters(Butler(repository), "bias", [])
    assert caught.value.code == "NO_FRAMES"
