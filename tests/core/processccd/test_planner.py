"""A plan names everything that a CCD lacks, and is made chunk by chunk for whoever watches."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from tests.support.gen2 import frames_of, make_repository

from safelight.butler.butler import Butler
from safelight.butler.datasets import LEDGER_PATH, CcdRecord, DatasetLedger
from safelight.butler.ingestcalibs import ingest_calibs
from safelight.commands.plan import render_plan
from safelight.commands.taskoptions import TaskOptions
from safelight.commands.taskrun import PreparedTask, prepare, select
from safelight.processccd.plan import Plan, PlannedCcd

FRAMES = 250


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Frames of CCD 16; a calibration registry with a bias for it, and neither dark nor flat."""
    root = make_repository(tmp_path / "DATA", frames_of(range(1, FRAMES + 1), [16]))
    (root / "CALIB").mkdir()
    with sqlite3.connect(root / "CALIB" / "calibRegistry.sqlite3") as connection:
        connection.execute(
            "CREATE TABLE bias (id integer primary key autoincrement, filter text, ccd int, validStart text, "
            "calibDate text, validEnd text)"
        )
        connection.execute(
            "INSERT INTO bias (filter, ccd, validStart, calibDate, validEnd) "
            "VALUES ('NONE', 16, '2013-01-01', '2013-05-01', '2014-01-01')"
        )
    connection.close()
    path = root / "CALIB" / "BIAS" / "2013-05-01" / "NONE" / "BIAS-2013-05-01-016.fits"
    path.parent.mkdir(parents=True)
    path.touch()
    return root


def prepared(root: Path, *ids: str, **more: Any) -> PreparedTask:
    return prepare(TaskOptions(input=str(root), rerun="r", ids=[list(ids)], **more))


def planned(task: PreparedTask) -> Plan:
    return task.plan(select(task))


def test_every_missing_input_of_a_ccd_is_named_with_its_hint(repository: Path) -> None:
    plan = planned(prepared(repository, "visit=1"))
    (ccd,) = plan.ccds
    assert ccd.action == "blocked"
    assert [item.kind for item in ccd.obstacles] == ["dark", "flat", "reference catalogue"]
    assert [item.code for item in ccd.obstacles] == ["NO_DARK", "NO_FLAT", "NO_REFERENCE_CATALOG"]
    assert ccd.reason.startswith("dark, flat and reference catalogue missing. No dark in ")
    assert "No flat in " in ccd.reason
    assert [master.kind for master in ccd.masters] == ["bias"]
    assert "safelight calibs build dark" in ccd.hint
    assert "safelight calibs build flat" in ccd.hint
    assert ccd.hint.endswith("To do without: -c isr.doDark=False isr.doFlat=False")
    assert [item["code"] for item in plan.to_json()["ccds"][0]["obstacles"]] == [
        "NO_DARK",
        "NO_FLAT",
        "NO_REFERENCE_CATALOG",
    ]
    assert "dark, flat and reference catalogue missing." in render_plan(plan)


def test_fringes_and_stray_light_of_y_are_named_as_they_can_be_done_without(repository: Path) -> None:
    with sqlite3.connect(repository / "registry.sqlite3") as connection:
        connection.execute("UPDATE raw SET filter = 'HSC-Y' WHERE visit = 1")
        connection.execute("UPDATE raw_visit SET filter = 'HSC-Y' WHERE visit = 1")
    connection.close()
    raw = repository / "STRIPE82L/2013-06-17/00533/HSC-Y/HSC-0000001-016.fits"
    raw.parent.mkdir()
    raw.touch()
    (ccd,) = planned(prepared(repository, "visit=1")).ccds
    assert {item.code for item in ccd.obstacles} >= {"NO_FRINGE", "STRAY_LIGHT"}
    assert "isr.doFringe=False" in ccd.hint
    assert "isr.doStrayLight=False" in ccd.hint
    wishes = [("-c", "isr.doStrayLight=False"), ("-c", "isr.doFringe=False")]
    (without,) = planned(prepared(repository, "visit=1", overrides=wishes)).ccds
    assert not {item.code for item in without.obstacles} & {"NO_FRINGE", "STRAY_LIGHT"}


