"""Cosmic rays: pixels that stand out more sharply than the PSF allows, found as in LSST Gen2 and filled.

A pixel of value v with opposite neighbours of mean m in one of four directions is a seed when

* v is at least `minSigma` of its noise above m in at least one direction (LSST's condition 2), and
* ``r · (v - c·σ_v) > m + c·σ_m`` in some direction (condition 3), with r the ratio m / v of a star centred on the
  pixel times `cond3_fac2`, c = `cond3_fac` and σ_m the noise of m, and
* neither it nor a neighbour is saturated, interpolated or bad (condition 4).

Seeds then grow into touching pixels with half of `minSigma` and c = 0. Three things differ from LSST on purpose: the
sky is the local background, already subtracted, instead of the median of the image; the sharpest place of a PSF that
varies sets r; and pixels are filled from their unspoilt neighbours instead of with noise of a fixed seed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import CosmicRayConfig
from safelight.compiled import compiled
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, FloatImage, MaskImage, PsfModel

__all__ = ["CosmicRays", "fill_cosmic_rays", "find_cosmic_rays", "gaussian_sharpness", "psf_sharpness", "unfill"]

#: Pixels that are not tested, and whose neighbours are not.
_UNTESTABLE = ("BAD", "SAT", "INTRP", "NO_DATA", "UNMASKEDNAN")


@dataclass(frozen=True, slots=True)
class CosmicRays:
    """Pixels of cosmic rays as flat indices, with what they held before they were filled."""

    pixels: NDArray[np.int64]
    image: NDArray[np.float32]
    variance: NDArray[np.float32]
    was_interpolated: NDArray[np.bool_]  # INTRP had been set
    n_rays: int  # groups of touching pixels


@compiled
def _stands_out(
    image: FloatImage,
    variance: FloatImage,
    y: int,
    x: int,
    n_sigma: float,
    margin: float,
    side_ratio: float,
    corner_ratio: float,
) -> bool:
    """Conditions 2 and 3 at one pixel."""
    v = image[y, x]
    least = min(
        min(image[y, x - 1] + image[y, x + 1], image[y - 1, x] + image[y + 1, x]) / side_ratio,
        min(image[y - 1, x - 1] + image[y + 1, x + 1], image[y - 1, x + 1] + image[y + 1, x - 1]) / corner_ratio,
    )
    if 0.5 * least >= v:  # not sharp, even without noise: nearly every pixel of a star
        return False
    sigma = np.sqrt(variance[y, x])
    if v <= 0.5 * n_sigma * sigma:  # no height above a neighbour makes a cosmic ray of the sky's own noise
        return False
    high, sharp = False, False
    for direction in range(4):
        dy = 0 if direction == 0 else 1
        dx = 1 if direction == 0 else direction - 2
        mean = 0.5 * (image[y - dy, x - dx] + image[y + dy, x + dx])
        noise = 0.5 * np.sqrt(variance[y - dy, x - dx] + variance[y + dy, x + dx])
        ratio = corner_ratio if dx * dy != 0 else side_ratio
        if v >= mean + n_sigma * sigma:
            high = True
        if ratio * (v - margin * sigma) > mean + margin * noise:
            sharp = True
    return high and sharp


@compiled
def _interpolate(
    image: FloatImage, variance: FloatImage, mask: MaskImage, spoilt: int, y: int, x: int
) -> tuple[float, float]:
    """Value and variance at (y, x) from the nearest pixels without a `spoilt` bit in eight directions.

    Opposite pairs are interpolated linearly and weighted by the inverse square of their distance; single ones count a
    quarter of that. Without any within 8 pixels the answer is the sky: 0 and the pixel's own variance.
    """
    height, width = image.shape
    total, value, noise = 0.0, 0.0, 0.0
    for direction in range(4):
        dy = 0 if direction == 0 else 1
        dx = 1 if direction == 0 else direction - 2
        step = 2.0 if dx * dy != 0 else 1.0
        ends = np.zeros((2, 3))
        for side in range(2):
            sign = 1 - 2 * side
            for k in range(1, 9):
                v, u = y + sign * k * dy, x + sign * k * dx
                if v < 0 or v >= height or u < 0 or u >= width:
                    break
                if (mask[v, u] & spoilt) == 0:
                    ends[side, 0], ends[side, 1], ends[side, 2] = k, image[v, u], variance[v, u]
                    break
        near, far = ends[0, 0], ends[1, 0]
        if near > 0 and far > 0:
            weight = 1.0 / (step * (near + far) ** 2)
            share = far / (near + far)
            value += weight * (share * ends[0, 1] + (1 - share) * ends[1, 1])
            noise += weight * (share * ends[0, 2] + (1 - share) * ends[1, 2])
            total += weight
        elif near > 0 or far > 0:
            side = 0 if near > 0 else 1
            weight = 0.0625 / (step * (near + far) ** 2)
            value += weight * ends[side, 1]
            noise += weight * ends[side, 2]
            total += weight
    if total == 0:
        return 0.0, float(variance[y, x])
    return value / total, noise / total


@compiled
def _find(
    image: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    untestable: int,
    cosmic: int,
    n_sigma: float,
    margin: float,
    side_ratio: float,
    corner_ratio: float,
    n_grow: int,
    found: NDArray[np.int64],
    original: NDArray[np.float32],
) -> int:
    """Set bit `cosmic` on cosmic-ray pixels, which are filled; record index and value of each; return their number.

    Stops, returning ``found.size + 1``, when there are more than `found` can hold.
    """
    height, width = image.shape
    limit = np.float32(0.25 * n_sigma * n_sigma)
    n = 0
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            v = image[y, x]
            # Most pixels are sky: a cheap test spares them the eight neighbours.
            if v > 0 and v * v > limit * variance[y, x]:
                if not _stands_out(image, variance, y, x, n_sigma, margin, side_ratio, corner_ratio):
                    continue
                clean = True
                for v_ in range(y - 1, y + 2):
                    for u_ in range(x - 1, x + 2):
                        if (mask[v_, u_] & untestable) != 0:
                            clean = False
                if clean:
                    if n == found.size:
                        return n + 1
                    found[n] = y * width + x
                    n += 1
    for k in range(n):
        y, x = found[k] // width, found[k] % width
        mask[y, x] |= cosmic
        original[k] = image[y, x]
    spoilt = untestable | cosmic
    begin = 0
    for _ in range(n_grow + 1):
        for k in range(begin, n):
            y, x = found[k] // width, found[k] % width
            image[y, x] = _interpolate(image, variance, mask, spoilt, y, x)[0]
        end = n
        if _ == n_grow:
            break
        for k in range(begin, end):
            y, x = found[k] // width, found[k] % width
            for v_ in range(max(y - 1, 1), min(y + 2, height - 1)):
                for u_ in range(max(x - 1, 1), min(x + 2, width - 1)):
                    if (mask[v_, u_] & spoilt) != 0:
                        continue
                    if _stands_out(image, variance, v_, u_, 0.5 * n_sigma, 0.0, side_ratio, corner_ratio):
                        if n == found.size:
                            return n + 1
                        mask[v_, u_] |= cosmic
                        found[n] = v_ * width + u_
                        original[n] = image[v_, u_]
                        n += 1
        begin = end
    return n


@compiled
def _group(
    image: FloatImage,
    mask: MaskImage,
    cosmic: int,
    pixels: NDArray[np.int64],
    original: NDArray[np.float32],
    min_sum: float,
) -> tuple[int, int]:
    """Drop touching groups whose light above the filled level is below `min_sum`; return pixels and groups kept.

    `pixels` are sorted; both arrays are compacted in place and dropped pixels get their value and mask back.
    """
    width = image.shape[1]
    n = pixels.size
    group = np.full(n, -1, np.int64)
    queue = np.empty(n, np.int64)
    light = np.zeros(n, np.float64)
    n_groups = 0
    for start in range(n):
        if group[start] >= 0:
            continue
        group[start] = n_groups
        queue[0] = start
        head, tail = 0, 1
        while head < tail:
            k = queue[head]
            head += 1
            light[n_groups] += original[k] - image[pixels[k] // width, pixels[k] % width]
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    target = pixels[k] + dy * width + dx
                    j = np.searchsorted(pixels, target)
                    if j < n and pixels[j] == target and group[j] < 0:
                        group[j] = n_groups
                        queue[tail] = j
                        tail += 1
        n_groups += 1
    kept, kept_groups = 0, 0
    for g in range(n_groups):
        if light[g] >= min_sum:
            kept_groups += 1
    for k in range(n):
        y, x = pixels[k] // width, pixels[k] % width
        if light[group[k]] >= min_sum:
            pixels[kept], original[kept] = pixels[k], original[k]
            kept += 1
        else:
            image[y, x] = original[k]
            mask[y, x] &= ~cosmic
    return kept, kept_groups


@compiled
def _fill(image: FloatImage, variance: FloatImage, mask: MaskImage, spoilt: int, pixels: NDArray[np.int64]) -> None:
    """Fill `pixels` from their unspoilt surroundings."""
    width = image.shape[1]
    for index in pixels:
        y, x = index // width, index % width
        value, noise = _interpolate(image, variance, mask, spoilt, y, x)
        image[y, x] = value
        variance[y, x] = noise


def gaussian_sharpness(fwhm: float) -> tuple[float, float]:
    """Ratio of a neighbour to the central pixel of a Gaussian star, beside it and at the corner."""
    sigma2 = (fwhm / 2.3548) ** 2
    return float(np.exp(-0.5 / sigma2)), float(np.exp(-1.0 / sigma2))


def psf_sharpness(psf: PsfModel, shape: tuple[int, int]) -> tuple[float, float]:
    """As `gaussian_sharpness`, the smallest ratios (the sharpest PSF) over a frame of that (height, width)."""
    height, width = shape
    sides, corners = [], []
    for y in np.linspace(0.1, 0.9, 3) * height:
        for x in np.linspace(0.1, 0.9, 3) * width:
            stamp = psf.image(float(x), float(y))
            c = stamp.shape[0] // 2
            peak = stamp[c, c]
            sides += [(stamp[c, c - 1] + stamp[c, c + 1]) / 2 / peak, (stamp[c - 1, c] + stamp[c + 1, c]) / 2 / peak]
            corners.append((stamp[c - 1, c - 1] + stamp[c + 1, c + 1]) / 2 / peak)
            corners.append((stamp[c - 1, c + 1] + stamp[c + 1, c - 1]) / 2 / peak)
    return float(np.clip(min(sides), 1e-3, 1.0)), float(np.clip(min(corners), 1e-3, 1.0))


def find_cosmic_rays(exposure: Exposure, sharpness: tuple[float, float], config: CosmicRayConfig) -> CosmicRays:
    """Find, flag (CR) and fill (INTRP) the cosmic rays of a background-subtracted exposure.

    Parameters
    ----------
    exposure : Exposure
        Changed in place: image, variance and mask of cosmic-ray pixels. Earlier CR flags are cleared first.
    sharpness : (float, float)
        Neighbour over centre of a star, beside and at the corner; see `psf_sharpness`.
    config : CosmicRayConfig

    Returns
    -------
    CosmicRays
        What the pixels held before; `unfill` puts it back.

    Raises
    ------
    ProcessingError
        ``TOO_MANY_COSMIC_RAYS`` with more than `nCrPixelMax` pixels.
    """
    image, mask, variance = exposure.image, exposure.mask, exposure.variance
    cosmic = exposure.planes.bits("CR")
    untestable = exposure.planes.bits(*_UNTESTABLE)
    mask &= ~np.int32(cosmic)
    room = min(config.nCrPixelMax, 32768)
    while True:
        found = np.empty(room, dtype=np.int64)
        original = np.empty(room, dtype=np.float32)
        n = _find(
            image, variance, mask, untestable, cosmic, config.minSigma, config.cond3_fac,
            config.cond3_fac2 * sharpness[0], config.cond3_fac2 * sharpness[1], config.niteration, found, original,
        )  # fmt: skip
        if n <= room:
            break
        _restore(exposure, found, original, cosmic)
        if room == config.nCrPixelMax:
            raise ProcessingError(
                "TOO_MANY_COSMIC_RAYS",
                f"More than {config.nCrPixelMax} pixels look like cosmic rays.",
                "Is the gain or the PSF wrong, or the frame not a sky exposure? "
                "Raise charImage.repair.cosmicray.nCrPixelMax to go on regardless.",
            )
        room = min(config.nCrPixelMax, room * 8)
    order = np.argsort(found[:n])
    pixels, values = found[:n][order], original[:n][order]
    n_kept, n_rays = _group(image, mask, cosmic, pixels, values, config.min_DN)
    pixels, values = pixels[:n_kept].copy(), values[:n_kept].copy()
    flat_mask = mask.reshape(-1)
    interpolated = np.int32(exposure.planes.bits("INTRP"))
    rays = CosmicRays(
        pixels, values, variance.reshape(-1)[pixels], (flat_mask[pixels] & interpolated) != 0, int(n_rays)
    )
    fill_cosmic_rays(exposure, rays)
    return rays


def fill_cosmic_rays(exposure: Exposure, rays: CosmicRays) -> None:
    """Fill the pixels of `rays` from their unspoilt neighbours and set INTRP.

    The variance becomes that of an ordinary pixel of the filled level; INTRP says that it holds no measurement.
    """
    spoilt = exposure.planes.bits(*_UNTESTABLE, "CR")
    _fill(exposure.image, exposure.variance, exposure.mask, spoilt, rays.pixels)
    exposure.mask.reshape(-1)[rays.pixels] |= np.int32(exposure.planes.bits("INTRP"))


def unfill(exposure: Exposure, rays: CosmicRays) -> None:
    """Put back what the pixels of `rays` held and clear their flags."""
    exposure.image.reshape(-1)[rays.pixels] = rays.image
    exposure.variance.reshape(-1)[rays.pixels] = rays.variance
    mask = exposure.mask.reshape(-1)
    mask[rays.pixels] &= ~np.int32(exposure.planes.bits("CR"))
    mask[rays.pixels[~rays.was_interpolated]] &= ~np.int32(exposure.planes.bits("INTRP"))


def _restore(exposure: Exposure, pixels: NDArray[np.int64], values: NDArray[np.float32], cosmic: int) -> None:
    """Undo a search that ran out of room; pixels found but not yet flagged still hold their values."""
    mask = exposure.mask.reshape(-1)
    flagged = (mask[pixels] & np.int32(cosmic)) != 0
    exposure.image.reshape(-1)[pixels[flagged]] = values[flagged]
    mask[pixels[flagged]] &= ~np.int32(cosmic)
