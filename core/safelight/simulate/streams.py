"""Reproducible random numbers: one independent stream for each seed and purpose.

Every draw of the simulator comes from `generator(seed, Stream.X, visit, ccd, ...)`, so that a frame is the same
whichever process makes it, in whatever order.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled, inlined

__all__ = ["Stream", "generator", "kernel_state", "next_uniform", "photon_noise"]


class Stream(IntEnum):
    """What a stream of random numbers is for. Numbers are part of the truth: never reuse or renumber one."""

    VISIT = 1
    BRIGHT_SKY = 2
    FAINT_SKY = 3
    CATALOG_SKY = 4
    REFERENCES = 5
    BIAS_PATTERN = 6
    DARK_PATTERN = 7
    FLAT_PATTERN = 8
    PHOTONS = 9
    GALAXIES = 10
    COSMIC_RAYS = 11
    READOUT = 12
    MASTER_NOISE = 13
    DEFECTS = 14
    CATALOG_ERRORS = 15


def generator(seed: int, stream: Stream, *keys: int) -> np.random.Generator:
    """A generator that depends on all arguments (non-negative integers) and on nothing else."""
    return np.random.default_rng([seed, int(stream), *keys])


def kernel_state(rng: np.random.Generator) -> NDArray[np.uint64]:
    """State of shape (1,) for `next_uniform`, drawn from `rng`."""
    return rng.integers(0, 2**63, size=1, dtype=np.uint64)


_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)
_S30, _S27, _S31, _S11 = np.uint64(30), np.uint64(27), np.uint64(31), np.uint64(11)


@inlined
def next_uniform(state: NDArray[np.uint64]) -> float:
    """The next number in (0, 1) of the SplitMix64 sequence (Steele, Lea & Flood 2014); for compiled code."""
    state[0] += _STEP
    z = state[0]
    z = (z ^ (z >> _S30)) * _MIX_1
    z = (z ^ (z >> _S27)) * _MIX_2
    z = z ^ (z >> _S31)
    return (float(z >> _S11) + 0.5) * 1.1102230246251565e-16


@compiled
def photon_noise(expected: NDArray[np.float32], normals: NDArray[np.float32], state: NDArray[np.uint64]) -> None:
    """Replace expected electrons, in place, by a Poisson draw of them.

    Above 50 electrons a normal deviate with the Poisson's skewness (first Cornish-Fisher term), rounded to whole
    electrons, is used; below it the exact product of uniforms. `normals` has the shape of `expected`.
    """
    height, width = expected.shape
    for y in range(height):
        for x in range(width):
            mean = float(expected[y, x])
            if mean > 50.0:
                z = float(normals[y, x])
                count = np.floor(mean + np.sqrt(mean) * z + (z * z - 1.0) / 6.0 + 0.5)
                expected[y, x] = max(count, 0.0)
            elif mean > 0.0:
                limit = np.exp(-mean)
                product = next_uniform(state)
                drawn = 0
                while product > limit:
                    drawn += 1
                    product *= next_uniform(state)
                expected[y, x] = drawn
            else:
                expected[y, x] = 0.0
