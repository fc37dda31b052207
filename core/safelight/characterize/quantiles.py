"""Order statistics for use inside compiled loops."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled

__all__ = ["clipped_mean", "order_statistic"]


@compiled
def order_statistic(values: NDArray[np.float32], n: int, k: int) -> float:
    """The k-th smallest of the first `n` of `values`, which are reordered (Hoare's selection)."""
    low, high = 0, n - 1
    while low < high:
        pivot = values[(low + high) >> 1]
        i, j = low, high
        while i <= j:
            while values[i] < pivot:
                i += 1
            while values[j] > pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return float(values[k])


@compiled
def clipped_mean(
    values: NDArray[np.float32], n: int, n_sigma: float, n_iterations: int, scratch: NDArray[np.float32]
) -> tuple[float, float, int]:
    """Mean, scatter and count of the first `n` of `values` within `n_sigma` of their middle.

    The first limits come from the quartiles of at most 512 values copied to `scratch`; later ones from the mean and
    scatter of what was kept. `values` must be finite.
    """
    if n == 0:
        return np.nan, np.nan, 0
    m = min(n, 512)
    step = n // m
    for i in range(m):
        scratch[i] = values[i * step]
    upper = order_statistic(scratch, m, (3 * m) // 4)
    middle = order_statistic(scratch, m, m // 2)
    lower = order_statistic(scratch, m, m // 4)
    origin = np.float32(middle)
    middle = float(origin)
    mean, sigma = middle, 0.7413 * (upper - lower)
    kept = n
    for _ in range(n_iterations):
        low, high = np.float32(mean - n_sigma * sigma), np.float32(mean + n_sigma * sigma)
        # Single precision runs on wide registers; deviations from the middle keep its rounding harmless.
        sum1, sum2, count = np.float32(0.0), np.float32(0.0), 0
        for i in range(n):
            v = values[i]
            inside = (v >= low) & (v <= high)
            d = v - origin if inside else np.float32(0.0)
            sum1 += d
            sum2 += d * d
            count += inside
        total, squares = float(sum1), float(sum2)
        if count == 0:
            break
        mean = middle + total / count
        sigma = np.sqrt(max(squares / count - (total / count) ** 2, 0.0))
        if count == kept:
            break
        kept = count
    return mean, sigma, kept
