"""A small repository in which every screen has something to show."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.support.frames import calibrated, ingest_frames, sources

from safelight.butler.butler import Butler
from safelight.butler.datasets import CcdRecord
from safelight.caveats import Caveat
from safelight.processccd import events
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight.processccd.logs import log_folder


def _make_everything(folder: Path) -> Path:
    """Four frames; two reruns in which one is done, one has a caveat, one failed and one is being done by process
    `os.getpid()`, with a log.
    """
    root = ingest_frames(folder, [200.0] * 4)
    for rerun in ("first", "second"):
        _make_rerun(root, rerun)
    return root


def _make_rerun(root: Path, name: str) -> None:
    butler = Butler(root, rerun=name)
    rows = sorted(butler.query("").rows, key=lambda one: one["visit"])
    stamp = "2026-01-01T00:00:00.000Z"
    for row in rows[:2]:
        butler.put(calibrated(200.0, "CR"), "calexp", row)
        butler.put(sources(), "src", row)
    metrics = {"fwhm_arcsec": 0.7, "zeropoint_mag": 27.1, "wcs_reserved_median_mas": 12.0}
    caveat = {"status": "done-with-caveats", "caveats": [Caveat("FEW_STARS", "Only 9 stars.")]}
    failure = {"status": "failed", "step": "isr", "code": "NO_FLAT", "message": "No flat.", "hint": "Build one."}
    for row, outcome in zip(rows, ({"status": "done", "metrics": metrics}, caveat, failure), strict=False):
        butler.ledger.record_ccd(CcdRecord(row, run_id="run-1", started=stamp, finished=stamp, **outcome))  # type: ignore[arg-type]
    butler.ledger.close()
    _begin_run(root / "rerun" / name, dict(rows[3]))


def _begin_run(rerun: Path, row: dict[str, object]) -> None:
    run = "20260101T000000.000Z-1"
    key = f"visit={row['visit']} ccd={row['ccd']}"
    planned = [{"key": key, "data_id": row, "action": "run", "code": "NEW", "reason": "new", "state": "absent"}]
    writer = JournalWriter(journal_folder(rerun) / f"{run}.jsonl")
    writer.write(
        events.RunStarted(
            time=time.time(), run=run, command_line=["processCcd.py"], repository="DATA", rerun=str(rerun),
            host=platform.node(), pid=os.getpid(), processes=1, ccds=planned,
        )
    )  # fmt: skip
    writer.close()
    folder = log_folder(rerun, run)
    folder.mkdir(parents=True, exist_ok=True)
    levels = ("DEBUG", "INFO ", "WARN ", "ERROR")
    lines = [f"2026-01-01T00:00:0{n}.000Z {level} processCcd: line {n}\n" for n, level in enumerate(levels)]
    (folder / "run.log").write_text("".join(lines) * 10)


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """See `_make_everything`; tests mark in it, but take nothing away."""
    return _make_everything(tmp_path_factory.mktemp("everything"))


@pytest.fixture
def make_everything() -> Callable[[Path], Path]:
    """Make one that may be spoiled."""
    return _make_everything
