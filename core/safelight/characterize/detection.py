"""Detection: pixels of the PSF-smoothed image above the noise, and the footprints they form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import DeblendConfig, DetectionConfig
from safelight.characterize.deblending import separate
from safelight.characterize.smoothing import gaussian_kernel, smooth
from safelight.compiled import compiled
from safelight.exposure import Exposure, FloatImage, MaskImage, Workspace

__all__ = ["Detections", "detect"]

#: Pixels that can hold no part of a source.
_UNDETECTABLE = ("NO_DATA", "UNMASKEDNAN")


@dataclass(frozen=True, slots=True)
class Detections:
    """Peaks and the pixels that belong to them.

    Label k (k >= 1) of `labels` is peak k - 1. The peaks of one footprint have consecutive labels: those of family f
    are ``family_start[f] .. family_start[f + 1] - 1`` (0-based peaks).
    """

    labels: NDArray[np.int32]  # [y, x], 0 = sky; footprints grown by the PSF
    pixels: NDArray[np.int32]  # flat indices of all labelled pixels
    x: NDArray[np.int64]  # (n_peaks,) peak pixel
    y: NDArray[np.int64]
    level: NDArray[np.float64]  # (n_peaks,) smoothed value at the peak, ADU
    significance: NDArray[np.float64]  # (n_peaks,) the same over its noise
    family_start: NDArray[np.int64]  # (n_families + 1,)
    noise_scale: float  # empirical noise of the smoothed image over what the variance plane says
    smoothing_sigma: float  # pixels
    border: int  # pixels at each edge where nothing is detected

    def __len__(self) -> int:
        return len(self.x)


@compiled
def _significant_pixels(
    smoothed: FloatImage,
    variance: FloatImage,
    mask: MaskImage,
    exclude: int,
    factor: float,
    border: int,
    found: NDArray[np.int32],
) -> int:
    """Write flat indices of pixels with smoothed² > factor · variance to `found`; return how many there are."""
    height, width = smoothed.shape
    limit = np.float32(factor)
    n = 0
    for y in range(border, height - border):
        for x in range(border, width - border):
            s = smoothed[y, x]
            if s > 0 and s * s > limit * variance[y, x] and (mask[y, x] & exclude) == 0:
                if n < found.size:
                    found[n] = y * width + x
                n += 1
    return n


@compiled
def _grow(
    labels: NDArray[np.int32], pixels: NDArray[np.int32], n_start: int, n_rounds: int, result: NDArray[np.int32]
) -> int:
    """Grow labels outward by `n_rounds` pixels, first come first served; return the number of labelled pixels.

    Rounds over 4 and 8 neighbours alternate, which makes an octagon, near enough a circle. `pixels` are the first
    `n_start` labelled pixels; `result` receives all of them, as many as fit.
    """
    height, width = labels.shape
    flat = labels.ravel()
    for k in range(n_start):
        result[k] = pixels[k]
    begin, end = 0, n_start
    for r in range(n_rounds):
        last = end
        for k in range(begin, last):
            index = result[k]
            label = flat[index]
            y, x = index // width, index % width
            for dy in range(-1, 2):
                for dx in range(-1, 2):
                    if r % 2 == 0 and dy * dx != 0:
                        continue
                    v, u = y + dy, x + dx
                    if v >= 0 and v < height and u >= 0 and u < width and flat[v * width + u] == 0:
                        if end == result.size:
                            return end
                        flat[v * width + u] = label
                        result[end] = v * width + u
                        end += 1
        begin = last
        # A diagonal step can start from any pixel of the last two rims, a straight one only from the last.
    return end


def detect(
    exposure: Exposure,
    fwhm: float,
    config: DetectionConfig,
    deblend: DeblendConfig,
    workspace: Workspace,
) -> Detections:
    """Find the sources of a background-subtracted exposure; sets DETECTED and EDGE.

    Parameters
    ----------
    exposure : Exposure
        Background-subtracted, finite everywhere.
    fwhm : float
        Of the PSF, pixels; the smoothing Gaussian has its width.
    config, deblend
    workspace : Workspace
        Planes "smoothed" (float32) and "labels" (int32) are used.

    Notes
    -----
    As in LSST, the noise is that of the smoothed image; unlike there it follows the variance plane over the CCD, and
    only its overall scale is measured, so that a gradient of the sky does not move the threshold.
    """
    height, width = exposure.shape
    sigma = fwhm / 2.3548
    kernel = gaussian_kernel(sigma, config.nSigmaForKernel)
    smoothed = workspace.take("smoothed", exposure.shape, np.float32)
    smooth(exposure.image, kernel, smoothed)
    border = min(len(kernel) // 2, (min(height, width) - 1) // 2)
    noise_factor = float((kernel.astype(np.float64) ** 2).sum())  # of sigma, for white noise: sqrt(sum k²)² in 2-D
    planes = exposure.planes
    _renew_border(exposure, border)
    scale = _noise_scale(smoothed, exposure, noise_factor)
    exposure.mask &= ~np.int32(planes.bits("DETECTED", "DETECTED_NEGATIVE"))
    exclude = planes.bits(*_UNDETECTABLE)
    unit = scale * noise_factor
    pixels = _collect(smoothed, exposure, exclude, (config.thresholdValue * unit) ** 2, border)
    labels = workspace.take("labels", exposure.shape, np.int32)
    labels[:] = 0
    blends = separate(
        smoothed, exposure.variance, exposure.mask, planes.bits("SAT"), pixels, labels, unit, config.minPixels, deblend
    )
    kept = pixels[labels.ravel()[pixels] > 0]
    grown = np.empty(min(len(kept) * 12 + 4096, height * width), dtype=np.int32)
    n_grown = _grow(labels, kept, len(kept), int(config.nSigmaToGrow * sigma + 0.5), grown)
    detected = grown[:n_grown]
    exposure.mask.reshape(-1)[detected] |= np.int32(planes.bits("DETECTED"))
    y, x = np.divmod(blends.peaks, width)
    level = smoothed[y, x].astype(np.float64)
    noise = unit * np.sqrt(exposure.variance[y, x].astype(np.float64))
    return Detections(labels, detected, x, y, level, level / noise, blends.family_start, scale, sigma, border)


def _renew_border(exposure: Exposure, border: int) -> None:
    """Flag the border, and no longer that of an earlier detection."""
    bit = np.int32(exposure.planes.bits("EDGE"))
    exposure.mask &= ~bit
    if border > 0:
        for part in (np.s_[:border], np.s_[-border:], np.s_[:, :border], np.s_[:, -border:]):
            exposure.mask[part] |= bit


def _collect(smoothed: FloatImage, exposure: Exposure, exclude: int, factor: float, border: int) -> NDArray[np.int32]:
    room = max(4096, smoothed.size // 16)
    while True:
        found = np.empty(room, dtype=np.int32)
        n = _significant_pixels(smoothed, exposure.variance, exposure.mask, exclude, factor, border, found)
        if n <= room:
            return found[:n]
        room = n


def _noise_scale(smoothed: FloatImage, exposure: Exposure, noise_factor: float) -> float:
    """Scatter of the smoothed sky over what the variance plane predicts for white noise.

    Sources that are known from an earlier detection are left out: in a crowded field, where half of the pixels hold
    stars, the scatter of their light would raise the threshold to 13 sigma and hide half of them.
    """
    step = max(1, int(np.sqrt(smoothed.size / 60_000)))
    part = np.s_[step // 2 :: step, step // 2 :: step]
    variance = exposure.variance[part].astype(np.float64)
    useless = exposure.planes.bits("BAD", "SAT", "EDGE", "NO_DATA", "UNMASKEDNAN", "INTRP")
    good = ((exposure.mask[part] & useless) == 0) & (variance > 0)
    sky = good & ((exposure.mask[part] & exposure.planes.bits("DETECTED")) == 0)
    if sky.sum() >= 1000:
        good = sky
    if good.sum() < 100:
        return 1.0
    ratio = smoothed[part][good] / (noise_factor * np.sqrt(variance[good]))
    # Sources only widen the positive side; the negative one is the sky's.
    middle = np.median(ratio)
    below = middle - np.percentile(ratio, 15.866)
    return float(below) if below > 0 else 1.0
