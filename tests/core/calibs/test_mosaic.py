"""Relative levels of the CCDs of a mosaic."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.calibs.mosaic import mosaic_scales, mosaic_sets

RESPONSE = {0: 1.2, 1: 1.0, 2: 0.5}


def test_the_response_of_each_ccd_is_found_though_the_light_changes_and_frames_are_missing() -> None:
    light = {"a": 10_000.0, "b": 3_000.0, "c": 25_000.0}
    levels = {(visit, ccd): light[visit] * RESPONSE[ccd] for visit in light for ccd in RESPONSE}
    del levels["a", 2], levels["b", 0]
    scales = mosaic_scales(levels)
    mean = np.mean(list(RESPONSE.values()))
    assert scales == {ccd: pytest.approx(value / mean, rel=1e-10) for ccd, value in RESPONSE.items()}


def test_one_ccd_keeps_its_level() -> None:
    assert mosaic_scales({("a", 7): 9000.0, ("b", 7): 100.0}) == {7: pytest.approx(1.0)}


def test_ccds_without_a_common_exposure_are_scaled_apart() -> None:
    scales = mosaic_scales({("a", 0): 300.0, ("a", 1): 100.0, ("b", 2): 50_000.0, ("b", 3): 50_000.0})
    assert scales == {0: pytest.approx(1.5), 1: pytest.approx(0.5), 2: pytest.approx(1.0), 3: pytest.approx(1.0)}


def test_nothing_gives_nothing() -> None:
    assert mosaic_scales({}) == {}


def test_ccds_that_are_scaled_together_and_no_others_are_of_one_set() -> None:
    levels = {("a", 0): 300.0, ("a", 1): 100.0, ("b", 1): 90.0, ("b", 2): 50.0, ("c", 3): 70.0, ("c", 4): 70.0}
    sets = mosaic_sets(levels)
    assert sets[0] == sets[1] == sets[2] != sets[3] == sets[4]
    assert sets == mosaic_sets(dict(reversed(levels.items()))), "the same frames give the same name again"
    less = {key: level for key, level in levels.items() if key[1] != 0}
    assert mosaic_sets(less)[1] != sets[1], "without CCD 0 the others have another mean"
