"""From a proposed solution to a linear map of all matched stars, and how much better than chance it is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from safelight.calibrate.acceptance import SearchSpace, log10_false_matches
from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.corrected_wcs import Alignment
from safelight.calibrate.linear import fit_affine, fit_similarity
from safelight.calibrate.pattern import PatternMatch, PatternSearch, StarLists, better

__all__ = ["CERTAIN", "refine"]

BRIGHT_SOURCES = 300  # that are refined, unless more were proposed
SUBSETS = (25, 60, 150, BRIGHT_SOURCES)  # numbers of brightest sources on which significance is judged …
DEEP_SOURCES = 1500  # … and one for what looks promising
HOPEFUL = 6.0  # log10 of expected false matches
CERTAIN = -20.0  # at which nothing further is looked at
DECADES_TRIED = 1.0  # for the handful of subsets and tolerances that are looked at
ROUNDS = 10
FEWEST = 4  # pairs
SHARP_PIXELS = 4.0  # a tolerance that stays wider must be that of a scatter that may be …
SHARP_SHARE = 0.45  # … and not be filled evenly (0.6), as by chance, clusters, or two images of each star
FEWEST_FOR_AFFINE = 8  # with fewer pairs only a similarity is fitted
LARGEST_SHEAR = 0.03  # and change of scale, from the proposal


@dataclass(frozen=True, slots=True)
class _Fit:
    alignment: Alignment
    absorbed: int  # stars through which such a map goes exactly
    tolerance: float  # arcsec, within which stars were matched
    rms: float


def refine(
    lists: StarLists,
    start: Alignment,
    tolerance: float,
    search: PatternSearch,
    space: SearchSpace,
    method: str,
    n_sources: int = BRIGHT_SOURCES,
) -> PatternMatch | None:
    """Shrink the tolerance while the linear map is fitted again, then judge it; None for a map that is no camera's.

    Parameters
    ----------
    lists
        Sources and references.
    start
        The proposal.
    tolerance
        Within which it brings stars together, arcsec.
    search
        The frame.
    space
        All that was tried.
    method
        Who proposed it.
    n_sources
        How many of the brightest sources are matched.
    """
    bright = _about(lists, n_sources, start, tolerance, search)
    fit = _shrink(bright, start, tolerance, search.pixel_scale)
    if fit is None or not _is_sharp(fit, search):
        return None
    best = _judge(bright, fit, (*SUBSETS, n_sources), search, space, method)
    if not CERTAIN < best.log10_false < HOPEFUL or len(lists.p) <= n_sources:
        return best
    deep = _about(lists, DEEP_SOURCES, fit.alignment, tolerance, search)
    return better(best, _judge(deep, fit, (DEEP_SOURCES,), search, space, method))


def _about(lists: StarLists, n: int, start: Alignment, tolerance: float, search: PatternSearch) -> StarLists:
    """The brightest `n` sources, and references as bright where the frame would lie."""
    lists = lists.head(n, int(1.5 * max(min(len(lists.p), n), 30) * search.area_ratio))
    around = np.hypot(lists.xi - start.shift[0], lists.eta - start.shift[1])
    near = around < 1.1 * search.frame_radius + 40.0 * tolerance
    return StarLists(lists.p, lists.q, lists.xi[near], lists.eta[near])


def _shrink(lists: StarLists, start: Alignment, tolerance: float, pixel_scale: float) -> _Fit | None:
    """Fit and match in turn, down to a pixel; None where too few stars come together."""
    fit = _Fit(start, 2, tolerance, tolerance)
    if len(lists.xi) < FEWEST:
        return None
    for step in range(ROUNDS):
        u, v = fit.alignment.apply(lists.p, lists.q)
        source, reference, _ = mutual_nearest(u, v, lists.xi, lists.eta, fit.tolerance)
        if len(source) < FEWEST:
            return None
        similar = step < 2 or len(source) < FEWEST_FOR_AFFINE
        make, absorbed = (fit_similarity, 2) if similar else (fit_affine, 3)
        alignment, rms = make(lists.p[source], lists.q[source], lists.xi[reference], lists.eta[reference])
        if not _plausible(alignment, start):
            return None
        fit = _Fit(alignment, absorbed, fit.tolerance, rms)
        smaller = max(0.6 * fit.tolerance, pixel_scale, min(4.0 * rms, fit.tolerance))
        if smaller > 0.95 * fit.tolerance:
            break
        fit = _Fit(alignment, absorbed, smaller, rms)
    return fit


def _is_sharp(fit: _Fit, search: PatternSearch) -> bool:
    """Whether a tolerance that stayed wide is the scatter of a first WCS without distortions, and not a blur."""
    if fit.tolerance <= SHARP_PIXELS * search.pixel_scale:
        return True
    return fit.rms < min(SHARP_SHARE * fit.tolerance, search.max_scatter)


def _plausible(alignment: Alignment, start: Alignment) -> bool:
    stretch = np.linalg.svd(alignment.matrix, compute_uv=False) / start.scale
    return bool(np.all(np.abs(stretch - 1.0) < LARGEST_SHEAR))


def _judge(
    lists: StarLists,
    fit: _Fit,
    subsets: tuple[int, ...],
    search: PatternSearch,
    space: SearchSpace,
    method: str,
) -> PatternMatch:
    """The significance of a map, on the number of brightest sources and at the tolerance where it is greatest."""
    tree = cKDTree(np.column_stack([lists.xi, lists.eta]))
    u, v = fit.alignment.apply(lists.p, lists.q)
    inside = search.inside(*fit.alignment.undo(lists.xi, lists.eta))
    density = int(inside.sum()) / (search.frame_area * fit.alignment.scale**2)
    best = PatternMatch(fit.alignment, 0, fit.tolerance, fit.rms, math.inf, method)
    for n in subsets:
        for tolerance in (fit.tolerance, max(fit.tolerance / 2.0, 4.0 * fit.rms)):
            source, _, _ = mutual_nearest(u[:n], v[:n], lists.xi, lists.eta, tolerance)
            log_false = log10_false_matches(u[:n], v[:n], tree, tolerance, len(source), density, fit.absorbed, space)
            log_false += DECADES_TRIED
            if log_false < best.log10_false:
                best = PatternMatch(fit.alignment, len(source), tolerance, fit.rms, log_false, method)
        if n >= len(u):
            break
    return best
