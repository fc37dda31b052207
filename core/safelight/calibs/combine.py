"""Clipped combination of many frames, pixel by pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["clipped_mean"]

_MAD_TO_SIGMA = 1.482602


def clipped_mean(
    stack: NDArray[np.float32],
    floor_constant: float,
    floor_slope: float,
    *,
    n_sigma: float = 3.0,
    rounds: int = 5,
) -> tuple[FloatImage, FloatImage, NDArray[np.int16]]:
    """Mean of the values of each pixel after clipping around their median.

    A value is left out when it is farther from the median than `n_sigma` times the larger of the width (median absolute
    deviation) of the values kept so far and the noise that one frame is expected to have, sqrt(floor_constant +
    floor_slope · median). The width of a few values is a poor estimate; without the expected noise, good values of
    small stacks would be clipped, and with a width that is not robust the outlier itself would hide in a small stack.

    Parameters
    ----------
    stack : (n frames, height, width) float32; values that are not finite do not count
    floor_constant, floor_slope : variance of one frame at level zero, and its growth with the level

    Returns
    -------
    mean, variance of the mean, number of values kept : (height, width) each. The variance is the sample's over the
        number kept; for fewer than three values it is the expected one. Pixels without any value are NaN, NaN, 0.
    """
    shape = stack.shape[1:]
    mean, variance = np.empty(shape, np.float32), np.empty(shape, np.float32)
    count = np.empty(shape, np.int16)
    _combine(stack, floor_constant, floor_slope, n_sigma, rounds, mean, variance, count)
    return mean, variance, count


@compiled
def _combine(
    stack: NDArray[np.float32],
    floor_constant: float,
    floor_slope: float,
    n_sigma: float,
    rounds: int,
    mean: FloatImage,
    variance: FloatImage,
    count: NDArray[np.int16],
) -> None:
    n_frames, height, width = stack.shape
    values = np.empty(n_frames, np.float32)
    for y in range(height):
        for x in range(width):
            n = 0
            for k in range(n_frames):
                value = stack[k, y, x]
                if np.isfinite(value):
                    # Insertion keeps the values ordered: stacks are short.
                    place = n
                    while place > 0 and values[place - 1] > value:
                        values[place] = values[place - 1]
                        place -= 1
                    values[place] = value
                    n += 1
            if n == 0:
                mean[y, x], variance[y, x], count[y, x] = np.nan, np.nan, 0
                continue
            low, high = 0, n
            for _ in range(rounds):
                centre = _median(values, low, high)
                noise = np.sqrt(max(floor_constant + floor_slope * max(centre, 0.0), 0.0))
                width_ = _MAD_TO_SIGMA * _median_deviation(values, low, high, centre)
                reach = n_sigma * max(noise, width_)
                new_low, new_high = low, high
                while new_low < high - 1 and values[new_low] < centre - reach:
                    new_low += 1
                while new_high > new_low + 1 and values[new_high - 1] > centre + reach:
                    new_high -= 1
                if new_low == low and new_high == high:
                    break
                low, high = new_low, new_high
            kept = high - low
            total = 0.0
            for k in range(low, high):
                total += values[k]
            average = total / kept
            squares = 0.0
            for k in range(low, high):
                squares += (values[k] - average) ** 2
            expected = max(floor_constant + floor_slope * max(average, 0.0), 0.0)
            mean[y, x], count[y, x] = average, kept
            variance[y, x] = (squares / (kept - 1) if kept > 2 else expected) / kept


@compiled
def _median(ordered: NDArray[np.float32], low: int, high: int) -> float:
    n = high - low
    return float(0.5 * (ordered[low + (n - 1) // 2] + ordered[low + n // 2]))


@compiled
def _median_deviation(ordered: NDArray[np.float32], low: int, high: int, centre: float) -> float:
    """Median absolute deviation from `centre`, by walking outwards from it: the values are ordered already."""
    n = high - low
    left = low + (n - 1) // 2
    right = left + 1
    lower = upper = 0.0
    for rank in range(n // 2 + 1):
        to_left = centre - ordered[left] if left >= low else np.inf
        to_right = ordered[right] - centre if right < high else np.inf
        if to_left <= to_right:
            upper = to_left
            left -= 1
        else:
            upper = to_right
            right += 1
        if rank == (n - 1) // 2:
            lower = upper
    return float(0.5 * (lower + upper))
