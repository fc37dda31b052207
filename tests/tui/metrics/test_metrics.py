"""Tables, plots and comparisons of metrics."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from astropy.table import Table
from astropy.wcs import WCS

from safelight.exposure.wcs import TanSipWcs
from safelight.processccd.narrowing import parse_narrowing
from safelight.processccd.report import COLUMNS
from safelight_tui.metrics.compare import compare_rows, median_difference, row_lines
from safelight_tui.metrics.detail import detail_lines
from safelight_tui.metrics.drawing import sentence
from safelight_tui.metrics.night import night_of, night_plot
from safelight_tui.metrics.plots import color_plot, magnitude_plot
from safelight_tui.metrics.residuals import PhotometricResiduals, Residuals, WcsResiduals, _nearest, wcs_residuals
from safelight_tui.metrics.table import MetricsTable, by_visit
from safelight_tui.metrics.wcs_plot import wcs_numbers, wcs_plot
from safelight_tui.plots import PlotLine

METRICS = [column.name for column in COLUMNS]


def row(visit: int, ccd: int, **further: Any) -> dict[str, Any]:
    empty = dict.fromkeys(METRICS)
    about = {"visit": visit, "ccd": ccd, "filter": "HSC-I", "status": "done", "caveats": "", "code": "", "message": ""}
    marks = {"verdict": "", "verdicts": (), "comment": "", "observers": "", "marked": "", "outliers": ()}
    return about | empty | marks | further


def texts(table: MetricsTable) -> list[list[str]]:
    return [[cell.text for cell in cells] for cells in table.window(0, len(table))]


def column(table: MetricsTable, key: str) -> list[str]:
    place = [one.key for one in table.columns].index(key)
    return [cells[place] for cells in texts(table)]


def test_sorting_puts_missing_values_last_both_ways() -> None:
    rows = [row(1, 1, fwhm_arcsec=0.9), row(1, 2), row(1, 3, fwhm_arcsec=0.5), row(1, 4, fwhm_arcsec=float("nan"))]
    table = MetricsTable.of(rows)
    assert table.sorted_by("fwhm_arcsec").order.tolist() == [2, 0, 1, 3]
    assert table.sorted_by("fwhm_arcsec", reverse=True).order.tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize("key", [one.key for one in MetricsTable.of([row(1, 1)]).columns])
def test_every_column_can_be_sorted_by(key: str) -> None:
    rows = [row(1, 2, comment="x", caveats="A"), row(1, 1, verdict="bad", verdicts=("bad",)), row(2, 1, code="B")]
    assert sorted(MetricsTable.of(rows).sorted_by(key).order.tolist()) == [0, 1, 2]


def test_outliers_and_verdicts_are_told_by_signs_not_by_colour_alone() -> None:
    rows = [row(1, 1, fwhm_arcsec=1.5, outliers=("fwhm_arcsec",), verdict="bad"), row(1, 2, fwhm_arcsec=0.6)]
    table = MetricsTable.of(rows)
    assert column(table, "fwhm_arcsec") == ["!1.50", "0.60"]
    assert column(table, "verdict") == ["-", ""]
    assert column(table, "status") == ["D", "D"]


def test_narrowing_keeps_ids_and_places() -> None:
    rows = [row(1, ccd, fwhm_arcsec=0.1 * ccd) for ccd in range(6)]
    table = MetricsTable.of(rows).narrowed(parse_narrowing("fwhm_arcsec>0.25", METRICS))
    assert table.row_ids(0, 9).tolist() == [3, 4, 5]
    assert table.place_of(4) == 1
    assert table.place_of(0) is None
    assert table.id_count == 6


def test_a_visit_has_medians_and_counts() -> None:
    rows = [row(1, 1, fwhm_arcsec=0.5, verdict="bad"), row(1, 2, fwhm_arcsec=0.7, verdict="bad"),
            row(1, 3, status="failed", code="X"), row(2, 1)]  # fmt: skip
    visits = by_visit(rows)
    assert [one["visit"] for one in visits] == [1, 2]
    assert visits[0]["fwhm_arcsec"] == pytest.approx(0.6)
    assert visits[0]["status"] == "3 1F"
    assert visits[0]["verdict"] == "2-"
    assert visits[1]["fwhm_arcsec"] is None
    assert len(texts(MetricsTable.of(visits, per_visit=True))) == 2


def test_data_with_markup_and_nan_is_shown_as_text() -> None:
    odd = row(1, 1, filter="[bold]x", fwhm_arcsec=float("nan"), comment="[red]", verdict="look", observers="me")
    assert column(MetricsTable.of([odd]), "filter") == ["[bold]x"]
    assert column(MetricsTable.of([odd]), "fwhm_arcsec") == ["--"]
    assert any(line.text == "[red]" for line in detail_lines(odd))


def test_wcs_residuals_agree_with_astropy() -> None:
    header = {
        "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 51.0, "CRPIX2": 61.0, "CRVAL1": 10.0, "CRVAL2": -5.0,
        "CD1_1": -5e-5, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 5e-5,
    }  # fmt: skip
    rng = np.random.default_rng(5)
    x, y = rng.uniform(0, 100, 20), rng.uniform(0, 120, 20)
    dx, dy = rng.normal(0, 0.1, 20), rng.normal(0, 0.1, 20)
    ra, dec = WCS(header).all_pix2world(x - dx, y - dy, 0)
    matches = Table(
        {"src_base_SdssCentroid_x": x, "src_base_SdssCentroid_y": y, "ref_coord_ra": np.radians(ra),
         "ref_coord_dec": np.radians(dec), "src_calib_astrometry_used": np.arange(20) % 2 == 0}
    )  # fmt: skip
    found = wcs_residuals(matches, TanSipWcs.from_header(header), 100, 120)
    np.testing.assert_allclose(found.dx_mas, dx * 180.0, atol=0.01)
    np.testing.assert_allclose(found.dy_mas, dy * 180.0, atol=0.01)
    assert found.used.sum() == 10
    assert not found.reserved.any()


def test_nearest_stars_agree_with_astropy() -> None:
    from astropy.coordinates import SkyCoord

    rng = np.random.default_rng(6)
    ra, dec = rng.uniform(359.99, 360.01, 200) % 360.0, rng.uniform(-0.01, 0.01, 200)
    ref_ra, ref_dec = (ra + rng.normal(0, 1e-4, 200)) % 360.0, dec + rng.normal(0, 1e-4, 200)
    source, star = _nearest(ra, dec, ref_ra, ref_dec)
    index, distance, _ = SkyCoord(ra, dec, unit="deg").match_to_catalog_sky(SkyCoord(ref_ra, ref_dec, unit="deg"))
    near = np.flatnonzero(distance.arcsec < 0.5)
    assert source.tolist() == near.tolist()
    assert star.tolist() == index[near].tolist()
    empty = np.zeros(0)
    assert [len(part) for part in _nearest(ra, dec, empty, empty)] == [0, 0]


def residuals(count: int = 150) -> Residuals:
    rng = np.random.default_rng(7)
    kind = np.arange(count) % 3
    wcs = WcsResiduals(
        rng.uniform(0, 2000, count), rng.uniform(0, 4000, count), rng.normal(0, 3, count), rng.normal(0, 3, count),
        kind == 0, kind == 1, 2048, 4176,
    )  # fmt: skip
    photometry = PhotometricResiduals(
        rng.uniform(15, 22, count),
        rng.uniform(0, 2, count),
        rng.normal(0, 0.02, count),
        kind == 0,
        kind == 1,
        "r-i",
        True,
    )
    return Residuals({"visit": 1, "ccd": 2}, wcs, photometry)


@pytest.mark.parametrize("size", [(120, 18), (80, 9), (40, 7), (20, 4)])
def test_plots_fill_exactly_the_room_they_get(size: tuple[int, int]) -> None:
    width, height = size
    rows = [row(visit, 1, fwhm_arcsec=0.5 + 0.01 * visit) for visit in range(5)]
    nothing = Residuals({"visit": 1, "ccd": 2}, None, None, "This CCD has no zeropoint.")
    found = residuals()
    times = {visit: 56000.3 + 0.01 * visit for visit in range(5)}
    draws = [wcs_plot(found), wcs_plot(found, every_star=True), magnitude_plot(found), color_plot(found),
             night_plot(rows, "fwhm_arcsec", times, 3), night_plot(rows, "fwhm_arcsec", {}),
             night_plot([], "fwhm_arcsec", times), wcs_plot(nothing), magnitude_plot(nothing), color_plot(nothing),
             sentence("words " * 40)]  # fmt: skip
    for draw in draws:
        lines = draw(width, height)
        assert len(lines) == height
        assert {sum(len(text) for text, _ in line) for line in lines} == {width}


def shown(lines: list[PlotLine]) -> str:
    return "\n".join("".join(text for text, _ in line) for line in lines)


@pytest.mark.parametrize("size", [(120, 20), (80, 16), (72, 9)])
def test_the_numbers_that_judge_a_wcs_stand_beside_its_plot(size: tuple[int, int]) -> None:
    found = residuals()
    wcs = found.wcs
    assert wcs is not None
    length = np.hypot(wcs.dx_mas, wcs.dy_mas)[wcs.reserved]
    text = shown(wcs_plot(found)(*size))
    for expected in (
        f"median  {np.median(length):>9.1f}",
        f"{np.sqrt(np.mean(length**2)):.1f}",
        f"{wcs.dx_mas[wcs.reserved].mean():+.1f}({wcs.dx_mas[wcs.reserved].std():.1f})",
        f"{wcs.dy_mas[wcs.used].mean():+.1f}({wcs.dy_mas[wcs.used].std():.1f})",
    ):
        assert expected in text
    assert "…" not in text
    assert all(line in text for line in wcs_numbers(wcs))


def test_where_there_is_no_room_the_median_of_the_stars_kept_out_stays() -> None:
    found = residuals()
    assert found.wcs is not None
    length = np.hypot(found.wcs.dx_mas, found.wcs.dy_mas)[found.wcs.reserved]
    assert f"kept out: median {np.median(length):.1f} mas" in shown(wcs_plot(found)(60, 8))


def test_a_crowded_wcs_plot_shows_means_unless_every_star_is_wanted() -> None:
    found = residuals(300)
    assert "means" in shown(wcs_plot(found)(80, 16))
    every = shown(wcs_plot(found, every_star=True)(80, 16))
    assert "200 vectors" in every  # a third of the stars judges nothing
    assert "means" not in every
    assert "o in fit, x kept out" in shown(wcs_plot(residuals(12))(80, 16))
    assert "means" in shown(wcs_plot(residuals(12), every_star=False)(80, 16))


def test_a_ccd_without_stars_kept_out_says_so_by_dashes() -> None:
    found = residuals(0)
    assert found.wcs is not None
    assert wcs_numbers(found.wcs)[2].split() == ["median", "--", "--"]
    assert "no points" in shown(wcs_plot(found)(80, 16))


def test_a_night_ends_where_nothing_was_taken_for_hours() -> None:
    times = {1: 56460.30, 2: 56460.31, 3: 56460.45, 4: 56598.2, 5: float("nan")}
    assert night_of(times, 2) == [1, 2, 3]
    assert night_of(times, 4) == [4]
    assert night_of(times, 5) == [4]
    assert night_of({}, 1) == []


def test_the_night_is_drawn_over_utc_with_its_pauses() -> None:
    # A visit every 6 minutes from 5h UTC, nothing between 6h and 8h, and one visit of another night.
    hours = [5.0 + 0.1 * step for step in range(11)] + [8.0 + 0.1 * step for step in range(11)]
    times = {visit: 56460.0 + hour / 24 for visit, hour in enumerate(hours)} | {99: 56598.2}
    rows = [row(visit, 1, fwhm_arcsec=0.6 + 0.001 * (visit % 7), filter="ri"[visit % 2]) for visit in times]
    text = shown(night_plot(rows, "fwhm_arcsec", times, 3)(100, 16)).splitlines()
    assert "seeing, 2013-06-17, 22 of 23 visits" in text[0]
    assert "+ 3" in text[0]
    assert text[-1].rstrip().endswith("UTC")
    labels = [word for word in text[-1].split() if ":" in word]
    assert labels
    assert all(len(label) == 5 and 5 <= int(label[:2]) <= 9 for label in labels)
    left, right = (text[-1].index(label) for label in (labels[0], labels[-1]))
    body = [line.ljust(100) for line in text[1:-2]]
    empty = [all(line[column] in " ⠀" for line in body) for column in range(left, right)]
    longest = max(len(run) for run in "".join("_" if e else "#" for e in empty).split("#"))
    assert longest > 25  # two of four hours


def test_without_times_the_night_says_that_they_are_being_read_or_unknown() -> None:
    rows = [row(1, 1, fwhm_arcsec=0.6)]
    assert "reading when" in shown(night_plot(rows, "fwhm_arcsec", None)(80, 10))
    unknown = shown(night_plot(rows, "fwhm_arcsec", {1: float("nan")})(80, 10))
    assert "no raw header tells the time" in unknown
    assert "visit 1, in order" in unknown


def test_no_label_of_the_details_is_cut() -> None:
    labels = [line.label.strip() for line in detail_lines(row(1, 1, **dict.fromkeys(METRICS, 1.0))) if line.label]
    assert "wcs_reserved_median" in labels
    assert len(labels) == len(METRICS)
    assert all(any(name.startswith(label) for name in METRICS) for label in labels)
    units = [name.removeprefix(label) for name, label in zip(METRICS, labels, strict=True)]
    assert set(units) <= {"", "_arcsec", "_mag", "_mas", "_e"}


def test_two_reruns_compare_by_differences_and_what_is_only_in_one() -> None:
    first = [row(1, ccd, fwhm_arcsec=0.6 + 0.01 * ccd, zeropoint_mag=27.0) for ccd in range(8)]
    second = [row(1, ccd, fwhm_arcsec=0.6 + 0.01 * ccd + (0.3 if ccd == 4 else 0.001), zeropoint_mag=27.1)
              for ccd in range(1, 9)]  # fmt: skip
    second[0]["status"] = "failed"
    found = compare_rows(first, second, ("a", "b"))
    by_ccd = {one["ccd"]: one for one in found.rows}
    assert by_ccd[4]["changed"] == ("fwhm_arcsec",)
    assert by_ccd[2]["changed"] == ()
    assert by_ccd[2]["differences"]["zeropoint_mag"] == pytest.approx(0.1)
    assert (by_ccd[0]["states"], by_ccd[1]["states"], by_ccd[8]["states"]) == ("D>-", "D>F", "->D")
    assert "7 CCDs in both, 1 only in the first, 1 only in the second" in found.summary[0]
    assert [one["ccd"] for one in found.rows[-2:]] == [0, 8]
    assert found.sorted_by("fwhm_arcsec", True).rows[0]["ccd"] == 4
    assert len(found.cells()[0]) == len(found.columns)
    assert not math.isnan(by_ccd[3]["differences"]["fwhm_arcsec"])


def test_a_ccd_is_compared_in_full_with_how_far_it_stands_from_the_others() -> None:
    rng = np.random.default_rng(8)
    seeing = 0.6 + rng.normal(0, 0.02, 12)
    change = rng.normal(0.0, 0.01, 12)
    change[3] = 0.4
    first = [row(1, ccd, fwhm_arcsec=seeing[ccd]) for ccd in range(12)]
    second = [row(1, ccd, fwhm_arcsec=seeing[ccd] + change[ccd]) for ccd in range(12)]
    found = compare_rows(first, second, ("a", "b"))
    score = (change[3] - np.median(change)) / (1.4826 * np.median(np.abs(change - np.median(change))))
    (line,) = (line for line in row_lines(found.rows[3], ("a", "b")) if line.label.startswith("seeing"))
    assert line.text.split() == [f"{seeing[3]:.2f}", f"{seeing[3] + 0.4:.2f}", "+0.40", f"{score:+.1f}", "sigma", "!"]
    assert line.tone == "bad"
    (other,) = (line for line in row_lines(found.rows[4], ("a", "b")) if line.label.startswith("seeing"))
    assert "!" not in other.text


def test_the_error_of_a_median_difference_is_that_of_repeated_draws() -> None:
    rng = np.random.default_rng(9)
    draws = rng.normal(0.3, 0.05, (2000, 41))
    medians = np.median(draws, axis=1)
    errors = [median_difference(draw.tolist(), 0.0)[1] for draw in draws[:300]]
    assert np.median(errors) == pytest.approx(medians.std(), rel=0.1)
    middle, error, sigmas = median_difference([0.1, 0.1, 0.1, 0.1], 0.01)
    assert (middle, error) == pytest.approx((0.1, 0.01 * 1.2533 / 2))
    assert sigmas == pytest.approx(middle / error)


def test_a_shift_of_all_ccds_is_marked_in_the_summary() -> None:
    first = [row(1, ccd, zeropoint_mag=27.0 + 0.01 * ccd, fwhm_arcsec=0.6) for ccd in range(9)]
    second = [row(1, ccd, zeropoint_mag=26.9 + 0.01 * ccd, fwhm_arcsec=0.6) for ccd in range(9)]
    summary = compare_rows(first, second, ("a", "b")).summary[1].replace("\u00a0", " ")
    assert "zp !-0.100+/-0.0002" in summary
    assert "seeing 0.00+/-" in summary
