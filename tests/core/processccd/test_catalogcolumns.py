"""Descriptions and focal-plane places of source tables."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from safelight.instruments import load_instrument
from safelight.processccd.catalogcolumns import describe_columns, set_focal_plane_positions


def sources() -> Table:
    return Table({"base_SdssCentroid_x": [1023.5, 0.0, np.nan], "base_SdssCentroid_y": [2087.5, 0.0, 5.0]})


def test_sources_have_their_place_on_the_focal_plane() -> None:
    table, hsc = sources(), load_instrument("hsc")
    set_focal_plane_positions(table, hsc, hsc.detector(49))
    detector = hsc.detector(49)
    dx, dy = 1023.5 - detector.reference_x, 2087.5 - detector.reference_y
    # A CCD without yaw: pixels of 15 micrometres beside its place.
    assert table["base_FPPosition_x"][0] == pytest.approx(detector.offset_x_mm + 0.015 * dx, abs=0.01)
    assert table["base_FPPosition_y"][0] == pytest.approx(detector.offset_y_mm + 0.015 * dy, abs=0.01)
    corner = np.hypot(*(table[f"base_FPPosition_{axis}"][1] - table[f"base_FPPosition_{axis}"][0] for axis in "xy"))
    assert corner == pytest.approx(0.015 * np.hypot(1023.5, 2087.5), rel=1e-6)
    assert list(table["base_FPPosition_flag"]) == [False, False, True]
    assert not any(table["base_FPPosition_missingDetector_flag"])
    assert table["base_FPPosition_x"].unit == "mm"


def test_a_camera_that_does_not_say_where_its_detector_is_has_flags_instead() -> None:
    table, generic = sources(), load_instrument("generic")
    set_focal_plane_positions(table, generic, generic.detector(0))
    assert all(table["base_FPPosition_missingDetector_flag"])
    assert all(np.isnan(table["base_FPPosition_x"]))


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("base_CircularApertureFlux_12_0_instFlux", "radius 12.0 pixels"),
        ("src_calib_astrometry_reserved", "kept out of the fit to judge it: astrometry"),
        ("base_GaussianFlux_flag", "base_GaussianFlux failed or is doubtful"),
        ("ref_r_flux", "reference catalogue: r_flux"),
    ],
)
def test_columns_are_described(name: str, words: str) -> None:
    table = Table({name: [1.0], "unheard_of": [1.0]})
    describe_columns(table)
    assert words in table[name].info.description
    assert table["unheard_of"].info.description is None


def test_a_description_that_is_there_stays() -> None:
    table = Table({"id": [1]})
    table["id"].info.description = "mine"
    describe_columns(table)
    assert table["id"].info.description == "mine"
