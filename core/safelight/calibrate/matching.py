"""Finding the reference stars' pattern among the sources, and refusing what could be chance.

Where the first WCS knows orientation and scale, a vote over shifts and small rotations (`pattern_vote`) proposes
solutions; where it does not, pairs of stars do (`pattern_pairs`). Each proposal is refined to a linear map, and the
best is accepted only if chance would bring fewer than 10**-6 like it in the whole search (`acceptance`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from safelight.calibrate.acceptance import SearchSpace, log10_false_matches
from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.config import MatcherConfig
from safelight.calibrate.corrected_wcs import Alignment
from safelight.calibrate.linear import fit_affine, fit_similarity
from safelight.calibrate.pattern_pairs import pair_candidates
from safelight.calibrate.pattern_vote import grid, vote
from safelight.calibrate.plane import FloatArray
from safelight.errors import ProcessingError

__all__ = ["PatternMatch", "PatternSearch", "match_pattern"]

#: Votes: pixels of a cell, sources in units of `numBrightStars`, references a source. The first is quick and sure where
#: sources and references rank alike; the second looks deeper, for catalogues with gaps and frames full of junk.
VOTES = ((30.0, 1.0, 1.2), (15.0, 2.0, 3.0))
MOST_VOTES = 6e8  # pairs, over all rotations and scales, of one vote: a second or less; longer lists are cut
CANDIDATES = 12
PAIR_TOLERANCE_PIXELS = 3.0
MAX_VOTED_ROTATION_DEG = 10.0
SPREAD_CELLS = 128  # squares on the area of the frame, of each of which at first only the brightest few are looked at
SPREAD_TURN = 4
CERTAIN = -20.0  # log10 of expected false matches at which no further candidate is looked at
REFINED_SOURCES = 300
FEWEST_FOR_AFFINE = 8  # with fewer pairs only a similarity is fitted
SUBSETS = (25, 60, 150, REFINED_SOURCES)  # numbers of brightest sources on which significance is judged


@dataclass(frozen=True, slots=True)
class PatternSearch:
    """What is known before the match; planes about the frame's stated centre, arcsec."""

    corners: FloatArray  # (4, 2): the frame's corners in the first WCS's plane, in order
    pixel_scale: float  # arcsec/pixel
    max_offset: float  # arcsec
    max_rotation_deg: float  # from the stated orientation
    max_scale_error: float  # fraction
    any_rotation: bool  # every angle may be tried where the stated orientation fails
    parities: int  # 1: the stated handedness; 2: both

    @property
    def frame_radius(self) -> float:
        """Half the frame's diagonal, arcsec."""
        return float(np.hypot(*self.corners.T).max())

    @property
    def frame_area(self) -> float:
        """Area of the frame in square arcsec."""
        x, y = self.corners.T
        return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0)

    @property
    def area_ratio(self) -> float:
        """Area in which the frame may lie over the frame's own area."""
        side = math.sqrt(self.frame_area)
        return (1.0 + 2.0 * self.max_offset / side) ** 2

    def inside(self, p: FloatArray, q: FloatArray) -> NDArray[np.bool_]:
        """True for plane positions within the frame (a convex quadrilateral)."""
        after = np.roll(self.corners, -1, axis=0)
        edges = after - self.corners
        cross = [e[0] * (q - c[1]) - e[1] * (p - c[0]) for e, c in zip(edges, self.corners, strict=True)]
        result: NDArray[np.bool_] = np.all(np.stack(cross) >= 0, axis=0) | np.all(np.stack(cross) <= 0, axis=0)
        return result


