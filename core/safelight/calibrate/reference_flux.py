"""Which reference magnitudes a filter is compared with: the column, the colour term, and the caveats of either."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from safelight.calibrate.color_terms import apply_color_term, find_color_term, magnitude_errors
from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.polynomial_fit import robust_scale
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.instruments.model import Instrument
from safelight.refcats import ReferenceCatalog

__all__ = ["ReferenceMagnitudes", "reference_magnitudes"]

UNKNOWN_ERROR_MAG = 0.02  # of a reference magnitude without an error
COMPARABLE = 0.8  # a column is a candidate where it covers this share of the best-covered one's stars


@dataclass(frozen=True, slots=True)
class ReferenceMagnitudes:
    """AB magnitudes of the catalogue's stars in the camera's system (as far as known), and their errors in mag."""

    magnitude: FloatArray
    error: FloatArray
    column: str  # the primary flux column, without _flux
    color_term: bool
    caveats: tuple[Caveat, ...]


def reference_magnitudes(
    catalog: ReferenceCatalog,
    filter_name: str,
    band: str,
    instrument: Instrument,
    config: CalibrateConfig,
    matched: np.ndarray,
    source_magnitude: FloatArray,
) -> ReferenceMagnitudes:
    """Choose the reference magnitudes for a filter.

    In order: the colour term of the filter; the configured band; the filter map of configuration and camera; a column
    named as the band. A filter without a band is compared with the column that follows its sources with the least
    scatter, and gets the caveat ``NO_BAND``.

    Parameters
    ----------
    catalog
        The photometric reference catalogue.
    filter_name, band
        Physical filter and canonical band; empty where unknown.
    instrument, config
        Camera and step configuration.
    matched, source_magnitude
        Rows of `catalog` that were matched, and -2.5 log10 of their sources' fluxes; only used to choose a column for
        a filter without a band.

    Raises
    ------
    ProcessingError
        ``NO_REFERENCE_BAND`` where the catalogue has no fluxes for the band; ``NO_COLOR_TERM`` where one is required.
    """
    photo_cal = config.photoCal
    column = "" if photo_cal.band == "" else _existing(photo_cal.band, catalog, "the configured band")
    column = column or _mapped_column(catalog, filter_name, band, instrument, config)
    if not column and not band:
        column = _least_scatter_column(catalog, matched, source_magnitude)
        caveat = Caveat(
            "NO_BAND",
            f"The filter {filter_name or '(not stated)'!r} has no band: its zeropoint refers to the catalogue's column "
            f"{column}_flux of {catalog.name}, without a colour term.",
        )
        return _plain(catalog, column, (caveat,))
    term = None
    if photo_cal.applyColorTerms is not False and not photo_cal.band:
        term = find_color_term(instrument.color_terms, photo_cal.photoCatName or catalog.name, filter_name, band)
        if term is not None and not {term.primary, term.secondary} <= catalog.flux_njy.keys():
            term = None
    if term is not None:
        magnitude, error = apply_color_term(catalog, term)
        return ReferenceMagnitudes(magnitude, error, term.primary, True, ())
    if not column:
        raise ProcessingError(
            "NO_REFERENCE_BAND",
            f"The reference catalogue {catalog.name} has no fluxes for the band {band!r} of filter {filter_name!r}.",
            f"It has {', '.join(sorted(catalog.flux_njy))}: choose one with -c calibrate.photoCal.band=...",
        )
    if photo_cal.applyColorTerms:
        raise ProcessingError(
            "NO_COLOR_TERM",
            f"Camera {instrument.name} states no colour term from {catalog.name} to filter {filter_name!r}.",
            "Set calibrate.photoCal.applyColorTerms=None to go on with a caveat.",
        )
    if photo_cal.applyColorTerms is None and not photo_cal.band:
        message = (
            f"No colour term from {catalog.name} to {filter_name or band!r}: compared with {column}_flux as it is."
        )
        return _plain(catalog, column, (Caveat("NO_COLOR_TERM", message),))
    return _plain(catalog, column, ())


def _plain(catalog: ReferenceCatalog, column: str, caveats: tuple[Caveat, ...]) -> ReferenceMagnitudes:
    error = magnitude_errors(catalog, column)
    error = np.where(np.isfinite(error), error, UNKNOWN_ERROR_MAG)
    return ReferenceMagnitudes(catalog.magnitude(column), error, column, False, caveats)


def _existing(column: str, catalog: ReferenceCatalog, what: str) -> str:
    if column in catalog.flux_njy:
        return column
    raise ProcessingError(
        "NO_REFERENCE_BAND",
        f"The reference catalogue {catalog.name} has no column {column}_flux ({what}).",
        f"It has {', '.join(sorted(catalog.flux_njy))}.",
    )


def _mapped_column(
    catalog: ReferenceCatalog, filter_name: str, band: str, instrument: Instrument, config: CalibrateConfig
) -> str:
    loader = config.photoRefObjLoader
    if loader.anyFilterMapsToThis:
        return _existing(loader.anyFilterMapsToThis, catalog, "calibrate.photoRefObjLoader.anyFilterMapsToThis")
    names = [name for name in (filter_name, band) if name]
    for name in names:
        if name in loader.filterMap:
            return _existing(loader.filterMap[name], catalog, "calibrate.photoRefObjLoader.filterMap")
    if band in catalog.flux_njy:
        return band
    for name in names:
        mapped = instrument.reference_catalogs.filter_map.get(name, "")
        if mapped in catalog.flux_njy:
            return mapped
    return ""


def _least_scatter_column(catalog: ReferenceCatalog, matched: np.ndarray, source_magnitude: FloatArray) -> str:
    differences = {}
    for column in sorted(catalog.flux_njy):
        difference = catalog.magnitude(column)[matched] - source_magnitude
        differences[column] = difference[np.isfinite(difference)]
    most = max((len(d) for d in differences.values()), default=0)
    if most == 0:
        raise ProcessingError(
            "NO_REFERENCE_BAND",
            f"No matched star has a flux in the reference catalogue {catalog.name}.",
            "Use a catalogue with fluxes, or set calibrate.doPhotoCal=False.",
        )
    candidates = {c: robust_scale(d - np.median(d)) for c, d in differences.items() if len(d) >= COMPARABLE * most}
    return min(candidates, key=lambda column: candidates[column])
