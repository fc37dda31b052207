"""A few true stars among many false ones, and patterns that fit in two places."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from safelight.calibrate.config import MatcherConfig
from safelight.calibrate.matching import match_pattern
from safelight.calibrate.pattern import PatternSearch, StarLists
from safelight.calibrate.pattern_consensus import by_consensus
from safelight.calibrate.pattern_vote import VoteLimits, vote
from safelight.errors import ProcessingError

Floats = NDArray[np.float64]

SCALE = 0.168
HALF = np.array([172.0, 350.5])
SEARCH = PatternSearch(
    np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * HALF, SCALE, 700.0, 3.0, 0.03, any_rotation=False, parities=1
)
LIMITS = VoteLimits(np.radians(3.0), 0.03, SEARCH.frame_radius, 15 * SCALE, SEARCH.max_offset)


def field(
    rng: np.random.Generator, true: int, false: int, references: int, factor: complex, shift: complex
) -> tuple[Floats, Floats, Floats, Floats]:
    """Lists in random order: `true` sources are references, `false` are not; `references` others are in the sky."""
    stars = rng.uniform(-HALF, HALF, (true, 2)) @ (1, 1j)
    junk = rng.uniform(-HALF, HALF, (false, 2)) @ (1, 1j)
    others = rng.uniform(-1080, 1080, (references, 2)) @ (1, 1j)
    sources = rng.permutation(np.append(stars + rng.normal(0, 0.02, (true, 2)) @ (1, 1j), junk))
    sky = rng.permutation(np.append(factor * stars + shift, others))
    return sources.real, sources.imag, sky.real, sky.imag


def off_by(factor: complex, shift: complex, true_factor: complex, true_shift: complex) -> float:
    """Arcsec at the frame's corner, at most."""
    return abs(shift - true_shift) + SEARCH.frame_radius * abs(factor - true_factor)


@pytest.mark.parametrize("rotation", [-2.99, 0.4, 2.99])
@pytest.mark.parametrize("scale", [0.971, 1.029])
def test_the_vote_is_won_by_the_truth_to_its_limits(rotation: float, scale: float) -> None:
    factor, shift = scale * np.exp(1j * np.radians(rotation)), complex(-690.0, 480.0)
    lists = StarLists.of(*field(np.random.default_rng(3), 40, 60, 1500, factor, shift), SEARCH)
    best = vote(lists.p, lists.q, lists.xi, lists.eta, LIMITS, 5)[0]
    assert off_by(best.factor, best.shift, factor, shift) < 3.0 * LIMITS.cell
    assert best.votes > 25


def test_no_block_of_the_frame_outvotes_the_others() -> None:
    rng = np.random.default_rng(5)
    factor, shift = complex(1.0, 0.01), complex(100.0, -50.0)
    p, q, xi, eta = field(rng, 30, 60, 1000, factor, shift)
    clump, heap = (rng.normal(0, 3.0, (200, 2)) for _ in range(2))
    p, q = np.append(p, 100.0 + clump[:, 0]), np.append(q, 200.0 + clump[:, 1])
    xi, eta = np.append(xi, -300.0 + heap[:, 0]), np.append(eta, heap[:, 1])
    best = vote(p, q, xi, eta, LIMITS, 5)[0]
    assert off_by(best.factor, best.shift, factor, shift) < 3.0 * LIMITS.cell


@pytest.mark.parametrize("seed", range(4))
def test_consensus_raises_the_truth_above_candidates_with_more_votes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factor, shift = 1.01 * np.exp(-0.03j), complex(300.0, 300.0)
    lists = StarLists.of(*field(rng, 11, 289, 1000, factor, shift), SEARCH)
    candidates = vote(lists.p, lists.q, lists.xi, lists.eta, LIMITS, 400)
    best = by_consensus(lists, candidates, LIMITS, 2 * SCALE, 3)
    assert off_by(best[0].factor, best[0].shift, factor, shift) < 1.0
    assert best[0].votes >= 8 > 6 >= best[1].votes


@pytest.mark.parametrize("seed", range(4))
def test_thirteen_stars_among_six_hundred_false_ones_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    factor, shift = 0.98 * np.exp(0.04j), complex(-400.0, 200.0)
    match = match_pattern(*field(rng, 13, 600, 700, factor, shift), SEARCH, MatcherConfig())
    found = match.alignment
    centre = off_by(complex(found.matrix[0, 0], found.matrix[1, 0]), complex(*found.shift), factor, shift)
    assert centre < 0.5
    assert 9 <= match.n_matched <= 14


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("pixels", "share"), [(8.0, 1.0), (60.0, 1.0), (60.0, 0.7)])
def test_a_frame_that_shows_its_stars_twice_is_called_ambiguous(seed: int, pixels: float, share: float) -> None:
    rng = np.random.default_rng(seed)
    p, q, xi, eta = field(rng, 80, 40, 1000, complex(1.0, 0.02), complex(50.0, 80.0))
    again = rng.uniform(size=len(p)) < share
    p, q = np.append(p, p[again] + 0.6 * pixels * SCALE), np.append(q, q[again] - 0.8 * pixels * SCALE)
    with pytest.raises(ProcessingError, match=rf"\({pixels:.0f} pixels\)") as caught:
        match_pattern(p, q, xi, eta, SEARCH, MatcherConfig())
    assert caught.value.code == "WCS_AMBIGUOUS"


@pytest.mark.parametrize("seed", range(3))
def test_faint_ghosts_and_close_companions_make_no_frame_ambiguous(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, q, xi, eta = field(rng, 80, 40, 1000, complex(1.0, 0.02), complex(50.0, 80.0))
    ghosts = rng.uniform(size=len(p)) < 0.3
    p, q = np.append(p, p[ghosts] + 5.0), np.append(q, q[ghosts] - 3.0)
    xi, eta = np.append(xi, xi + rng.normal(0, 2.0, len(xi))), np.append(eta, eta + rng.normal(0, 2.0, len(eta)))
    assert match_pattern(p, q, xi, eta, SEARCH, MatcherConfig()).n_matched > 60
