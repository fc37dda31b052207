"""Which sources may be matched and fitted."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import MaskedColumn, Table

from safelight.calibrate.selection import column, flag, select_sources
from safelight.errors import ProcessingError


def sources() -> Table:
    return Table(
        {
            "base_SdssCentroid_x": [10.0, 20.0, 30.0, np.nan, 50.0, 60.0, -9.0, 80.0],
            "base_SdssCentroid_y": [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0],
            "base_SdssCentroid_xErr": [0.01, np.nan, 0.0, 0.01, 0.01, 0.01, 0.01, 0.01],
            "base_SdssCentroid_yErr": [0.02, np.nan, 0.0, 0.01, 0.01, 0.01, 0.01, 0.01],
            "base_PsfFlux_instFlux": [100.0, np.nan, 900.0, 100.0, 5.0, 400.0, 100.0, -3.0],
            "base_PsfFlux_instFluxErr": [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0],
            "base_CircularApertureFlux_12_0_instFlux": [1.0, 5000.0, 1.0, 1.0, 1.0, 1.0, 1.0, np.nan],
            "base_CircularApertureFlux_12_0_instFluxErr": [1.0] * 8,
            "base_PixelFlags_flag_saturated": [False, True, False, False, False, False, False, False],
            "base_PixelFlags_flag_edge": [False, False, False, False, False, True, False, False],
        }
    )


def test_sources_come_brightest_first_with_saturated_ones_for_the_pattern_only() -> None:
    chosen = select_sources(sources(), 100, 100, 15.0)
    assert list(chosen.row) == [1, 2, 5, 0]
    assert list(chosen.saturated) == [True, False, False, False]
    assert list(chosen.fit) == [False, True, False, True]  # saturated, good, at the edge, good


def test_missing_centroid_errors_are_replaced_by_cautious_ones() -> None:
    chosen = select_sources(sources(), 100, 100, 15.0)
    assert chosen.x_error[0] >= 0.5  # saturated
    assert chosen.x_error[1] == pytest.approx(0.01)  # 1.5 pixels over a signal to noise of 900, at least 0.01
    assert chosen.y_error[3] == pytest.approx(0.02)


def test_deblended_parents_are_left_out() -> None:
    table = sources()
    table["deblend_nChild"] = [2, 0, 0, 0, 0, 0, 0, 0]
    assert 0 not in select_sources(table, 100, 100, 15.0).row


def test_masked_values_count_as_missing_and_masked_flags_as_set() -> None:
    table = Table(
        {"a": MaskedColumn([1, 2], mask=[True, False]), "f": MaskedColumn([False, False], mask=[True, False])}
    )
    assert np.isnan(column(table, "a")[0])
    assert column(table, "a")[1] == 2.0
    assert list(flag(table, "f", "absent")) == [True, False]


def test_a_table_without_centroids_is_refused() -> None:
    with pytest.raises(ProcessingError) as caught:
        select_sources(Table({"id": [1]}), 10, 10, 15.0)
    assert caught.value.code == "SOURCES_INCOMPLETE"


def test_an_empty_table_gives_an_empty_list() -> None:
    assert len(select_sources(sources()[:0], 100, 100, 15.0)) == 0
