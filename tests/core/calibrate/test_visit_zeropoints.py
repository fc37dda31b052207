"""The zeropoints of a visit's CCDs beside each other."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.calibrate.visit_config import VisitConfig
from safelight.calibrate.visit_zeropoints import VisitZeropoints, judge_visit_zeropoints

CONFIG = VisitConfig()


def judged(
    rng: np.random.Generator,
    n: int,
    *,
    jumps: dict[int, float] | None = None,
    gradient: float = 0.0,
    radial: float = 0.0,
    flat: float = 0.003,
) -> VisitZeropoints:
    """Zeropoints of `n` CCDs of a camera of radius 1, with errors of 3 to 5 mmag and a scatter of the flats."""
    radius, angle = np.sqrt(rng.uniform(0, 1, n)), rng.uniform(0, 2 * np.pi, n)
    x, y = radius * np.cos(angle), radius * np.sin(angle)
    error = rng.uniform(0.003, 0.005, n)
    zeropoint = 27.0 + gradient * x + radial * radius**2 + np.hypot(error, flat) * rng.standard_normal(n)
    for k, jump in (jumps or {}).items():
        zeropoint[k] += jump
    return judge_visit_zeropoints(x, y, zeropoint, error, CONFIG)


@pytest.mark.parametrize("n", [2, 3, 4, 6, 12, 100])
def test_zeropoints_that_differ_by_their_errors_are_never_called_jumps(n: int) -> None:
    rng = np.random.default_rng(n)
    assert sum(sum(judged(rng, n).off) for _ in range(40)) <= 1  # of 4000 CCDs, one may lie beyond 4.75 sigma


@pytest.mark.parametrize("n", [3, 4, 5, 6, 12, 100])
@pytest.mark.parametrize("jump", [0.05, -0.05])
def test_a_ccd_whose_zeropoint_jumps_by_50_mmag_is_found_and_no_other(n: int, jump: float) -> None:
    rng = np.random.default_rng(20 + n)
    draws = 40 if n < 100 else 10
    alone = sum(judged(rng, n, jumps={0: jump}).off == (True, *[False] * (n - 1)) for _ in range(draws))
    assert alone >= draws - 2


@pytest.mark.parametrize("n", [3, 4, 5])
def test_few_ccds_tell_a_jump_from_what_air_and_flats_leave(n: int) -> None:
    rng = np.random.default_rng(60 + n)
    calm = sum(any(judged(rng, n, gradient=0.006, radial=0.004).off) for _ in range(60))
    found = sum(judged(rng, n, gradient=0.006, jumps={0: 0.05}).off[0] for _ in range(60))
    assert calm <= 1
    assert found >= 57


def test_two_of_six_that_jump_are_found() -> None:
    rng = np.random.default_rng(1)
    found = [judged(rng, 6, jumps={1: 0.08, 4: -0.06}).off for _ in range(20)]
    assert found.count((False, True, False, False, True, False)) >= 19


@pytest.mark.parametrize("n", [6, 8, 12, 60])
def test_a_gradient_over_the_camera_is_no_jump_and_hides_none(n: int) -> None:
    rng = np.random.default_rng(30 + n)
    calm = sum(sum(judged(rng, n, gradient=0.06).off) for _ in range(40))
    assert calm <= 0.01 * 40 * n
    jump = 0.06 if n >= 12 else 0.1  # few CCDs must know the gradient from five others or so
    found = sum(judged(rng, n, gradient=0.06, jumps={0: jump}).off[0] for _ in range(40))
    assert found >= 34


def test_vignetting_that_the_flat_left_is_no_jump_of_the_outer_ccds() -> None:
    rng = np.random.default_rng(2)
    assert sum(sum(judged(rng, 60, radial=0.06, gradient=0.02).off) for _ in range(20)) <= 2


def test_of_two_that_differ_neither_is_called_right() -> None:
    found = judged(np.random.default_rng(3), 2, jumps={0: 0.1})
    assert (found.majority, found.off) == (False, (True, True))
    assert np.isnan(found.expected(0.0, 0.0)).all()


@pytest.mark.parametrize("n", [3, 6, 30])
def test_the_expected_zeropoint_of_another_ccd_has_the_error_that_is_claimed(n: int) -> None:
    rng = np.random.default_rng(40 + n)
    pulls = []
    for _ in range(30):  # visits, of each of which four more CCDs are asked
        found = judged(rng, n, flat=0.004)
        for place in rng.uniform(-0.7, 0.7, (4, 2)):
            expected, error = found.expected(*place)
            pulls.append((27.0 + 0.004 * rng.standard_normal() - expected) / error)
    assert 0.7 < np.std(pulls) < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("n", [3, 4, 5, 6, 8, 12, 30, 100])
def test_false_alarms_and_misses_are_rare_over_many_visits(n: int) -> None:
    rng = np.random.default_rng(n)
    visits = 300 if n <= 12 else 60
    for field in ({}, {"gradient": 0.006}, {"radial": 0.006}):
        assert sum(any(judged(rng, n, **field).off) for _ in range(visits)) <= 0.02 * visits
    for sign in (1, -1):
        missed = sum(not judged(rng, n, gradient=0.003, jumps={0: 0.05 * sign}).off[0] for _ in range(visits))
        assert missed <= 0.03 * visits
