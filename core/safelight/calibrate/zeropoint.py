"""The photometric zeropoint: the magnitude of 1 ADU, from unsaturated point sources with reference magnitudes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.color_terms import MAG_PER_RELATIVE_FLUX
from safelight.calibrate.config import PhotoCalConfig
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.polynomial_fit import clip_limit, common_scatter
from safelight.calibrate.reference_flux import ReferenceMagnitudes
from safelight.calibrate.reserve import reserved
from safelight.calibrate.selection import column, flag
from safelight.errors import ProcessingError
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["Zeropoint", "fit_zeropoint", "photometric_stars"]

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FLUX = "base_PsfFlux"
FEWEST_UNBLENDED = 5
FEW_TO_CLIP = 12  # fewer stars are clipped by their deleted residuals


@dataclass(frozen=True, slots=True)
class Zeropoint:
    """A zeropoint and its stars; `used` and `reserved` are along the matches that were given."""

    magnitude: float  # AB, of 1 ADU over the whole exposure
    error: float  # mag, 1 sigma, systematic floor included; of the stars, not of what all fluxes have in common
    rms: float  # mag, of stars outside the fit: reserved, or leave-one-out
    scatter: float  # mag, intrinsic scatter beyond the stars' own errors
    n_stars: int
    n_clipped: int
    cross_validated: bool  # no star was reserved
    used: BoolArray
    reserved: BoolArray


def photometric_stars(
    src: Table,
    source: IntArray,
    reference: IntArray,
    magnitudes: ReferenceMagnitudes,
    catalog: ReferenceCatalog,
    config: PhotoCalConfig,
) -> tuple[BoolArray, str]:
    """Which matched pairs (rows of `src` and `catalog`) may enter the zeropoint, and how strictly they were chosen.

    Always: a finite PSF flux above the S/N limit, no edge, interpolated or saturated pixel, a good reference magnitude.
    ``"strict"``: also unblended, a point source, and within the colour limits. Where that leaves fewer than
    `fewStars`, the colour limits are given up (``"any colour"``); where fewer than five stay, blends and then extended
    sources are let in (``"blends included"``, ``"relaxed"``).
    """
    good = _clean_sources(src, config.minSnr)[source]
    magnitude, magnitude_error = magnitudes.magnitude[reference], magnitudes.error[reference]
    good &= np.isfinite(magnitude) & (magnitude_error <= config.maxReferenceError)
    good &= catalog.magnitude(magnitudes.column)[reference] < config.magLimit
    point_like = good & ~(column(src, "base_ClassificationExtendedness_value") > 0.5)[source]
    unblended = (np.nan_to_num(column(src, "parent")) == 0) & ~(column(src, "deblend_nChild") > 0)
    single = point_like & unblended[source]
    strict = single & _within_colors(catalog, reference, config.colorLimits)
    for stars, how, enough in (
        (strict, "strict", config.fewStars),
        (single, "any colour", FEWEST_UNBLENDED),
        (point_like, "blends included", FEWEST_UNBLENDED),
    ):
        if int(stars.sum()) >= enough:
            return stars, how
    return good, "relaxed"


def _clean_sources(src: Table, min_snr: float) -> BoolArray:
    """True for sources with a PSF flux above the limit and no pixel that is off, at the edge, filled or saturated."""
    flux, error = column(src, f"{FLUX}_instFlux"), column(src, f"{FLUX}_instFluxErr")
    with np.errstate(divide="ignore", invalid="ignore"):
        bright: BoolArray = (flux > 0) & (flux > min_snr * np.where(error > 0, error, np.nan))
    return bright & ~flag(
        src,
        f"{FLUX}_flag",
        "base_PixelFlags_flag_edge",
        "base_PixelFlags_flag_offimage",
        "base_PixelFlags_flag_interpolated",
        "base_PixelFlags_flag_saturated",
        "base_PixelFlags_flag_bad",
    )


def _within_colors(catalog: ReferenceCatalog, reference: IntArray, limits: dict[str, tuple[float, float]]) -> BoolArray:
    """True inside every colour limit ("a-b": (low, high)); a limit whose columns the catalogue lacks does not count."""
    inside = np.ones(len(reference), dtype=np.bool_)
    for name, (low, high) in limits.items():
        first, _, second = name.partition("-")
        if first in catalog.flux_njy and second in catalog.flux_njy:
            color = (catalog.magnitude(first) - catalog.magnitude(second))[reference]
            inside &= (color > low) & (color < high)
    return inside


def fit_zeropoint(
    src: Table,
    source: IntArray,
    reference: IntArray,
    stars: BoolArray,
    magnitudes: ReferenceMagnitudes,
    catalog: ReferenceCatalog,
    config: PhotoCalConfig,
) -> Zeropoint:
    """The weighted mean of reference minus instrumental magnitude, clipped symmetrically.

    Weights are of the reference's error, the source's error and an intrinsic scatter that the stars themselves show.

    Parameters
    ----------
    src, source, reference
        The source table, and the matched rows of it and of `catalog`.
    stars
        Which of those pairs may be used (`photometric_stars`).
    magnitudes, catalog, config
        Reference magnitudes, their catalogue, configuration.

    Raises
    ------
    ProcessingError
        ``TOO_FEW_PHOTOMETRIC_STARS`` with fewer than `minStars`.
    """
    n = int(stars.sum())
    if n < config.minStars:
        raise ProcessingError(
            "TOO_FEW_PHOTOMETRIC_STARS",
            f"Only {n} of {len(source)} matched stars are fit for a zeropoint; {config.minStars} are needed.",
            "Saturated, blended and faint stars do not count: see calibrate.photoCal.minSnr and .maxReferenceError.",
        )
    flux = column(src, f"{FLUX}_instFlux")[source]
    flux_error = column(src, f"{FLUX}_instFluxErr")[source]
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = magnitudes.magnitude[reference] + 2.5 * np.log10(flux)
        own = np.hypot(MAG_PER_RELATIVE_FLUX * flux_error / flux, magnitudes.error[reference])
    variance = own**2 + config.magErrFloor**2
    kept_out = stars & reserved(catalog.id[reference], config.reserveFraction)
    if n < config.minReserveStars:
        kept_out = np.zeros_like(stars)
    taken = np.flatnonzero(stars & ~kept_out)
    mean, scatter, keep = _clipped_mean(difference[taken], variance[taken], config)
    used = np.zeros_like(stars)
    used[taken[keep]] = True
    total = variance + scatter**2
    weight = 1.0 / total[used]
    freedom = max(int(used.sum()) - 1, 1)
    pull = float(np.sqrt((weight * (difference[used] - mean) ** 2).sum() / freedom))
    # few stars know their own scatter badly: Student's t widens one sigma to its 68 %
    statistical = max(pull, 1.0) * clip_limit(1.0, freedom) / np.sqrt(weight.sum())
    error = float(np.hypot(statistical, config.systematicFloor))
    if kept_out.any():
        unfitted, errors = difference[kept_out] - mean, np.sqrt(total[kept_out])
        inside = np.abs(unfitted) < config.nSigma * np.minimum(errors, config.sigmaMax)
        rms = float(np.sqrt(np.mean(unfitted[inside] ** 2))) if inside.any() else float("nan")
    else:
        rms = _leave_one_out_rms(difference[used], weight)
    return Zeropoint(
        magnitude=mean,
        error=error,
        rms=rms,
        scatter=scatter,
        n_stars=int(used.sum()),
        n_clipped=len(taken) - int(used.sum()),
        cross_validated=not kept_out.any(),
        used=used,
        reserved=kept_out,
    )


def _clipped_mean(
    difference: FloatArray, variance: FloatArray, config: PhotoCalConfig
) -> tuple[float, float, BoolArray]:
    """Weighted mean, intrinsic scatter, and the stars that were kept."""
    if len(difference) < FEW_TO_CLIP:
        keep = _keep_of_few(difference, variance, config)
        scatter = _scatter_of_few(difference[keep], variance[keep])
        return _weighted_mean(difference[keep], variance[keep] + scatter**2), scatter, keep
    centre = float(np.median(difference))
    keep = np.ones(len(difference), dtype=np.bool_)
    scatter = 0.0
    n_sigma = clip_limit(config.nSigma, len(difference) - 1)
    for _ in range(config.nIter):
        scatter = common_scatter(difference[keep] - centre, variance[keep], 0.0, 1.0 - 1.0 / keep.sum())
        total = variance + scatter**2
        new = np.abs(difference - centre) < n_sigma * np.minimum(np.sqrt(total), config.sigmaMax)
        if not new.any():
            new = np.abs(difference - centre) <= np.abs(difference - centre).min()
        centre = _weighted_mean(difference[new], total[new])
        if np.array_equal(new, keep):
            break
        keep = new
    return centre, scatter, keep


def _weighted_mean(values: FloatArray, variance: FloatArray) -> float:
    weight = 1.0 / np.maximum(variance, 1e-12)
    return float((weight * values).sum() / weight.sum())


def _keep_of_few(difference: FloatArray, variance: FloatArray, config: PhotoCalConfig) -> BoolArray:
    """Leave out, one by one, stars that the others' own scatter excludes (deleted residuals, Student's t).

    A median absolute deviation of a handful of values is too often too small by far.
    """
    keep = np.ones(len(difference), dtype=np.bool_)
    for _ in range(config.nIter):
        index = np.flatnonzero(keep)
        if len(index) < 4:
            break
        t = np.zeros(len(index))
        for k, star in enumerate(index):
            others = np.delete(index, k)
            spread = difference[others].var(ddof=1) + max(variance[star] - variance[others].mean(), 0.0)
            spread = min(max(spread, float(np.median(variance))), config.sigmaMax**2)
            t[k] = abs(difference[star] - difference[others].mean()) / np.sqrt(spread * (1.0 + 1.0 / len(others)))
        worst = int(np.argmax(t))
        if t[worst] < clip_limit(config.nSigma, len(index) - 2):
            break
        keep[index[worst]] = False
    return keep


def _scatter_of_few(difference: FloatArray, variance: FloatArray) -> float:
    """Intrinsic scatter from the plain variance of few values; 0 where their own errors explain it."""
    if len(difference) < 2:
        return 0.0
    return float(np.sqrt(max(difference.var(ddof=1) - variance.mean(), 0.0)))


def _leave_one_out_rms(difference: FloatArray, weight: FloatArray) -> float:
    """Root mean square of each star about the weighted mean of the others; NaN for a single star."""
    if len(difference) < 2:
        return float("nan")
    others = ((weight * difference).sum() - weight * difference) / (weight.sum() - weight)
    return float(np.sqrt(np.mean((difference - others) ** 2)))
