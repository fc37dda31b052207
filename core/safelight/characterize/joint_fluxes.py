"""PSF fluxes of overlapping sources, fitted together.

The image is taken for a sum of PSFs plus a remainder. Sources are visited in turn; each one's flux is corrected by the
fit of its PSF to the remainder, from which the correction is taken off at once: Gauss-Seidel on the normal equations of
the weighted least-squares problem of all fluxes. Overlaps of sources that could be told apart are below a third, so
that a few rounds reach the joint solution, however large the group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.neighbours import is_foreign
from safelight.characterize.point_sources import PointSources, add_source
from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage

__all__ = ["JointFit", "fit_together"]

#: Share of the neighbours' light in a pixel that is taken as the error of their models.
_MODEL_ERROR = 0.01
#: Rounds end when no flux moves by more than this many of its errors.
_TOLERANCE = 1e-3
_MOST_ROUNDS = 30


@compiled
def _fit_together(
    image: FloatImage,
    remainder: FloatImage,
    mask: MaskImage,
    bad: int,
    labels: NDArray[np.int32],
    label: NDArray[np.int64],
    sources: PointSources,
    free: NDArray[np.bool_],
    radius: int,
    sky_variance: NDArray[np.float64],
    variance_slope: float,
    model_error: float,
    tolerance: float,
    most_rounds: int,
    values: NDArray[np.float64],
) -> int:
    """Move the `free` fluxes, and `remainder` with them; fill `values` (3, n): error, chi², pixels. Return rounds."""
    height, width = image.shape
    r2_max = (radius + 0.5) ** 2
    flux = sources.flux
    for number in range(most_rounds):
        largest = 0.0
        for s in range(flux.size):
            if not free[s]:
                continue
            column, row, half = sources.column[s], sources.row[s], sources.half[s]
            s_pp, s_pd, s_dd, used = 0.0, 0.0, 0.0, 0
            for dy in range(max(-radius, -row), min(radius + 1, height - row)):
                y = row + dy
                middle = sources.start[s] + (dy + half) * (2 * half + 1) + half
                for dx in range(max(-radius, -column), min(radius + 1, width - column)):
                    x = column + dx
                    if dy * dy + dx * dx > r2_max:
                        continue
                    if (mask[y, x] & bad) != 0 or is_foreign(labels, y, x, label[s], label[s]):
                        continue
                    p = float(sources.pixels[middle + dx])
                    d = float(remainder[y, x])
                    light = max(float(image[y, x]) - d, 0.0)  # of all models
                    foreign = model_error * max(light - flux[s] * p, 0.0)
                    weight = 1.0 / (sky_variance[s] + variance_slope * light + foreign * foreign)
                    s_pp += weight * p * p
                    s_pd += weight * p * d
                    s_dd += weight * d * d
                    used += 1
            values[2, s] = used
            if used < 4 or s_pp <= 0:
                continue
            change = s_pd / s_pp
            values[0, s] = 1.0 / np.sqrt(s_pp)
            values[1, s] = (s_dd - change * s_pd) / max(used - 1, 1)
            flux[s] += change
            add_source(remainder, sources, s, -change)
            largest = max(largest, abs(change) * np.sqrt(s_pp))
        if largest < tolerance:
            return number + 1
    return most_rounds


@dataclass(frozen=True, slots=True)
class JointFit:
    """Of n sources; NaN where the flux was held or no pixel could be used."""

    flux_err: NDArray[np.float64]  # ADU, as if the neighbours' fluxes were known
    chi2: NDArray[np.float64]  # reduced
    n_pixels: NDArray[np.float64]
    n_rounds: int


def fit_together(
    image: FloatImage,
    remainder: FloatImage,
    mask: MaskImage,
    labels: NDArray[np.int32],
    sources: PointSources,
    *,
    label: NDArray[np.int64],
    free: NDArray[np.bool_],
    sky_variance: NDArray[np.float64],
    variance_slope: float,
    bad: int,
    radius: int,
) -> JointFit:
    """Fit the fluxes of the `free` ones of `sources` together; theirs and `remainder` are changed in place.

    Parameters
    ----------
    image, remainder : [y, x]
        Background-subtracted, ADU; and the same without `sources`.
    mask, labels : [y, x]
        Pixels with a bit of `bad`, and those with another label than a source's own, are left out of its fit.
    sources : PointSources
        Of n sources; all reach at least `radius` pixels.
    label, free, sky_variance : (n,)
        Label of each source's own pixels; whether its flux is fitted; variance of a pixel of empty sky, ADU².
    variance_slope : float
        Variance per ADU of light, 1 / gain: of all sources in a pixel.
    """
    values = np.full((3, len(free)), np.nan)
    rounds = _fit_together(
        image, remainder, mask, bad, labels, label, sources, free, radius, sky_variance, variance_slope, _MODEL_ERROR,
        _TOLERANCE, _MOST_ROUNDS, values,
    )  # fmt: skip
    return JointFit(values[0], values[1], values[2], rounds)
