"""Frames on which two places fit: every star seen twice, or twice in the catalogue.

A telescope that jumps during the exposure leaves two images of each star. Either of them matches the reference stars as
tightly as the other, and nothing says which is the place of the frame: a WCS from one of them would be wrong by the
whole jump for half of the light. So none is given.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.spatial import cKDTree

from safelight.calibrate.acceptance import log10_binomial_tail
from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.pattern import PatternMatch, PatternSearch, StarLists
from safelight.calibrate.plane import FloatArray
from safelight.errors import ProcessingError

__all__ = ["refuse_if_ambiguous"]

COUNTED = 6000  # brightest sources that are looked at: a second image may be fainter
MATCHED = 300  # matched stars that are sought a second time
NEAREST_PIXELS = 3.0  # a nearer second place is the scatter of the first
FARTHEST_PIXELS = 200.0
TOLERANCE_PIXELS = 1.0
RIVAL_SHARE = 0.5  # of the matched stars that a second place must match to make the first doubtful
CHANCE = -6.0  # log10 of how often it may do so by chance


def refuse_if_ambiguous(lists: StarLists, match: PatternMatch, search: PatternSearch) -> None:
    """Look for a shift of the matched frame that brings half as many stars together as the match does.

    Parameters
    ----------
    lists, match, search
        The lists that were matched, the match and what it was sought in.

    Raises
    ------
    ProcessingError
        ``WCS_AMBIGUOUS`` where there is one that is not chance.
    """
    u, v = match.alignment.apply(lists.p[:COUNTED], lists.q[:COUNTED])
    inside = search.inside(*match.alignment.undo(lists.xi, lists.eta))
    xi, eta = lists.xi[inside], lists.eta[inside]
    tolerance = max(TOLERANCE_PIXELS * search.pixel_scale, match.tolerance)
    source, reference, _ = mutual_nearest(u, v, xi, eta, tolerance)
    sources, references = np.column_stack([u, v]), np.column_stack([xi, eta])
    steps = np.concatenate(
        [
            _steps(sources[source[:MATCHED]], references, tolerance, search.pixel_scale),
            _steps(sources, references[reference[:MATCHED]], tolerance, search.pixel_scale),
        ]
    )
    if not len(steps):
        return
    shift = _commonest(steps, tolerance)
    own = len(source)
    rival = len(mutual_nearest(u + shift[0], v + shift[1], xi, eta, tolerance)[0])
    chance = -math.expm1(-len(xi) / (search.frame_area * match.alignment.scale**2) * math.pi * tolerance**2)
    trials = 2.0 * math.log10(FARTHEST_PIXELS * search.pixel_scale / tolerance)
    if rival < RIVAL_SHARE * own or trials + log10_binomial_tail(rival - 1, len(u), chance) > CHANCE:
        return
    distance = float(np.hypot(*shift))
    raise ProcessingError(
        "WCS_AMBIGUOUS",
        f"Two places fit: {own} sources match reference stars, and {rival} do so with the frame shifted by "
        f"{distance:.2f} arcsec ({distance / search.pixel_scale:.0f} pixels). Every star is seen twice, or is twice in "
        "the catalogue.",
        "Look at the image: did the telescope jump during the exposure?",
    )


def _steps(sources: FloatArray, references: FloatArray, tolerance: float, pixel_scale: float) -> FloatArray:
    """(n, 2) arcsec: the shifts within reach, but for that of the match, that bring a source upon a reference."""
    if not len(sources) or not len(references):
        return np.zeros((0, 2))
    pairs = cKDTree(sources).sparse_distance_matrix(
        cKDTree(references), FARTHEST_PIXELS * pixel_scale, output_type="ndarray"
    )
    pairs = pairs[pairs["v"] > max(NEAREST_PIXELS * pixel_scale, 2.0 * tolerance)]
    result: FloatArray = references[pairs["j"]] - sources[pairs["i"]]
    return result


def _commonest(steps: FloatArray, tolerance: float) -> FloatArray:
    """The middle of the place where most steps lie together."""
    tree = cKDTree(steps)
    best = int(np.argmax(tree.query_ball_point(steps, tolerance, return_length=True)))
    result: FloatArray = np.median(steps[tree.query_ball_point(steps[best], tolerance)], axis=0)
    return result
