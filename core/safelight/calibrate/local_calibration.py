"""What the calibration says of each source: sky position, local scale matrix, local photometric scale."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from safelight.calibrate.selection import column
from safelight.exposure import PhotoCalib, SkyWcs

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["set_coordinates", "set_local_photometry", "set_local_scales"]

STEP_PIXELS = 0.5


def set_coordinates(src: Table, wcs: SkyWcs) -> None:
    """Fill `coord_ra` and `coord_dec` (radians, ICRS); NaN where a source has no centroid."""
    x, y = column(src, "base_SdssCentroid_x"), column(src, "base_SdssCentroid_y")
    ra, dec = wcs.pixel_to_sky(x, y)
    for name, value in (("coord_ra", ra), ("coord_dec", dec)):
        src[name] = np.radians(value)
        src[name].unit = "rad"


def set_local_scales(src: Table, wcs: SkyWcs, nominal_scale_arcsec: float = 0.0) -> None:
    """Add `base_CDMatrix_i_j`, degrees of (xi, eta) per pixel of (x, y) at each source, and `base_Jacobian_value`.

    The latter is the area of a pixel on the sky over that of the camera's nominal scale; NaN where there is none (0).
    """
    x, y = column(src, "base_SdssCentroid_x"), column(src, "base_SdssCentroid_y")
    _, dec = wcs.pixel_to_sky(x, y)
    for j, (dx, dy) in enumerate(((STEP_PIXELS, 0.0), (0.0, STEP_PIXELS)), start=1):
        (ra_a, dec_a), (ra_b, dec_b) = wcs.pixel_to_sky(x - dx, y - dy), wcs.pixel_to_sky(x + dx, y + dy)
        step = 2.0 * STEP_PIXELS
        src[f"base_CDMatrix_1_{j}"] = np.mod(ra_b - ra_a + 180.0, 360.0) - 180.0
        src[f"base_CDMatrix_1_{j}"] *= np.cos(np.radians(dec)) / step
        src[f"base_CDMatrix_2_{j}"] = (dec_b - dec_a) / step
    area = src["base_CDMatrix_1_1"] * src["base_CDMatrix_2_2"] - src["base_CDMatrix_1_2"] * src["base_CDMatrix_2_1"]
    nominal = nominal_scale_arcsec / 3600.0 if nominal_scale_arcsec > 0 else np.nan
    src["base_Jacobian_value"] = np.abs(area) / nominal**2
    src["base_Jacobian_flag"] = ~np.isfinite(src["base_Jacobian_value"])


def set_local_photometry(src: Table, photo_calib: PhotoCalib) -> None:
    """Add `base_localPhotoCalib` and its error, nJy per ADU."""
    scale = photo_calib.njy_per_adu
    src["base_localPhotoCalib"] = np.full(len(src), scale)
    src["base_localPhotoCalibErr"] = np.full(len(src), scale * photo_calib.zeropoint_error_mag * np.log(10.0) / 2.5)