def test_a_kernel_is_wanted_with_its_switch_and_found_by_validity(repository: Path, tmp_path: Path) -> None:
    on = [("-c", "isr.doBrighterFatter=True")]
    (before,) = planned(prepared(repository, "visit=1", overrides=on)).ccds
    assert "NO_BFKERNEL" in [item.code for item in before.obstacles]
    assert "isr.doBrighterFatter=False" in before.hint
    assert "calibs build bfKernel" not in before.hint
    kernel = tmp_path / "kernel.fits"
    header = fits.Header({"OBSTYPE": "bfKernel", "CALIB_ID": "filter=NONE calibDate=2013-05-01 ccd=16"})
    fits.writeto(kernel, np.zeros((17, 17), np.float32), header)
    report = ingest_calibs(repository, None, [kernel], validity_days=200, mode="copy")
    assert not report.bad
    (after,) = planned(prepared(repository, "visit=1", overrides=on)).ccds
    assert [(m.kind, m.path.name) for m in after.masters if m.kind == "bfKernel"] == [
        ("bfKernel", "BFKERNEL-2013-05-01-016.fits")
    ]


def test_a_flat_of_the_fallback_filter_is_taken_only_where_there_is_none(repository: Path, tmp_path: Path) -> None:
    flat = tmp_path / "flat.fits"
    header = fits.Header({"OBSTYPE": "flat", "CALIB_ID": "filter=HSC-I calibDate=2013-05-01 ccd=16"})
    fits.writeto(flat, np.ones((8, 8), np.float32), header)
    assert not ingest_calibs(repository, None, [flat], validity_days=200, mode="copy").bad
    (without,) = planned(prepared(repository, "visit=1")).ccds
    assert "NO_FLAT" in [item.code for item in without.obstacles]
    wish = [("-c", "isr.fallbackFilterName=HSC-I")]
    (found,) = planned(prepared(repository, "visit=1", overrides=wish)).ccds
    assert "FLAT-2013-05-01-HSC-I-016.fits" in [m.path.name for m in found.masters]


def test_a_single_missing_input_is_told_as_it_is(repository: Path) -> None:
    wishes = [("-c", "isr.doDark=False"), ("-c", "doCalibrate=False")]
    (ccd,) = planned(prepared(repository, "visit=1", overrides=wishes)).ccds
    (only,) = ccd.obstacles
    assert (ccd.code, ccd.reason) == (only.code, only.reason)
    assert "missing." not in ccd.reason
    assert ccd.code == "NO_FLAT"
    assert ccd.hint.endswith("To do without: -c isr.doFlat=False")


def test_a_watcher_sees_every_ccd_in_order_while_the_plan_is_made(repository: Path) -> None:
    task = prepared(repository)
    chunks: list[list[PlannedCcd]] = []
    plan = task.plan(select(task), lambda ccds: chunks.append(list(ccds)))
    assert len(plan.ccds) == FRAMES
    assert len(chunks) > 1
    assert [ccd.key for chunk in chunks for ccd in chunk] == [ccd.key for ccd in plan.ccds]


def test_a_watcher_can_give_the_plan_up(repository: Path) -> None:
    task = prepared(repository)
    seen: list[int] = []

    def give_up(ccds: Any) -> None:
        seen.append(len(ccds))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        task.plan(select(task), give_up)
    assert 0 < seen[0] < FRAMES
    assert len(seen) == 1


def test_a_new_rerun_is_estimated_from_the_one_that_was_used_last(repository: Path) -> None:
    wishes = {"overrides": [("-c", f"{name}=False") for name in ("isr.doDark", "isr.doFlat", "doCalibrate")]}
    assert planned(prepared(repository, "visit=1..3", **wishes)).estimated_seconds is None
    for number, (name, seconds) in enumerate([("newer", 12), ("older", 40)]):
        output = Butler(repository, rerun=name).create_output()
        with closing(DatasetLedger(output)) as ledger:
            ledger.record_ccd(CcdRecord({"visit": 9, "ccd": 16}, "done", metrics={"seconds": seconds}))
        os.utime(output / LEDGER_PATH, (1e9 - number, 1e9 - number))
    before = {path: path.stat().st_mtime_ns for path in repository.rglob("*")}
    plan = planned(prepared(repository, "visit=1..3", **wishes))
    assert plan.estimated_seconds == pytest.approx(36.0)
    assert [ccd.estimated_seconds for ccd in plan.ccds] == [12.0] * 3
    assert {path: path.stat().st_mtime_ns for path in repository.rglob("*")} == before
