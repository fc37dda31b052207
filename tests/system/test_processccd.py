"""From raw frames to calibrated exposures with the command line."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from safelight.commands.main import main as safelight
from safelight.commands.processccd import main as process_ccd

Call = Callable[..., Any]

NAMES = {
    "calexp": "00533/HSC-R/corr/CORR-0903334-{ccd:03d}.fits",
    "calexpBackground": "00533/HSC-R/corr/BKGD-0903334-{ccd:03d}.fits",
    "icSrc": "00533/HSC-R/output/ICSRC-0903334-{ccd:03d}.fits",
    "src": "00533/HSC-R/output/SRC-0903334-{ccd:03d}.fits",
    "srcMatch": "00533/HSC-R/output/SRCMATCH-0903334-{ccd:03d}.fits",
    "srcMatchFull": "00533/HSC-R/output/SRCMATCHFULL-0903334-{ccd:03d}.fits",
    "processCcd_metadata": "00533/HSC-R/processCcd_metadata/0903334-{ccd:03d}.yaml",
}


@pytest.fixture(scope="module")
def done(tiny_night: Path) -> Path:
    """The rerun "first" of both CCDs, made with two processes. Not to be changed."""
    assert process_ccd([str(tiny_night), "--rerun", "first", "--id", "-j", "2"]) == 0
    return tiny_night / "rerun" / "first"


def report(call: Call, root: Path, rerun: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(call(safelight, "report", root, "--rerun", rerun, "--format", "json").out)
    return rows


@pytest.mark.parametrize("ccd", [16, 100])
def test_every_output_lies_where_gen2_puts_it(done: Path, ccd: int) -> None:
    for name in NAMES.values():
        assert (done / name.format(ccd=ccd)).is_file()
    present = {str(path.relative_to(done)) for path in done.glob("00533/**/*") if path.is_file()}
    assert present == {name.format(ccd=each) for name in NAMES.values() for each in (16, 100)}
    for name in ("config/processCcd.py", "config/packages.yaml", "schema/src.fits", "schema/icSrc.fits"):
        assert (done / name).is_file()
    assert not (done / "registry.sqlite3").exists(), "it would hide the parent's"


def test_the_report_has_every_number_of_every_ccd(call: Call, done: Path, tiny_night: Path) -> None:
    rows = report(call, tiny_night, "first")
    assert [(row["visit"], row["ccd"], row["status"]) for row in rows] == [(903334, 16, "done"), (903334, 100, "done")]
    for row in rows:
        unmeasured = [name for name, value in row.items() if value is None]
        assert unmeasured == []
        assert 0.5 < row["fwhm_arcsec"] < 1.0
        assert row["wcs_reserved_median_mas"] < 30
        assert abs(row["zeropoint_mag"] - 27.1) < 0.05
        assert row["peak_rss_mb"] < 1.2 * 1024**3 / 1e6
    table = call(safelight, "report", tiny_night, "--rerun", "first", "--format", "csv").out
    assert len(list(csv.DictReader(io.StringIO(table)))) == 2


@pytest.mark.parametrize("ccd", [16, 100])
def test_the_fitted_wcs_is_that_of_the_sky_that_was_simulated(done: Path, tiny_night: Path, ccd: int) -> None:
    from astropy.io import fits
    from astropy.wcs import WCS

    from safelight.exposure.wcs import angular_separation
    from safelight.simulate.truth import true_wcs

    truth = true_wcs(tiny_night, 903334, ccd)
    with fits.open(done / NAMES["calexp"].format(ccd=ccd)) as hdus:
        wcs = WCS(hdus["IMAGE"].header)
    x, y = np.meshgrid(np.linspace(0, 2047, 32), np.linspace(0, 4175, 64))
    fitted = wcs.all_pix2world(x.ravel(), y.ravel(), 0)
    apart = angular_separation(*fitted, *truth.pixel_to_sky(x.ravel(), y.ravel())) * 3.6e6
    assert np.median(apart) < 10.0


def test_the_same_line_again_does_nothing(call: Call, done: Path, tiny_night: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in done.glob("00533/**/*") if path.is_file()}
    result = call(process_ccd, tiny_night, "--rerun", "first", "--id", "-j", 2)
    assert result.code == 0
    assert "2 skipped" in result.err
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_repository_that_was_moved_or_is_reached_by_a_link_stays_done(
    call: Call, done: Path, tiny_night: Path, tmp_path: Path
) -> None:
    def states(root: Path) -> list[tuple[str, str]]:
        plan = json.loads(call(safelight, "plan", root, "--rerun", "first", "--format", "json").out)
        return [(ccd["code"], ccd["reason"]) for ccd in plan["ccds"]]

    link = tmp_path / "link"
    link.symlink_to(tiny_night)
    assert {code for code, _ in states(link)} == {"UNCHANGED"}
    moved = tmp_path / "moved"
    shutil.copytree(tiny_night, moved, copy_function=os.link)
    assert {code for code, _ in states(moved)} == {"UNCHANGED"}
    bias = next((moved / "CALIB" / "BIAS").rglob("*-016.fits"))
    copy = tmp_path / "bias"
    shutil.copy(bias, copy)  # a newer file of the same content
    copy.replace(bias)
    assert {code for code, _ in states(moved)} == {"UNCHANGED"}
    other = bytearray(bias.read_bytes())
    other[-3000] ^= 1
    bias.unlink()
    bias.write_bytes(other)
    assert [code for code, _ in states(moved)] == ["INPUTS_CHANGED", "UNCHANGED"]
    assert "bias" in states(moved)[0][1]
    plan = json.loads(call(safelight, "plan", moved, "--rerun", "first", "--format", "json").out)
    catalog = plan["ccds"][1]["catalogs"][0]
    (moved / "ref_cats" / catalog["name"] / f"{catalog['shards'][0]}.fits").unlink()
    assert states(moved)[1] == ("INPUTS_CHANGED", "other shards of the reference catalogues are there now")


def test_a_plan_of_a_finished_rerun_skips_all_and_says_why(call: Call, done: Path, tiny_night: Path) -> None:
    plan = json.loads(call(safelight, "plan", tiny_night, "--rerun", "first", "--format", "json").out)
    assert [(ccd["state"], ccd["action"], ccd["code"]) for ccd in plan["ccds"]] == [("done", "skip", "UNCHANGED")] * 2
    masters = {master["kind"]: master for master in plan["ccds"][0]["masters"]}
    assert masters["bias"]["calib_date"] == "2013-11-03"
    assert masters["flat"]["valid_start"] <= "2013-06-17" <= masters["flat"]["valid_end"]
    redo = json.loads(call(safelight, "plan", tiny_night, "--rerun", "first", "--redo", "--format", "json").out)
    assert {ccd["action"] for ccd in redo["ccds"]} == {"run"}
    assert redo["estimated_seconds"] > 0
    assert redo["disk_needed_bytes"] > 50e6


def test_another_configuration_is_refused_with_exit_code_three(call: Call, done: Path, tiny_night: Path) -> None:
    stored = (done / "config" / "processCcd.py").read_bytes()
    line = (process_ccd, tiny_night, "--rerun", "first", "--id", "-c", "isr.doCrosstalk=False")
    result = call(*line)
    assert result.code == 3
    assert "isr.doCrosstalk: the rerun has True (default), now False (-c)" in result.err
    assert (done / "config" / "processCcd.py").read_bytes() == stored
    plan = call(safelight, "plan", tiny_night, "--rerun", "first", "-c", "isr.doCrosstalk=False")
    assert plan.code == 3
    assert "isr.doCrosstalk" in plan.out


def test_the_journal_and_provenance_tell_the_whole_run(done: Path) -> None:
    import yaml

    from safelight.processccd import events
    from safelight.processccd.journal import JournalReader, journals

    journal = journals(done)[0]
    read = list(JournalReader(journal).read())
    assert isinstance(read[0], events.RunStarted)
    assert isinstance(read[-1], events.RunFinished)
    assert read[-1].counts == {"done": 2}
    stages = [event.stage for event in read if isinstance(event, events.StageStarted) and event.ccd.endswith("ccd=16")]
    assert stages == ["read", "isr", "characterize", "wcs", "zeropoint", "write"]
    provenance = yaml.safe_load((done / ".safelight" / "provenance" / f"{journal.stem}.yaml").read_text())
    assert provenance["exit_code"] == 0
    assert provenance["config"]["isr.doFlat"] is True
    inputs = provenance["ccds"]["visit=903334 ccd=16"]["inputs"]
    roles = {file["role"] for file in inputs}
    assert roles >= {"raw", "bias", "dark", "flat", "defects", "camera", "astrometry", "photometry"}
    assert all(len(file["sha256"]) == 64 for file in inputs)


def test_a_run_tells_of_a_changed_input_and_does_only_that_ccd_again(call: Call, repository: Path) -> None:
    line = (process_ccd, repository, "--rerun", "a", "--id", "-c", "doCalibrate=False")
    assert call(*line).code == 0
    raw = next(repository.glob("STRIPE82L/**/HSC-0903334-016.fits"))
    content = raw.read_bytes()
    os.utime(raw, ns=(1, 1))
    assert "2 skipped" in call(*line).err, "another time with the same content is no change"
    raw.unlink()
    changed = bytearray(content)
    changed[-2880 * 100] ^= 1
    raw.write_bytes(changed)
    plan = json.loads(
        call(safelight, "plan", repository, "--rerun", "a", "-c", "doCalibrate=False", "--format", "json").out
    )
    assert [(ccd["state"], ccd["action"], ccd["code"]) for ccd in plan["ccds"]] == [
        ("stale", "run", "INPUTS_CHANGED"),
        ("done", "skip", "UNCHANGED"),
    ]
    assert "1 skipped" in call(*line).err


def test_a_chained_rerun_reads_its_parent_and_writes_its_own(call: Call, done: Path, tiny_night: Path) -> None:
    result = call(process_ccd, tiny_night, "--rerun", "first:second", "--id", "ccd=16", "-c", "doCalibrate=False")
    assert result.code == 0
    second = tiny_night / "rerun" / "second"
    assert (second / "00533/HSC-R/corr/ICEXP-0903334-016.fits").is_file()
    assert "first" in (second / "repositoryCfg.yaml").read_text()


def test_the_calibrated_exposure_is_read_by_astropy(done: Path) -> None:
    from astropy.nddata import CCDData

    ccd = CCDData.read(done / NAMES["calexp"].format(ccd=16), hdu="IMAGE", hdu_mask="MASK")
    assert ccd.shape == (4176, 2048)
    assert str(ccd.unit) == "adu"
