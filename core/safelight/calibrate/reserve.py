"""Which matched stars are kept out of every fit: a hash of the reference star's id decides, the same in every run."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["assign_folds", "hash_fraction", "reserved"]


def hash_fraction(ids: NDArray[np.int64]) -> NDArray[np.float64]:
    """A number in [0, 1) for each id, evenly spread, unlike for neighbouring ids (splitmix64, Steele et al. 2014)."""
    with np.errstate(over="ignore"):
        z = np.asarray(ids).astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return np.asarray((z >> np.uint64(11)).astype(np.float64) / 2.0**53, dtype=np.float64)


def reserved(ids: NDArray[np.int64], fraction: float) -> NDArray[np.bool_]:
    """True for about `fraction` of the ids; the same ids in every run and on every CCD."""
    return np.asarray(hash_fraction(ids) < fraction, dtype=np.bool_)


def assign_folds(ids: NDArray[np.int64], n_folds: int) -> NDArray[np.int64]:
    """A fold number for each id, folds of equal size within one, in the order of the hash."""
    order = np.argsort(hash_fraction(ids), kind="stable")
    folds = np.empty(len(order), dtype=np.int64)
    folds[order] = np.arange(len(order)) % max(min(n_folds, len(order)), 1)
    return folds
