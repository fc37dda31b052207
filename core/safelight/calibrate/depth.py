"""How faint a point source the exposure shows: five times the noise of an optimal PSF measurement."""

from __future__ import annotations

import math

import numpy as np

from safelight.calibrate.polynomial_fit import robust_scale
from safelight.exposure import Exposure

__all__ = ["depth_5sigma", "sky_rms"]

PIXELS_WANTED = 100_000  # enough for 0.4 %


def sky_rms(exposure: Exposure) -> float:
    """Robust standard deviation, ADU, of pixels that no source or defect touches; NaN where there are none."""
    height, width = exposure.shape
    step = max(int(math.sqrt(height * width / PIXELS_WANTED)), 1)
    names = ("BAD", "SAT", "INTRP", "CR", "EDGE", "DETECTED", "NO_DATA", "UNMASKEDNAN")
    bits = np.int32(exposure.planes.bits(*(name for name in names if name in exposure.planes)))
    image = exposure.image[::step, ::step]
    sky = image[(exposure.mask[::step, ::step] & bits) == 0]
    sky = sky[np.isfinite(sky)].astype(np.float64)
    return robust_scale(sky - np.median(sky)) if sky.size else math.nan


def depth_5sigma(exposure: Exposure, zeropoint_mag: float, sky_rms_adu: float) -> float:
    """Magnitude of a point source of five times the sky noise in its PSF's effective area; NaN without a PSF.

    The effective area of a PSF p is 1/sum(p²) pixels (King 1983). `zeropoint_mag` is of 1 ADU of total flux,
    `sky_rms_adu` as from `sky_rms`.
    """
    if exposure.psf is None:
        return math.nan
    height, width = exposure.shape
    x, y = (width - 1) / 2, (height - 1) / 2
    psf = np.asarray(exposure.psf.image(x, y), dtype=np.float64)
    noise = sky_rms_adu * math.sqrt(1.0 / float((psf**2).sum()))
    corrections = exposure.aperture_corrections
    if corrections is not None and "base_PsfFlux" in corrections.fields:
        noise *= float(corrections.fields["base_PsfFlux"].at(x, y))
    return zeropoint_mag - 2.5 * math.log10(5.0 * noise) if noise > 0 else math.nan
