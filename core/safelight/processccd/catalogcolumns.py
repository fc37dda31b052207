"""What every source table gets beside its measurements: places on the focal plane, and a description of each column."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from safelight.instruments.geometry import pixel_to_focal_plane

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.instruments import Detector, Instrument

__all__ = ["describe_columns", "set_focal_plane_positions"]

# The first pattern that matches a whole column name describes it; \1 is its first group.
_DESCRIPTIONS: tuple[tuple[str, str], ...] = (
    (r"id", "unique id: exposure id << 32 | number of the row from 1"),
    (r"coord_ra", "right ascension, ICRS"),
    (r"coord_dec", "declination, ICRS"),
    (r"parent", "id of the blend this source was split from; 0: none"),
    (r"deblend_nChild", "number of sources this blend was split into"),
    (r"calib_detected", "detected in the search for PSF stars"),
    (r"calib_(psf|astrometry|photometry)_used", r"used in the fit: \1"),
    (r"calib_(psf|astrometry|photometry)_reserved", r"kept out of the fit to judge it: \1"),
    (r"calib_(psf|astrometry|photometry)_candidate", r"eligible for the fit: \1"),
    (r"base_SdssCentroid_(x|y)", r"centroid, 0-based: windowed, or of the PSF fit (\1)"),
    (r"base_SdssCentroid_(x|y)Err", r"standard error of the centroid (\1)"),
    (r"base_SdssCentroid_flag_resetToPeak", "no centroid: the peak pixel is given"),
    (r"base_SdssShape_(xx|yy|xy)", r"second moment \1 with adaptive Gaussian weight"),
    (r"base_SdssShape_(xx|yy|xy)Err", r"standard error of the moment \1"),
    (r"base_SdssShape_(x|y)", r"centre of the adaptive moments (\1)"),
    (r"base_SdssShape_psf_(xx|yy|xy)", r"moment \1 of the PSF at this place"),
    (r"base_SdssShape_instFlux_(xx|yy|xy)_Cov", r"covariance of flux and moment \1"),
    (r"base_SdssShape_instFlux(Err)?", "flux of the adaptive Gaussian, or its standard error"),
    (r"base_CircularApertureFlux_(\d+)_(\d)_instFlux", r"sum in a circle of radius \1.\2 pixels"),
    (r"base_CircularApertureFlux_(\d+)_(\d)_instFluxErr", r"standard error of the sum in radius \1.\2 pixels"),
    (r"base_CircularApertureFlux_.*_flag_apertureTruncated", "the circle reaches over the edge of the CCD"),
    (r"base_PsfFlux_instFlux(Err)?", "PSF flux, total light of a star, or its standard error"),
    (r"base_GaussianFlux_instFlux(Err)?", "flux weighted by the adaptive Gaussian, or its standard error"),
    (r"ext_photometryKron_KronFlux_instFlux(Err)?", "flux in the Kron aperture, or its standard error"),
    (r".*_apCorr", "aperture correction that the flux was multiplied by"),
    (r".*_apCorrErr", "scatter of the stars about the aperture correction"),
    (r".*_flag_apCorr", "there is no aperture correction; the flux is uncorrected"),
    (r"base_PsfFlux_area", "effective area of the PSF"),
    (r"base_PsfFlux_flag_noGoodPixels", "too few usable pixels for a fit of the PSF"),
    (r"safelight_PsfFlux_chi2", "reduced chi-squared of the PSF fit"),
    (r"safelight_Detection_significance", "height of the peak in the smoothed image, sigma"),
    (r"ext_photometryKron_KronFlux_radius", "Kron radius"),
    (r"ext_photometryKron_KronFlux_psf_radius", "Kron radius of the PSF, the least one used"),
    (r"ext_photometryKron_KronFlux_flag_(.*)", r"Kron aperture: \1"),
    (r"base_LocalBackground_instFlux(Err)?", "sky left around the source, a pixel, or its standard error"),
    (r"base_Variance_value", "variance of the pixel at the centroid, adu^2"),
    (r"base_FootprintArea_value", "pixels of the footprint"),
    (r"base_PixelFlags_flag_(.*)Center", r"mask \1 in the 3 x 3 pixels at the centre"),
    (r"base_PixelFlags_flag_(.*)", r"mask \1 in the footprint"),
    (r"base_ClassificationExtendedness_value", "1: extended, 0: a point source"),
    (r"base_CDMatrix_(\d)_(\d)", r"local WCS, element \1,\2: degrees a pixel"),
    (r"base_Jacobian_value", "area of a pixel on the sky over that of the nominal scale"),
    (r"base_localPhotoCalib(Err)?", "nJy of 1 adu here, or its standard error"),
    (r"base_FPPosition_(x|y)", r"place on the focal plane (\1)"),
    (r"base_FPPosition_missingDetector_flag", "the camera's file does not say where the detector is"),
    (r"(.*)_flag(_.*)?", r"\1 failed or is doubtful"),
    (r"distance", "angle between source and reference star"),
    (r"first", "id of the reference star"),
    (r"second", "id of the source"),
)
_COMPILED = tuple((re.compile(pattern), text) for pattern, text in _DESCRIPTIONS)


def describe_columns(table: Table) -> None:
    """Give each known column without a description one; ``src_`` and ``ref_`` prefixes of joined rows are kept."""
    for name in table.colnames:
        column = table[name]
        if not column.info.description:
            column.info.description = _description(name)


@lru_cache(maxsize=1024)
def _description(name: str) -> str | None:
    if name.startswith("ref_"):
        return f"of the reference catalogue: {name.removeprefix('ref_')}"
    plain = name.removeprefix("src_")
    for pattern, text in _COMPILED:
        match = pattern.fullmatch(plain)
        if match:
            return match.expand(text)
    return None


def set_focal_plane_positions(table: Table, instrument: Instrument, detector: Detector) -> None:
    """Add `base_FPPosition_x` and `_y`, mm; NaN and flagged where the camera's file has no pixel size."""
    size = instrument.distortion.pixel_size_mm if instrument.distortion is not None else instrument.pixel_size_mm
    x = np.asarray(table["base_SdssCentroid_x"], dtype=np.float64)
    y = np.asarray(table["base_SdssCentroid_y"], dtype=np.float64)
    places = pixel_to_focal_plane(detector, x, y, size) if size is not None else (np.full(len(x), np.nan),) * 2
    for axis, values in zip("xy", places, strict=True):
        table[f"base_FPPosition_{axis}"] = values
        table[f"base_FPPosition_{axis}"].unit = "mm"
    table["base_FPPosition_flag"] = ~(np.isfinite(places[0]) & np.isfinite(places[1]))
    table["base_FPPosition_missingDetector_flag"] = np.full(len(x), size is None)
