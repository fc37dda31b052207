"""Filling of bad pixels from their good neighbours.

A bad pixel is filled along its row or its column, whichever way the run of bad pixels is shorter (rows on a tie), from
the two good pixels on each side. Up to `LONGEST` pixels the weights are the unbiased linear prediction of a field with
the correlation of a Gaussian PSF and some noise (ordinary kriging; Rybicki & Press 1992, ApJ 398, 169); for a PSF of
2.1 pixels and little noise they are LSST Gen2's constants 0.77, 0.77, -0.27, -0.27. In longer runs, and at the edge of
the frame, the sides lose their say with distance, and what they lose goes to the frame's median.

The fill has no noise of its own, so the variance becomes the mean variance of the pixels it was made from: a fill is no
better measurement than its neighbours were, and INTRP says that it is none.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage

__all__ = ["LONGEST", "interpolate", "prediction_weights"]

#: Longest run that is filled by linear prediction.
LONGEST = 10
#: Distance in pixels at which a side has lost its say in longer runs; at LONGEST + 1 both sides still add up to one.
_REACH = LONGEST + 2
#: Least variance of pixel noise over that of the field. More is assumed where the fill would else be noisier than a
#: measured pixel, which long runs between noisy pixels would be.
_LEAST_NOISE = 0.01
_PIXELS_PER_SIDE = 2
_FWHM_TO_SIGMA = 1.0 / 2.354820


def interpolate(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    bad_bits: int,
    interpolated_bit: int,
    *,
    fwhm_pixels: float,
    fallback: float,
    fallback_variance: float,
) -> int:
    """Fill the pixels of `image` and `variance` [y, x] that have any of `bad_bits`, and set `interpolated_bit` on them.

    `fwhm_pixels` is the width of the PSF; `fallback` (ADU) and `fallback_variance` (ADU²) stand for the sky where no
    good pixel is near. Returns the number of filled pixels.
    """
    table = _weight_table(round(max(fwhm_pixels, 1.5), 3))
    return int(_interpolate(image, variance, mask, bad_bits, interpolated_bit, table, fallback, fallback_variance))


@lru_cache(maxsize=8)
def _weight_table(fwhm_pixels: float) -> NDArray[np.float64]:
    """(run length, place in the run, pixel) -> weight; pixels are left 2nd, left 1st, right 1st, right 2nd."""
    table = np.zeros((LONGEST + 1, LONGEST, 2 * _PIXELS_PER_SIDE))
    for length in range(1, LONGEST + 1):
        for place in range(length):
            noise = _LEAST_NOISE
            weights = prediction_weights(length, place, fwhm_pixels, noise)
            while np.sum(weights**2) > 1.0:
                noise *= 1.2
                weights = prediction_weights(length, place, fwhm_pixels, noise)
            table[length, place] = weights
    return table


def prediction_weights(length: int, place: int, fwhm_pixels: float, noise: float = _LEAST_NOISE) -> NDArray[np.float64]:
    """Weights (4,) of the pixels at -2, -1, `length`, `length` + 1 that predict pixel `place` of 0 … `length` - 1.

    They minimise the expected square error for the correlation exp(-d²/(4 sigma²)) of a Gaussian PSF plus pixel noise
    of `noise` times the field's variance, and add up to one.
    """
    known = np.array([-2.0, -1.0, length, length + 1.0])
    scale = 4.0 * (fwhm_pixels * _FWHM_TO_SIGMA) ** 2
    system = np.ones((5, 5))
    system[:4, :4] = np.exp(-((known[:, None] - known) ** 2) / scale) + noise * np.eye(4)
    system[4, 4] = 0.0
    target = np.ones(5)
    target[:4] = np.exp(-((known - place) ** 2) / scale)
    return np.asarray(np.linalg.solve(system, target)[:4], dtype=np.float64)


@compiled
def _interpolate(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    bad_bits: int,
    interpolated_bit: int,
    table: NDArray[np.float64],
    fallback: float,
    fallback_variance: float,
) -> int:
    ys, xs = _positions(mask, bad_bits)
    # Filled values are kept aside until all are known: a fill must never be made from another fill.
    values, noises = np.empty(len(ys), np.float32), np.empty(len(ys), np.float32)
    for k in range(len(ys)):
        y, x = ys[k], xs[k]
        left, right, by_row = _run(mask[y], x, bad_bits)
        low, high, by_column = _run(mask[:, x], y, bad_bits)
        if by_row and (right - left <= high - low or not by_column):
            values[k], noises[k] = _fill(
                image[y], variance[y], mask[y], bad_bits, left, x, right, table, fallback, fallback_variance
            )
        elif by_column:
            values[k], noises[k] = _fill(
                image[:, x], variance[:, x], mask[:, x], bad_bits, low, y, high, table, fallback, fallback_variance
            )
        else:
            values[k], noises[k] = fallback, fallback_variance
    for k in range(len(ys)):
        image[ys[k], xs[k]] = values[k]
        variance[ys[k], xs[k]] = noises[k]
        mask[ys[k], xs[k]] |= interpolated_bit
    return len(ys)


@compiled
def _positions(mask: MaskImage, bits: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    height, width = mask.shape
    count = 0
    for y in range(height):
        for x in range(width):
            if mask[y, x] & bits:
                count += 1
    ys, xs = np.empty(count, np.int32), np.empty(count, np.int32)
    k = 0
    for y in range(height):
        for x in range(width):
            if mask[y, x] & bits:
                ys[k], xs[k] = y, x
                k += 1
    return ys, xs


@compiled
def _run(line: NDArray[Any], place: int, bits: int) -> tuple[int, int, bool]:
    """First bad pixel of the run around `place`, the first good one after it, and whether either end was reached.

    Pixels from which no side is heard any more are not looked at: large dead areas stay cheap.
    """
    start = place
    while start > 0 and place - start < _REACH and line[start - 1] & bits:
        start -= 1
    end = place + 1
    while end < len(line) and end - place < _REACH and line[end] & bits:
        end += 1
    return start, end, _is_good(line, start - 1, bits) or _is_good(line, end, bits)


@compiled
def _is_good(line: NDArray[Any], place: int, bits: int) -> bool:
    return 0 <= place < len(line) and line[place] & bits == 0


@compiled
def _side(
    line: NDArray[Any], noise: NDArray[np.float32], flags: NDArray[np.int32], bits: int, near: int, step: int
) -> tuple[Any, Any, Any, Any]:
    """Nearest and second good pixel of a side and their variances; the nearest twice where there is no second."""
    second = near + step
    if second < 0 or second >= len(line) or flags[second] & bits:
        second = near
    return line[near], line[second], noise[near], noise[second]


@compiled
def _fill(
    line: NDArray[Any],
    noise: NDArray[np.float32],
    flags: NDArray[np.int32],
    bits: int,
    start: int,
    place: int,
    end: int,
    table: NDArray[np.float64],
    fallback: float,
    fallback_variance: float,
) -> tuple[Any, Any]:
    length = end - start
    has_left, has_right = _is_good(flags, start - 1, bits), _is_good(flags, end, bits)
    left1 = left2 = right1 = right2 = 0.0
    vl1 = vl2 = vr1 = vr2 = 0.0
    if has_left:
        left1, left2, vl1, vl2 = _side(line, noise, flags, bits, start - 1, -1)
    if has_right:
        right1, right2, vr1, vr2 = _side(line, noise, flags, bits, end, 1)
    if has_left and has_right and length <= LONGEST:
        w = table[length, place - start]
        value = w[0] * left2 + w[1] * left1 + w[2] * right1 + w[3] * right2
        return np.float32(value), np.float32(0.25 * (vl1 + vl2 + vr1 + vr2))
    to_left = max(0.0, 1.0 - (place - start + 1) / _REACH) if has_left else 0.0
    to_right = max(0.0, 1.0 - (end - place) / _REACH) if has_right else 0.0
    rest = 1.0 - to_left - to_right
    value = 0.5 * (to_left * (left1 + left2) + to_right * (right1 + right2)) + rest * fallback
    spread = 0.5 * (to_left * (vl1 + vl2) + to_right * (vr1 + vr2)) + rest * fallback_variance
    return np.float32(value), np.float32(spread)
