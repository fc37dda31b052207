"""The report: the same rows in four forms."""

from __future__ import annotations

import csv
import io
import json
import math

import pytest

from safelight.caveats import Caveat
from safelight.processccd.ledger import RecordedCcd
from safelight.processccd.outcome import Failure
from safelight.processccd.report import COLUMNS, ReportFormat, render_report, report_rows

ASKED = [
    "n_sources",
    "n_psf_stars",
    "fwhm_arcsec",
    "ellipticity",
    "sky_level_e",
    "sky_rms_e",
    "n_cosmic_rays",
    "saturated_fraction",
    "wcs_matches",
    "wcs_rms_mas",
    "wcs_reserved_median_mas",
    "wcs_error_mas",
    "wcs_offset_arcsec",
    "wcs_rotation_deg",
    "zeropoint_mag",
    "zeropoint_error_mag",
    "zeropoint_rms_mag",
    "zeropoint_stars",
    "depth_5sigma_mag",
    "seconds_isr",
    "seconds_characterize",
    "seconds_calibrate",
    "seconds_io",
    "peak_rss_mb",
]


def recorded(ccd: int, status: str, failure: Failure | None = None, **metrics: float) -> RecordedCcd:
    caveats = [Caveat("NO_BAND", "No band."), Caveat("FEW", "Few.")] if status == "done-with-caveats" else []
    return RecordedCcd({"visit": 1, "ccd": ccd}, status, caveats, failure, metrics, "", [], "r", "", "")


ROWS = report_rows(
    [
        recorded(1, "done", n_sources=1200.0, fwhm_arcsec=0.71, zeropoint_mag=27.1, wcs_rms_mas=math.nan),
        recorded(2, "done-with-caveats", n_sources=7.0),
        recorded(3, "failed", Failure("wcs", "TOO_FEW_STARS", "Three, stars.", "Look.")),
    ]
)


def test_the_columns_are_the_promised_ones_in_their_order() -> None:
    assert [column.name for column in COLUMNS] == ASKED
    assert list(ROWS[0]) == ["visit", "ccd", "status", "caveats", "code", "message", *ASKED]


def test_json_has_numbers_null_for_what_was_not_measured_and_all_rows() -> None:
    rows = json.loads(render_report(ROWS, "json", meta={}))
    assert [row["status"] for row in rows] == ["done", "done-with-caveats", "failed"]
    assert rows[0]["n_sources"] == 1200
    assert rows[0]["wcs_rms_mas"] is None
    assert rows[1]["caveats"] == "NO_BAND FEW"
    assert rows[2]["code"] == "TOO_FEW_STARS"


def test_csv_reads_back() -> None:
    rows = list(csv.DictReader(io.StringIO(render_report(ROWS, "csv", meta={}))))
    assert rows[2]["message"] == "Three, stars."
    assert rows[2]["n_sources"] == ""
    assert float(rows[0]["fwhm_arcsec"]) == 0.71


def test_ecsv_reads_back_with_units_and_masks() -> None:
    from astropy.table import Table

    table = Table.read(render_report(ROWS, "ecsv", meta={"rerun": "/x"}), format="ascii.ecsv")
    assert table.meta["rerun"] == "/x"
    assert str(table["fwhm_arcsec"].unit) == "arcsec"
    assert table["zeropoint_mag"].mask.tolist() == [False, True, True]
    assert table["n_sources"].dtype.kind == "i"


def test_the_table_leaves_out_empty_columns_and_explains_failures_below() -> None:
    text = render_report(ROWS, "table", meta={})
    assert "27.100" in text
    assert "saturated" not in text
    assert text.rstrip().endswith("TOO_FEW_STARS: Three, stars.")


def test_a_table_too_wide_for_the_terminal_goes_on_below_itself() -> None:
    metrics = dict.fromkeys(ASKED, 12345.0)
    rows = report_rows([recorded(1, "done", **metrics), recorded(2, "done-with-caveats", **metrics)])
    wide = render_report(rows, "table", meta={})
    parts = [part.splitlines() for part in render_report(rows, "table", meta={}, width=80).split("\n\n")]
    assert len(parts) > 3
    assert max(len(line) for part in parts for line in part) <= 80
    assert all(part[-1].split()[:2] == ["1", "2"] for part in parts), "visit and CCD stand in each part"
    cells = [word for part in parts for word in part[-1].split()[2:]]
    assert cells == wide.splitlines()[-1].split()[2:]


@pytest.mark.parametrize("form", ["table", "json", "csv", "ecsv"])
def test_a_rerun_without_ccds_has_an_empty_report(form: ReportFormat) -> None:
    assert isinstance(render_report([], form, meta={}), str)
