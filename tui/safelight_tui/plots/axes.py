"""Ranges, round numbers for ticks, and the frame of a plot."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Axis", "clock_labels", "drawable", "range_of", "ticks"]

_CLOCK_STEPS = (1, 2, 5, 10, 15, 20, 30, 60, 120, 180, 240, 360, 720, 1440)  # minutes


def drawable(values: ArrayLike) -> NDArray[np.float64]:
    """A copy as float64, NaN for what no scale can show: infinities, and numbers beyond 1e30."""
    array = np.array(values, np.float64)
    array[~(np.abs(array) < 1e30)] = np.nan
    return array


def range_of(arrays: Iterable[NDArray[np.floating]], margin: float = 0.05) -> tuple[float, float] | None:
    """Least and greatest finite values with a margin on both sides; None without any."""
    finite = [array[np.isfinite(array)] for array in arrays]
    joined = np.concatenate(finite) if finite else np.zeros(0)
    if not len(joined):
        return None
    low, high = float(joined.min()), float(joined.max())
    if high - low <= 1e-12 * max(abs(low), abs(high)):
        room = abs(low) * 0.1 if abs(low) > 1e-30 else 1.0
        return low - room, high + room
    room = (high - low) * margin
    return low - room, high + room


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most `most` round numbers (1, 2 or 5 times a power of ten apart) from `low` to `high`."""
    if not (math.isfinite(low) and math.isfinite(high)) or high <= low or most < 1:
        return []
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10, 20, 50):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            return [number * step for number in range(first, last + 1)]
    return []


def clock_labels(low: float, high: float, most: int) -> list[tuple[float, str]]:
    """At most `most` round times of day, ``HH:MM``, between two numbers of hours (24 and more: the next day)."""
    for step in _CLOCK_STEPS:
        first, last = math.ceil(60 * low / step - 1e-9), math.floor(60 * high / step + 1e-9)
        if last - first + 1 <= most:
            minutes = [number * step for number in range(first, last + 1)]
            return [(minute / 60, f"{minute // 60 % 24:02d}:{minute % 60:02d}") for minute in minutes]
    return []


@dataclass(frozen=True, slots=True)
class Axis:
    """A range drawn over a number of dots.

    Parameters
    ----------
    low, high : float
        Values at the first and the last dot.
    dots : int
    reversed : bool
        `high` comes first: magnitudes, and every y axis, which counts dots from the top.
    """

    low: float
    high: float
    dots: int
    reversed: bool = False

    def place(self, values: NDArray[np.floating] | float) -> NDArray[np.float64]:
        """Dot positions of values."""
        part = (np.asarray(values, np.float64) - self.low) / (self.high - self.low)
        return (1.0 - part if self.reversed else part) * (self.dots - 1)

    def labels(self, most: int) -> list[tuple[float, str]]:
        """Round numbers in the range, each as text with as many decimals as their step needs."""
        values = ticks(self.low, self.high, most)
        if not values:
            return []
        step = values[1] - values[0] if len(values) > 1 else abs(values[0]) or 1.0
        large = max(abs(value) for value in values)
        if large >= 1e6 or (0 < large < 1e-4):
            return [(value, f"{value:.2g}") for value in values]
        decimals = max(0, -math.floor(math.log10(step) + 1e-9))
        return [(value, f"{value + 0.0:.{decimals}f}") for value in values]
