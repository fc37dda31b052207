"""The ledger of a rerun: one transaction a CCD, whole after any kill."""

from __future__ import annotations

import math
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from safelight.butler.datasets import CcdRecord, DatasetLedger, FileRecord, file_record
from safelight.caveats import Caveat
from safelight.errors import RepositoryError


def data_id(ccd: int) -> dict[str, object]:
    return {"visit": 903334, "ccd": ccd, "filter": "HSC-R"}


def test_reading_a_rerun_without_a_ledger_makes_nothing(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    assert ledger.ccds() == []
    assert ledger.ccd(data_id(16)) is None
    assert ledger.files() == []
    assert list(tmp_path.iterdir()) == []


def test_a_record_comes_back_as_it_went_in(tmp_path: Path) -> None:
    record = CcdRecord(
        data_id(16),
        "failed",
        [Caveat("NO_BAND", "The filter's band is unknown.")],
        step="wcs",
        code="TOO_FEW_STARS",
        message="3 stars.",
        hint="Look.",
        config_hash="abc",
        inputs_hash="def",
        inputs=[{"role": "raw", "path": "/x", "size": 3}],
        metrics={"fwhm_arcsec": 0.7, "n": 3, "nothing": None, "wcs_rms_mas": math.inf},
        run_id="run-1",
        started="2024-01-01T00:00:00",
        finished="2024-01-01T00:00:04",
    )
    ledger = DatasetLedger(tmp_path)
    ledger.record_ccd(record)
    assert DatasetLedger(tmp_path).ccd({"ccd": 16, "visit": 903334}) == record
    assert DatasetLedger(tmp_path).ccds() == [record]


def test_numbers_of_numpy_become_plain_numbers(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    identity = {"visit": np.int64(1), "ccd": np.int32(2)}
    ledger.record_ccd(CcdRecord(identity, "done", metrics={"x": np.float32(0.5), "n": np.int64(7)}))
    found = ledger.ccd({"visit": 1, "ccd": 2})
    assert found is not None
    assert (found.metrics, found.data_id) == ({"x": 0.5, "n": 7}, {"visit": 1, "ccd": 2})


def test_a_new_record_replaces_status_and_files_of_its_ccd_only(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    for ccd in (16, 22):
        files = [FileRecord(kind, tmp_path / f"{kind}-{ccd}", 1, "00") for kind in ("calexp", "src")]
        ledger.record_ccd(CcdRecord(data_id(ccd), "done"), files)
    ledger.record_ccd(CcdRecord(data_id(16), "failed"), [FileRecord("icSrc", Path("icSrc-16"), 2, "11")])
    assert [record.status for record in ledger.ccds()] == ["failed", "done"]
    assert [file.path.name for file in ledger.files(data_id(16))] == ["icSrc-16"]
    assert [file.path.name for file in ledger.files(data_id(22))] == ["calexp-22", "src-22"]
    assert all(file.path.parent == tmp_path for file in ledger.files())


def test_ccds_are_listed_by_number_not_by_text(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    for visit, ccd in ((10, 1), (9, 100), (9, 16)):
        ledger.record_ccd(CcdRecord({"visit": visit, "ccd": ccd}, "done"))
    assert [(r.data_id["visit"], r.data_id["ccd"]) for r in ledger.ccds()] == [(9, 16), (9, 100), (10, 1)]


def test_verification_tells_missing_short_and_altered_files(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("whole", "missing", "short", "altered")]
    for path in paths:
        path.write_bytes(b"content")
    ledger = DatasetLedger(tmp_path)
    ledger.record_files([file_record("src", path) for path in paths])
    assert ledger.verify() == []
    paths[1].unlink()
    paths[2].write_bytes(b"cont")
    paths[3].write_bytes(b"CONTENT")
    assert [(p.path.name, p.code) for p in ledger.verify()] == [
        ("altered", "FILE_CHECKSUM"),
        ("missing", "FILE_MISSING"),
        ("short", "FILE_SIZE"),
    ]
    assert [p.path.name for p in ledger.verify(checksums=False)] == ["missing", "short"]


def test_a_failing_transaction_leaves_the_former_record(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    old = CcdRecord(data_id(16), "done")
    ledger.record_ccd(old, [FileRecord("src", Path("src"), 1, "00")])

    def broken() -> object:
        yield FileRecord("calexp", Path("calexp"), 1, "00")
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        ledger.record_ccd(CcdRecord(data_id(16), "failed"), broken())  # type: ignore[arg-type]
    assert ledger.ccd(data_id(16)) == old
    assert [file.dataset_type for file in ledger.files()] == ["src"]


def test_several_writers_take_turns(tmp_path: Path) -> None:
    def write(ccd: int) -> None:
        DatasetLedger(tmp_path).record_ccd(CcdRecord(data_id(ccd), "done"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    assert [record.data_id["ccd"] for record in DatasetLedger(tmp_path).ccds()] == list(range(40))


def test_a_ledger_whose_writer_was_killed_in_a_transaction_is_read_as_before_it(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    ledger.record_ccd(CcdRecord(data_id(16), "done"))
    program = (
        "import os, signal, sqlite3\n"
        f"c = sqlite3.connect({str(ledger.path)!r}, isolation_level=None)\n"
        "c.execute('PRAGMA cache_size = 2'); c.execute('BEGIN IMMEDIATE'); c.execute('DELETE FROM ccd')\n"
        "for i in range(3000):\n"
        "    c.execute('INSERT INTO file VALUES (?, ?, ?, 1, ?)', (f'p{i}', 'src', 'x' * 200, 'y' * 64))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == -signal.SIGKILL
    journal = ledger.path.with_name(ledger.path.name + "-journal")
    assert journal.stat().st_size > 0  # half of the transaction is in the file
    assert [record.status for record in DatasetLedger(tmp_path).ccds()] == ["done"]
    assert DatasetLedger(tmp_path).files() == []


def test_it_uses_no_write_ahead_log(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    ledger.record_ccd(CcdRecord(data_id(16), "done"))
    connection = sqlite3.connect(ledger.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    assert [path.name for path in ledger.path.parent.iterdir()] == ["datasets.sqlite3"]


def test_a_ledger_of_a_later_version_is_refused_in_words(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    ledger.record_ccd(CcdRecord(data_id(16), "done"))
    connection = sqlite3.connect(ledger.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    for act in (lambda: DatasetLedger(tmp_path).ccds(), lambda: ledger.forget_ccd(data_id(16))):
        with pytest.raises(RepositoryError) as caught:
            act()
        assert caught.value.code == "LEDGER_TOO_NEW"


def test_a_forgotten_ccd_has_neither_status_nor_files(tmp_path: Path) -> None:
    ledger = DatasetLedger(tmp_path)
    ledger.record_ccd(CcdRecord(data_id(16), "done"), [FileRecord("src", Path("src"), 1, "00")])
    ledger.forget_ccd(data_id(16))
    assert (ledger.ccds(), ledger.files()) == ([], [])
