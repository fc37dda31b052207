"""Image characterisation, in order.

sky → sources → sky without sources → width of the stars → cosmic rays (provisional) → PSF → cosmic rays (with the
PSF) → all sources → measurement → aperture corrections → catalogues.

Gen2 looks for cosmic rays first, with a PSF of 3.5 pixels that it assumes; in better seeing that eats the cores of
stars. Here the width of the stars is measured before anything is called sharper than it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.caveats import Caveat
from safelight.characterize.background import variance_at
from safelight.characterize.catalog import PsfFlags, build_catalog
from safelight.characterize.config import CharacterizeConfig
from safelight.characterize.correction_stage import measure_corrections
from safelight.characterize.cosmic_rays import (
    CosmicRays,
    find_cosmic_rays,
    gaussian_sharpness,
    psf_sharpness,
    unfill,
)
from safelight.characterize.detection import detect
from safelight.characterize.preparation import make_finite, masked_fraction, sky_variance_cells, subtract_background
from safelight.characterize.psf_size import fwhm_at, kron_radius_at, psf_moments
from safelight.characterize.psf_stage import PsfOutcome, find_stars, measure_bright, measure_psf
from safelight.characterize.report import caveats_of, metadata_of, metrics_of
from safelight.characterize.sources import Measurements, Noise, measure_sources, source_rows
from safelight.exposure import BackgroundModel, Exposure, Workspace

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["CharacterizeResult", "run"]

#: FWHM of the first smoothing, pixels: LSST's default PSF of sigma 1.5.
_FIRST_FWHM = 1.5 * 2.3548


@dataclass(slots=True)
class CharacterizeResult:
    """What is known of the frame without a sky catalogue."""

    exposure: Exposure  # background-subtracted, cosmic rays filled, DETECTED set, with PSF and aperture corrections
    background: list[BackgroundModel]  # their sum has been subtracted
    ic_src: Table  # bright sources, with the flags of the PSF stars
    src: Table
    metrics: dict[str, float]
    caveats: list[Caveat] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)


def run(
    exposure: Exposure,
    config: CharacterizeConfig,
    *,
    exposure_id: int,
    workspace: Workspace | None = None,
    progress: Callable[[str], None] | None = None,
) -> CharacterizeResult:
    """Characterise `exposure`, which is changed in place.

    Parameters
    ----------
    exposure : Exposure
        After instrument signature removal, with its sky.
    config : CharacterizeConfig
    exposure_id : int
        Makes source ids and the choice of reserved stars.
    workspace : Workspace, optional
        Keeps the scratch planes for the next CCD.
    progress : callable, optional
        Told "characterize".

    Raises
    ------
    ProcessingError
        ``NO_USABLE_PIXELS``, ``FRAME_TOO_SMALL``, ``TOO_FEW_STARS``, ``TOO_MANY_COSMIC_RAYS``.
    """
    if progress is not None:
        progress("characterize")
    workspace = workspace if workspace is not None else Workspace()
    saturated = masked_fraction(exposure, "SAT")
    make_finite(exposure)
    background = [subtract_background(exposure, config.background, crowded=True)]
    found = detect(exposure, _FIRST_FWHM, config.detection, config.deblend, workspace)
    if config.detection.reEstimateBackground:
        background.append(subtract_background(exposure, config.background, crowded=False))
    cells = sky_variance_cells(exposure, config.background)
    lowest = config.measurePsf.starSelector.signalToNoiseMin * 0.125
    bright = measure_bright(exposure, found, _FIRST_FWHM, lowest)
    width = find_stars(found, bright, config.measurePsf.starSelector).width
    rays = _find_rays(exposure, gaussian_sharpness(2.3548 * width), config)
    outcome = measure_psf(exposure, found, cells, 2.3548 * width, exposure_id, config)
    psf = exposure.psf = outcome.fitted.model
    if rays is not None:
        unfill(exposure, rays)
        rays = _find_rays(exposure, psf_sharpness(psf, exposure.shape), config)
    centre = ((exposure.shape[1] - 1) / 2, (exposure.shape[0] - 1) / 2)
    fwhm = fwhm_at(psf, *centre)
    kron = kron_radius_at(psf, *centre, width, config.measurement.kronSigmaForRadius)
    found = detect(exposure, fwhm, config.detection, config.deblend, workspace)
    rows = source_rows(found)
    sky_variance = variance_at(cells, rows.x.astype(np.float64), rows.y.astype(np.float64))
    noise = Noise(sky_variance, outcome.variance_slope, outcome.fitted.position_error)
    measured = measure_sources(exposure, found, rows, psf, fwhm, noise, kron, config.measurement, workspace)
    flags = _psf_flags(measured, outcome, fwhm)
    flags["detected"] = _bright(measured, config)
    corrections, growth = measure_corrections(exposure, found, measured, flags["candidate"], fwhm, config.measureApCorr)
    exposure.aperture_corrections = corrections
    xx, yy, xy = psf_moments(psf, measured.x, measured.y, width)
    src = build_catalog(exposure, measured, corrections, (xx, yy, xy), kron, flags, exposure_id, config.measurement)
    metrics = metrics_of(exposure, background, measured, outcome, growth, flags, rays, fwhm, saturated, found)
    return CharacterizeResult(
        exposure,
        background,
        src[flags["detected"]],
        src,
        metrics,
        caveats_of(outcome, growth, metrics),
        metadata_of(exposure, background, outcome, growth, found, metrics),
    )


def _find_rays(exposure: Exposure, sharpness: tuple[float, float], config: CharacterizeConfig) -> CosmicRays | None:
    if not config.repair.doCosmicRay:
        return None
    return find_cosmic_rays(exposure, sharpness, config.repair.cosmicray)


def _bright(measured: Measurements, config: CharacterizeConfig) -> NDArray[np.bool_]:
    """Rows of icSrc: peaks that are high above the threshold, not the parents of blends."""
    limit = config.detection.thresholdValue * config.detection.includeThresholdMultiplier
    rows = measured.rows
    return np.asarray((rows.significance >= limit) & (rows.n_child == 0), dtype=np.bool_)


def _psf_flags(measured: Measurements, outcome: PsfOutcome, fwhm: float) -> PsfFlags:
    """Carry the flags of the PSF stars over to the rows that lie on them; parents of blends get none."""
    from scipy.spatial import cKDTree

    n = len(measured.rows)
    flags = {name: np.zeros(n, dtype=np.bool_) for name in ("candidate", "used", "reserved")}
    own = np.flatnonzero(measured.rows.n_child == 0)
    if len(own):
        tree = cKDTree(np.column_stack([measured.x[own], measured.y[own]]))
        distance, nearest = tree.query(np.column_stack([outcome.fitted.x, outcome.fitted.y]))
        near = distance < max(1.0, 0.5 * fwhm)
        rows = own[nearest[near]]
        flags["candidate"][rows] = True
        flags["used"][rows] = outcome.fitted.used[near]
        flags["reserved"][rows] = outcome.reserved[near]
    return flags
