"""The statistics behind acceptance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial import cKDTree
from scipy.stats import binom

from safelight.calibrate.acceptance import SearchSpace, log10_binomial_tail, log10_false_matches


@pytest.mark.parametrize(("k", "n", "p"), [(1, 10, 0.1), (5, 20, 0.01), (30, 100, 0.2), (100, 100, 0.9), (7, 9, 1e-3)])
def test_the_binomial_tail_is_scipys(k: int, n: int, p: float) -> None:
    assert log10_binomial_tail(k, n, p) == pytest.approx(binom.logsf(k - 1, n, p) / math.log(10), abs=1e-6)


def test_the_tail_far_below_the_smallest_float_still_has_a_logarithm() -> None:
    value = log10_binomial_tail(300, 400, 1e-4)
    term = (math.lgamma(401) - math.lgamma(301) - math.lgamma(101)) / math.log(10) + 300 * math.log10(1e-4)
    assert value == pytest.approx(term, abs=0.1)


def test_nothing_matched_is_certain_and_more_than_all_is_impossible() -> None:
    assert log10_binomial_tail(0, 10, 0.1) == 0.0
    assert log10_binomial_tail(11, 10, 0.1) == -math.inf


def test_clustered_references_raise_the_chance_that_density_alone_gives() -> None:
    rng = np.random.default_rng(1)
    clump = rng.normal(0, 1, (200, 2)).T * 20.0
    xi, eta = rng.normal(0, 1, (2, 100)) * 20.0
    space = SearchSpace(60.0, 1.0, 0.0, 1, 300.0)
    tree = cKDTree(clump.T)
    density = 200 / 300.0**2
    clustered = log10_false_matches(xi, eta, tree, 2.0, 45, density, 3, space)
    spread = cKDTree(rng.uniform(-150, 150, (200, 2)))
    even = log10_false_matches(xi, eta, spread, 2.0, 45, density, 3, space)
    assert even < -6.0
    assert clustered > even + 10.0


def test_a_wider_search_makes_the_same_match_less_certain() -> None:
    narrow = SearchSpace(5.0, 0.1, 0.0, 1, 390.0).log10_trials(0.5)
    wide = SearchSpace(600.0, 180.0, 0.05, 2, 390.0).log10_trials(0.5)
    assert wide > narrow + 6.0


@pytest.mark.parametrize("angle", [0.0, 0.1963, 1.0, 3.1])
def test_a_trail_on_a_spike_is_no_match_at_any_angle(angle: float) -> None:
    rng = np.random.default_rng(4)
    direction = np.array([math.cos(angle), math.sin(angle)])
    trail, spike = (rng.uniform(-350, 350, (n, 1)) * direction + rng.normal(0, 0.2, (n, 2)) for n in (250, 400))
    tree, tolerance = cKDTree(spike), 0.7
    distance, _ = tree.query(trail, distance_upper_bound=tolerance)
    matched = int(np.isfinite(distance).sum())
    assert matched > 50
    space = SearchSpace(700.0, 3.0, 0.03, 1, 390.0)
    assert log10_false_matches(*trail.T, tree, tolerance, matched, 400 / 241_000, 3, space) > -6.0
