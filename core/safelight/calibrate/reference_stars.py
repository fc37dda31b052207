"""What the match and the fit take from a reference catalogue: ranks and position errors."""

from __future__ import annotations

import numpy as np

from safelight.calibrate.config import AstrometricLoaderConfig
from safelight.calibrate.plane import FloatArray
from safelight.refcats import ReferenceCatalog

__all__ = ["brightness", "reference_errors"]

UNKNOWN_POSITION_ERROR_MAS = 10.0
LEAST_POSITION_ERROR_MAS = 0.3


def reference_errors(catalog: ReferenceCatalog, loader: AstrometricLoaderConfig) -> tuple[FloatArray, FloatArray]:
    """Position errors of the references in either axis, arcsec, with the configured floor."""
    errors = []
    for stated in (catalog.ra_error_mas, catalog.dec_error_mas):
        known = np.isfinite(stated) & (stated > 0)
        if loader.positionErrorFloor is not None:
            error = np.where(known, np.maximum(stated, loader.positionErrorFloor), loader.positionErrorFloor)
        else:
            error = np.where(known, np.maximum(stated, LEAST_POSITION_ERROR_MAS), UNKNOWN_POSITION_ERROR_MAS)
        errors.append(np.maximum(error, 1e-3) / 1000.0)
    return errors[0], errors[1]


def brightness(catalog: ReferenceCatalog) -> FloatArray:
    """Flux of each star in its brightest band, nJy, for ranking; 0 where it has none."""
    if not catalog.flux_njy:
        return np.zeros(len(catalog))
    fluxes = np.stack([np.nan_to_num(flux, nan=0.0) for flux in catalog.flux_njy.values()])
    return np.asarray(fluxes.max(axis=0), dtype=np.float64)
