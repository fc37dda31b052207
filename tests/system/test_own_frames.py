"""The way of an observer with frames of their own, in five commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from safelight.commands.main import main as safelight

Call = Callable[..., Any]


@pytest.mark.real_data
def test_frames_of_a_plain_camera_are_calibrated_with_five_commands(
    call: Call, shared_data: Path, tmp_path: Path
) -> None:
    folder = shared_data / "tres1"
    frames = [*sorted(folder.glob("*d.fits.gz"))[:4], folder / "tres1-021.fits.gz"]
    root = tmp_path / "DATA"
    where = ["--set", "ra=286.04", "--set", "dec=36.63", "--set", "scale=2.374"]
    assert call(safelight, "ingest", "images", root, *frames, "--instrument", "generic", *where).code == 0
    columns = ["ra_name=ra", "dec_name=dec", "mag_column_list=['vt']"]
    stars = folder / "tycho2.csv"
    assert call(safelight, "ingest", "refcat", root, stars, "--name", "tycho2", "-c", *columns).code == 0
    assert call(safelight, "calibs", "build", "dark", root, "--id", "dataType=DARK").code == 0

    without_flat = ["-c", "isr.doFlat=False"]
    plan = json.loads(call(safelight, "plan", root, *without_flat, "--format", "json").out)
    codes = {ccd["data_id"]["dataType"]: (ccd["action"], ccd["code"]) for ccd in plan["ccds"]}
    assert codes == {"DARK": ("skip", "NOT_OF_THE_SKY"), "OBJECT": ("run", "NEW")}
    refused = json.loads(call(safelight, "plan", root, "--format", "json").out)
    assert "-c isr.doFlat=False" in refused["ccds"][-1]["hint"]

    result = call(safelight, "run", root, *without_flat, "-j", 1)
    assert result.code == 0, result.err
    (row,) = json.loads(call(safelight, "report", root, "--format", "json").out)
    assert row["status"] == "done-with-caveats"
    assert "NO_BAND" in row["caveats"]
    assert row["wcs_matches"] >= 18
    assert row["wcs_rms_mas"] < 0.3 * 2374
