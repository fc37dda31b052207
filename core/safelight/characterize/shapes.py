"""Positions and shapes: windowed centroids, adaptive moments and the flux under the fitted Gaussian."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.neighbours import any_foreign, is_foreign, mirror_of, own_value
from safelight.characterize.point_sources import NO_SOURCES, PointSources, add_own
from safelight.compiled import compiled
from safelight.exposure import FloatImage

__all__ = ["Shapes", "adaptive_moments", "measure_shapes", "windowed_centroid"]

_MAX_ITERATIONS = 50


@dataclass(frozen=True, slots=True)
class Shapes:
    """One row per source, arrays of shape (n,); positions in pixels, moments in pixel², fluxes in ADU."""

    x: NDArray[np.float64]  # windowed centroid
    y: NDArray[np.float64]
    x_err: NDArray[np.float64]
    y_err: NDArray[np.float64]
    xx: NDArray[np.float64]  # adaptive moments, of the source as observed (not deconvolved)
    yy: NDArray[np.float64]
    xy: NDArray[np.float64]
    fisher: NDArray[np.float64]  # K = signal to noise squared of the Gaussian; the errors follow from it
    flux: NDArray[np.float64]  # amplitude times area of the adaptive Gaussian
    centroid_failed: NDArray[np.bool_]  # (x, y) is the peak pixel
    shape_failed: NDArray[np.bool_]  # the moments are those of the first weight

    @property
    def width(self) -> NDArray[np.float64]:
        """sqrt((xx + yy) / 2), pixels."""
        return np.asarray(np.sqrt(np.maximum(self.xx + self.yy, 0.0) / 2), dtype=np.float64)


@compiled
def _photon_noise_ratio(variance: FloatImage, x: int, y: int, distance: int) -> float:
    """Variance at (x, y) over the least of the four pixels at `distance` beside it, less 1; not negative."""
    height, width = variance.shape
    centre = variance[min(max(y, 0), height - 1), min(max(x, 0), width - 1)]
    least = centre
    for side in range(4):
        u = x + distance * ((side == 0) - (side == 1))
        v = y + distance * ((side == 2) - (side == 3))
        if u >= 0 and v >= 0 and u < width and v < height:
            least = min(least, variance[v, u])
    return float(centre / least - 1.0)


@compiled
def windowed_centroid(
    image: FloatImage,
    variance: FloatImage,
    labels: NDArray[np.int32],
    first: int,
    last: int,
    x0: float,
    y0: float,
    sigma: float,
) -> tuple[float, float, float, float, bool]:
    """Centroid in a window that follows it, starting at (x0, y0).

    Solves ``sum w I (r - c) = 0`` by Newton's method, with w = g / (1 + rho g), g a Gaussian of the PSF's width and rho
    the photon noise of the peak over that of the sky. For faint sources that is the windowed position of SExtractor,
    the best there; for bright ones, whose noise is their own light, the window opens as the best weight does.
    Foreign pixels are left out together with their mirror images, so that a neighbour does not pull.

    Returns
    -------
    x, y, x_err, y_err, ok
        Errors are propagated from the variance plane through the derivative of the same sum.
    """
    height, width = image.shape
    radius = int(np.ceil(4.0 * sigma)) + 1
    k, k2 = -0.5 / (sigma * sigma), 1.0 / (sigma * sigma)
    cx, cy = x0, y0
    rho = _photon_noise_ratio(variance, int(x0 + 0.5), int(y0 + 0.5), radius)
    reach = max(2.0, 1.5 * sigma)
    converged = False
    vxx, vyy = 0.0, 0.0
    hx, hy = 0.0, 0.0
    gauss_x = np.empty(2 * radius + 1)
    margin = radius + int(reach) + 1
    column, row = int(x0 + 0.5), int(y0 + 0.5)
    crowded = any_foreign(labels, row - margin, row + margin + 1, column - margin, column + margin + 1, first, last)
    for _ in range(30):
        left, right = max(0, int(cx + 0.5) - radius), min(width, int(cx + 0.5) + radius + 1)
        bottom, top = max(0, int(cy + 0.5) - radius), min(height, int(cy + 0.5) + radius + 1)
        total, sx, sy, dxx, dyy = 0.0, 0.0, 0.0, 0.0, 0.0
        vxx, vyy = 0.0, 0.0
        mirror_x, mirror_y = mirror_of(cx), mirror_of(cy)
        for x in range(left, right):
            gauss_x[x - left] = np.exp(k * (x - cx) * (x - cx))
        for y in range(bottom, top):
            dy = y - cy
            gauss_y = np.exp(k * dy * dy)
            for x in range(left, right):
                if crowded:
                    if is_foreign(labels, y, x, first, last):
                        continue
                    v, u = mirror_y - y, mirror_x - x
                    if v >= 0 and u >= 0 and v < height and u < width and is_foreign(labels, v, u, first, last):
                        continue
                dx = x - cx
                g = gauss_y * gauss_x[x - left]
                damping = 1.0 / (1.0 + rho * g)
                w = g * damping
                bend = k2 * w * damping  # of w r: how much the window's fall takes off its slope
                light = w * image[y, x]
                total += light
                sx += light * dx
                sy += light * dy
                dxx += bend * image[y, x] * dx * dx
                dyy += bend * image[y, x] * dy * dy
                noise = w * w * variance[y, x]
                vxx += noise * dx * dx
                vyy += noise * dy * dy
        # Minus the derivative of the sums; half of the total for a faint source as wide as the window.
        hx, hy = total - dxx, total - dyy
        if total <= 0 or hx < 0.1 * total or hy < 0.1 * total:
            break
        step_x, step_y = sx / hx, sy / hy
        limit = 0.5 * sigma + 0.3
        cx += min(max(step_x, -limit), limit)
        cy += min(max(step_y, -limit), limit)
        if abs(cx - x0) > reach or abs(cy - y0) > reach:
            break
        if step_x * step_x + step_y * step_y < 1e-10:
            converged = True
            break
    if not converged:
        return x0, y0, np.nan, np.nan, False
    return cx, cy, np.sqrt(vxx) / hx, np.sqrt(vyy) / hy, True


@compiled
def adaptive_moments(
    image: FloatImage,
    variance: FloatImage,
    labels: NDArray[np.int32],
    first: int,
    last: int,
    cx: float,
    cy: float,
    sigma: float,
    max_radius: int,
) -> tuple[float, float, float, float, float, bool]:
    """Second moments under an elliptical Gaussian of the same moments (Bernstein & Jarvis 2002, as SdssShape).

    Returns
    -------
    xx, yy, xy, flux, K, ok
        K is the squared signal to noise of the Gaussian's amplitude times its effective area over the mean variance.
    """
    height, width = image.shape
    cxx, cyy, cxy = sigma * sigma, sigma * sigma, 0.0
    ok = False
    flux, fisher = np.nan, 0.0
    mirror_x, mirror_y = mirror_of(cx), mirror_of(cy)
    column, row = int(cx + 0.5), int(cy + 0.5)
    faintest = np.exp(-8.0)  # of the weights that count: 4 sigma
    for _ in range(_MAX_ITERATIONS):
        det = cxx * cyy - cxy * cxy
        ixx, iyy, ixy = cyy / det, cxx / det, -cxy / det
        reach_x, reach_y = min(max_radius, int(4 * np.sqrt(cxx)) + 2), min(max_radius, int(4 * np.sqrt(cyy)) + 2)
        left, right = max(0, column - reach_x), min(width, column + reach_x + 1)
        bottom, top = max(0, row - reach_y), min(height, row + reach_y + 1)
        crowded = any_foreign(labels, bottom, top, left, right, first, last)
        # Along a row the ratio of neighbouring weights changes by a constant factor: two exponentials serve for all.
        factor = np.exp(-ixx)
        total, sxx, syy, sxy, ww, wwv = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
        for y in range(bottom, top):
            dy = y - cy
            dx = left - cx
            following = np.exp(-0.5 * (ixx * dx * dx + iyy * dy * dy + 2 * ixy * dx * dy))
            ratio = np.exp(-0.5 * ixx * (2 * dx + 1) - ixy * dy)
            for x in range(left, right):
                w = following
                following *= ratio
                ratio *= factor
                if w < faintest:
                    continue
                dx = x - cx
                if crowded:
                    light = w * own_value(image, labels, y, x, first, last, mirror_x, mirror_y)
                else:
                    light = w * image[y, x]
                total += light
                sxx += light * dx * dx
                syy += light * dy * dy
                sxy += light * dx * dy
                ww += w * w
                wwv += w * w * variance[y, x]
        if total <= 0:
            break
        sxx, syy, sxy = sxx / total, syy / total, sxy / total
        observed = sxx * syy - sxy * sxy
        if sxx <= 0 or syy <= 0 or observed <= 0:
            break
        amplitude = total / ww
        flux = 2 * np.pi * np.sqrt(det) * amplitude
        fisher = amplitude * amplitude * ww * ww / max(wwv, 1e-30)
        # Remove the weight's share of the moments: inverse covariances of Gaussians that multiply add.
        axx, ayy, axy = syy / observed - ixx, sxx / observed - iyy, -sxy / observed - ixy
        inverse = axx * ayy - axy * axy
        if inverse <= 0 or axx <= 0 or ayy <= 0:
            # The source is wider than any Gaussian of these moments: widen the weight and look again.
            nxx, nyy, nxy = 2 * sxx, 2 * syy, 2 * sxy
        else:
            nxx, nyy, nxy = ayy / inverse, axx / inverse, -axy / inverse
        largest = max(nxx, nyy)
        if largest > 0.0625 * max_radius * max_radius or min(nxx, nyy) < 0.02:
            break
        change = abs(nxx - cxx) + abs(nyy - cyy) + 2 * abs(nxy - cxy)
        size = cxx + cyy
        cxx, cyy, cxy = nxx, nyy, nxy
        if cxx * cyy - cxy * cxy <= 1e-3 * cxx * cyy:
            break
        if change < 1e-5 * size:
            ok = True
            break
    if not ok:
        return sigma * sigma, sigma * sigma, 0.0, flux, fisher, False
    return cxx, cyy, cxy, flux, fisher, True


@compiled
def _measure(
    image: FloatImage,
    sources: PointSources,
    variance: FloatImage,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    sigma: float,
    max_radius: int,
    recentre: bool,
    values: NDArray[np.float64],
    failed: NDArray[np.bool_],
) -> None:
    for s in range(x.size):
        add_own(image, sources, first[s], last[s], 1.0)
        cx, cy, ex, ey, ok = x[s], y[s], np.nan, np.nan, True
        if recentre:
            cx, cy, ex, ey, ok = windowed_centroid(image, variance, labels, first[s], last[s], x[s], y[s], sigma)
        failed[0, s] = not ok
        values[0, s], values[1, s], values[2, s], values[3, s] = cx, cy, ex, ey
        xx, yy, xy, flux, fisher, ok = adaptive_moments(
            image, variance, labels, first[s], last[s], cx, cy, sigma, max_radius
        )
        failed[1, s] = not ok
        values[4, s], values[5, s], values[6, s], values[7, s], values[8, s] = xx, yy, xy, fisher, flux
        add_own(image, sources, first[s], last[s], -1.0)


def measure_shapes(
    image: FloatImage,
    variance: FloatImage,
    labels: NDArray[np.int32],
    first: NDArray[np.int64],
    last: NDArray[np.int64],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    fwhm: float,
    *,
    recentre: bool = True,
    sources: PointSources = NO_SOURCES,
) -> Shapes:
    """Windowed centroids and adaptive moments of sources near (x, y).

    Parameters
    ----------
    image, variance, labels : [y, x]
        Background-subtracted; labels as in `safelight.characterize.detection.Detections`.
    first, last : (n,)
        The labels that are each source's own.
    x, y : (n,)
        Starting positions, pixels.
    fwhm : float
        Of the PSF, pixels: the centroid's window.
    recentre : bool
        False keeps (x, y) and measures shapes there.
    sources : PointSources
        Have been taken off `image`; each source gets its own light back while it is measured.
    """
    n = len(x)
    values = np.empty((9, n))
    failed = np.empty((2, n), dtype=np.bool_)
    sigma = fwhm / 2.3548
    max_radius = int(min(max(12 * sigma, 30), 100))
    _measure(image, sources, variance, labels, first, last, x, y, sigma, max_radius, recentre, values, failed)
    x, y, x_err, y_err, xx, yy, xy, fisher, flux = values
    return Shapes(x, y, x_err, y_err, xx, yy, xy, fisher, flux, failed[0], failed[1])
