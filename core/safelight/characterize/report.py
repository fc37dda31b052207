"""Numbers and reservations about a characterised frame."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.caveats import Caveat
from safelight.characterize.aperture_corrections import Growth
from safelight.characterize.catalog import PsfFlags
from safelight.characterize.cosmic_rays import CosmicRays
from safelight.characterize.detection import Detections
from safelight.characterize.psf_size import psf_moments
from safelight.characterize.psf_stage import PsfOutcome
from safelight.characterize.sources import Measurements
from safelight.exposure import BackgroundModel, Exposure, PsfModel

__all__ = ["caveats_of", "metadata_of", "metrics_of"]

#: Below this many stars a PSF is no more than a Moffat profile.
_FEW_STARS = 3
#: A variance plane whose noise is off by more than this factor is worth a caveat.
_NOISE_MISMATCH = 1.3


def metrics_of(
    exposure: Exposure,
    background: list[BackgroundModel],
    measured: Measurements,
    outcome: PsfOutcome,
    growth: Growth,
    flags: PsfFlags,
    rays: CosmicRays | None,
    fwhm: float,
    saturated: float,
    found: Detections,
) -> dict[str, float]:
    """The numbers that reports show, NaN where one could not be measured."""
    fitted = outcome.fitted
    sky = sum(np.median(part.levels) for part in background)
    fields = exposure.aperture_corrections.fields if exposure.aperture_corrections is not None else {}
    psf_field = fields.get("base_PsfFlux")
    return {
        "fwhm_px": fwhm,
        "ellipticity": _ellipticity(fitted.model, fwhm),
        "sky_level_adu": float(sky),
        "sky_rms_adu": float(np.median(background[-1].rms[np.isfinite(background[-1].rms)])),
        "n_sources": float((measured.rows.n_child == 0).sum()),
        "n_psf_stars": float(fitted.used.sum()),
        "n_cosmic_rays": float(rays.n_rays) if rays is not None else float("nan"),
        "saturated_fraction": saturated,
        "psf_reserved_residual": _core_residual(outcome.reserved_chi2),
        "psf_used_residual": _core_residual(fitted.chi2[fitted.used]),
        "aperture_growth": growth.factor,
        "aperture_correction_rms": psf_field.rms if psf_field is not None else float("nan"),
        "noise_scale": found.noise_scale,
    }


def _ellipticity(psf: PsfModel, fwhm: float) -> float:
    """Median over the CCD of |e| = hypot(xx - yy, 2 xy) / (xx + yy) of the PSF, from its adaptive moments."""
    u, v = (grid.ravel() for grid in np.meshgrid(np.linspace(-0.8, 0.8, 5), np.linspace(-0.8, 0.8, 5)))
    xx, yy, xy = psf_moments(psf, psf.x_centre + u * psf.x_scale, psf.y_centre + v * psf.y_scale, fwhm / 2.3548)
    return float(np.median(np.hypot(xx - yy, 2 * xy) / (xx + yy)))


def _core_residual(chi2: NDArray[np.float64]) -> float:
    """Median over stars of the rms residual of the core, in units of its noise with 2 % of the model."""
    finite = chi2[np.isfinite(chi2)]
    return float(np.sqrt(np.median(finite))) if len(finite) else float("nan")


def caveats_of(outcome: PsfOutcome, growth: Growth, metrics: dict[str, float]) -> list[Caveat]:
    """What a reader of the results should know."""
    caveats = []
    n = int(outcome.fitted.used.sum())
    if n < _FEW_STARS:
        caveats.append(Caveat("FEW_PSF_STARS", f"The PSF is a Moffat profile fitted to {n} star{'s' * (n != 1)}."))
    if growth.n_stars == 0:
        caveats.append(
            Caveat("NO_APERTURE_CORRECTION", "No star could be measured in large apertures: fluxes are not total.")
        )
    scale = metrics["noise_scale"]
    if not 1 / _NOISE_MISMATCH < scale < _NOISE_MISMATCH:
        caveats.append(
            Caveat(
                "NOISE_MISMATCH",
                f"The noise of the sky is {scale:.2f} times what gain and read noise say; errors are off by as much.",
            )
        )
    return caveats


def metadata_of(
    exposure: Exposure,
    background: list[BackgroundModel],
    outcome: PsfOutcome,
    growth: Growth,
    found: Detections,
    metrics: dict[str, float],
) -> dict[str, Any]:
    """Further numbers for the metadata file; BGMEAN and BGVAR are lists, one entry a sky model, as in Gen2."""
    psf = outcome.fitted.model
    return {
        "BGMEAN": [float(part.levels.mean()) for part in background],
        "BGVAR": [float(part.levels.var()) for part in background],
        "psfDegree": psf.degree,
        "psfOversampling": psf.oversampling,
        "numAvailStars": len(outcome.x),
        "numGoodStars": int(outcome.fitted.used.sum()),
        "moffatFwhm": outcome.fitted.moffat.fwhm,
        "moffatBeta": outcome.fitted.moffat.beta,
        "wingBeta": growth.beta,
        "growthRadius": growth.radius,
        "growthFactor": growth.factor,
        "growthError": growth.error,
        "growthStars": growth.n_stars,
        "varianceSlope": outcome.variance_slope,
        "noiseScale": found.noise_scale,
        "smoothingSigma": found.smoothing_sigma,
        "edgeBorder": found.border,
        "apCorrRms": metrics["aperture_correction_rms"],
        "skyLevel": metrics["sky_level_adu"],
    }
