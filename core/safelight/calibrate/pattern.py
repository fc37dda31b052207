"""What a search for the reference stars' pattern is given, and what it finds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.corrected_wcs import Alignment
from safelight.calibrate.plane import FloatArray

__all__ = ["PatternMatch", "PatternSearch", "StarLists", "better"]

SPREAD_CELLS = 128  # squares on the area of the frame, of each of which at first only the brightest few are looked at
SPREAD_TURN = 4


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
    max_scatter: float = math.inf  # arcsec in one axis, of stars about a linear map of the first WCS

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


def better(a: PatternMatch | None, b: PatternMatch | None) -> PatternMatch | None:
    """The one that chance brings less often."""
    if a is None or b is None:
        return a or b
    return b if b.log10_false < a.log10_false else a


@dataclass(frozen=True, slots=True)
class StarLists:
    """Sources (p, q) and references (xi, eta) in the plane about the frame's stated centre, arcsec, in order of use."""

    p: FloatArray
    q: FloatArray
    xi: FloatArray
    eta: FloatArray

    @classmethod
    def of(cls, p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray, search: PatternSearch) -> StarLists:
        """Of lists with the brightest first: references within reach, both lists spread over the frame.

        Each has its brightest first, but of each small square only a few before the others' turn. So no cluster, trail
        or bright star's debris fills the head of a list, which is all that a search looks at.
        """
        near = np.hypot(xi, eta) < search.frame_radius * (1.0 + search.max_scale_error) + search.max_offset
        side = math.sqrt(search.frame_area / SPREAD_CELLS)
        return cls(*_spread(p, q, side), *_spread(xi[near], eta[near], side))

    def head(self, n_sources: int, n_references: int) -> StarLists:
        """The first of either list."""
        return StarLists(self.p[:n_sources], self.q[:n_sources], self.xi[:n_references], self.eta[:n_references])


def _spread(x: FloatArray, y: FloatArray, side: float) -> tuple[FloatArray, FloatArray]:
    columns, rows = np.floor(x / side).astype(np.int64), np.floor(y / side).astype(np.int64)
    cell = (columns - columns.min(initial=0)) * (np.ptp(rows) + 1 if len(rows) else 1) + rows
    by_cell = np.argsort(cell, kind="stable")
    ordered = cell[by_cell]
    first = np.searchsorted(ordered, ordered, side="left")
    turn = np.empty(len(cell), dtype=np.int64)
    turn[by_cell] = (np.arange(len(cell)) - first) // SPREAD_TURN
    order = np.argsort(turn, kind="stable")
    return x[order], y[order]
