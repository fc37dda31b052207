"""The photometric half of the step: associate through the fitted WCS, choose magnitudes, fit, check."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.association import mutual_nearest
from safelight.calibrate.color_terms import MAG_PER_RELATIVE_FLUX
from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.corrected_wcs import plane_of
from safelight.calibrate.depth import depth_5sigma, sky_rms
from safelight.calibrate.reference_flux import reference_magnitudes
from safelight.calibrate.selection import column
from safelight.calibrate.zeropoint import FLUX, Zeropoint, fit_zeropoint, photometric_stars
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, PhotoCalib, SkyWcs
from safelight.instruments.model import Instrument
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Photometry", "solve_photometry"]

LEAST_RADIUS_ARCSEC = 0.25


@dataclass(frozen=True, slots=True)
class Photometry:
    """A zeropoint with what is to be said of it."""

    photo_calib: PhotoCalib
    used_rows: NDArray[np.int64]  # rows of src
    reserved_rows: NDArray[np.int64]
    metrics: dict[str, float]
    caveats: list[Caveat]
    metadata: dict[str, Any]


def solve_photometry(
    src: Table,
    exposure: Exposure,
    wcs: SkyWcs,
    pixel_scale: float,
    catalog: ReferenceCatalog,
    config: CalibrateConfig,
    instrument: Instrument,
) -> Photometry:
    """The zeropoint of a CCD whose WCS is known.

    Parameters
    ----------
    src
        The source table; `base_PsfFlux_instFlux` is total flux in ADU.
    exposure
        For filter, exposure time, PSF and sky noise.
    wcs, pixel_scale
        The fitted WCS and its scale, arcsec/pixel.
    catalog
        The photometric reference catalogue.
    config, instrument
        Step configuration and camera.

    Raises
    ------
    ProcessingError
        ``TOO_FEW_PHOTOMETRIC_STARS``, ``NO_REFERENCE_BAND``, ``NO_COLOR_TERM``, ``NO_EXPOSURE_TIME``.
    """
    photo_cal = config.photoCal
    seconds = exposure.visit_info.exposure_time_s if exposure.visit_info is not None else math.nan
    if not seconds > 0:
        raise ProcessingError(
            "NO_EXPOSURE_TIME",
            f"The exposure time is {seconds} s: a zeropoint per second cannot be given.",
            "Check the header's exposure time.",
        )
    height, width = exposure.shape
    plane = plane_of(wcs, width, height)
    x, y = column(src, "base_SdssCentroid_x"), column(src, "base_SdssCentroid_y")
    xi, eta = plane.project(*wcs.pixel_to_sky(x, y))
    radius = photo_cal.matchRadius or max(LEAST_RADIUS_ARCSEC, 0.5 * pixel_scale)
    source, reference, _ = mutual_nearest(xi, eta, *plane.project(catalog.ra_deg, catalog.dec_deg), radius)

    flux = column(src, f"{FLUX}_instFlux")[source]
    with np.errstate(divide="ignore", invalid="ignore"):
        instrumental = -2.5 * np.log10(np.where(flux > 0, flux, np.nan))
    band = exposure.band
    magnitudes = reference_magnitudes(catalog, exposure.filter_name, band, instrument, config, reference, instrumental)
    stars, how = photometric_stars(src, source, reference, magnitudes, catalog, photo_cal)
    zeropoint = fit_zeropoint(src, source, reference, stars, magnitudes, catalog, photo_cal)
    error = math.hypot(zeropoint.error, MAG_PER_RELATIVE_FLUX * _common_flux_error(exposure))
    per_second = zeropoint.magnitude - 2.5 * math.log10(seconds)
    sky = sky_rms(exposure)
    caveats = list(magnitudes.caveats)
    caveats += _counts(zeropoint, photo_cal.fewStars)
    caveats += _plausible(per_second, exposure.filter_name, instrument, photo_cal.maxDeviation)
    return Photometry(
        photo_calib=PhotoCalib(zeropoint.magnitude, error, zeropoint.n_stars),
        used_rows=source[zeropoint.used],
        reserved_rows=source[zeropoint.reserved],
        metrics={
            "zeropoint_mag": per_second,
            "zeropoint_error_mag": error,
            "zeropoint_rms_mag": zeropoint.rms,
            "zeropoint_stars": float(zeropoint.n_stars),
            "depth_5sigma_mag": depth_5sigma(exposure, zeropoint.magnitude, sky),
        },
        caveats=caveats,
        metadata={
            "referenceColumn": magnitudes.column,
            "colorTerm": magnitudes.color_term,
            "starSelection": how,
            "clipped": zeropoint.n_clipped,
            "reserved": int(zeropoint.reserved.sum()),
            "crossValidated": zeropoint.cross_validated,
            "intrinsicScatterMag": zeropoint.scatter,
            "zeropointOf1AduMag": zeropoint.magnitude,
            "skyRmsAdu": sky,
        },
    )


def _common_flux_error(exposure: Exposure) -> float:
    """Relative error that the total fluxes of all stars have in common: of the light beyond the largest aperture."""
    corrections = exposure.aperture_corrections
    if corrections is None or FLUX not in corrections.fields:
        return 0.0
    return corrections.fields[FLUX].common_error


def _counts(zeropoint: Zeropoint, few: int) -> list[Caveat]:
    if zeropoint.n_stars >= few:
        return []
    return [
        Caveat(
            "FEW_PHOTOMETRIC_STARS",
            f"The zeropoint rests on {zeropoint.n_stars} stars (fewer than {few}); "
            f"leave-one-out rms {zeropoint.rms:.3f} mag.",
        )
    ]


def _plausible(per_second: float, filter_name: str, instrument: Instrument, limit: float) -> list[Caveat]:
    """Compare with what the camera's file expects of the filter."""
    stated = instrument.filter(filter_name) if filter_name else None
    if stated is None or not stated.flux_mag0_per_second:
        return []
    expected = 2.5 * math.log10(stated.flux_mag0_per_second)
    if abs(per_second - expected) <= limit:
        return []
    return [
        Caveat(
            "ZEROPOINT_UNEXPECTED",
            f"1 ADU/s is magnitude {per_second:.3f}; filter {filter_name} is expected at {expected:.3f} "
            f"({per_second - expected:+.2f} mag): clouds, another gain, or a wrong filter name?",
        )
    ]
