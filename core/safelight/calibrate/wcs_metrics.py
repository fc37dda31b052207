"""The metrics of a fitted WCS, however it was found."""

from __future__ import annotations

import numpy as np

from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.quality import WcsQuality
from safelight.calibrate.wcs_fit import WcsSolution
from safelight.exposure.wcs import angular_separation

__all__ = ["wcs_metrics"]


def wcs_metrics(
    solution: WcsSolution, quality: WcsQuality, first: FirstWcs, shape: tuple[int, int], rotation_deg: float
) -> dict[str, float]:
    """Metrics by their names in reports.

    Parameters
    ----------
    solution, quality
        The fit, and what unfitted stars say of it.
    first
        The WCS before any star was looked at, from which the offset is told.
    shape
        (height, width) of the CCD, pixels.
    rotation_deg
        Rotation of the fitted WCS against `first`.
    """
    centre = (np.array([(shape[1] - 1) / 2]), np.array([(shape[0] - 1) / 2]))
    ra, dec = solution.wcs.pixel_to_sky(*centre)
    offset = angular_separation(ra, dec, first.plane.ra_deg, first.plane.dec_deg)
    return {
        "wcs_matches": float(quality.n_matches),
        "wcs_rms_mas": quality.rms_mas,
        "wcs_reserved_median_mas": quality.reserved_median_mas,
        "wcs_error_mas": quality.error_mas,
        "wcs_offset_arcsec": float(offset[0]) * 3600.0,
        "wcs_rotation_deg": rotation_deg,
        "wcs_cv_rms_px": quality.cv_rms_px,
        "n_associated": float(len(solution.stars.source)),
    }
