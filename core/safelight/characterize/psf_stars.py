"""Stars for the PSF: the tight cluster of small widths among bright, clean, lonely sources."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.characterize.config import StarSelectorConfig

__all__ = ["StarCluster", "find_star_cluster", "isolated", "reserved"]

#: When too few sources reach the wanted signal to noise, these fractions of it are tried in turn.
_RELAXED = (1.0, 0.5, 0.25, 0.125)
#: Cluster members below which the next fraction is tried.
_ENOUGH = 8


@dataclass(frozen=True, slots=True)
class StarCluster:
    """The sources that have the width of a star."""

    members: NDArray[np.bool_]  # (n,)
    width: float  # median sqrt((Ixx + Iyy) / 2), pixels; NaN without members
    spread: float  # robust scatter of the members' widths, as a fraction, over the CCD's trend
    signal_to_noise_min: float  # that the members have; lower than asked for where stars are few


def find_star_cluster(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    width: NDArray[np.float64],
    signal_to_noise: NDArray[np.float64],
    clean: NDArray[np.bool_],
    config: StarSelectorConfig,
) -> StarCluster:
    """Find the stellar locus among sources, all arrays (n,).

    Stars share one width, slowly varying over the CCD, while galaxies spread over many and cosmic rays are few at any
    one: the shortest interval of log width that holds a third of the bright sources lies on the stars. Its
    neighbourhood is clipped about a plane in (x, y).
    """
    best = StarCluster(np.zeros(len(x), dtype=np.bool_), float("nan"), float("nan"), float("nan"))
    usable = clean & np.isfinite(width) & (width >= config.widthMin) & (width <= config.widthMax)
    for fraction in _RELAXED:
        limit = config.signalToNoiseMin * fraction
        bright = np.flatnonzero(usable & (signal_to_noise >= limit))
        if len(bright) == 0:
            continue
        cluster = _cluster(x, y, width, bright, limit, config)
        if cluster.members.sum() > best.members.sum():
            best = cluster
        if best.members.sum() >= _ENOUGH:
            break
    return best


def _cluster(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    width: NDArray[np.float64],
    bright: NDArray[np.int64],
    limit: float,
    config: StarSelectorConfig,
) -> StarCluster:
    size = np.log(width[bright])
    centre = _densest(size)
    spread = config.widthStdAllowed
    trend = np.full(len(bright), centre)
    member = np.abs(size - trend) < config.widthStdAllowed
    for _ in range(10):
        if not member.any():
            break
        trend = _plane(x[bright], y[bright], size, member)
        deviation = size - trend
        spread = 1.4826 * float(np.median(np.abs(deviation[member] - np.median(deviation[member]))))
        tolerance = min(max(config.nSigmaClip * spread, 0.02), config.widthStdAllowed)
        chosen = np.abs(deviation) < tolerance
        if np.array_equal(chosen, member):
            break
        member = chosen
    members = np.zeros(len(x), dtype=np.bool_)
    members[bright[member]] = True
    middle = float(np.median(width[members])) if members.any() else float("nan")
    return StarCluster(members, middle, spread, limit)


def _densest(values: NDArray[np.float64]) -> float:
    """Middle of the shortest interval that holds a third of `values` (all of up to three)."""
    ordered = np.sort(values)
    n = len(ordered)
    k = min(n, max(3, int(np.ceil(n / 3))))
    lengths = ordered[k - 1 :] - ordered[: n - k + 1]
    start = int(np.argmin(lengths))
    return float(np.median(ordered[start : start + k]))


def _plane(
    x: NDArray[np.float64], y: NDArray[np.float64], value: NDArray[np.float64], member: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """`value` of the members as a plane in (x, y), evaluated everywhere; a constant with fewer than 15 members."""
    if member.sum() < 15:
        return np.full(len(x), float(np.median(value[member])))
    x0, y0 = x.mean(), y.mean()
    scale = max(float(np.ptp(x)), float(np.ptp(y)), 1.0)
    design = np.column_stack([np.ones(len(x)), (x - x0) / scale, (y - y0) / scale])
    solution = np.linalg.lstsq(design[member], value[member], rcond=None)[0]
    return np.asarray(design @ solution, dtype=np.float64)


def isolated(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    flux: NDArray[np.float64],
    which: NDArray[np.bool_],
    radius: float,
    fraction: float,
) -> NDArray[np.bool_]:
    """Those of `which` without a neighbour of more than `fraction` of their flux within `radius` pixels; (n,)."""
    from scipy.spatial import cKDTree

    result = which.copy()
    if not which.any():
        return result
    positions = np.column_stack([x, y])
    pairs = cKDTree(positions).query_pairs(radius, output_type="ndarray")
    bright = np.nan_to_num(flux, nan=0.0)
    for a, b in ((0, 1), (1, 0)):
        own, other = pairs[:, a], pairs[:, b]
        result[own[bright[other] > fraction * np.maximum(bright[own], 0.0)]] = False
    return result


def reserved(x: NDArray[np.int64], y: NDArray[np.int64], exposure_id: int, fraction: float) -> NDArray[np.bool_]:
    """Which stars are kept out of the fit: a hash of peak pixel and exposure, the same on every machine and run."""
    with np.errstate(over="ignore"):  # wrapping around is what a hash is for
        key = (
            x.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
            ^ y.astype(np.uint64) * np.uint64(0xC2B2AE3D27D4EB4F)
            ^ np.uint64(exposure_id & 0xFFFFFFFFFFFFFFFF) * np.uint64(0x165667B19E3779F9)
        )
        key = (key ^ key >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
        key = (key ^ key >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
        key ^= key >> np.uint64(31)
    return np.asarray(key >> np.uint64(11), dtype=np.float64) / 2.0**53 < fraction
