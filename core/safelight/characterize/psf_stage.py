"""From detections to the PSF: bright sources, the stars among them, the model."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.background import CellStatistics, variance_at
from safelight.characterize.config import CharacterizeConfig, StarSelectorConfig
from safelight.characterize.detection import Detections
from safelight.characterize.pixel_flags import centre_bits
from safelight.characterize.preparation import photon_slope
from safelight.characterize.profiles import measure_rings
from safelight.characterize.psf_model import BAD_PLANES, FittedPsf, PsfStars, fit_psf
from safelight.characterize.psf_stars import StarCluster, find_star_cluster, isolated, reserved
from safelight.characterize.shapes import Shapes, measure_shapes
from safelight.errors import ProcessingError
from safelight.exposure import Exposure

__all__ = ["BrightSources", "PsfOutcome", "find_stars", "local_sky_edges", "measure_bright", "measure_psf"]

#: Bright sources that are looked at for the PSF: more cost time and tell nothing new.
_MAX_BRIGHT = 800
#: With fewer candidates the stars that were kept out join the fit once they have judged it: few stars can spare none.
_FEW_CANDIDATES = 30


@dataclass(frozen=True, slots=True)
class BrightSources:
    """The brightest peaks, arrays of shape (n,)."""

    peak: NDArray[np.int64]  # index into the detections
    shapes: Shapes
    clean: NDArray[np.bool_]  # no spoilt pixel in the core, not saturated, not at the edge


@dataclass(frozen=True, slots=True)
class PsfOutcome:
    """The PSF and the stars behind it, arrays of shape (n,)."""

    fitted: FittedPsf
    x: NDArray[np.int64]  # peak pixels of the candidates
    y: NDArray[np.int64]
    reserved: NDArray[np.bool_]  # kept out of the fit
    reserved_chi2: NDArray[np.float64]  # (n_judges,) of the stars that judged the fit while kept out of it
    variance_slope: float


def measure_bright(exposure: Exposure, found: Detections, fwhm: float, signal_to_noise: float) -> BrightSources:
    """Positions and shapes of the brightest peaks of at least `signal_to_noise`."""
    order = np.argsort(-found.significance, kind="stable")[:_MAX_BRIGHT]
    peak = order[found.significance[order] >= signal_to_noise]
    peak = peak[np.argsort(found.y[peak], kind="stable")]  # neighbours follow each other
    x, y = found.x[peak].astype(np.float64), found.y[peak].astype(np.float64)
    shapes = measure_shapes(exposure.image, exposure.variance, found.labels, peak + 1, peak + 1, x, y, fwhm)
    planes = exposure.planes
    around = centre_bits(exposure.mask, shapes.x, shapes.y, max(2, round(1.5 * fwhm)))
    core = centre_bits(exposure.mask, shapes.x, shapes.y, max(1, round(fwhm)))
    spoilt = (around & planes.bits("SAT", "EDGE", "NO_DATA")) != 0
    spoilt |= (core & planes.bits(*BAD_PLANES)) != 0
    return BrightSources(peak, shapes, ~spoilt & ~shapes.centroid_failed & ~shapes.shape_failed)


def find_stars(found: Detections, bright: BrightSources, config: StarSelectorConfig) -> StarCluster:
    """The stars among `bright`; raises `ProcessingError` ``TOO_FEW_STARS`` when there is none."""
    cluster = find_star_cluster(
        bright.shapes.x, bright.shapes.y, bright.shapes.width, found.significance[bright.peak], bright.clean, config
    )
    if not cluster.members.any():
        raise ProcessingError(
            "TOO_FEW_STARS",
            f"None of the {len(bright.peak)} brightest sources can serve as a PSF star: "
            f"{int(bright.clean.sum())} of them are unsaturated and undamaged."
            if len(bright.peak)
            else "No source was found, so no star either.",
            "Look at the frame: is it exposed, in focus, unsaturated? "
            "charImage.measurePsf.starSelector sets which sources count as stars.",
        )
    return cluster


def local_sky_edges(fwhm: float, kernel_size: int) -> NDArray[np.float64]:
    """Inner and outer radius in pixels of the annulus of a PSF star's local sky, outside the PSF image."""
    inner = max(kernel_size / 2 + 2, 6.0 * fwhm)
    return np.array([inner, inner + max(10.0, 2.0 * fwhm)])


def measure_psf(
    exposure: Exposure,
    found: Detections,
    cells: CellStatistics,
    fwhm: float,
    exposure_id: int,
    config: CharacterizeConfig,
) -> PsfOutcome:
    """Choose the stars again, now that cosmic rays are flagged, and fit the PSF.

    Raises
    ------
    ProcessingError
        ``TOO_FEW_STARS``
    """
    settings = config.measurePsf
    lowest = settings.starSelector.signalToNoiseMin * 0.125
    bright = measure_bright(exposure, found, fwhm, lowest)
    cluster = find_stars(found, bright, settings.starSelector)
    chosen = np.zeros(len(found), dtype=np.bool_)
    chosen[bright.peak[cluster.members]] = True
    lonely = isolated(
        found.x.astype(np.float64), found.y.astype(np.float64), found.level, chosen, max(3.0 * fwhm, 8.0),
        settings.starSelector.isolation,
    )  # fmt: skip
    # In a field where every star has neighbours, those with neighbours have to do.
    keep = lonely if lonely.sum() >= min(5, chosen.sum()) else chosen
    among = np.flatnonzero(keep[bright.peak])
    among = among[np.argsort(-found.level[bright.peak[among]], kind="stable")][: settings.maxStars]
    peak = bright.peak[among]
    x, y = bright.shapes.x[among], bright.shapes.y[among]
    spare = reserved(found.x[peak], found.y[peak], exposure_id, settings.reserve.fraction)
    if (~spare).sum() < 3:
        spare[:] = False  # too few to spare any
    variance = variance_at(cells, x, y)
    slope = photon_slope(exposure, found.x[peak], found.y[peak], variance)
    rings = measure_rings(
        exposure.image, exposure.mask, exposure.planes.bits(*BAD_PLANES), found.labels, peak + 1, peak + 1, x, y,
        local_sky_edges(fwhm, settings.kernelSize),
    )  # fmt: skip
    sky = np.where(np.isfinite(rings.mean[:, 0]), rings.mean[:, 0], 0.0)
    stars = PsfStars(x, y, peak + 1, peak + 1, sky, variance, spare)
    fitted = fit_psf(exposure, found.labels, stars, fwhm, slope, settings)
    judged = fitted.chi2[spare]
    if spare.any() and len(peak) < _FEW_CANDIDATES:
        spare = np.zeros_like(spare)
        fitted = fit_psf(exposure, found.labels, replace(stars, reserved=spare), fwhm, slope, settings)
    return PsfOutcome(fitted, found.x[peak], found.y[peak], spare, judged, slope)
