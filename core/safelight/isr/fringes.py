"""Fringes: the interference pattern of night-sky lines in the silicon, fitted with one or several master fringe frames.

Source: LSST Gen2 fringe correction. At many random places the local contrast (the level of a small box less that of a
large one about it) is taken in the science frame and in each fringe frame; the amplitudes are the least-squares
solution between them, with outliers (stars, galaxies) rejected by turns. Levels are means of the same pixels in all
frames, those that no star stands out of in the science frame: Gen2's medians answer to a pattern under noise otherwise
than to the pattern alone, which makes the amplitude wrong by several per cent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage, MasterFrame
from safelight.isr.config import FringeConfig

__all__ = ["FringeFit", "fit_fringes", "subtract_fringes"]

_IQR_TO_SIGMA = 0.741301
_MAD_TO_SIGMA = 1.482602
#: The large box is sampled at every third pixel of every third row: its median needs no more.
_LARGE_STEP = 3
#: Pixels farther than this from the median belong to stars; a cut at 3 would also take 3 % of the fringes' own signal.
_STAR_SIGMA = 4.0
#: Contrast over level below which float32 cannot tell a pattern from rounding.
_RESOLUTION = 1e-6
#: Places for each amplitude below which no solution is trusted.
_LEAST_PLACES = 10


@dataclass(frozen=True, slots=True)
class FringeFit:
    """The amplitudes of the fringe frames in a science frame."""

    amplitudes: tuple[float, ...]  # science ADU per unit of the fringe frame; all 0 where nothing could be fitted
    errors: tuple[float, ...]  # one standard deviation each
    rms: float  # of the contrasts about the fit, ADU
    n_used: int
    n_tried: int

    @property
    def fitted(self) -> bool:
        """Whether there were enough good places."""
        return self.n_used > 0


def fit_fringes(
    image: FloatImage,
    mask: MaskImage,
    bad_bits: int,
    fringes: Sequence[MasterFrame],
    config: FringeConfig,
    *,
    seed: int,
) -> FringeFit:
    """How much of each fringe frame lies in `image` [y, x] (ADU, flat-fielded).

    Pixels with any of `bad_bits`, or with any mask bit or no finite value in a fringe frame, are left out. `seed`
    places the boxes, so that a frame gives the same answer twice.
    """
    usable = (mask & np.int32(bad_bits) == 0) & np.isfinite(image)
    for fringe in fringes:
        usable &= np.isfinite(fringe.image)
        if fringe.mask is not None:
            usable &= fringe.mask & np.int32(fringe.planes.bits("BAD", "SAT", "NO_DATA")) == 0
    places = _places(image.shape, config, seed)
    patterns = np.stack([np.asarray(fringe.image, dtype=np.float32) for fringe in fringes])
    contrasts = np.empty((len(places), 1 + len(fringes)))
    _measure(image, patterns, usable, places, config.small, config.large, contrasts)
    rounding = _RESOLUTION * np.nanmax(np.abs(patterns), axis=(1, 2), initial=0.0)
    contrasts[:, 1:][np.abs(contrasts[:, 1:]) < rounding] = 0.0  # so that a frame without a pattern has rank 0
    fit = _solve(contrasts[:, 0], contrasts[:, 1:], config)
    # boxes that overlap share noise: n of them, of area a, thrown on an area A, count as n / (1 + n a / A)
    shared = fit.n_used * (2.0 * config.small) ** 2 / max(int(np.count_nonzero(usable)), 1)
    return replace(fit, errors=tuple(error * float(np.sqrt(1.0 + shared)) for error in fit.errors))


def subtract_fringes(image: FloatImage, fringes: Sequence[MasterFrame], fit: FringeFit, *, pedestal: bool) -> None:
    """Subtract the fitted fringes from `image` in place; with `pedestal`, each frame's median is left out of it."""
    for fringe, amplitude in zip(fringes, fit.amplitudes, strict=True):
        level = np.nanmedian(fringe.image[::4, ::4]) if pedestal else 0.0
        pattern = np.where(np.isfinite(fringe.image), fringe.image - np.float32(level), np.float32(0.0))
        image -= np.float32(amplitude) * pattern


