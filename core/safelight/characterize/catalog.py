"""The columns of src and icSrc, named as LSST's where the quantity is the same.

Fluxes are in ADU (LSST calls them counts), positions in 0-based pixels. Where the meaning is ours:

* ``base_SdssCentroid``: the windowed centroid, or for undersampled frames the position of the PSF fit;
* ``base_PsfFlux``, ``base_GaussianFlux`` and the Kron flux are corrected to the total light of a star, the factor in
  ``_apCorr``; circular apertures are raw sums;
* ``_apCorrErr`` is the scatter of the stars about the correction (Gen2 always wrote 0).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import MeasurementConfig
from safelight.characterize.sources import Measurements, gaussian_flux
from safelight.exposure import ApertureCorrections, Exposure, MaskPlanes

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["PsfFlags", "PsfShape", "build_catalog"]

Columns = dict[str, NDArray[Any]]
PsfShape = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]  # xx, yy, xy at each row, pixel²
PsfFlags = dict[str, NDArray[np.bool_]]  # "candidate", "used", "reserved", "detected" of each row

# "ct" is a count, one ADU of the calexp: what LSST calls it in catalogues
_UNITS = {
    "_instFlux": "ct", "_instFluxErr": "ct", "_x": "pix", "_y": "pix", "_xErr": "pix", "_yErr": "pix",
    "_xx": "pix2", "_yy": "pix2", "_xy": "pix2", "_xxErr": "pix2", "_yyErr": "pix2", "_xyErr": "pix2",
    "_psf_xx": "pix2", "_psf_yy": "pix2", "_psf_xy": "pix2", "_area": "pix", "_radius": "pix", "_psf_radius": "pix",
    "_instFlux_xx_Cov": "ct pix2", "_instFlux_yy_Cov": "ct pix2", "_instFlux_xy_Cov": "ct pix2",
}  # fmt: skip


def build_catalog(
    exposure: Exposure,
    measured: Measurements,
    corrections: ApertureCorrections,
    psf_shape: PsfShape,
    kron_minimum: float,
    flags: PsfFlags,
    exposure_id: int,
    config: MeasurementConfig,
) -> Table:
    """Assemble the table of `measured`; one row each, in their order.

    Parameters
    ----------
    exposure : Exposure
    measured, corrections, psf_shape
    kron_minimum : float
        Kron radius of the PSF, pixels.
    flags : PsfFlags
    exposure_id : int
        Upper half of each id; the lower half counts rows from 1.
    config : MeasurementConfig
    """
    from astropy.table import Table

    columns = _identity(measured, exposure_id, flags)
    columns |= _centroids(measured)
    columns |= _shapes(measured, psf_shape)
    columns |= _apertures(measured)
    columns |= _corrected_fluxes(measured, corrections, kron_minimum)
    columns |= _surroundings(exposure, measured)
    columns |= _pixel_flags(measured, exposure.planes, exposure.shape)
    columns |= _classification(columns, measured, config)
    table = Table(columns, copy=False)
    for name in table.colnames:
        if name in ("coord_ra", "coord_dec"):
            table[name].unit = "rad"
        elif table[name].dtype != np.bool_:
            suffix = max((s for s in _UNITS if name.endswith(s)), key=len, default="")
            if suffix:
                table[name].unit = _UNITS[suffix]
    return table


def _identity(measured: Measurements, exposure_id: int, flags: PsfFlags) -> Columns:
    rows = measured.rows
    n = len(rows)
    ids = (np.int64(exposure_id) << np.int64(32)) + np.arange(1, n + 1, dtype=np.int64)
    parent = np.where(rows.parent >= 0, ids[rows.parent] if n else ids, 0)
    return {
        "id": ids,
        "coord_ra": np.full(n, np.nan),  # the WCS is not known yet
        "coord_dec": np.full(n, np.nan),
        "parent": parent.astype(np.int64),
        "calib_detected": flags["detected"],
        "calib_psf_candidate": flags["candidate"],
        "calib_psf_used": flags["used"],
        "calib_psf_reserved": flags["reserved"],
        "deblend_nChild": rows.n_child.astype(np.int32),
    }


def _centroids(measured: Measurements) -> Columns:
    failed = measured.shapes.centroid_failed & ~np.isfinite(measured.x_err)
    return {
        "base_SdssCentroid_x": measured.x,
        "base_SdssCentroid_y": measured.y,
        "base_SdssCentroid_xErr": measured.x_err.astype(np.float32),
        "base_SdssCentroid_yErr": measured.y_err.astype(np.float32),
        "base_SdssCentroid_flag": failed,
        "base_SdssCentroid_flag_resetToPeak": failed,
    }


def _shapes(measured: Measurements, psf_shape: PsfShape) -> Columns:
    s = measured.shapes
    name = "base_SdssShape"
    # Errors of the four parameters of a Gaussian (flux and moments) from its Fisher matrix in the sky's noise.
    k = np.maximum(s.fisher, 1e-12)
    bad = s.shape_failed
    xx, yy, xy, flux = (np.where(bad, np.nan, v) for v in (s.xx, s.yy, s.xy, s.flux))
    columns: Columns = {f"{name}_xx": xx, f"{name}_yy": yy, f"{name}_xy": xy}
    columns[f"{name}_xxErr"] = (np.abs(xx) * np.sqrt(8 / k)).astype(np.float32)
    columns[f"{name}_yyErr"] = (np.abs(yy) * np.sqrt(8 / k)).astype(np.float32)
    columns[f"{name}_xyErr"] = np.sqrt((xx * yy + xy**2) * 4 / k).astype(np.float32)
    columns |= {f"{name}_x": measured.x, f"{name}_y": measured.y}
    columns[f"{name}_instFlux"] = flux
    columns[f"{name}_instFluxErr"] = np.abs(flux) * np.sqrt(2 / k)
    for moment, value, psf in zip(("xx", "yy", "xy"), (xx, yy, xy), psf_shape, strict=True):
        columns[f"{name}_psf_{moment}"] = psf
        columns[f"{name}_instFlux_{moment}_Cov"] = (flux * value * 2 / k).astype(np.float32)
    columns[f"{name}_flag"] = bad
    return columns


def _apertures(measured: Measurements) -> Columns:
    columns: Columns = {}
    for k, radius in enumerate(measured.apertures.radii):
        name = f"base_CircularApertureFlux_{radius:.1f}".replace(".", "_")
        columns[f"{name}_instFlux"] = measured.apertures.flux[:, k].copy()
        columns[f"{name}_instFluxErr"] = measured.apertures.flux_err[:, k].copy()
        columns[f"{name}_flag"] = measured.apertures.truncated[:, k] | measured.shapes.centroid_failed
        columns[f"{name}_flag_apertureTruncated"] = measured.apertures.truncated[:, k].copy()
    return columns


def _corrected_fluxes(measured: Measurements, corrections: ApertureCorrections, kron_minimum: float) -> Columns:
    psf, kron = measured.psf, measured.kron
    gauss, gauss_err = gaussian_flux(measured)
    raw = {
        "base_PsfFlux": (psf.flux, psf.flux_err),
        "base_GaussianFlux": (gauss, gauss_err),
        "ext_photometryKron_KronFlux": (kron.flux, kron.flux_err),
    }
    columns: Columns = {}
    for name, (flux, error) in raw.items():
        field = corrections.fields.get(name)
        factor = field.at(measured.x, measured.y) if field is not None else np.full(len(flux), np.nan)
        usable = np.isfinite(factor) & (factor > 0)
        applied = np.where(usable, factor, 1.0)
        columns[f"{name}_instFlux"] = flux * applied
        columns[f"{name}_instFluxErr"] = error * applied
        columns[f"{name}_apCorr"] = factor
        columns[f"{name}_apCorrErr"] = factor * (field.rms if field is not None else np.nan)
        columns[f"{name}_flag_apCorr"] = ~usable
        columns[f"{name}_flag"] = ~usable | ~np.isfinite(flux) | ~np.isfinite(error)
    columns["base_PsfFlux_area"] = psf.area.astype(np.float32)
    columns["base_PsfFlux_flag_noGoodPixels"] = psf.n_pixels < 4
    columns["safelight_PsfFlux_chi2"] = psf.chi2.astype(np.float32)  # reduced
    name = "ext_photometryKron_KronFlux"
    columns[f"{name}_radius"] = kron.radius.astype(np.float32)
    columns[f"{name}_psf_radius"] = np.full(len(kron.radius), kron_minimum, dtype=np.float32)
    columns[f"{name}_flag_edge"] = ~np.isfinite(kron.flux)
    columns[f"{name}_flag_used_minimum_radius"] = kron.used_minimum
    columns[f"{name}_flag_bad_radius"] = kron.bad_radius
    columns[f"{name}_flag_bad_shape"] = measured.shapes.shape_failed
    return columns


def _surroundings(exposure: Exposure, measured: Measurements) -> Columns:
    height, width = exposure.shape
    row = np.clip(np.floor(measured.y + 0.5).astype(int), 0, height - 1)
    column = np.clip(np.floor(measured.x + 0.5).astype(int), 0, width - 1)
    local, error = measured.local_background.mean[:, 0], measured.local_background.error[:, 0]
    variance = exposure.variance[row, column].astype(np.float64)
    return {
        "base_LocalBackground_instFlux": local,
        "base_LocalBackground_instFluxErr": error,
        "base_LocalBackground_flag": ~np.isfinite(local),
        "base_Variance_value": variance,
        "base_Variance_flag": ~(variance > 0),
        "base_FootprintArea_value": measured.area.astype(np.int32),
        "safelight_Detection_significance": measured.rows.significance.astype(np.float32),
    }


def _pixel_flags(measured: Measurements, planes: MaskPlanes, shape: tuple[int, int]) -> Columns:
    name = "base_PixelFlags_flag"
    inside, centre = measured.footprint, measured.centre

    def has(bits: NDArray[np.int32], *names: str) -> NDArray[np.bool_]:
        return np.asarray((bits & np.int32(planes.bits(*names))) != 0)

    height, width = shape
    off = ~((measured.x > -0.5) & (measured.x < width - 0.5) & (measured.y > -0.5) & (measured.y < height - 0.5))
    return {
        name: off,
        f"{name}_offimage": off,
        f"{name}_edge": has(inside, "EDGE", "NO_DATA") | off,
        f"{name}_interpolated": has(inside, "INTRP"),
        f"{name}_saturated": has(inside, "SAT"),
        f"{name}_cr": has(inside, "CR"),
        f"{name}_bad": has(inside, "BAD"),
        f"{name}_suspect": has(inside, "SUSPECT"),
        f"{name}_interpolatedCenter": has(centre, "INTRP"),
        f"{name}_saturatedCenter": has(centre, "SAT"),
        f"{name}_crCenter": has(centre, "CR"),
        f"{name}_suspectCenter": has(centre, "SUSPECT"),
    }


def _classification(columns: Columns, measured: Measurements, config: MeasurementConfig) -> Columns:
    psf, model = columns["base_PsfFlux_instFlux"], columns["base_GaussianFlux_instFlux"]
    unknown = columns["base_PsfFlux_flag"] | columns["base_GaussianFlux_flag"]
    with np.errstate(invalid="ignore"):
        value = np.where(config.fluxRatio * model < psf, 0.0, 1.0)
    return {
        "base_ClassificationExtendedness_value": np.where(unknown, np.nan, value),
        "base_ClassificationExtendedness_flag": unknown,
    }
