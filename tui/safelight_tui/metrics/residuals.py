"""Residuals of one CCD's fits, from its catalogue of matches: what the plots of triage draw.

Stars that took part in a fit are told from those that were kept out of it; only the latter judge the fit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.butler.butler import Butler
    from safelight.exposure import SkyWcs
    from safelight.processccd.viewing import CcdPixels

__all__ = ["PhotometricResiduals", "Residuals", "WcsResiduals", "read_residuals", "wcs_residuals"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class WcsResiduals:
    """Measured minus reference position of each matched star, along x and y of the CCD."""

    x: FloatArray  # pixels
    y: FloatArray
    dx_mas: FloatArray
    dy_mas: FloatArray
    used: NDArray[np.bool_]
    reserved: NDArray[np.bool_]
    width: int
    height: int


@dataclass(frozen=True, eq=False)
class PhotometricResiduals:
    """Magnitude by this zeropoint minus that of the reference (colour term applied), of each matched star."""

    magnitude: FloatArray  # of the reference
    color: FloatArray  # NaN where it is not known
    residual: FloatArray
    used: NDArray[np.bool_]
    reserved: NDArray[np.bool_]
    color_name: str  # e.g. "g-r"; empty without colours
    color_term: bool


@dataclass(frozen=True, eq=False)
class Residuals:
    """Both, as far as the CCD has them."""

    data_id: dict[str, Any]
    wcs: WcsResiduals | None = None
    photometry: PhotometricResiduals | None = None
    why_no_photometry: str = ""


def read_residuals(butler: Butler, data_id: dict[str, Any]) -> Residuals:
    """The residuals of a finished CCD.

    Raises
    ------
    DatasetNotFound
        The CCD has no calexp or no srcMatchFull.
    """
    from safelight.processccd.viewing import read_pixels

    matches = butler.get("srcMatchFull", data_id)
    pixels = read_pixels(butler, "calexp", data_id)
    height, width = pixels.image.shape
    wcs = None
    if pixels.wcs is not None:
        wcs = wcs_residuals(matches, pixels.wcs, width, height, _at_epoch(butler, matches, pixels))
    # Stars of the photometric catalogue need not be in the astrometric one, whose matches are listed.
    photometry, why = _photometry(butler, butler.get("src", data_id), pixels)
    return Residuals(data_id, wcs, photometry, why)


def _flag(table: Table, name: str) -> NDArray[np.bool_]:
    return np.asarray(table[name], np.bool_) if name in table.colnames else np.zeros(len(table), np.bool_)


def _at_epoch(butler: Butler, matches: Table, pixels: CcdPixels) -> tuple[FloatArray, FloatArray]:
    """Positions (degrees) of the matched reference stars at the epoch of the exposure.

    The catalogue of matches has them at the catalogue's epoch; a star that is not found again stays there.
    """
    from safelight.processccd.viewing import reference_stars

    ra, dec = (np.degrees(np.asarray(matches[f"ref_coord_{axis}"], np.float64)) for axis in ("ra", "dec"))
    stars = reference_stars(butler, pixels, "astrometry")
    if stars is None or not len(stars):
        return ra, dec
    order = np.argsort(stars.id)
    ids = np.asarray(matches["ref_id"], np.int64)
    place = np.minimum(np.searchsorted(stars.id, ids, sorter=order), len(order) - 1)
    star = order[place]
    found = stars.id[star] == ids
    return np.where(found, stars.ra_deg[star], ra), np.where(found, stars.dec_deg[star], dec)


def wcs_residuals(
    matches: Table, wcs: SkyWcs, width: int, height: int, reference: tuple[FloatArray, FloatArray] | None = None
) -> WcsResiduals:
    """Distances, in milliarcsec, of the sources from where the WCS puts their reference stars, along x and y.

    Parameters
    ----------
    reference : (ra, dec), optional
        Degrees, of the reference stars at the epoch of the exposure; the catalogue's own without it.
    """
    x, y = (np.asarray(matches[f"src_base_SdssCentroid_{axis}"], np.float64) for axis in "xy")
    if reference is None:
        ra, dec = (np.degrees(np.asarray(matches[f"ref_coord_{axis}"], np.float64)) for axis in ("ra", "dec"))
        reference = ra, dec
    ref_x, ref_y = wcs.sky_to_pixel(*reference)
    scale = _scale_mas(wcs, width, height)
    return WcsResiduals(
        x,
        y,
        (x - ref_x) * scale,
        (y - ref_y) * scale,
        _flag(matches, "src_calib_astrometry_used"),
        _flag(matches, "src_calib_astrometry_reserved"),
        width,
        height,
    )


def _scale_mas(wcs: SkyWcs, width: int, height: int) -> float:
    """Milliarcsec per pixel in the middle."""
    x, y = (width - 1) / 2 + np.array([0.0, 1.0, 0.0]), (height - 1) / 2 + np.array([0.0, 0.0, 1.0])
    ra, dec = wcs.pixel_to_sky(x, y)
    east = (np.mod(ra - ra[0] + 180.0, 360.0) - 180.0) * np.cos(np.radians(dec[0]))
    north = dec - dec[0]
    return 3.6e6 * math.sqrt(abs(float(east[1] * north[2] - east[2] * north[1])))


def _photometry(butler: Butler, src: Table, pixels: CcdPixels) -> tuple[PhotometricResiduals | None, str]:
    """Against the photometric catalogue, with the colour term of the camera; or why there are none."""
    from safelight.calibrate.color_terms import apply_color_term, find_color_term
    from safelight.errors import SafelightError
    from safelight.processccd.viewing import reference_stars

    if pixels.zeropoint_mag is None or pixels.wcs is None:
        return None, "This CCD has no zeropoint."
    catalog = reference_stars(butler, pixels, "photometry")
    if catalog is None:
        return None, "There is no photometric reference catalogue."
    ra, dec = (np.degrees(np.asarray(src[f"coord_{axis}"], np.float64)) for axis in ("ra", "dec"))
    stars_only = np.asarray(src["base_ClassificationExtendedness_value"], np.float64) < 0.5
    stars_only |= _flag(src, "calib_photometry_used") | _flag(src, "calib_photometry_reserved")
    ra = np.where(stars_only, ra, np.nan)
    source, star = _nearest(ra, dec, catalog.ra_deg, catalog.dec_deg)
    if not len(source):
        return None, f"No star is in {catalog.name}."
    instrument, filter_name = butler.instrument, str(pixels.data_id.get("filter", ""))
    stated = instrument.filter(filter_name)
    band = stated.band if stated is not None else ""
    try:
        term = find_color_term(instrument.color_terms, catalog.name, filter_name, band)
    except SafelightError as error:
        return None, error.message
    if term is not None:
        expected, first, second = apply_color_term(catalog, term)[0], term.primary, term.secondary
    elif band in catalog.flux_njy:
        expected, first, second = catalog.magnitude(band), band, ""
    else:
        return None, f"{catalog.name} has no magnitudes in the band {band or '?'}."
    color = catalog.magnitude(first) - catalog.magnitude(second) if second else np.full(len(catalog), np.nan)
    flux = np.asarray(src["base_PsfFlux_instFlux"], np.float64)[source]
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = pixels.zeropoint_mag - 2.5 * np.log10(np.where(flux > 0, flux, np.nan))
    residuals = PhotometricResiduals(
        expected[star],
        color[star],
        measured - expected[star],
        _flag(src, "calib_photometry_used")[source],
        _flag(src, "calib_photometry_reserved")[source],
        f"{first}-{second}" if second else "",
        term is not None,
    )
    return residuals, ""


def _nearest(
    ra: FloatArray, dec: FloatArray, ref_ra: FloatArray, ref_dec: FloatArray, radius_arcsec: float = 0.5
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each source's nearest reference star within the radius: (sources, stars)."""
    from scipy.spatial import cKDTree

    def vectors(a: FloatArray, d: FloatArray) -> FloatArray:
        a, d = np.radians(a), np.radians(d)
        return np.stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)], axis=1)

    good = np.flatnonzero(np.isfinite(ra) & np.isfinite(dec))
    if not len(good) or not len(ref_ra):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    distance, star = cKDTree(vectors(ref_ra, ref_dec)).query(vectors(ra[good], dec[good]))
    near = distance < np.radians(radius_arcsec / 3600.0)
    return good[near], np.asarray(star, np.int64)[near]
