"""Outliers: what a CCD, and a visit, is compared with."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from astropy.stats import mad_std

from safelight.processccd.outliers import outlier_scores, outliers_of_ccds, outliers_of_visits


def visit(number: int, seeing: list[float], filter_: str = "HSC-I") -> list[dict[str, Any]]:
    rows = [{"visit": number, "ccd": ccd, "filter": filter_, "fwhm_arcsec": value} for ccd, value in enumerate(seeing)]
    return rows


def near(middle: float, count: int) -> list[float]:
    return np.random.default_rng(count).normal(middle, 0.01, count).tolist()


def outliers(rows: list[dict[str, Any]]) -> list[tuple[int, int]]:
    found = zip(rows, outliers_of_ccds(rows), strict=True)
    return [(row["visit"], row["ccd"]) for row, names in found if names == ("fwhm_arcsec",)]


def test_outlier_scores_agree_with_astropy_and_need_a_group() -> None:
    rng = np.random.default_rng(2)
    values = rng.normal(10.0, 1.0, 50).tolist()
    scores = outlier_scores([*values, None, 3.0], [*["a"] * 51, "b"])
    expected = (np.array(values) - np.median(values)) / mad_std(values)
    np.testing.assert_allclose(scores[:50], expected, rtol=1e-4)
    assert np.isnan(scores[50:]).all()


def test_a_visit_of_other_seeing_has_outliers_of_its_own_only() -> None:
    rows = visit(1, near(0.6, 104)) + visit(2, [*near(1.3, 30), 1.8]) + visit(3, [0.9, 0.91, 0.92, 0.9, 0.91, 2.0])
    assert outliers(rows) == [(2, 30), (3, 5)]


def test_visits_of_few_ccds_are_compared_with_their_filter_where_a_large_visit_counts_once() -> None:
    few = enumerate((0.7, 0.8, 0.75, 0.85, 0.9, 0.65), 2)
    rows = visit(1, near(0.6, 104)) + visit(9, [3.0])
    rows += [row for number, seeing in few for row in visit(number, [seeing, seeing + 0.01])]
    assert outliers(rows) == [(9, 0)]
    assert outliers([row | {"filter": "HSC-R"} if row["visit"] == 9 else row for row in rows]) == []  # alone in its own


@pytest.mark.parametrize("count", [5, 6, 8, 12, 24, 104])
def test_normal_values_are_hardly_ever_outliers_however_few_they_are(count: int) -> None:
    values = np.random.default_rng(count).normal(1.0, 0.1, (6000 // count, count))
    rows = [row for number, seeing in enumerate(values) for row in visit(number, seeing.tolist())]
    assert len(outliers(rows)) <= 0.001 * len(rows)


def test_ccds_of_a_camera_without_visits_are_compared_with_their_filter() -> None:
    rows = [{"frame": n, "filter": "r", "fwhm_arcsec": value} for n, value in enumerate([*near(2.0, 12), 4.0])]
    assert [n for n, names in enumerate(outliers_of_ccds(rows)) if names] == [12]


def test_a_visit_is_compared_with_the_other_visits_of_its_filter() -> None:
    medians = [0.61, 0.6, 0.62, 0.63, 0.6, 0.61, 0.62, 2.4]
    rows = [{"visit": n, "filter": "HSC-I", "fwhm_arcsec": value} for n, value in enumerate(medians)]
    assert [n for n, names in enumerate(outliers_of_visits(rows)) if names] == [7]
    assert not any(outliers_of_visits(rows[3:]))  # five visits cannot tell
