"""The pattern match: what is found, and above all what is refused."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray

from safelight.calibrate.config import MatcherConfig
from safelight.calibrate.matching import match_pattern
from safelight.calibrate.pattern import PatternMatch, PatternSearch
from safelight.errors import ProcessingError

Floats = NDArray[np.float64]


@dataclass
class Lists:
    """Sources (p, q) and references (xi, eta), arcsec, brightest first; the truth takes (p, q) to (xi, eta)."""

    p: Floats
    q: Floats
    xi: Floats
    eta: Floats
    search: PatternSearch
    matrix: Floats
    shift: Floats

    def miss(self, match: PatternMatch) -> float:
        """Largest distance, arcsec, between the match and the truth at the frame's corners."""
        corners = self.search.corners.T
        found = np.stack(match.alignment.apply(*corners))
        return float(np.hypot(*(found - (self.matrix @ corners + self.shift[:, None]))).max())


def corners(width: float, height: float) -> Floats:
    return np.array([[-width, -height], [width, -height], [width, height], [-width, height]]) / 2


def hsc_search(max_offset: float = 120.0) -> PatternSearch:
    return PatternSearch(corners(344.0, 701.0), 0.168, max_offset, 2.0, 0.01, False, 1)


def small_camera_search(max_offset: float = 900.0) -> PatternSearch:
    return PatternSearch(corners(2592.0, 1747.0), 2.374, max_offset, 180.0, 0.05, True, 2)


def make_lists(
    search: PatternSearch,
    seed: int,
    *,
    density: float,
    n_matched: int,
    n_other: int,
    rotation_deg: float,
    scale: float = 1.0,
    mirrored: bool = False,
    noise: float = 0.05,
) -> Lists:
    """References at `density` a frame, sources of which `n_matched` are references and `n_other` are not."""
    rng = np.random.default_rng(seed)
    half = search.corners[2] + search.max_offset + 50.0
    n = int(density * 4 * half[0] * half[1] / search.frame_area)
    xi, eta = rng.uniform(-half[0], half[0], n), rng.uniform(-half[1], half[1], n)
    angle, parity = math.radians(rotation_deg), -1.0 if mirrored else 1.0
    c, s = scale * math.cos(angle), scale * math.sin(angle)
    matrix = np.array([[parity * c, -s], [parity * s, c]])
    radius, direction = search.max_offset * math.sqrt(rng.uniform()), rng.uniform(0, 2 * math.pi)
    shift = radius * np.array([math.cos(direction), math.sin(direction)])
    p, q = np.linalg.solve(matrix, np.stack([xi, eta]) - shift[:, None])
    seen = np.flatnonzero(search.inside(p, q))[:n_matched]
    other = rng.uniform(search.corners[0], search.corners[2], (n_other, 2))
    p = np.append(p[seen] + rng.normal(0, noise, len(seen)), other[:, 0])
    q = np.append(q[seen] + rng.normal(0, noise, len(seen)), other[:, 1])
    # brightness ranks agree only roughly between a camera's band and a catalogue's
    order = np.argsort(np.arange(len(p)) + rng.normal(0, 0.3 * len(p), len(p)))
    ranks = np.argsort(np.arange(n) + rng.normal(0, 0.1 * n, n))
    return Lists(p[order], q[order], xi[ranks], eta[ranks], search, matrix, shift)


def matched(lists: Lists) -> PatternMatch:
    return match_pattern(lists.p, lists.q, lists.xi, lists.eta, lists.search, MatcherConfig())


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(("n_matched", "n_other", "density"), [(8, 8, 12), (30, 60, 40), (300, 1200, 1000)])
def test_a_known_orientation_is_found_from_sparse_to_crowded_fields(
    seed: int, n_matched: int, n_other: int, density: float
) -> None:
    rotation = np.random.default_rng(seed).uniform(-2, 2)
    lists = make_lists(hsc_search(), seed, density=density, n_matched=n_matched, n_other=n_other, rotation_deg=rotation)
    assert lists.miss(matched(lists)) < 0.5


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", [-170.0, -91.0, -30.0, 0.0, 45.0, 90.0, 179.9])
def test_any_angle_and_either_parity_is_found(rotation: float, mirrored: bool) -> None:
    lists = make_lists(
        small_camera_search(),
        int(rotation) % 50,
        density=24,
        n_matched=20,
        n_other=280,
        rotation_deg=rotation,
        scale=1.03,
        mirrored=mirrored,
        noise=0.4,
    )
    match = matched(lists)
    assert match.method == "pairs"
    assert match.alignment.mirrored == mirrored
    assert lists.miss(match) < 2.374


@pytest.mark.parametrize("seed", range(40))
def test_shuffled_references_are_always_refused_with_known_orientation(seed: int) -> None:
    density, n = [(12, 10), (100, 80), (1000, 600)][seed % 3]
    lists = make_lists(hsc_search(), seed, density=density, n_matched=0, n_other=n, rotation_deg=0.0)
    with pytest.raises(ProcessingError) as caught:
        matched(lists)
    assert caught.value.code in ("WCS_NO_MATCH", "TOO_FEW_STARS")


@pytest.mark.parametrize("seed", range(12))
def test_shuffled_references_are_always_refused_at_any_angle(seed: int) -> None:
    lists = make_lists(small_camera_search(), seed, density=24, n_matched=0, n_other=200, rotation_deg=0.0)
    with pytest.raises(ProcessingError) as caught:
        matched(lists)
    assert caught.value.code == "WCS_NO_MATCH"
    assert "rotations up to 180 degrees, both parities" in caught.value.message


@pytest.mark.parametrize("seed", range(12))
def test_clumped_lists_do_not_deceive(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lists = make_lists(hsc_search(), seed, density=120, n_matched=0, n_other=120, rotation_deg=0.0)
    for first, second in ((lists.p, lists.q), (lists.xi, lists.eta)):
        third = len(first) // 3
        first[:third] = first[third : 2 * third] + rng.normal(0, 3, third)
        second[:third] = second[third : 2 * third] + rng.normal(0, 3, third)
    with pytest.raises(ProcessingError):
        matched(lists)


def test_three_stars_are_too_few() -> None:
    lists = make_lists(hsc_search(), 1, density=100, n_matched=3, n_other=0, rotation_deg=0.0)
    with pytest.raises(ProcessingError) as caught:
        matched(lists)
    assert caught.value.code == "TOO_FEW_STARS"
    assert "3 usable sources" in caught.value.message


def test_a_field_without_references_says_so() -> None:
    lists = make_lists(hsc_search(), 1, density=100, n_matched=50, n_other=50, rotation_deg=0.0)
    with pytest.raises(ProcessingError, match="Only 0 reference stars"):
        match_pattern(lists.p, lists.q, lists.xi + 9000.0, lists.eta, lists.search, MatcherConfig())


def test_a_pointing_beyond_the_search_is_refused_and_within_it_is_found() -> None:
    lists = make_lists(hsc_search(20.0), 3, density=100, n_matched=80, n_other=100, rotation_deg=0.3)
    far = hsc_search(20.0)
    with pytest.raises(ProcessingError) as caught:
        match_pattern(lists.p, lists.q, lists.xi + 80.0, lists.eta, far, MatcherConfig())
    assert caught.value.code == "WCS_NO_MATCH"
    assert "within 20 arcsec" in caught.value.message
    match = match_pattern(lists.p, lists.q, lists.xi + 80.0, lists.eta, hsc_search(120.0), MatcherConfig())
    assert match.n_matched > 40
