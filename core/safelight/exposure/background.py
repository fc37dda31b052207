"""The sky of one CCD as a coarse mesh of levels with a smooth surface through it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.exposure.exposure import FloatImage

__all__ = ["BackgroundModel", "spline_basis"]

#: Rows evaluated together: small enough for the strip to stay in the processor's cache.
_STRIP = 64


def spline_basis(nodes: NDArray[np.float64], positions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Weights that evaluate the natural cubic spline through `nodes` at `positions`.

    Parameters
    ----------
    nodes : (n,) increasing node positions
    positions : (m,) positions to evaluate at; outside the nodes the spline goes on as a straight line

    Returns
    -------
    (m, n) float32 : ``weights @ values`` are the spline's values; one node gives a constant.
    """
    from scipy.interpolate import CubicSpline

    if len(nodes) == 1:
        return np.ones((len(positions), 1), dtype=np.float32)
    splines = CubicSpline(nodes, np.eye(len(nodes)), axis=0, bc_type="natural")
    inside = np.clip(positions, nodes[0], nodes[-1])
    # A cubic run on beyond its last node swings away; a straight line does not.
    weights = splines(inside) + splines(inside, 1) * (positions - inside)[:, None]
    return np.asarray(weights, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class BackgroundModel:
    """Sky levels at cell centres, with a natural bicubic spline through them.

    The sky that was taken off an exposure is the sum of the models in its list.
    """

    levels: NDArray[np.float32]  # (n_y, n_x), ADU
    rms: NDArray[np.float32]  # (n_y, n_x), ADU, scatter of one pixel in each cell; NaN where the level was filled in
    y_centres: NDArray[np.float64]  # (n_y,), pixels
    x_centres: NDArray[np.float64]  # (n_x,), pixels

    def image(self, shape: tuple[int, int]) -> FloatImage:
        """The sky in ADU of a frame of that (height, width), float32."""
        result = np.zeros(shape, dtype=np.float32)
        self.add_to(result, 1.0)
        return result

    def add_to(self, image: FloatImage, factor: float) -> None:
        """Add `factor` times the sky to `image` in place; -1 subtracts it."""
        height, width = image.shape
        along_y = spline_basis(self.y_centres, np.arange(height, dtype=np.float64))
        along_x = spline_basis(self.x_centres, np.arange(width, dtype=np.float64))
        rows = (along_y @ self.levels.astype(np.float32)) * np.float32(factor)
        columns = np.ascontiguousarray(along_x.T)
        strip = np.empty((min(_STRIP, height), width), dtype=np.float32)
        for y0 in range(0, height, _STRIP):
            y1 = min(y0 + _STRIP, height)
            image[y0:y1] += np.matmul(rows[y0:y1], columns, out=strip[: y1 - y0])

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
        """The sky in ADU at pixel positions (x, y), both of shape (n,)."""
        along_y = spline_basis(self.y_centres, np.asarray(y, dtype=np.float64))
        along_x = spline_basis(self.x_centres, np.asarray(x, dtype=np.float64))
        return np.asarray(np.einsum("kj,ji,ki->k", along_y, self.levels, along_x), dtype=np.float64)
