"""The vote: which shift, for which small rotation and scale, brings most pairs (source, reference) together.

Every pair votes for the shift that would make it a match; at the true rotation and scale the true pairs pile up in one
cell of the shift plane while chance pairs spread over all of it. Used where orientation and scale are known to some
degrees and percent.

The pairs are counted in blocks of the frame, each so small that only a few rotations and scales need to be told apart
within it; a finer rotation or scale of the whole frame only shifts the blocks' planes against each other before they
are added. (The tree summations of radio pulsar searches rest on the same.) So the pairs are gone through a few times in
place of hundreds, and no block has more than its share of the votes: a cluster or a trail does not outvote the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.compiled import compiled

__all__ = ["Candidate", "VoteLimits", "vote"]

STEP = 0.85  # cells by which a step of rotation or scale moves the frame's corner
BLOCKS = 32  # about so many
COARSE_STEP = 0.8  # cells by which a step of rotation or scale moves the corner of a block
VECTOR = 128  # cells in a row are a multiple of this, so that vector instructions take all of them
STRIP_ROWS = 24  # of the shift plane, done at a time: the blocks' strips stay in the processor's cache
LOOKED_AT = 10_000  # highest rows, over all transformations, among which candidates are told apart

ByteArray = NDArray[np.uint8]
ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class VoteLimits:
    """What is tried, and how finely."""

    max_rotation: float  # radians
    max_scale_error: float  # largest |scale - 1|
    frame_radius: float  # half the frame's diagonal, arcsec
    cell: float  # size of a cell of the shift plane, arcsec
    max_shift: float  # in either axis, arcsec

    @property
    def half(self) -> float:
        """Half the side of the shift plane, arcsec."""
        return self.max_shift + self.cell

    @property
    def step(self) -> float:
        """Of rotation (radians) and scale: half a step moves the corner of the frame by 0.4 cells."""
        return STEP * self.cell / self.frame_radius

    @property
    def rotations(self) -> FloatArray:
        """All that are tried, radians."""
        return _grid(self.max_rotation, self.step)

    @property
    def scales(self) -> FloatArray:
        """All that are tried."""
        return 1.0 + _grid(self.max_scale_error, self.step)

    @property
    def additions(self) -> float:
        """Of one cell to another that a vote takes."""
        return BLOCKS * (2.0 * self.half / self.cell) ** 2 * len(self.rotations) * len(self.scales)

    @property
    def passes(self) -> float:
        """About how often a vote goes through all pairs."""
        radius = 2.0 * self.frame_radius / math.sqrt(BLOCKS)
        together = max(COARSE_STEP * self.cell / radius / self.step, 1.0)
        return math.ceil(len(self.rotations) / together) * math.ceil(len(self.scales) / together)


@dataclass(frozen=True, slots=True)
class Candidate:
    """xi + i eta = factor (p + i q) + shift."""

    votes: int
    factor: complex
    shift: complex


def _grid(largest: float, step: float) -> FloatArray:
    """Rotations (radians) or fractional scale errors, symmetric about 0, out to at least `largest`."""
    n = max(math.ceil(largest / step - 0.5), 0)
    return np.arange(-n, n + 1, dtype=np.float64) * step


def vote(p: FloatArray, q: FloatArray, xi: FloatArray, eta: FloatArray, limits: VoteLimits, n: int) -> list[Candidate]:
    """The `n` candidates with most votes, each solution once.

    Parameters
    ----------
    p, q
        Sources in the first WCS's plane, arcsec.
    xi, eta
        References in the same plane, arcsec.
    limits
        The range of rotations, scales and shifts.
    n
        How many.
    """
    block, block_p, block_q = _blocks(p, q)
    radius = max(float(np.hypot(p - block_p[block], q - block_q[block]).max(initial=0.0)), limits.cell)
    together = max(int(COARSE_STEP * limits.cell / radius / limits.step), 1)  # fine steps within a coarse one
    order = np.argsort(eta)  # so that the references within reach of a source follow one another
    by_block = np.argsort(block, kind="stable")
    starts = np.searchsorted(block[by_block], np.arange(len(block_p) + 1))
    sources, references = p[by_block] + 1j * q[by_block], xi[order] + 1j * eta[order]
    tables, factors = [], []
    for some_rotations in _portions(limits.rotations, together):
        for some_scales in _portions(limits.scales, together):
            factor = np.ravel(some_scales[:, None] * np.exp(1j * some_rotations))
            middle = complex(some_scales.mean() * np.exp(1j * some_rotations.mean()))
            shifts = np.multiply.outer(factor - middle, block_p + 1j * block_q) / limits.cell
            moves = np.stack([np.rint(shifts.imag), np.rint(shifts.real)]).astype(np.int64)
            tables.append(_count(sources, starts, references, middle, moves, limits.cell, limits.half))
            factors.append(factor)
    return _distinct(np.concatenate(tables), np.concatenate(factors), limits, n)


def _portions(values: FloatArray, most: int) -> list[FloatArray]:
    """Consecutive portions of nearly equal length, none longer than `most`."""
    return np.array_split(values, math.ceil(len(values) / most))


def _blocks(p: FloatArray, q: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """The block of each source, and the middles of blocks: about `BLOCKS`, nearly square, less the empty ones."""
    width, height = float(np.ptp(p)) + 1e-6, float(np.ptp(q)) + 1e-6
    columns = min(max(round(math.sqrt(BLOCKS * width / height)), 1), BLOCKS)
    rows = min(max(round(BLOCKS / columns), 1), BLOCKS)
    column = np.minimum(((p - p.min()) / width * columns).astype(np.int64), columns - 1)
    row = np.minimum(((q - q.min()) / height * rows).astype(np.int64), rows - 1)
    number, block = np.unique(row * columns + column, return_inverse=True)
    middle_p = p.min() + (number % columns + 0.5) * width / columns
    middle_q = q.min() + (number // columns + 0.5) * height / rows
    return block, middle_p, middle_q


def _distinct(table: IntArray, factors: ComplexArray, limits: VoteLimits, n: int) -> list[Candidate]:
    """The highest of rows (votes, column) of the planes [transformation, row], without those near a higher one."""
    votes = table[:, :, 0].ravel()
    head = np.argsort(-votes, kind="stable")[:LOOKED_AT]
    head = head[votes[head] > 0]
    transformation, row = np.divmod(head, table.shape[1])
    column = table[transformation, row, 1]
    factor = factors[transformation]
    shift = (column + 1j * row + (1 + 1j)) * limits.cell - limits.half * (1 + 1j)
    left = np.ones(len(head), dtype=np.bool_)
    found: list[Candidate] = []
    while len(found) < n and left.any():
        best = int(np.argmax(left))
        found.append(Candidate(int(votes[head[best]]), complex(factor[best]), complex(shift[best])))
        apart = np.abs(shift - shift[best]) + limits.frame_radius * np.abs(factor - factor[best])
        left &= apart > 4.0 * limits.cell
    return found


@compiled
def _count_pairs(
    sources: ComplexArray,
    starts: IntArray,
    references: ComplexArray,
    factor: complex,
    cell: float,
    corner: complex,
    pairs: ByteArray,
) -> None:
    """Add to `pairs` [block, row, column] those whose shift is in its cells, which begin at `corner`."""
    rows, columns = pairs.shape[1], pairs.shape[2]
    width, height, inverse = columns * cell, rows * cell, 1.0 / cell
    eta = references.imag
    for b in range(pairs.shape[0]):
        for i in range(starts[b], starts[b + 1]):
            least = factor * sources[i] + corner
            for j in range(np.searchsorted(eta, least.imag), eta.size):
                dy = eta[j] - least.imag
                if dy >= height:
                    break
                dx = references[j].real - least.real
                if dx >= 0.0 and dx < width:
                    row, column = min(int(dy * inverse), rows - 1), min(int(dx * inverse), columns - 1)
                    if pairs[b, row, column] < 255:
                        pairs[b, row, column] += 1


@compiled
def _smooth(pairs: ByteArray, most: int, squares: ByteArray) -> None:
    """Sums of 2 x 2 cells, so that a peak cut by a border of cells counts whole; none above `most`."""
    for b in range(squares.shape[0]):
        for y in range(squares.shape[1]):
            for x in range(squares.shape[2]):
                total = (
                    np.uint16(pairs[b, y, x])
                    + np.uint16(pairs[b, y, x + 1])
                    + np.uint16(pairs[b, y + 1, x])
                    + np.uint16(pairs[b, y + 1, x + 1])
                )
                squares[b, y, x] = min(total, np.uint16(most))


@compiled
def _add_blocks(squares: ByteArray, rows: IntArray, columns: IntArray, total: ByteArray) -> None:
    """Sum over blocks of total.size cells, from (row, column) of each block."""
    n, blocks = total.size, squares.shape[0]
    total[:] = 0
    fours = blocks - blocks % 4
    for b in range(0, fours, 4):  # four at a time: a third of the loads and stores
        one = squares[b, rows[b], columns[b] : columns[b] + n]
        two = squares[b + 1, rows[b + 1], columns[b + 1] : columns[b + 1] + n]
        three = squares[b + 2, rows[b + 2], columns[b + 2] : columns[b + 2] + n]
        four = squares[b + 3, rows[b + 3], columns[b + 3] : columns[b + 3] + n]
        for x in range(n):
            total[x] += one[x] + two[x] + three[x] + four[x]
    for b in range(fours, blocks):
        one = squares[b, rows[b], columns[b] : columns[b] + n]
        for x in range(n):
            total[x] += one[x]


@compiled
def _count(
    sources: ComplexArray,
    starts: IntArray,
    references: ComplexArray,
    factor: complex,
    moves: IntArray,
    cell: float,
    half: float,
) -> IntArray:
    """Most votes and their column for [transformation, row of the shift plane].

    `moves` [2, transformation, block] is where, in cells, the plane of a block is read for a transformation.
    """
    n = int(2.0 * half / cell) + 1
    transformations, blocks = moves.shape[1], moves.shape[2]
    margin = int(np.abs(moves).max()) + 1
    result = np.zeros((transformations, n, 2), np.int64)
    most = 255 // blocks
    height = min(STRIP_ROWS, n)
    width = (n + VECTOR - 1) // VECTOR * VECTOR
    pairs = np.empty((blocks, height + 2 * margin + 1, width + 2 * margin + 1), np.uint8)
    squares = np.empty((blocks, height + 2 * margin, width + 2 * margin), np.uint8)
    total = np.empty(width, np.uint8)
    for first in range(0, n, height):
        pairs[:] = 0
        corner = complex(-half - margin * cell, -half + (first - margin) * cell)
        _count_pairs(sources, starts, references, factor, cell, corner, pairs)
        _smooth(pairs, most, squares)
        for k in range(transformations):
            for row in range(first, min(first + height, n)):
                _add_blocks(squares, row - first + margin + moves[0, k], margin + moves[1, k], total)
                best = total[:n].max()
                result[k, row, 0] = best
                for x in range(n):
                    if total[x] == best:
                        result[k, row, 1] = x
                        break
    return result
