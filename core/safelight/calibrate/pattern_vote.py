"""The vote: which shift, for which small rotation and scale, brings most pairs (source, reference) together.

Every pair votes for the shift that would make it a match; at the true rotation and scale the true pairs pile up in one
cell of the shift plane while chance pairs spread over all of it. Used where orientation and scale are known to some
degrees and percent.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.compiled import compiled, inlined

__all__ = ["grid", "vote"]

PEAKS = 2  # peaks kept for each rotation and scale
STEP = 0.6  # cells by which a step of rotation or scale moves the frame's corner


def grid(largest: float, cell: float, frame_radius: float) -> FloatArray:
    """Rotations (radians) or fractional scale errors, symmetric about 0, out to at least `largest`.

    Fine enough that half a step moves the frame's corner by 0.3 cells.
    """
    step = STEP * cell / frame_radius
    n = max(math.ceil(largest / step - 0.5), 0)
    return np.arange(-n, n + 1, dtype=np.float64) * step


def vote(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    *,
    max_rotation: float,
    max_scale_error: float,
    frame_radius: float,
    cell: float,
    half: float,
) -> list[tuple[int, complex, complex]]:
    """Candidates (votes, factor, shift), most votes first, each once: xi + i eta = factor (p + i q) + shift.

    Parameters
    ----------
    p, q
        Sources in the first WCS's plane, arcsec.
    xi, eta
        References in the same plane, arcsec.
    max_rotation
        Largest rotation tried, radians.
    max_scale_error
        Largest |scale - 1| tried.
    frame_radius
        Half the frame's diagonal, arcsec.
    cell
        Size of a cell of the shift plane, arcsec.
    half
        Largest shift in either axis, arcsec.
    """
    rotations, scales = grid(max_rotation, cell, frame_radius), 1.0 + grid(max_scale_error, cell, frame_radius)
    order = np.argsort(eta)  # so that the references within reach of a source follow one another
    table = _vote(p, q, xi[order], eta[order], rotations, scales, cell, half)
    table = table[np.argsort(-table[:, 0], kind="stable")]
    found: list[tuple[int, complex, complex]] = []
    for votes, rotation, scale, dx, dy in table[table[:, 0] > 0][:400]:
        factor = scale * complex(math.cos(rotation), math.sin(rotation))
        shift = complex(dx, dy)
        if all(abs(shift - s) + frame_radius * abs(factor - f) > 4.0 * cell for _, f, s in found):
            found.append((int(votes), factor, shift))
    return found


@inlined
def _row_peaks(
    cells: NDArray[np.int32], first: int, last: int, highest: NDArray[np.int32], where: NDArray[np.int64]
) -> None:
    """For rows from `first` to before `last`, the highest sum of 2 x 2 cells and its column.

    Sums, so that a peak cut by a border of cells counts whole.
    """
    for a in range(first, last):
        best, column = 0, 0
        left = cells[a, 0] + cells[a + 1, 0]
        for b in range(cells.shape[1] - 1):
            right = cells[a, b + 1] + cells[a + 1, b + 1]
            if left + right > best:
                best, column = left + right, b
            left = right
        highest[a], where[a] = best, column


@compiled
def _vote(
    p: FloatArray,
    q: FloatArray,
    xi: FloatArray,
    eta: FloatArray,
    rotations: FloatArray,
    scales: FloatArray,
    cell: float,
    half: float,
) -> NDArray[np.float64]:
    """Rows (votes, rotation, scale, shift in xi, shift in eta); `eta` ascends."""
    n = int(2.0 * half / cell) + 1
    result = np.zeros((rotations.size * scales.size * PEAKS, 5))
    cells = np.empty((n + 1, n + 1), np.int32)
    highest, where = np.empty(n, np.int32), np.empty(n, np.int64)
    inverse, reach = 1.0 / cell, 2.0 * half
    row = 0
    for k in range(rotations.size):
        for m in range(scales.size):
            c, s = scales[m] * math.cos(rotations[k]), scales[m] * math.sin(rotations[k])
            cells[:] = 0
            for i in range(p.size):
                x = c * p[i] - s * q[i] - half
                y = s * p[i] + c * q[i] - half
                for j in range(np.searchsorted(eta, y), eta.size):
                    dy = eta[j] - y
                    if dy >= reach:
                        break
                    dx = xi[j] - x
                    if dx >= 0.0 and dx < reach:
                        cells[int(dy * inverse), int(dx * inverse)] += 1
            _row_peaks(cells, 0, n, highest, where)
            for _ in range(PEAKS):
                by = int(np.argmax(highest))
                bx, best = int(where[by]), int(highest[by])
                result[row, 0], result[row, 1], result[row, 2] = best, rotations[k], scales[m]
                result[row, 3], result[row, 4] = (bx + 1) * cell - half, (by + 1) * cell - half
                row += 1
                for a in range(max(by - 1, 0), min(by + 3, n + 1)):
                    for b in range(max(bx - 1, 0), min(bx + 3, n + 1)):
                        cells[a, b] = 0
                _row_peaks(cells, max(by - 2, 0), min(by + 3, n), highest, where)
    return result
