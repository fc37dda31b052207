"""Stars that were kept out of the fits, beside the catalogues: how far off they are in units of all known errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.color_terms import MAG_PER_RELATIVE_FLUX, apply_color_term, find_color_term
from safelight.instruments import Instrument
from safelight.refcats import ReferenceCatalog

__all__ = ["ReservedMagnitudes", "column", "nearest", "position_pulls", "reserved_magnitudes"]

Floats = NDArray[np.float64]

#: A variable star or a blend of the catalogue is no error of ours: beyond so many sigma (of at least 5 mmag).
OUTLIER_SIGMA = 5.0
_MATCH_ARCSEC = (1.0, 0.25)  # positions, magnitudes


def column(table: Any, name: str) -> Floats:
    """A column as float64."""
    return np.asarray(table[name], dtype=np.float64)


def nearest(
    src: Any, rows: NDArray[np.int64], catalog: ReferenceCatalog, radius_arcsec: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Those of `rows` of `src` (with coordinates) that have a star of the catalogue within the radius, and the star."""
    from scipy.spatial import cKDTree

    def vectors(ra: Floats, dec: Floats) -> Floats:
        return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])

    tree = cKDTree(vectors(np.radians(catalog.ra_deg), np.radians(catalog.dec_deg)))
    at = vectors(column(src, "coord_ra")[rows], column(src, "coord_dec")[rows])
    distance, star = tree.query(at)
    near = distance < np.radians(radius_arcsec / 3600.0)
    return rows[near], star[near]


def position_pulls(src: Any, catalog: ReferenceCatalog, wcs: Any, scatter_mas: float, fitted_mas: float) -> Floats:
    """Distances of reserved stars to the catalogue along both axes over centroid, catalogue and WCS errors.

    `scatter_mas` is what the fit found beyond the stated errors (all of it where the catalogue states none),
    `fitted_mas` the claimed error of the WCS per axis without what all stars of the catalogue have in common.
    """
    rows, star = nearest(src, np.flatnonzero(src["calib_astrometry_reserved"]), catalog, _MATCH_ARCSEC[0])
    ra, dec = np.degrees(column(src, "coord_ra")[rows]), np.degrees(column(src, "coord_dec")[rows])
    east = (ra - catalog.ra_deg[star]) * np.cos(np.radians(dec)) * 3.6e6
    north = (dec - catalog.dec_deg[star]) * 3.6e6
    scale = 1000.0 * np.sqrt(np.abs(np.linalg.det(_jacobian(wcs, src, rows))))
    own = scale * np.hypot(column(src, "base_SdssCentroid_xErr"), column(src, "base_SdssCentroid_yErr"))[rows]
    pulls = []
    for offset, error in ((east, catalog.ra_error_mas), (north, catalog.dec_error_mas)):
        stated = np.maximum(error[star] ** 2 - catalog.assumed_error_mas**2, 0.0)
        pulls.append(offset / np.sqrt(own**2 / 2.0 + stated + scatter_mas**2 + fitted_mas**2))
    return np.concatenate(pulls)


def _jacobian(wcs: Any, src: Any, rows: NDArray[np.int64]) -> Floats:
    """(n, 2, 2) arcsec a pixel at sources, by differences."""
    x, y = column(src, "base_SdssCentroid_x")[rows], column(src, "base_SdssCentroid_y")[rows]
    columns = []
    for dx, dy in ((0.5, 0.0), (0.0, 0.5)):
        ra1, dec1 = wcs.pixel_to_sky(x - dx, y - dy)
        ra2, dec2 = wcs.pixel_to_sky(x + dx, y + dy)
        columns.append(np.stack([(ra2 - ra1) * np.cos(np.radians(dec1)), dec2 - dec1], axis=-1) * 3600.0)
    return np.stack(columns, axis=-1)


@dataclass(frozen=True)
class ReservedMagnitudes:
    """Reserved stars through the fitted zeropoint minus their catalogue magnitudes, outliers left out."""

    difference: Floats  # mag
    photon: Floats  # mag, of the measured fluxes
    catalog: Floats  # mag, of the reference magnitudes through the colour term
    outliers: int

    @property
    def expected(self) -> Floats:
        """Photon and catalogue noise of each star."""
        return np.hypot(self.photon, self.catalog)

    @property
    def excess_mag(self) -> float:
        """Their rms over that of their photon and catalogue noise; negative where they scatter less."""
        return float(np.sqrt(np.mean(self.difference**2)) - np.sqrt(np.mean(self.expected**2)))


def reserved_magnitudes(
    src: Any, catalog: ReferenceCatalog, instrument: Instrument, filter_name: str, band: str, zeropoint_mag: float
) -> ReservedMagnitudes:
    """The stars that the zeropoint (of 1 ADU over the whole exposure) was not fitted to.

    Raises `LookupError` where the camera states no colour term for the filter.
    """
    term = find_color_term(instrument.color_terms, catalog.name, filter_name, band)
    if term is None:
        raise LookupError(f"there is no colour term for {filter_name}")
    magnitude, error = apply_color_term(catalog, term)
    rows, star = nearest(src, np.flatnonzero(src["calib_photometry_reserved"]), catalog, _MATCH_ARCSEC[1])
    flux, flux_error = (column(src, f"base_PsfFlux_instFlux{suffix}")[rows] for suffix in ("", "Err"))
    difference = zeropoint_mag - 2.5 * np.log10(flux) - magnitude[star]
    photon = MAG_PER_RELATIVE_FLUX * flux_error / flux
    kept = np.abs(difference) < OUTLIER_SIGMA * np.hypot(np.hypot(photon, error[star]), 0.005)
    return ReservedMagnitudes(difference[kept], photon[kept], error[star][kept], int((~kept).sum()))
