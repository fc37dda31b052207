"""Finding the reference stars' pattern among the sources, and refusing what could be chance.

Where the first WCS knows orientation and scale, a vote over shifts and small rotations (`pattern_vote`) proposes
solutions, of which `pattern_consensus` tells the sharp ones; where it does not, pairs of stars do (`pattern_pairs`).
Each proposal is refined to a linear map (`refinement`), and the best is accepted only if chance would bring fewer than
10**-6 like it in the whole search (`acceptance`), and if no other is as good (`ambiguous`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from safelight.calibrate.acceptance import SearchSpace
from safelight.calibrate.ambiguous import refuse_if_ambiguous
from safelight.calibrate.config import MatcherConfig
from safelight.calibrate.corrected_wcs import Alignment
from safelight.calibrate.pattern import PatternMatch, PatternSearch, StarLists, better
from safelight.calibrate.pattern_consensus import by_consensus
from safelight.calibrate.pattern_pairs import pair_candidates
from safelight.calibrate.pattern_vote import BLOCKS, Candidate, VoteLimits, vote
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.refinement import BRIGHT_SOURCES, CERTAIN, refine
from safelight.errors import ProcessingError

__all__ = ["match_pattern"]

CANDIDATES = 300  # of a vote, whose consensus is sought
REFINED = 6  # of those with most votes, and of those with the greatest consensus
CONSENSUS_PIXELS = 2.0
PAIR_TOLERANCE_PIXELS = 3.0
MAX_VOTED_ROTATION_DEG = 10.0
MOST_ADDITIONS = 2e10  # of cells, in one vote: about two seconds
MOST_PAIRS = 1e8  # that are counted in one vote: a quarter of a second
WORTH_A_ROUND = 1.5  # times the sources of the round before, for an optional one
MOST_EXCESS = 2.5  # pairs that an optional round asks for over those that it gets
CHANCE_VOTES = 2.0  # most that chance may give a cell in one block: a block's votes are limited to a few more


@dataclass(frozen=True, slots=True)
class _Round:
    """One vote: pixels of a cell, sources in units of `numBrightStars`, references on the frame for each source."""

    pixels: float
    sources: float
    depth: float
    optional: bool = False  # left out where many of these cannot vote, or where they are hardly more than before


#: The first is quick and sure where sources and references rank alike; the second looks deeper, for catalogues with
#: gaps and frames full of junk; in the third nearly all vote, where hardly any is true.
ROUNDS = (_Round(30.0, 1.0, 1.2), _Round(15.0, 2.0, 3.0), _Round(15.0, 14.0, 3.0, optional=True))


def match_pattern(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    search: PatternSearch,
    config: MatcherConfig,
) -> PatternMatch:
    """Find the linear map that takes the sources to the references.

    Parameters
    ----------
    p, q
        Sources, brightest first, in the first WCS's plane about the frame's centre, arcsec.
    xi, eta
        References, brightest first, in the plane about the same point of the sky, arcsec.
    search
        Frame and limits.
    config
        The matcher's configuration.

    Raises
    ------
    ProcessingError
        ``TOO_FEW_STARS`` with fewer sources or references than a match can be proved with;
        ``WCS_NO_MATCH`` where no solution is better than chance, naming what was tried;
        ``WCS_AMBIGUOUS`` where two are.
    """
    lists = StarLists.of(p, q, xi, eta, search)
    _require(lists, config.minMatchedPairs)
    match = _search(lists, search, config)
    refuse_if_ambiguous(lists, match, search)
    return match


def _search(lists: StarLists, search: PatternSearch, config: MatcherConfig) -> PatternMatch:
    tried: list[tuple[str, PatternMatch | None]] = []
    if search.max_rotation_deg <= MAX_VOTED_ROTATION_DEG:
        best = _by_vote(lists, search, config)
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
        tried.append((f"shifts and rotations up to {search.max_rotation_deg:.3g} degrees", best))
    if search.any_rotation or search.max_rotation_deg > MAX_VOTED_ROTATION_DEG:
        rotation = 180.0 if search.any_rotation else search.max_rotation_deg
        best = _by_pairs(lists, rotation, search, config)
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
        handedness = "both parities" if search.parities == 2 else "the stated parity"
        what = (
            f"rotations up to {rotation:.3g} degrees, {handedness}, scales within {100 * search.max_scale_error:.2g} %"
        )
        tried.append((what, best))
    raise _no_match(lists, search, tried)


def _require(lists: StarLists, least: int) -> None:
    least = max(least, 4)
    if len(lists.p) < least:
        raise ProcessingError(
            "TOO_FEW_STARS",
            f"Only {len(lists.p)} usable sources: a match to the reference catalogue needs at least {least}.",
            "Look at the image: clouds, a closed shutter, or a wrong detection threshold?",
        )
    if len(lists.xi) < least:
        raise ProcessingError(
            "TOO_FEW_STARS",
            f"Only {len(lists.xi)} reference stars near the stated pointing: a match needs at least {least}.",
            "Check the pointing, or use a deeper reference catalogue.",
        )


def _no_match(lists: StarLists, search: PatternSearch, tried: list[tuple[str, PatternMatch | None]]) -> ProcessingError:
    parts = []
    for what, best in tried:
        if best is None:
            parts.append(f"{what}: nothing")
        else:
            parts.append(f"{what}: at best {best.n_matched} matches, of which chance brings 10^{best.log10_false:.0f}")
    return ProcessingError(
        "WCS_NO_MATCH",
        f"No match between {len(lists.p)} sources and {len(lists.xi)} reference stars within "
        f"{search.max_offset:.0f} arcsec of where the stated pointing puts the frame "
        f"({'; '.join(parts) or 'no search was allowed'}).",
        "Check the pointing and the pixel scale (-c calibrate.astrometry.pointingRa, pointingDec, pixelScale), or "
        "raise calibrate.astrometry.matcher.maxOffsetPix.",
    )


def _by_vote(lists: StarLists, search: PatternSearch, config: MatcherConfig) -> PatternMatch | None:
    best: PatternMatch | None = None
    most = 0
    for one in ROUNDS:
        limits = _limits(one.pixels * search.pixel_scale, search)
        voters, excess = _voters(lists, one, limits, search, config)
        if one.optional and (excess > MOST_EXCESS or len(voters.p) < WORTH_A_ROUND * most):
            continue
        most = len(voters.p)
        best = better(best, _by_one_vote(lists, voters, limits, search))
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
    return best


def _by_one_vote(lists: StarLists, voters: StarLists, limits: VoteLimits, search: PatternSearch) -> PatternMatch | None:
    space = SearchSpace(search.max_offset, search.max_rotation_deg, search.max_scale_error, 1, search.frame_radius)
    candidates = vote(voters.p, voters.q, voters.xi, voters.eta, limits, CANDIDATES)
    sharp = CONSENSUS_PIXELS * search.pixel_scale
    n_sources = max(BRIGHT_SOURCES, len(voters.p))
    best: PatternMatch | None = None
    for tolerance, proposed in (
        (1.2 * limits.cell, candidates[:REFINED]),
        (2.0 * sharp, by_consensus(voters, candidates, limits, sharp, REFINED)),
    ):
        for candidate in proposed:
            best = better(best, refine(lists, _alignment(candidate), tolerance, search, space, "vote", n_sources))
            if best is not None and best.log10_false < CERTAIN:
                return best
    return best


def _alignment(candidate: Candidate) -> Alignment:
    c, s = candidate.factor.real, candidate.factor.imag
    return Alignment(np.array([[c, -s], [s, c]]), np.array([candidate.shift.real, candidate.shift.imag]))


def _limits(cell: float, search: PatternSearch) -> VoteLimits:
    """What a vote with this cell tries; where that is too much the cell grows."""
    limits = VoteLimits(
        math.radians(search.max_rotation_deg), search.max_scale_error, search.frame_radius, cell, search.max_offset
    )
    return limits if limits.additions <= MOST_ADDITIONS else _limits(1.2 * cell, search)


def _voters(
    lists: StarLists, one: _Round, limits: VoteLimits, search: PatternSearch, config: MatcherConfig
) -> tuple[StarLists, float]:
    """The heads of both lists, and how many times too many pairs the round asks for, for chance or for the time."""
    n = min(int(one.sources * config.numBrightStars), len(lists.p))
    m = min(int(one.depth * n * search.area_ratio), len(lists.xi))
    squares = search.frame_area * search.area_ratio / (2.0 * limits.cell) ** 2
    excess = max(n * m / BLOCKS / squares / CHANCE_VOTES, n * m * limits.passes / MOST_PAIRS, 1.0)
    kept = max(int(n / math.sqrt(excess)), min(n, 30)), max(int(m / math.sqrt(excess)), min(m, 300))
    return lists.head(*kept), excess


def _by_pairs(
    lists: StarLists, max_rotation_deg: float, search: PatternSearch, config: MatcherConfig
) -> PatternMatch | None:
    tolerance = PAIR_TOLERANCE_PIXELS * search.pixel_scale
    space = SearchSpace(
        search.max_offset, max_rotation_deg, search.max_scale_error, search.parities, search.frame_radius
    )
    best: PatternMatch | None = None
    # the second pass serves catalogues that go deeper, or bands that rank stars otherwise
    for n, depth in ((config.numPairStars, 1.0), (int(1.5 * config.numPairStars), 2.0)):
        tested = lists.head(n, int(min(max(depth * n * search.area_ratio, 30), 300)))
        candidates = pair_candidates(
            tested.p,
            tested.q,
            tested.xi,
            tested.eta,
            max_offset=search.max_offset,
            max_scale_error=max(search.max_scale_error, 0.005),
            max_rotation_deg=max_rotation_deg,
            parities=search.parities,
            tolerance=tolerance,
            min_length=0.3 * search.frame_radius,
        )
        for _, factor, shift, parity in candidates:
            c, s = factor.real, factor.imag
            start = Alignment(np.array([[parity * c, -s], [parity * s, c]]), np.array([shift.real, shift.imag]))
            best = better(best, refine(lists, start, 1.5 * tolerance, search, space, "pairs"))
            if best is not None and best.log10_false < CERTAIN:
                return best
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
    return best
