"""Is a match of two star lists more than chance? The expected number of false matches in the whole search.

Under chance, each source has a reference star within the tolerance with a probability p that the local density of
references gives, so the number of matched sources is binomial. A search tries a huge number of distinguishable
transformations; their number times the binomial tail is the number of solutions as good as this one that chance alone
would bring (the a-contrario criterion of Desolneux, Moisan & Morel 2000). Stars that the transformation was fitted to
cannot vouch for it: two for a similarity, three for a linear map. p is also measured, on displaced copies of the list,
since real catalogues cluster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree
from scipy.special import betainc, betaln

from safelight.calibrate.plane import FloatArray

__all__ = ["SearchSpace", "log10_binomial_tail", "log10_false_matches"]

DISPLACEMENTS = (2.5, 6.0, 30.0)  # in tolerances, of the displaced copies that measure the chance rate
SECTORS = 16  # of half a turn, in two of which lines are looked for
LEAST_ALONG = 8  # pairs that show a line, and standard deviations above the number usual in two sectors
MANY_SIGMA = 5.0


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """How much was tried: offsets (radius), rotations, scales and parities."""

    max_offset_arcsec: float
    max_rotation_deg: float
    max_scale_error: float
    parities: int
    frame_radius_arcsec: float

    def log10_trials(self, tolerance_arcsec: float) -> float:
        """Number of transformations that differ by more than the tolerance somewhere in the frame, as log10."""
        lever = self.frame_radius_arcsec / tolerance_arcsec
        shifts = 1.0 + (self.max_offset_arcsec / tolerance_arcsec) ** 2
        rotations = 1.0 + 2.0 * math.radians(min(self.max_rotation_deg, 180.0)) * lever
        scales = 1.0 + 2.0 * self.max_scale_error * lever
        return math.log10(shifts * rotations * scales * self.parities)


def log10_binomial_tail(k: int, n: int, p: float) -> float:
    """log10 of the probability of at least `k` successes in `n` trials of probability `p`; never overflows."""
    if k <= 0:
        return 0.0
    if k > n:
        return -math.inf
    p = min(max(p, 1e-300), 1.0)
    tail = float(betainc(k, n - k + 1, p))
    if tail > 1e-290:
        return math.log10(tail)
    # leading term of the incomplete beta function, an upper bound to within a factor 1/(1-p)
    log_tail = k * math.log(p) + (n - k + 1) * math.log1p(-p) - math.log(k) - float(betaln(k, n - k + 1))
    return log_tail / math.log(10) - math.log10(max(1.0 - p, 1e-3))


def log10_false_matches(
    xi: FloatArray,
    eta: FloatArray,
    tree: cKDTree,
    tolerance: float,
    n_matched: int,
    density: float,
    absorbed: int,
    space: SearchSpace,
) -> float:
    """log10 of the number of solutions this good that chance would bring in the whole search.

    Parameters
    ----------
    xi, eta
        Sources after the transformation, arcsec.
    tree
        Reference stars in the same plane, arcsec.
    tolerance
        Radius in which a reference counts as matched, arcsec.
    n_matched
        Sources matched one to one.
    density
        Reference stars per square arcsec inside the frame.
    absorbed
        Stars through which the transformation goes exactly, whatever they are: 2 for a similarity, 3 for a linear map.
    space
        What was searched.
    """
    n = len(xi)
    expected = density * math.pi * tolerance**2
    trials = space.log10_trials(tolerance)
    counted, free = n_matched - absorbed, max(n - absorbed, 0)
    tail = log10_binomial_tail(counted, free, -math.expm1(-expected))
    if trials + tail > 0.0:  # nothing special already; clustering can only make it less so
        return trials + tail
    measured = max(expected, _references_about_a_source(xi, eta, tree, tolerance))
    return trials + log10_binomial_tail(counted, free, -math.expm1(-measured))


def _references_about_a_source(xi: FloatArray, eta: FloatArray, tree: cKDTree, tolerance: float) -> float:
    """Mean number of references within the tolerance of a source when the list is displaced, the largest of three.

    By 2.5 to 6 tolerances, where two clusters that lie on each other still do so, and by 6 to 30; and by 2.5 to 6 along
    one direction, for lines of stars on each other. The mean over such displacements is the number of pairs at these
    distances times the ratio of the areas.
    """
    near, middle, far = DISPLACEMENTS
    sources = cKDTree(np.column_stack([xi, eta]))
    pairs = sources.sparse_distance_matrix(tree, middle * tolerance, output_type="ndarray")
    pairs = pairs[pairs["v"] >= near * tolerance]
    within, beyond = sources.count_neighbors(tree, np.array([middle, far]) * tolerance)
    rates = [len(pairs) / (middle**2 - near**2), float(beyond - within) / (far**2 - middle**2)]
    step = tree.data[pairs["j"]] - sources.data[pairs["i"]]
    in_sector = np.bincount(
        (np.arctan2(step[:, 1], step[:, 0]) % np.pi / np.pi * SECTORS).astype(np.int64) % SECTORS, minlength=SECTORS
    )
    along = int((in_sector + np.roll(in_sector, 1)).max())  # two neighbours: a line may lie between them
    usual = 2.0 * len(pairs) / SECTORS
    if along >= LEAST_ALONG and along > usual + MANY_SIGMA * math.sqrt(usual):
        rates.append(rates[0] * along / usual)
    return max(rates) / max(len(xi), 1)