@dataclass(frozen=True, slots=True)
class PatternMatch:
    """An accepted solution: `alignment` takes the first WCS's plane to the reference plane."""

    alignment: Alignment
    n_matched: int
    tolerance: float  # arcsec, at which it was judged
    rms: float  # arcsec, robust, one axis
    log10_false: float
    method: str  # "vote" or "pairs"


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
        ``WCS_NO_MATCH`` where no solution is better than chance, naming what was tried.
    """
    near = np.hypot(xi, eta) < search.frame_radius * (1.0 + search.max_scale_error) + search.max_offset
    xi, eta = xi[near], eta[near]
    side = math.sqrt(search.frame_area / SPREAD_CELLS)
    p, q = _spread(p, q, side)
    xi, eta = _spread(xi, eta, side)
    _require(len(p), len(xi), config.minMatchedPairs)
    tried: list[tuple[str, PatternMatch | None]] = []
    if search.max_rotation_deg <= MAX_VOTED_ROTATION_DEG:
        best = _by_vote(p, q, xi, eta, search, config)
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
        tried.append((f"shifts and rotations up to {search.max_rotation_deg:.3g} degrees", best))
    if search.any_rotation or search.max_rotation_deg > MAX_VOTED_ROTATION_DEG:
        rotation = 180.0 if search.any_rotation else search.max_rotation_deg
        best = _by_pairs(p, q, xi, eta, rotation, search, config)
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
        handedness = "both parities" if search.parities == 2 else "the stated parity"
        what = (
            f"rotations up to {rotation:.3g} degrees, {handedness}, scales within {100 * search.max_scale_error:.2g} %"
        )
        tried.append((what, best))
    raise _no_match(len(p), len(xi), search, tried)


def _spread(x: FloatArray, y: FloatArray, side: float) -> tuple[FloatArray, FloatArray]:
    """The list with its brightest first, but of each square of `side` only a few before the others' turn.

    So no cluster, trail or bright star's debris fills the head of a list, which is all that a search looks at.
    """
    columns, rows = np.floor(x / side).astype(np.int64), np.floor(y / side).astype(np.int64)
    cell = (columns - columns.min(initial=0)) * (np.ptp(rows) + 1 if len(rows) else 1) + rows
    by_cell = np.argsort(cell, kind="stable")
    ordered = cell[by_cell]
    first = np.searchsorted(ordered, ordered, side="left")
    turn = np.empty(len(cell), dtype=np.int64)
    turn[by_cell] = (np.arange(len(cell)) - first) // SPREAD_TURN
    order = np.argsort(turn, kind="stable")
    return x[order], y[order]


def _require(n_sources: int, n_references: int, least: int) -> None:
    least = max(least, 4)
    if n_sources < least:
        raise ProcessingError(
            "TOO_FEW_STARS",
            f"Only {n_sources} usable sources: a match to the reference catalogue needs at least {least}.",
            "Look at the image: clouds, a closed shutter, or a wrong detection threshold?",
        )
    if n_references < least:
        raise ProcessingError(
            "TOO_FEW_STARS",
            f"Only {n_references} reference stars near the stated pointing: a match needs at least {least}.",
            "Check the pointing, or use a deeper reference catalogue.",
        )


def _no_match(
    n_sources: int, n_references: int, search: PatternSearch, tried: list[tuple[str, PatternMatch | None]]
) -> ProcessingError:
    parts = []
    for what, best in tried:
        if best is None:
            parts.append(f"{what}: nothing")
        else:
            parts.append(f"{what}: at best {best.n_matched} matches, of which chance brings 10^{best.log10_false:.0f}")
    return ProcessingError(
        "WCS_NO_MATCH",
        f"No match between {n_sources} sources and {n_references} reference stars within "
        f"{search.max_offset:.0f} arcsec of where the stated pointing puts the frame "
        f"({'; '.join(parts) or 'no search was allowed'}).",
        "Check the pointing and the pixel scale (-c calibrate.astrometry.pointingRa, pointingDec, pixelScale), or "
        "raise calibrate.astrometry.matcher.maxOffsetPix.",
    )


def _by_vote(
    p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray, search: PatternSearch, config: MatcherConfig
) -> PatternMatch | None:
    space = SearchSpace(search.max_offset, search.max_rotation_deg, search.max_scale_error, 1, search.frame_radius)
    best: PatternMatch | None = None
    for pixels, share, depth in VOTES:
        cell = pixels * search.pixel_scale
        n, m = _affordable(len(p), len(xi), share * config.numBrightStars, depth, cell, search)
        candidates = vote(
            p[:n],
            q[:n],
            xi[:m],
            eta[:m],
            max_rotation=math.radians(search.max_rotation_deg),
            max_scale_error=search.max_scale_error,
            frame_radius=search.frame_radius,
            cell=cell,
            half=search.max_offset + cell,
        )
        for _, factor, shift in candidates[:CANDIDATES]:
            c, s = factor.real, factor.imag
            start = Alignment(np.array([[c, -s], [s, c]]), np.array([shift.real, shift.imag]))
            best = _better(best, _refine(p, q, xi, eta, start, 1.2 * cell, search, space, "vote"))
            if best is not None and best.log10_false < CERTAIN:
                return best
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
    return best


def _affordable(
    n_sources: int, n_references: int, brightest: float, depth: float, cell: float, search: PatternSearch
) -> tuple[int, int]:
    """How many sources and references vote: `depth` references for each source on the frame, within `MOST_VOTES`."""
    transformations = len(grid(math.radians(search.max_rotation_deg), cell, search.frame_radius)) * len(
        grid(search.max_scale_error, cell, search.frame_radius)
    )
    n = min(int(brightest), n_sources)
    m = min(int(depth * n * search.area_ratio), n_references)
    excess = max(n * m * transformations / MOST_VOTES, 1.0)
    return max(int(n / math.sqrt(excess)), min(n, 30)), max(int(m / math.sqrt(excess)), min(m, 300))


def _by_pairs(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    max_rotation_deg: float,
    search: PatternSearch,
    config: MatcherConfig,
) -> PatternMatch | None:
    tolerance = PAIR_TOLERANCE_PIXELS * search.pixel_scale
    space = SearchSpace(
        search.max_offset, max_rotation_deg, search.max_scale_error, search.parities, search.frame_radius
    )
    best: PatternMatch | None = None
    # the second pass serves catalogues that go deeper, or bands that rank stars otherwise
    for n, depth in ((config.numPairStars, 1.0), (int(1.5 * config.numPairStars), 2.0)):
        m = int(min(max(depth * n * search.area_ratio, 30), 300))
        candidates = pair_candidates(
            p[:n],
            q[:n],
            xi[:m],
            eta[:m],
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
            best = _better(best, _refine(p, q, xi, eta, start, 1.5 * tolerance, search, space, "pairs"))
            if best is not None and best.log10_false < CERTAIN:
                return best
        if best is not None and best.log10_false <= config.maxLogFalseMatches:
            return best
    return best


def _better(a: PatternMatch | None, b: PatternMatch | None) -> PatternMatch | None:
    if a is None or b is None:
        return a or b
    return b if b.log10_false < a.log10_false else a


def _refine(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    start: Alignment,
    tolerance: float,
    search: PatternSearch,
    space: SearchSpace,
    method: str,
) -> PatternMatch | None:
    """Shrink the tolerance while the linear map is fitted again, then judge it; None for a map that is no camera's."""
    p, q = p[:REFINED_SOURCES], q[:REFINED_SOURCES]
    n_reference = int(1.5 * max(len(p), 30) * search.area_ratio)
    xi, eta = xi[:n_reference], eta[:n_reference]
    around = np.hypot(xi - start.shift[0], eta - start.shift[1]) < 1.1 * search.frame_radius + 40.0 * tolerance
    xi, eta = xi[around], eta[around]
    if len(xi) < 4:
        return None
    tree = cKDTree(np.column_stack([xi, eta]))
    least = 1.0 * search.pixel_scale
    alignment, rms, absorbed = start, tolerance, 2
    for step in range(10):
        source, reference, _ = mutual_nearest(*alignment.apply(p, q), xi, eta, tolerance)
        if len(source) < 4:
            return None
        similar = step < 2 or len(source) < FEWEST_FOR_AFFINE
        fit, absorbed = (fit_similarity, 2) if similar else (fit_affine, 3)
        alignment, rms = fit(p[source], q[source], xi[reference], eta[reference])
        if not _plausible(alignment, start):
            return None
        smaller = max(0.6 * tolerance, least, min(4.0 * rms, tolerance))
        if smaller > 0.95 * tolerance:
            break
        tolerance = smaller
    return _judge(p, q, xi, eta, tree, alignment, absorbed, tolerance, rms, search, space, method)


