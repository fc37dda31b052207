"""Narrowing, outliers, export and the summary of the night; the commands mark and export."""

from __future__ import annotations

import csv
import io
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.table import Table

from safelight.butler.datasets import CcdRecord, DatasetLedger
from safelight.butler.repository import create_repository
from safelight.caveats import Caveat
from safelight.commands.main import main
from safelight.dataid import parse
from safelight.errors import DataIdError
from safelight.processccd.judged import id_text, judged_rows, render_export
from safelight.processccd.ledger import OutcomeLedger
from safelight.processccd.marks import MarkJournal
from safelight.processccd.narrowing import parse_narrowing
from safelight.processccd.nightsummary import night_summary
from safelight.processccd.report import COLUMNS

METRICS = [column.name for column in COLUMNS]


@pytest.fixture
def rerun(tmp_path: Path) -> Path:
    """Ten CCDs: one failed, one with a caveat, one of bad seeing."""
    create_repository(tmp_path / "DATA", "hsc")
    path = tmp_path / "DATA" / "rerun" / "first"
    path.mkdir(parents=True)
    (path / "repositoryCfg.yaml").write_text("!RepositoryCfg_v1\n_parents: []\n")
    ledger = DatasetLedger(path)
    for ccd in range(10):
        data_id = {"visit": 903986, "ccd": ccd, "filter": "HSC-I", "dateObs": "2013-11-02", "expTime": 30.0}
        metrics = {"fwhm_arcsec": 0.6 + 0.001 * ccd + (0.5 if ccd == 7 else 0.0), "n_sources": 1000.0 + ccd}
        record = CcdRecord(data_id, "done", metrics=metrics)
        if ccd == 3:
            record = CcdRecord(data_id, "failed", step="wcs", code="TOO_FEW_STARS", message="Only | 2 [bold]stars.")
        if ccd == 4:
            record.status, record.caveats = "done-with-caveats", [Caveat("FEW_STARS", "Few.")]
        ledger.record_ccd(record)
    return path


def rows_of(rerun: Path) -> list[dict[str, Any]]:
    with OutcomeLedger(rerun) as ledger:
        return judged_rows(ledger.ccds(), MarkJournal(rerun).read())


def chosen(rerun: Path, words: str) -> list[int]:
    narrowing = parse_narrowing(words, METRICS)
    return [row["ccd"] for row in rows_of(rerun) if narrowing.matches(row)]


@pytest.mark.parametrize(
    ("words", "ccds"),
    [
        ("failed", [3]),
        ("caveats", [4]),
        ("!done", [3]),
        ("clean fwhm_arcsec>1", [7]),
        ("fwhm_arcsec<=0.601", [0, 1]),
        ("few_stars", [3, 4]),
        ("outlier", [7]),
        ("bad", [5]),
        ("bad^look", [5, 6]),
        ("marked !bad", [6]),
        ("disputed", []),
        ("'second night'", [6]),
        ("n_sources!=1001 fwhm_arcsec<0.6025", [0, 2]),
    ],
)
def test_words_narrow_by_status_metric_verdict_and_text(rerun: Path, words: str, ccds: list[int]) -> None:
    MarkJournal(rerun, "anna").mark([{"visit": 903986, "ccd": 5}], "bad")
    MarkJournal(rerun, "anna").mark([{"visit": 903986, "ccd": 6}], "look", "second night too")
    assert chosen(rerun, words) == ccds


@pytest.mark.parametrize(("words", "start"), [("failed fwhm>1", 7), ("fwhm_arcsec>wide", 0)])
def test_words_that_cannot_be_understood_say_where(words: str, start: int) -> None:
    with pytest.raises(DataIdError) as caught:
        parse_narrowing(words, METRICS)
    assert caught.value.span == (start, len(words))


def test_id_text_selects_exactly_its_ccds() -> None:
    data_ids = [{"visit": 1, "ccd": 2}, {"visit": 3, "ccd": 4}, {"visit": 1, "ccd": 9}]
    assert id_text(data_ids) == "--id visit=1 ccd=2^9\n--id visit=3 ccd=4\n"
    words = shlex.split(id_text([{"field": "my field", "night": "2020-01-01"}]))
    assert words == ["--id", "field=my field", "night=2020-01-01"]
    assert len(parse([words[1], words[2]]).to_id_arguments()) == 3


