"""Kron fluxes: light within a multiple of the first-moment radius (Kron 1980), in ellipses of the source's shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.neighbours import mirror_of, own_value
from safelight.characterize.point_sources import NO_SOURCES, PointSources, add_own
from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["KronFluxes", "measure_kron"]


@dataclass(frozen=True, slots=True)
class KronFluxes:
    """One row per source, arrays of shape (n,)."""

    flux: NDArray[np.float64]  # ADU; NaN where the ellipse leaves the frame
    flux_err: NDArray[np.float64]
    radius: NDArray[np.float64]  # first-moment radius, pixels, of the circle of the ellipse's area
    used_minimum: NDArray[np.bool_]  # the radius was below the PSF's and has been raised to it
    bad_radius: NDArray[np.bool_]  # no radius could be measured; the PSF's is used


@compiled
def _measure_kron(
    image: FloatImage,
    sources: PointSources,
    variance: FloatImage,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    xs: NDArray[np.float64],
    ys: NDArray[np.float64],
    xx: NDArray[np.float64],
    yy: NDArray[np.float64],
    xy: NDArray[np.float64],
    minimum: float,
    radii_for_flux: float,
    sigma_for_radius: float,
    values: NDArray[np.float64],
    flags: NDArray[np.bool_],
) -> None:
    height, width = image.shape
    for s in range(xs.size):
        add_own(image, sources, first[s], last[s], 1.0)
        cx, cy = xs[s], ys[s]
        mirror_x, mirror_y = mirror_of(cx), mirror_of(cy)
        det = max(xx[s] * yy[s] - xy[s] * xy[s], 1e-6)
        scale = np.sqrt(det)
        # r² = ixx dx² + iyy dy² + 2 ixy dx dy is the squared radius of the circle of the ellipse's area.
        ixx, iyy, ixy = yy[s] / scale, xx[s] / scale, -xy[s] / scale
        stretch_x, stretch_y = np.sqrt(xx[s] / scale), np.sqrt(yy[s] / scale)
        radius = minimum
        flags[0, s] = flags[1, s] = False
        for step in range(2):
            limit = sigma_for_radius * np.sqrt(scale) if step == 0 else radii_for_flux * radius
            reach_x, reach_y = int(limit * stretch_x + 1.5), int(limit * stretch_y + 1.5)
            left, right = int(cx + 0.5) - reach_x, int(cx + 0.5) + reach_x + 1
            bottom, top = int(cy + 0.5) - reach_y, int(cy + 0.5) + reach_y + 1
            light, moment, noise = 0.0, 0.0, 0.0
            for y in range(max(0, bottom), min(height, top)):
                dy = y - cy
                for x in range(max(0, left), min(width, right)):
                    dx = x - cx
                    r = np.sqrt(max(ixx * dx * dx + iyy * dy * dy + 2 * ixy * dx * dy, 0.0))
                    share = min(max(limit + 0.5 - r, 0.0), 1.0)
                    if share > 0:
                        value = share * own_value(image, labels, y, x, first[s], last[s], mirror_x, mirror_y)
                        light += value
                        moment += r * value
                        noise += share * share * variance[y, x]
            if step == 0:
                if light > 0 and moment > 0:
                    radius = min(moment / light, limit)
                else:
                    flags[1, s] = True
                if radius < minimum:
                    radius = minimum
                    flags[0, s] = True
            else:
                inside = (
                    cx - limit * stretch_x > -0.5 and cx + limit * stretch_x < width - 0.5
                    and cy - limit * stretch_y > -0.5 and cy + limit * stretch_y < height - 0.5
                )  # fmt: skip
                values[0, s] = light if inside else np.nan
                values[1, s] = np.sqrt(noise) if inside else np.nan
                values[2, s] = radius
        add_own(image, sources, first[s], last[s], -1.0)


def measure_kron(
    image: FloatImage,
    variance: FloatImage,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    moments: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    *,
    minimum_radius: float,
    radii_for_flux: float,
    sigma_for_radius: float,
    sources: PointSources = NO_SOURCES,
) -> KronFluxes:
    """Kron fluxes of sources at (x, y) with second `moments` (xx, yy, xy).

    Parameters are as in `safelight.characterize.shapes.measure_shapes`; `minimum_radius` (pixels) is that of the PSF,
    below which no radius goes.
    """
    n = len(x)
    values = np.empty((3, n))
    flags = np.empty((2, n), dtype=np.bool_)
    _measure_kron(
        image, sources, variance, labels, first, last, x, y, *moments, minimum_radius, radii_for_flux,
        sigma_for_radius, values, flags,
    )  # fmt: skip
    return KronFluxes(values[0], values[1], values[2], flags[0], flags[1])