def _plausible(alignment: Alignment, start: Alignment) -> bool:
    """Whether the fit has stayed near the proposal: no shear beyond 3 %, scale within 3 %."""
    stretch = np.linalg.svd(alignment.matrix, compute_uv=False) / start.scale
    return bool(abs(stretch[0] - 1) < 0.03 and abs(stretch[1] - 1) < 0.03)


def _judge(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    tree: cKDTree,
    alignment: Alignment,
    absorbed: int,
    tolerance: float,
    rms: float,
    search: PatternSearch,
    space: SearchSpace,
    method: str,
) -> PatternMatch | None:
    """The significance of a map, on the number of brightest sources where it is greatest."""
    u, v = alignment.apply(p, q)
    density = int(search.inside(*alignment.undo(xi, eta)).sum()) / (search.frame_area * alignment.scale**2)
    best: PatternMatch | None = None
    for n in SUBSETS:
        source, _, _ = mutual_nearest(u[:n], v[:n], xi, eta, tolerance)
        log_false = log10_false_matches(u[:n], v[:n], tree, tolerance, len(source), density, absorbed, space)
        # one decade for the handful of subsets and tolerances that were looked at
        best = _better(best, PatternMatch(alignment, len(source), tolerance, rms, log_false + 1.0, method))
        if n >= len(p):
            break
    return best
