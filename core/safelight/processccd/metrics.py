"""Metrics of the image as a whole, in the units of the report."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from safelight.exposure import Exposure
    from safelight.instruments import Instrument

__all__ = ["pixel_scale_arcsec", "report_metrics"]


def report_metrics(
    measured: Mapping[str, float], isr: Mapping[str, Any], exposure: Exposure, instrument: Instrument
) -> dict[str, float]:
    """The report's columns that follow from pixel and ADU values and the camera's scale and gain.

    Parameters
    ----------
    measured
        Metrics of the steps: fwhm_px, sky_level_adu, sky_rms_adu.
    isr
        Metadata of instrument signature removal: saturatedFraction.
    exposure, instrument
        For the gains and the pixel scale.
    """
    gain = float(np.mean(exposure.gains)) if exposure.gains else math.nan
    scale = pixel_scale_arcsec(exposure, instrument)
    return {
        "fwhm_arcsec": measured.get("fwhm_px", math.nan) * scale,
        "sky_level_e": measured.get("sky_level_adu", math.nan) * gain,
        "sky_rms_e": measured.get("sky_rms_adu", math.nan) * gain,
        "saturated_fraction": float(isr.get("saturatedFraction", math.nan)),
    }


def pixel_scale_arcsec(exposure: Exposure, instrument: Instrument) -> float:
    """Arcsec per pixel at the centre, by the exposure's WCS, or the camera's nominal one; NaN if neither is known."""
    if exposure.wcs is None:
        return instrument.pixel_scale_arcsec or math.nan
    height, width = exposure.shape
    x = width / 2.0 + np.array([0.0, 1.0, 0.0])
    y = height / 2.0 + np.array([0.0, 0.0, 1.0])
    ra, dec = exposure.wcs.pixel_to_sky(x, y)
    east = (np.mod(ra - ra[0] + 180.0, 360.0) - 180.0) * np.cos(np.radians(dec[0]))
    north = dec - dec[0]
    area = abs(east[1] * north[2] - east[2] * north[1])
    return float(np.sqrt(area)) * 3600.0
