"""Which sources may be matched, and which of those may be fitted.

A saturated star is a fine landmark and a bad ruler: it takes part in the search for the pattern and is associated with
its reference star, and stays out of every fit. (Gen2's `matcher` source selector leaves it out altogether.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.errors import ProcessingError

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["SourceList", "column", "flag", "select_sources"]

BoolArray = NDArray[np.bool_]

CENTROID = "base_SdssCentroid"
#: Fluxes that may rank a source, best first; a saturated star often has no PSF flux.
FLUXES = ("base_PsfFlux", "base_CircularApertureFlux_12_0", "base_GaussianFlux", "ext_photometryKron_KronFlux")
MIN_CENTROID_ERROR = 1e-4  # pixels; a stated error below this is not believed
SATURATED_CENTROID_ERROR = 0.7  # pixels


@dataclass(slots=True)
class SourceList:
    """Sources of one CCD, brightest first; arrays of one length."""

    row: NDArray[np.int64]  # row in the source table
    x: FloatArray  # pixels, 0-based
    y: FloatArray
    x_error: FloatArray  # pixels, 1 sigma
    y_error: FloatArray
    flux: FloatArray  # ADU
    fit: BoolArray  # may enter a fit: unsaturated, well inside, clean centre, S/N high enough
    saturated: BoolArray
    extended: BoolArray  # classified as not a point source

    def __len__(self) -> int:
        return len(self.row)


def column(src: Table, name: str) -> FloatArray:
    """A numeric column as float64, masked values as NaN; NaN throughout where the table lacks it."""
    if name not in src.colnames:
        return np.full(len(src), np.nan)
    values = src[name]
    if hasattr(values, "mask"):
        values = np.ma.filled(np.ma.asarray(values).astype(np.float64), np.nan)
    return np.array(values, dtype=np.float64)


def flag(src: Table, *names: str) -> BoolArray:
    """True where any of the named flag columns is set; a column that the table lacks is not set, a masked value is."""
    result = np.zeros(len(src), dtype=np.bool_)
    for name in names:
        if name in src.colnames:
            values = src[name]
            result |= np.asarray(np.ma.filled(values, True) if hasattr(values, "mask") else values, dtype=np.bool_)
    return result


def select_sources(src: Table, width: int, height: int, min_snr: float) -> SourceList:
    """The sources that can be matched to reference stars.

    Parameters
    ----------
    src
        The source table of the CCD.
    width, height
        Size of the CCD in pixels.
    min_snr
        Least flux over its error for a source that is to be fitted, and for any unsaturated source.

    Raises
    ------
    ProcessingError
        ``SOURCES_INCOMPLETE`` where the table has no centroids.
    """
    if f"{CENTROID}_x" not in src.colnames or f"{CENTROID}_y" not in src.colnames:
        raise ProcessingError(
            "SOURCES_INCOMPLETE",
            f"The source table has no columns {CENTROID}_x and {CENTROID}_y.",
            "Measure the sources first.",
        )
    x, y = column(src, f"{CENTROID}_x"), column(src, f"{CENTROID}_y")
    flux, snr = _ranking_flux(src)
    saturated = flag(src, "base_PixelFlags_flag_saturated", "base_PixelFlags_flag_saturatedCenter")
    inside = np.isfinite(x) & np.isfinite(y) & (x > -0.5) & (x < width - 0.5) & (y > -0.5) & (y < height - 0.5)
    parent = column(src, "deblend_nChild") > 0
    usable = inside & ~parent & np.isfinite(flux) & (flux > 0) & (saturated | (snr > min_snr))

    x_error, y_error = _centroid_errors(src, snr, saturated)
    clean = ~flag(
        src,
        f"{CENTROID}_flag",
        "base_PixelFlags_flag_edge",
        "base_PixelFlags_flag_interpolatedCenter",
        "base_PixelFlags_flag_offimage",
        "base_PixelFlags_flag_bad",
    )
    fit = usable & clean & ~saturated & (snr > min_snr)
    rows = np.flatnonzero(usable)
    rows = rows[np.argsort(-flux[rows], kind="stable")]
    extended = column(src, "base_ClassificationExtendedness_value") > 0.5
    return SourceList(
        row=rows,
        x=x[rows],
        y=y[rows],
        x_error=x_error[rows],
        y_error=y_error[rows],
        flux=flux[rows],
        fit=fit[rows],
        saturated=saturated[rows],
        extended=extended[rows],
    )


def _ranking_flux(src: Table) -> tuple[FloatArray, FloatArray]:
    """The first finite positive flux of each source, ADU, and its signal to noise ratio (infinite without an error)."""
    flux, snr = np.full(len(src), np.nan), np.full(len(src), np.nan)
    for name in FLUXES:
        value, error = column(src, f"{name}_instFlux"), column(src, f"{name}_instFluxErr")
        better = ~np.isfinite(flux) & np.isfinite(value) & (value > 0)
        flux[better] = value[better]
        with np.errstate(divide="ignore", invalid="ignore"):
            snr[better] = np.where(np.isfinite(error) & (error > 0), value / error, np.inf)[better]
    return flux, snr


def _centroid_errors(src: Table, snr: FloatArray, saturated: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Centroid errors in pixels; where the table has none, a 1-sigma width of 1.5 pixels over the signal to noise."""
    errors = []
    with np.errstate(divide="ignore", invalid="ignore"):
        assumed = np.clip(np.nan_to_num(1.5 / snr, nan=1.0), 0.01, 1.0)
    for axis in ("x", "y"):
        error = column(src, f"{CENTROID}_{axis}Err")
        error = np.where(np.isfinite(error) & (error > 0), np.maximum(error, MIN_CENTROID_ERROR), assumed)
        errors.append(np.where(saturated, np.maximum(error, SATURATED_CENTROID_ERROR), error))
    return errors[0], errors[1]