def test_csv_and_ecsv_hold_the_same_numbers_and_the_marks(rerun: Path) -> None:
    MarkJournal(rerun, "anna").mark([{"visit": 903986, "ccd": 5}], "bad", "=1+1")
    rows = rows_of(rerun)
    table = list(csv.DictReader(io.StringIO(render_export(rows, "csv", meta={}))))
    assert table[5]["verdict"] == "bad"
    assert table[5]["comment"] == "'=1+1"  # no formula for a spreadsheet
    ecsv = Table.read(render_export(rows, "ecsv", meta={"rerun": "first"}).splitlines(), format="ascii.ecsv")
    assert str(ecsv["fwhm_arcsec"].unit) == "arcsec"
    assert ecsv["comment"][5] == "=1+1"
    for ours, theirs in zip(table, ecsv, strict=True):
        if ours["fwhm_arcsec"]:
            assert float(ours["fwhm_arcsec"]) == theirs["fwhm_arcsec"]
        else:
            assert theirs["fwhm_arcsec"] is np.ma.masked


def test_a_mark_on_a_ccd_without_result_is_shown_as_absent(rerun: Path) -> None:
    MarkJournal(rerun, "anna").mark([{"visit": 1, "ccd": 1}], "look")
    last = rows_of(rerun)[-1]
    assert (last["visit"], last["status"], last["verdict"]) == (1, "absent", "look")


def test_the_summary_tells_the_hours_of_the_night_its_pauses_and_what_was_lost(rerun: Path) -> None:
    rows = [
        {"visit": visit, "ccd": 1, "filter": "R", "expTime": 60.0, "status": "failed" if visit == 5 else "done",
         "verdict": "bad" if visit == 6 else "", "marked": "2013-11-03", "fwhm_arcsec": 0.6 + 0.1 * visit}
        for visit in range(7)
    ]  # fmt: skip
    begin = 56598.25  # 2013-11-02 06:00 UTC
    minutes = [0.6, 2.1, 3.6, 5.1, 6.6, 40.6, 42.1]  # of the middles of the exposures
    times = {visit: begin + minute / 1440.0 for visit, minute in enumerate(minutes)}
    text = night_summary(rows, rerun="first", repository="DATA", times=times)
    assert "- 2013-11-02 06:00 to 06:43 UTC: shutter open 7 min of 4" in text
    assert "(16 %), usually 30 s between exposures." in text
    assert "- Pause 06:07 to 06:40 UTC, 33 min, before visit 5." in text
    assert "- 2 visits (120 s) failed or were marked bad as a whole: 5, 6." in text
    assert "shutter open 2 min of 2.5 min" in night_summary(rows[:2], rerun="first", repository="DATA", times=times)
    assert ". 1 visit, 60 s" in night_summary(rows[:1], rerun="first", repository="DATA")
    assert "| R      |    7 |      1 | 0.90 (0.60 to 1.20) |" in text
    assert "| 5     | R      | 06:41 |" in text
    assert "## Time" not in night_summary(rows[:2], rerun="first", repository="DATA")


def test_the_summary_of_the_night_names_failures_outliers_and_marks(rerun: Path) -> None:
    MarkJournal(rerun, "anna").mark([{"visit": 903986, "ccd": 5}], "bad", "pipe | in\nit")
    text = night_summary(rows_of(rerun), rerun="first", repository="DATA")
    assert "**10 CCDs**: 8 done, 1 failed, 1 done-with-caveats." in text
    assert "fwhm_arcsec 1.107" in text
    assert "TOO\\_FEW\\_STARS" in text
    assert "pipe \\| in it" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            columns = {line.replace("\\|", "").count("|") for line in block.strip().splitlines()}
            assert len(columns) == 1, block


def test_the_commands_mark_undo_and_export(rerun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = str(rerun.parents[1])

    def call(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        return code, capsys.readouterr().out

    at = (data, "--rerun", "first")
    assert call("mark", "bad", *at, "--id", "ccd=1^2", "--comment", "smeared") == (0, "2 CCDs marked bad.\n")
    assert call("mark", "look", *at, "--id", "ccd=8") == (0, "1 CCD marked look.\n")
    assert call("export", *at, "--only", "bad") == (0, "--id visit=903986 ccd=1^2\n")
    assert call("mark", "undo", *at)[1] == "taken back: look of visit=903986 ccd=8\n"
    assert call("mark", "comment", *at, "--id", "ccd=1", "--comment", "")[0] == 0
    assert "smeared" in call("mark", "list", *at)[1]
    assert call("export", *at, "--only", "look")[0] == 4
    assert call("export", *at, "--only", "fwhm<1")[0] == 2
    assert call("mark", "bad", *at)[0] == 2
    assert call("mark", "bad", *at, "--id", "ccd=99")[0] == 4
    assert call("export", *at, "--summary")[1].startswith("# Rerun first\n")
    target = rerun.parent / "list.csv"
    assert call("export", *at, "--format", "csv", "-o", str(target)) == (0, "")
    assert len(target.read_text().splitlines()) == 11
    assert call("export", *at, "-o", str(target))[0] == 2  # nothing is written over unasked
    assert len(target.read_text().splitlines()) == 11
    assert call("export", *at, "--only", "failed", "-o", str(target), "--overwrite") == (0, "")
    assert target.read_text() == "--id visit=903986 ccd=3\n"