def _places(shape: tuple[int, ...], config: FringeConfig, seed: int) -> NDArray[np.int64]:
    """Random centres (n, 2) as (y, x), at least half a large box from the edges."""
    height, width = shape
    rng = np.random.default_rng(seed)
    margin = min(config.large, (min(height, width) - 1) // 2)
    y = rng.integers(margin, height - margin, config.num)
    x = rng.integers(margin, width - margin, config.num)
    return np.stack([y, x], axis=1)


def _sigma(values: NDArray[np.float64]) -> float:
    lower, upper = np.percentile(values, [25.0, 75.0])
    return float(_IQR_TO_SIGMA * (upper - lower))


def _solve(science: NDArray[np.float64], patterns: NDArray[np.float64], config: FringeConfig) -> FringeFit:
    n_tried, n_patterns = patterns.shape
    good = np.isfinite(science) & np.all(np.isfinite(patterns), axis=1)
    for values in (science, *patterns.T) if good.any() else ():
        centre, sigma = np.median(values[good]), _sigma(values[good])
        good &= np.abs(values - centre) <= config.clip * sigma
    nothing = FringeFit((0.0,) * n_patterns, (float("inf"),) * n_patterns, float("nan"), 0, n_tried)
    for _ in range(config.iterations):
        if good.sum() < _LEAST_PLACES * n_patterns:
            return nothing
        solution = np.linalg.lstsq(patterns[good], science[good], rcond=None)[0]
        residuals = science - patterns @ solution
        kept = good & (np.abs(residuals) <= config.clip * _sigma(residuals[good]))
        if kept.sum() == good.sum():
            break
        good = kept
    if good.sum() < _LEAST_PLACES * n_patterns:
        return nothing
    solution, _, rank, _ = np.linalg.lstsq(patterns[good], science[good], rcond=None)
    if rank < n_patterns:
        return nothing
    rms = float(np.std(science[good] - patterns[good] @ solution))
    errors = rms * np.sqrt(np.diag(np.linalg.inv(patterns[good].T @ patterns[good])))
    return FringeFit(tuple(map(float, solution)), tuple(map(float, errors)), rms, int(good.sum()), n_tried)


@compiled
def _measure(
    image: FloatImage,
    patterns: NDArray[np.float32],
    usable: NDArray[np.bool_],
    places: NDArray[np.int64],
    small: int,
    large: int,
    contrasts: NDArray[np.float64],
) -> None:
    """Contrast of the science frame and of every pattern [k, y, x] at each place; NaN where too few pixels are left."""
    buffer = np.empty((2 * large // _LARGE_STEP + 1) ** 2, np.float32)
    inner, outer = np.empty(contrasts.shape[1]), np.empty(contrasts.shape[1])
    for k in range(len(places)):
        y, x = places[k, 0], places[k, 1]
        low, high = _limits(image, usable, y, x, large, buffer)
        filled = _levels(image, patterns, usable, y, x, small, 1, low, high, inner)
        filled = filled and _levels(image, patterns, usable, y, x, large, _LARGE_STEP, low, high, outer)
        for i in range(contrasts.shape[1]):
            contrasts[k, i] = inner[i] - outer[i] if filled else np.nan


@compiled
def _limits(
    image: FloatImage, usable: NDArray[np.bool_], y: int, x: int, half: int, buffer: NDArray[np.float32]
) -> tuple[float, float]:
    """The median of the large box, four standard deviations (by the median deviation) on either side."""
    height, width = image.shape
    count = 0
    begin = _LARGE_STEP // 2 - half
    for row in range(max(y + begin, 0), min(y + half, height), _LARGE_STEP):
        for column in range(max(x + begin, 0), min(x + half, width), _LARGE_STEP):
            if usable[row, column]:
                buffer[count] = image[row, column]
                count += 1
    if count == 0:
        return 0.0, 0.0
    centre = np.median(buffer[:count])
    for i in range(count):
        buffer[i] = abs(buffer[i] - centre)
    reach = _STAR_SIGMA * _MAD_TO_SIGMA * np.median(buffer[:count])
    return float(centre - reach), float(centre + reach)


@compiled
def _levels(
    image: FloatImage,
    patterns: NDArray[np.float32],
    usable: NDArray[np.bool_],
    y: int,
    x: int,
    half: int,
    step: int,
    low: float,
    high: float,
    levels: NDArray[np.float64],
) -> bool:
    """Means over the usable pixels between `low` and `high` of the box; False where fewer than half are such."""
    height, width = image.shape
    count, tried = 0, 0
    levels[:] = 0.0
    begin = step // 2 - half  # so that boxes of all steps have one centre, and a slope of the sky no contrast
    for row in range(max(y + begin, 0), min(y + half, height), step):
        for column in range(max(x + begin, 0), min(x + half, width), step):
            tried += 1
            if usable[row, column] and low <= image[row, column] <= high:
                count += 1
                levels[0] += image[row, column]
                for i in range(len(patterns)):
                    levels[i + 1] += patterns[i, row, column]
    if 2 * count < tried or count == 0:
        return False
    levels /= count
    return True
