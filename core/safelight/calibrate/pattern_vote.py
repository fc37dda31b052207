"""The vote: which shift, for which small rotation, brings most pairs (source, reference) together.

Every pair votes for the shift that would make it a match; at the true rotation the true pairs pile up in one cell of
the shift plane while chance pairs spread over all of it. Used where orientation and scale are known.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.compiled import compiled

__all__ = ["rotation_grid", "vote"]

PEAKS = 3  # peaks kept per rotation


def rotation_grid(max_rotation_deg: float, cell: float, frame_radius: float) -> FloatArray:
    """Rotations in radians, symmetric about 0, fine enough that half a step moves the frame's corner by 0.3 cells."""
    step = 0.6 * cell / frame_radius
    n = math.ceil(math.radians(max_rotation_deg) / step)
    return np.arange(-n, n + 1, dtype=np.float64) * step


def vote(
    p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray, rotations: FloatArray, cell: float, half: float
) -> list[tuple[float, float, float, float]]:
    """Candidates (votes, rotation in radians, shift in xi, shift in eta), most votes first.

    Parameters
    ----------
    p, q
        Sources in the first WCS's plane, arcsec.
    xi, eta
        References in the same plane, arcsec.
    rotations
        Rotations to try, radians.
    cell
        Size of a cell of the shift plane, arcsec.
    half
        Largest shift in either axis, arcsec.
    """
    table = _vote(p, q, xi, eta, rotations, cell, half)
    rows = [(float(v), float(rotations[int(k)]), float(a), float(b)) for v, k, a, b in table if v > 0]
    return sorted(rows, reverse=True)


@compiled
def _vote(
    p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray, rotations: FloatArray, cell: float, half: float
) -> NDArray[np.float64]:
    n = int(2.0 * half / cell) + 1
    result = np.zeros((rotations.size * PEAKS, 4))
    cells = np.empty((n + 1, n + 1), np.int32)
    for k in range(rotations.size):
        c, s = math.cos(rotations[k]), math.sin(rotations[k])
        cells[:] = 0
        for i in range(p.size):
            x = c * p[i] - s * q[i] - half
            y = s * p[i] + c * q[i] - half
            for j in range(xi.size):
                dx = xi[j] - x
                dy = eta[j] - y
                if dx >= 0.0 and dy >= 0.0 and dx < 2.0 * half and dy < 2.0 * half:
                    cells[int(dy / cell), int(dx / cell)] += 1
        # sums of 2 x 2 cells, so that a peak cut by a border of cells counts whole
        for peak in range(PEAKS):
            best, bx, by = 0, 0, 0
            for a in range(n):
                for b in range(n):
                    v = cells[a, b] + cells[a, b + 1] + cells[a + 1, b] + cells[a + 1, b + 1]
                    if v > best:
                        best, bx, by = v, b, a
            row = k * PEAKS + peak
            result[row, 0] = best
            result[row, 1] = k
            result[row, 2] = (bx + 1) * cell - half
            result[row, 3] = (by + 1) * cell - half
            for a in range(max(by - 1, 0), min(by + 3, n + 1)):
                for b in range(max(bx - 1, 0), min(bx + 3, n + 1)):
                    cells[a, b] = 0
    return result
