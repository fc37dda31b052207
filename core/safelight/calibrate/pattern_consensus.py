"""Which of many candidates of a vote brings stars together to a few pixels, and not only to its coarse cells.

A candidate of the vote says for each source in which small circle its reference star must be. Two such pairs fix a
similarity; the one under which most sources have a reference within the tolerance is the candidate's consensus. A few
true pairs among hundreds of chance pairs stand out so, where in the vote's cells they do not.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.pattern import StarLists
from safelight.calibrate.pattern_vote import Candidate, VoteLimits
from safelight.calibrate.plane import FloatArray
from safelight.compiled import compiled

__all__ = ["by_consensus"]

IntArray = NDArray[np.int64]
MOST_PAIRS = 400  # of a source and a reference, of one candidate; brightest sources first
MOST_TESTS = 400  # similarities tested for one candidate
LEAST_SEPARATION = 0.3  # of two pairs that fix a similarity, in units of the frame's radius


def by_consensus(
    lists: StarLists, candidates: list[Candidate], limits: VoteLimits, tolerance: float, n: int
) -> list[Candidate]:
    """The `n` candidates with most stars together within the tolerance, sharpened; their votes are those stars.

    Parameters
    ----------
    lists
        Sources and references, as they voted.
    candidates
        What was voted for.
    limits
        How finely.
    tolerance
        Arcsec.
    n
        How many are wanted.
    """
    if not candidates or len(lists.xi) < 2:
        return []
    radius = 1.5 * limits.cell
    order, starts, origin, columns = _grid(lists.xi, lists.eta, radius)
    proposals = np.array([(c.factor, c.shift) for c in candidates], dtype=np.complex128)
    turn = 2.0 * limits.step
    least = LEAST_SEPARATION * limits.frame_radius
    table = _consensus(
        lists.p + 1j * lists.q,
        (lists.xi + 1j * lists.eta)[order],
        starts,
        origin,
        columns,
        proposals,
        radius,
        turn,
        least,
        tolerance,
    )
    best = np.argsort(-table[:, 0].real, kind="stable")[:n]
    return [Candidate(int(votes.real), complex(f), complex(s)) for votes, f, s in table[best] if votes.real > 2]


def _grid(xi: FloatArray, eta: FloatArray, side: float) -> tuple[IntArray, IntArray, complex, int]:
    """References by squares: their order, where each square begins in it, the corner and the number of columns.

    A border of empty squares is about them.
    """
    origin = complex(float(xi.min()) - side, float(eta.min()) - side)
    column = ((xi - origin.real) / side).astype(np.int64)
    row = ((eta - origin.imag) / side).astype(np.int64)
    columns, rows = int(column.max()) + 2, int(row.max()) + 2
    square = row * columns + column
    order = np.argsort(square, kind="stable")
    return order, np.searchsorted(square[order], np.arange(rows * columns + 1)), origin, columns


@compiled
def _pair_up(
    z: NDArray[np.complex128],
    w: NDArray[np.complex128],
    starts: IntArray,
    origin: complex,
    columns: int,
    radius: float,
    factor: complex,
    shift: complex,
    source: IntArray,
    reference: IntArray,
) -> int:
    """Fill `source` and `reference` with pairs within `radius` (the side of a square); returns how many."""
    found, rows = 0, (starts.size - 1) // columns
    for i in range(z.size):
        place = factor * z[i] + shift
        u, v = (place.real - origin.real) / radius, (place.imag - origin.imag) / radius
        if not (u >= 0.0 and v >= 0.0 and u < columns and v < rows):
            continue
        for row in range(max(int(v) - 1, 0), min(int(v) + 2, rows)):
            first, last = max(int(u) - 1, 0), min(int(u) + 2, columns)
            for j in range(starts[row * columns + first], starts[row * columns + last]):
                away = w[j] - place
                if away.real * away.real + away.imag * away.imag < radius * radius:
                    if found == source.size:
                        return found
                    source[found], reference[found] = i, j
                    found += 1
    return found


@compiled
def _together(
    z: NDArray[np.complex128],
    w: NDArray[np.complex128],
    source: IntArray,
    reference: IntArray,
    n: int,
    factor: complex,
    shift: complex,
    tolerance: float,
    worst: int,
) -> int:
    """Sources with a reference within the tolerance; 0 where they cannot be more than `worst`."""
    hits, last = 0, -1
    for k in range(n):
        if hits + n - k <= worst:
            return 0
        if source[k] == last:
            continue
        away = factor * z[source[k]] + shift - w[reference[k]]
        if away.real * away.real + away.imag * away.imag < tolerance * tolerance:
            hits += 1
            last = source[k]
    return hits


@compiled
def _consensus(
    z: NDArray[np.complex128],
    w: NDArray[np.complex128],
    starts: IntArray,
    origin: complex,
    columns: int,
    proposals: NDArray[np.complex128],
    radius: float,
    turn: float,
    least: float,
    tolerance: float,
) -> NDArray[np.complex128]:
    """Rows (stars together, factor, shift) for rows (factor, shift)."""
    result = np.zeros((proposals.shape[0], 3), np.complex128)
    source, reference = np.empty(MOST_PAIRS, np.int64), np.empty(MOST_PAIRS, np.int64)
    for c in range(proposals.shape[0]):
        factor, shift = proposals[c, 0], proposals[c, 1]
        n = _pair_up(z, w, starts, origin, columns, radius, factor, shift, source, reference)
        best, tests = 0, 0
        for b in range(n):
            if tests >= MOST_TESTS:
                break
            for a in range(b):
                base = z[source[a]] - z[source[b]]
                if base.real * base.real + base.imag * base.imag < least * least:
                    continue
                f = (w[reference[a]] - w[reference[b]]) / base
                if abs(f - factor) > turn:
                    continue
                tests += 1
                s = w[reference[a]] - f * z[source[a]]
                hits = _together(z, w, source, reference, n, f, s, tolerance, best)
                if hits > best:
                    best = hits
                    result[c, 0], result[c, 1], result[c, 2] = hits, f, s
    return result
