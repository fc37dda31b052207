"""A plan names everything that a CCD lacks, and is made chunk by chunk for whoever watches."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from safelight.commands.plan import render_plan
from safelight.commands.taskoptions import TaskOptions
from safelight.commands.taskrun import PreparedTask, prepare, select
from safelight.processccd.plan import Plan, PlannedCcd

FRAMES = 250


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Frames of CCD 16; a calibration registry with a bias for it, and neither dark nor flat."""
    root = tmp_path / "DATA"
    (root / "CALIB").mkdir(parents=True)
    (root / "_mapper").write_text("lsst.obs.hsc.HscMapper\n")
    with sqlite3.connect(root / "registry.sqlite3") as connection:
        connection.executescript(
            "CREATE TABLE raw (id integer primary key autoincrement, field text, visit int, ccd int, pointing int, "
            "filter text, dateObs text, taiObs text, expTime double, dataType text, unique(visit, ccd));"
            "CREATE TABLE raw_visit (visit int, field text, filter text, dateObs text, taiObs text, unique(visit));"
        )
        for visit in range(1, FRAMES + 1):
            connection.execute("INSERT INTO raw_visit VALUES (?, 'F', 'HSC-R', '2013-06-17', '2013-06-17')", (visit,))
            connection.execute(
                "INSERT INTO raw (field, visit, ccd, pointing, filter, dateObs, taiObs, expTime, dataType) "
                "VALUES ('F', ?, 16, 533, 'HSC-R', '2013-06-17', '2013-06-17', 30.0, 'OBJECT')",
                (visit,),
            )
            raw = root / f"F/2013-06-17/00533/HSC-R/HSC-{visit:07d}-016.fits"
            raw.parent.mkdir(parents=True, exist_ok=True)
            raw.touch()
    connection.close()
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
    assert [item["code"] for item in plan.to_json()["ccds"][0]["obstacles"]] == ["NO_DARK", "NO_FLAT", "NO_REFERENCE_CATALOG"]
    assert "dark, flat and reference catalogue missing." in render_plan(plan)


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
