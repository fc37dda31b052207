"""A small repository in which every screen has something to show."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from safelight.butler.butler import Butler
from safelight.butler.datasets import CcdRecord
from safelight.caveats import Caveat
from safelight.commands.main import main
from safelight.exposure import Exposure, PhotoCalib, VisitInfo
from safelight.exposure.wcs import TanSipWcs
from safelight.processccd import events
from safelight.processccd.journal import JournalWriter, journal_folder
from safelight.processccd.logs import log_folder

SHAPE = (120, 160)
WCS_CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 80.0, "CRPIX2": 60.0, "CRVAL1": 150.0, "CRVAL2": 2.0,
    "CD1_1": -1 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1 / 3600,
}  # fmt: skip


def _pixels() -> np.ndarray:
    rng = np.random.default_rng(1)
    rows, columns = np.indices(SHAPE)
    star = 3000.0 * np.exp(-0.5 * ((columns - 79.4) ** 2 + (rows - 60.3) ** 2) / 4.0)
    return np.asarray(star + rng.normal(200.0, 5.0, SHAPE), np.float32)


def _make_everything(folder: Path) -> Path:
    """Four frames; two reruns in which one is done, one has a caveat, one failed and one is being done by process
    `os.getpid()`, with a log.
    """
    names = []
    for number in (1, 2, 3, 4):
        header = fits.Header(
            {"DATE-OBS": f"2020-03-01T02:0{number}:00", "EXPTIME": 30.0, "FILTER": "r", "OBJECT": "field",
             "IMAGETYP": "Light", "GAIN": 2.0, **WCS_CARDS}
        )  # fmt: skip
        names.append(str(folder / f"frame-{number}.fits"))
        fits.writeto(names[-1], _pixels().astype("u2"), header)
    root = folder / "DATA"
    assert main(["ingest", "images", str(root), *names, "--instrument", "generic"]) == 0
    for rerun in ("first", "second"):
        _make_rerun(root, rerun)
    return root


def _make_rerun(root: Path, name: str) -> None:
    butler = Butler(root, rerun=name)
    rows = sorted(butler.query("").rows, key=lambda one: one["visit"])
    exposure = Exposure(
        image=_pixels(),
        mask=np.zeros(SHAPE, np.int32),
        variance=np.full(SHAPE, 25.0, np.float32),
        filter_name="r",
        gains=(2.0,),
        visit_info=VisitInfo(30.0, 30.0),
        wcs=TanSipWcs.from_header(WCS_CARDS),
        photo_calib=PhotoCalib(28.0),
    )
    exposure.mask[59, 80] = 1 << exposure.planes["CR"]
    sources = {"base_SdssCentroid_x": [79.4, 20.0], "base_SdssCentroid_y": [60.3, 100.0], "deblend_nChild": [0, 0]}
    stamp = "2026-01-01T00:00:00.000Z"
    for row in rows[:2]:
        butler.put(exposure, "calexp", row)
        butler.put(Table(sources), "src", row)
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
