"""Every pair of bright sources against every pair of references: any angle, both parities, scale within some percent.

Two points fix a similarity. Pairs of equal length (within the scale error) give hypotheses; each is tested at once on
the other bright sources by looking them up in a grid of references. Exhaustive: nothing depends on a hash's tolerance;
the pointing and scale limits, and giving up early on hopeless hypotheses, keep it short.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.compiled import compiled

__all__ = ["pair_candidates"]

IntArray = NDArray[np.int64]
KEPT = 24  # best hypotheses kept
PATIENCE = 12  # sources looked at before a hypothesis without any further hit is dropped


def pair_candidates(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    *,
    max_offset: float,
    max_scale_error: float,
    max_rotation_deg: float,
    parities: int,
    tolerance: float,
    min_length: float,
) -> list[tuple[float, complex, complex, int]]:
    """Candidates (hits, factor, shift, parity), most hits first: xi + i eta = factor · (parity p + i q) + shift.

    Parameters
    ----------
    p, q
        Bright sources in a plane about the frame's centre, arcsec, of nominal scale and arbitrary orientation.
    xi, eta
        References about the stated pointing, arcsec.
    max_offset
        How far from (0, 0) the frame's centre may come to lie, arcsec.
    max_scale_error
        Largest |scale - 1|.
    max_rotation_deg
        Largest rotation either way, degrees; 180 for any.
    parities
        1: as is; 2: mirrored too.
    tolerance
        Distance within which a source counts as hit, arcsec.
    min_length
        Shortest pair used, arcsec.
    """
    if len(p) < 3 or len(xi) < 3:
        return []
    first, second = np.triu_indices(len(xi), 1)
    length = np.hypot(xi[first] - xi[second], eta[first] - eta[second])
    order = np.argsort(length)
    first, second, length = first[order], second[order], length[order]
    cell = max(2.0 * tolerance, math.sqrt(max(np.ptp(xi), 1.0) * max(np.ptp(eta), 1.0) / max(len(xi), 1)) / 2.0)
    grid, x0, y0 = _build_grid(xi, eta, cell)
    limits = (max_offset, max_scale_error, math.radians(max_rotation_deg), tolerance, min_length)
    table = _search(p, q, xi, eta, first, second, length, grid, x0, y0, cell, limits, parities)
    rows = [(float(r[0]), complex(r[1], r[2]), complex(r[3], r[4]), int(r[5])) for r in table if r[0] > 0]
    return sorted(rows, key=lambda row: -row[0])


def _build_grid(xi: FloatArray, eta: FloatArray, cell: float) -> tuple[IntArray, float, float]:
    """Up to eight reference numbers per cell (-1: none), padded by one cell on each side, and the grid's origin."""
    x0, y0 = float(xi.min() - cell), float(eta.min() - cell)
    columns, rows = ((xi - x0) / cell).astype(np.int64), ((eta - y0) / cell).astype(np.int64)
    grid = np.full((int(rows.max()) + 2, int(columns.max()) + 2, 8), -1, dtype=np.int64)
    for number, (a, b) in enumerate(zip(rows, columns, strict=True)):
        free = np.flatnonzero(grid[a, b] < 0)
        if len(free):
            grid[a, b, free[0]] = number
    return grid, x0, y0


@compiled
def _hit(
    x: float,
    y: float,
    xi: FloatArray,
    eta: FloatArray,
    grid: IntArray,
    x0: float,
    y0: float,
    cell: float,
    tolerance: float,
) -> bool:
    """Whether a reference lies within `tolerance` (at most half a cell) of (x, y)."""
    u, v = (x - x0) / cell, (y - y0) / cell
    if not (u >= 0.0 and v >= 0.0 and u < grid.shape[1] and v < grid.shape[0]):
        return False
    reach = tolerance / cell
    for a in range(max(int(v - reach), 0), min(int(v + reach), grid.shape[0] - 1) + 1):
        for b in range(max(int(u - reach), 0), min(int(u + reach), grid.shape[1] - 1) + 1):
            for k in range(grid.shape[2]):
                j = grid[a, b, k]
                if j < 0:
                    break
                dx, dy = xi[j] - x, eta[j] - y
                if dx * dx + dy * dy < tolerance * tolerance:
                    return True
    return False


@compiled
def _count(
    p: FloatArray,
    q: FloatArray,
    factor: complex,
    shift: complex,
    parity: int,
    i: int,
    j: int,
    xi: FloatArray,
    eta: FloatArray,
    grid: IntArray,
    x0: float,
    y0: float,
    cell: float,
    tolerance: float,
    worst: float,
) -> int:
    """Sources hit under the hypothesis, its own pair included; 0 as soon as it cannot beat `worst`."""
    hits, seen = 2, 0
    for k in range(p.size):
        if k in (i, j):
            continue
        seen += 1
        z = factor * complex(parity * p[k], q[k]) + shift
        if _hit(z.real, z.imag, xi, eta, grid, x0, y0, cell, tolerance):
            hits += 1
        if (seen == PATIENCE and hits == 2) or hits + p.size - 2 - seen <= worst:
            return 0
    return hits


@compiled
def _search(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    first: IntArray,
    second: IntArray,
    length: FloatArray,
    grid: IntArray,
    x0: float,
    y0: float,
    cell: float,
    limits: tuple[float, float, float, float, float],
    parities: int,
) -> FloatArray:
    max_offset, max_scale_error, max_rotation, tolerance, min_length = limits
    best = np.zeros((KEPT, 6))
    worst_row, worst = 0, 0.0
    for i in range(p.size):
        for j in range(i):
            dp, dq = p[i] - p[j], q[i] - q[j]
            separation = math.sqrt(dp * dp + dq * dq)
            if separation < min_length:
                continue
            low = np.searchsorted(length, separation * (1.0 - max_scale_error))
            high = np.searchsorted(length, separation * (1.0 + max_scale_error))
            for t in range(low, high):
                for way in range(2 * parities):
                    a, b = (first[t], second[t]) if way % 2 == 0 else (second[t], first[t])
                    parity = 1 if way < 2 else -1
                    zi = complex(parity * p[i], q[i])
                    factor = complex(xi[a] - xi[b], eta[a] - eta[b]) / (zi - complex(parity * p[j], q[j]))
                    if abs(math.atan2(factor.imag, factor.real)) > max_rotation:
                        continue
                    shift = complex(xi[a], eta[a]) - factor * zi
                    if shift.real * shift.real + shift.imag * shift.imag > max_offset * max_offset:
                        continue
                    hits = _count(p, q, factor, shift, parity, i, j, xi, eta, grid, x0, y0, cell, tolerance, worst)
                    if hits <= worst:
                        continue
                    # one entry per distinct solution: the same place, angle and parity within a few tolerances
                    row = worst_row
                    fresh = True
                    for k in range(KEPT):
                        if best[k, 0] > 0 and best[k, 5] == parity:
                            near = abs(best[k, 3] - shift.real) + abs(best[k, 4] - shift.imag) < 4.0 * tolerance
                            if near and abs(complex(best[k, 1], best[k, 2]) - factor) < 0.05:
                                fresh = False
                                row = k
                                break
                    if not fresh and best[row, 0] >= hits:
                        continue
                    best[row, 0] = hits
                    best[row, 1], best[row, 2] = factor.real, factor.imag
                    best[row, 3], best[row, 4] = shift.real, shift.imag
                    best[row, 5] = parity
                    worst_row, worst = 0, best[0, 0]
                    for k in range(1, KEPT):
                        if best[k, 0] < worst:
                            worst_row, worst = k, best[k, 0]
    return best
