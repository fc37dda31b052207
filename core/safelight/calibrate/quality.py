"""How good the fitted WCS is, said by stars that it was not fitted to; and when to doubt or refuse it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from safelight.calibrate.config import AstrometryConfig
from safelight.calibrate.plane import FloatArray
from safelight.calibrate.polynomial_fit import MAD_EFFICIENCY, clip_limit, n_parameters, robust_scale
from safelight.calibrate.selection import SourceList
from safelight.calibrate.wcs_fit import WcsSolution
from safelight.caveats import Caveat
from safelight.errors import ProcessingError

__all__ = ["WcsQuality", "judge_wcs"]

GRID = (32, 64)  # points across and along the CCD at which the error is propagated
FAR = 0.25  # of the CCD's diagonal: farther than this from every fitted star the WCS is extrapolated


@dataclass(frozen=True, slots=True)
class WcsQuality:
    """Figures of merit; distances are on the sky with both axes together."""

    n_matches: int  # stars fitted, clipped ones not counted
    n_reserved: int
    rms_mas: float  # fitted stars, sqrt(mean(dxi² + deta²))
    reserved_median_mas: float  # stars outside the fit: reserved, or cross-validated
    cv_rms_px: float  # cross-validated, stars that the fit clipped not counted
    error_mas: float  # expected rms over the CCD of the difference from the true WCS, catalogue floor included
    pull_scale: float  # what the fit's error was multiplied by


def judge_wcs(
    solution: WcsSolution, sources: SourceList, shape: tuple[int, int], systematic_mas: float, config: AstrometryConfig
) -> tuple[WcsQuality, list[Caveat]]:
    """Measure a solution with unfitted stars.

    Parameters
    ----------
    solution
        The fit.
    sources
        The list that the fit's stars index.
    shape
        (height, width) of the CCD, pixels.
    systematic_mas
        Error of the reference catalogue per axis that averaging does not reduce.
    config
        Thresholds.

    Raises
    ------
    ProcessingError
        ``WCS_UNSUPPORTED`` where the scatter is too large, or unfitted stars disagree with the fit.
    """
    stars, fit = solution.stars, solution.fit
    used = stars.residual[stars.used]
    rms = float(np.sqrt((used**2).sum(axis=1).mean()))
    crossed = stars.cross_validated[stars.used]
    crossed = crossed[np.isfinite(crossed).all(axis=1)]
    judges = stars.reserved if stars.reserved.any() else stars.used
    unfitted = stars.residual[judges] if stars.reserved.any() else stars.cross_validated[judges]
    good = np.isfinite(unfitted).all(axis=1)
    unfitted, expected = unfitted[good], _expected_variance(solution, judges)[good]
    pulls = unfitted / np.sqrt(expected)
    # reserved stars may be outliers; cross-validated ones are those that the fit kept, often few
    scale_of = robust_scale if stars.reserved.any() else _rms
    freedom = max(2 * int(stars.used.sum()) - n_parameters(fit.degree), 1)
    scale = scale_of(pulls)
    if not math.isfinite(scale):
        raise ProcessingError(
            "WCS_UNSUPPORTED",
            f"{int(stars.used.sum())} fitted stars are too few to leave any out, so nothing can test the WCS.",
            "Use a deeper reference catalogue.",
        )
    # few stars know their own scatter badly: Student's t widens one sigma to its 68 %
    pull_scale = _drawn_to_one(scale, _uncertainty(scale, pulls.size, scale_of)) * clip_limit(1.0, freedom)
    quality = WcsQuality(
        n_matches=int(stars.used.sum()),
        n_reserved=int(stars.reserved.sum()),
        rms_mas=1000.0 * rms,
        reserved_median_mas=1000.0 * float(np.median(np.hypot(*unfitted.T))),
        cv_rms_px=float(np.sqrt((crossed**2).sum(axis=1).mean())) / solution.pixel_scale if len(crossed) else math.nan,
        error_mas=_error_mas(solution, shape, pull_scale, systematic_mas),
        pull_scale=pull_scale,
    )
    caveats = _judge_scatter(quality, solution, config)
    caveats += _compare_unfitted(quality, max(scale_of(pulls[:, 0]), scale_of(pulls[:, 1])), len(unfitted), config)
    caveats += _coverage(solution, sources, shape, config)
    if quality.n_matches < config.quality.fewStars:
        caveats.append(
            Caveat(
                "FEW_ASTROMETRIC_STARS",
                f"The WCS rests on {quality.n_matches} stars (fewer than {config.quality.fewStars}); "
                f"degree of the correction {fit.degree}.",
            )
        )
    return quality, caveats


def _rms(values: FloatArray) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else math.nan


def _uncertainty(scale: float, n: int, scale_of: Callable[[FloatArray], float]) -> float:
    """Standard error of a scale from n values by the median absolute deviation, or from their squares."""
    return scale / math.sqrt(2.0 * n * (MAD_EFFICIENCY if scale_of is robust_scale else 1.0))


def _drawn_to_one(scale: float, uncertainty: float) -> float:
    """At least 1: by how much more than predicted unfitted stars scatter, as far as that is no chance.

    Taken as it is, it would be above 1 in every other frame by chance, and the claimed error too large on average.
    """
    excess = max(scale - 1.0, 0.0)
    return 1.0 + excess**3 / (excess**2 + uncertainty**2)


def _expected_variance(solution: WcsSolution, stars: np.ndarray) -> FloatArray:
    """(n, 2) arcsec²: what unfitted stars should scatter by: their own variance and that of the fit at their place."""
    xi, eta = solution.stars.position[stars].T
    result: FloatArray = solution.stars.variance[stars] + solution.fit.variance_at(xi, eta)
    return result


def _error_mas(solution: WcsSolution, shape: tuple[int, int], pull_scale: float, systematic_mas: float) -> float:
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, GRID[0]), np.linspace(0, shape[0] - 1, GRID[1]))
    wcs = solution.wcs
    xi, eta = wcs.alignment.apply(*wcs.first_plane.project(*wcs.first.pixel_to_sky(x.ravel(), y.ravel())))
    statistical = 1000.0 * pull_scale * np.sqrt(solution.fit.variance_at(xi, eta).sum(axis=1))
    return float(np.sqrt(np.mean(statistical**2) + 2.0 * systematic_mas**2))


def _judge_scatter(quality: WcsQuality, solution: WcsSolution, config: AstrometryConfig) -> list[Caveat]:
    """Whether the fitted stars scatter as stars do: nothing, a caveat, or a failure."""
    limit = config.wcsFitter.maxScatterArcsec or solution.pixel_scale
    per_axis = quality.rms_mas / 1000.0 / math.sqrt(2.0)
    if per_axis > limit:
        raise ProcessingError(
            "WCS_UNSUPPORTED",
            f"The fitted stars scatter by {per_axis:.3f} arcsec per axis, more than {limit:.3f}.",
            "Look at the PSF and the match; calibrate.astrometry.wcsFitter.maxScatterArcsec sets the limit.",
        )
    residual = solution.stars.residual[solution.stars.used]
    pixels = float(np.sqrt((residual**2).mean(axis=0)).max()) / solution.pixel_scale
    if pixels <= config.quality.scatterPixels:
        return []
    return [
        Caveat(
            "WCS_SCATTER_HIGH",
            f"The fitted stars scatter by {pixels:.2f} pixels in one axis, more than {config.quality.scatterPixels:g}: "
            "a blurred or doubled image, or a catalogue that contradicts itself?",
        )
    ]


def _compare_unfitted(quality: WcsQuality, ratio: float, n: int, config: AstrometryConfig) -> list[Caveat]:
    """Unfitted stars scatter `ratio` times what is expected, in the worse axis: nothing, a caveat, or a failure."""
    limits = config.quality
    uncertainty = _uncertainty(ratio, n, robust_scale)
    significant = ratio - 1.0 > limits.significance * uncertainty
    kind = "reserved" if quality.n_reserved else "cross-validated"
    sentence = (
        f"{n} {kind} stars scatter {ratio:.2f} ± {uncertainty:.2f} times what the fit and their errors predict "
        f"(median distance {quality.reserved_median_mas:.1f} mas, fitted rms {quality.rms_mas:.1f} mas)."
    )
    if significant and ratio > limits.reservedRatioFailure:
        raise ProcessingError(
            "WCS_UNSUPPORTED", sentence, "The fit does not hold where it was not fitted: too high an order?"
        )
    if significant and ratio > limits.reservedRatioCaveat:
        return [Caveat("WCS_RESERVED_RESIDUAL_HIGH", sentence)]
    return []


def _coverage(
    solution: WcsSolution, sources: SourceList, shape: tuple[int, int], config: AstrometryConfig
) -> list[Caveat]:
    """Whether fitted stars cover the CCD."""
    used = solution.stars.source[solution.stars.used]
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, GRID[0]), np.linspace(0, shape[0] - 1, GRID[1]))
    distance, _ = cKDTree(np.column_stack([sources.x[used], sources.y[used]])).query(
        np.column_stack([x.ravel(), y.ravel()])
    )
    reach = FAR * math.hypot(*shape)
    share = float((distance > reach).mean())
    if share <= config.quality.extrapolatedFraction:
        return []
    return [
        Caveat(
            "WCS_EXTRAPOLATED",
            f"{100 * share:.0f} % of the CCD lies more than {reach:.0f} pixels from every fitted star.",
        )
    ]
