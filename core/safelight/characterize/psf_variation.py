"""What stars say together about the PSF, where they are few or where others hide among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.quantiles import order_statistic
from safelight.compiled import compiled

__all__ = ["CUTS", "in_modes", "without_intruders"]

#: Stars' deviations are cut this often, at this many robust sigma.
CUTS, _SIGMA = 2, 2.0


@compiled
def _cut(
    values: NDArray[np.float32],
    predicted: NDArray[np.float32],
    scale: NDArray[np.float32],
    n_sigma: float,
    result: NDArray[np.float32],
) -> None:
    """`values` (n_pixels, n_stars) with deviations over 1 / `scale` (n_stars,) cut at `n_sigma` of each pixel's own."""
    n = scale.size
    size = np.empty(n, np.float32)
    for k in range(values.shape[0]):
        for s in range(n):
            size[s] = abs(values[k, s] - predicted[k, s]) * scale[s]
        limit = np.float32(n_sigma * 1.4826 * order_statistic(size, n, n // 2))
        for s in range(n):
            most = limit / scale[s]
            result[k, s] = predicted[k, s] + min(max(values[k, s] - predicted[k, s], -most), most)


def without_intruders(
    design: NDArray[np.float64], weight: NDArray[np.float64], stamps: NDArray[np.float32], rounds: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weighted least squares of `stamps` (n_stars, grid, grid), each pixel's deviations cut at 2 robust sigma.

    The light of stars too faint to be found, or too close, is always added and never subtracted: where stars crowd, a
    plain mean would take it for the PSF's wing. With no `rounds` nothing is cut. Returns the solution
    (n_terms, grid, grid) and the mean (grid, grid).
    """
    n, size, _ = stamps.shape
    values = np.ascontiguousarray(stamps.reshape(n, -1).T)
    weighted = design * weight[:, None]
    projection = (np.linalg.pinv(weighted.T @ design, rcond=1e-10) @ weighted.T).T.astype(np.float32)
    scale = np.sqrt(weight / weight.max()).astype(np.float32)
    terms = design.T.astype(np.float32)
    fitted = values
    for _ in range(rounds):
        predicted = np.asarray((fitted @ projection) @ terms, dtype=np.float32)
        fitted = np.empty_like(values)
        _cut(values, predicted, scale, _SIGMA, fitted)
    solution = (fitted @ projection).T.astype(np.float64)
    mean = fitted @ (weight / weight.sum()).astype(np.float32)
    return solution.reshape(-1, size, size), mean.reshape(size, size).astype(np.float64)


def in_modes(
    planes: NDArray[np.float64], mean: NDArray[np.float32], offsets: NDArray[np.float64], core: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """What of `planes` (n, grid, grid) is a change of the width and the ellipticity of the `mean` PSF in its `core`.

    A few stars know these three well everywhere on the CCD, and each pixel by itself badly.
    """
    from scipy.ndimage import correlate1d

    # Derivatives through nine points: differences of neighbours would blunt the core.
    half = np.array([4 / 5, -1 / 5, 4 / 105, -1 / 280]) / (offsets[1] - offsets[0])
    stencil = np.concatenate([-half[::-1], [0.0], half])
    by_y, by_x = (correlate1d(mean.astype(np.float64), stencil, axis=axis, mode="constant") for axis in (0, 1))
    x, y = offsets[None, :], offsets[:, None]
    # The PSF itself is one of them: a star that is wider than the model is also given less flux by the fit.
    modes = np.stack([mean, x * by_x + y * by_y, x * by_x - y * by_y, x * by_y + y * by_x])
    share = np.linalg.lstsq(modes[:, core].T, planes[:, core].T, rcond=None)[0]
    return np.asarray(np.tensordot(share.T, np.where(core, modes, 0.0), axes=1), dtype=np.float64)
