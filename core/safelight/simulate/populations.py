"""A synthetic sky at high galactic latitude: number counts, colours and sizes of stars and galaxies.

The sky is cut into cells of about 0.1 degree, each filled from its own random stream, so any part of it can be made
on its own and is the same whoever asks. Counts follow the SDSS and HSC surveys roughly: 50,000 galaxies per square
degree and magnitude at r = 24, 8,000 stars per square degree brighter than r = 20.5.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.simulate.sources import Circle, SkySources
from safelight.simulate.streams import Stream, generator

__all__ = ["BRIGHT_LIMIT", "FAINT_LIMIT", "SyntheticSky", "faint_galaxies"]

FloatArray = NDArray[np.float64]

#: r magnitude that divides the sources a reference catalogue may have from those only a deep exposure shows.
BRIGHT_LIMIT = 22.9
FAINT_LIMIT = 26.3
#: Julian year of the cells' positions, Gaia DR2's epoch.
POSITION_EPOCH = 2015.5

_CELL_DEG = 0.1
_BRIGHTEST_STAR, _BRIGHTEST_GALAXY = 11.5, 13.5
# log10 of sources per square degree and magnitude at these r magnitudes
_STAR_COUNTS = ([11.0, 14.0, 16.0, 18.0, 20.0, 22.0, 24.0, 27.0], [1.55, 2.40, 2.80, 3.12, 3.38, 3.54, 3.68, 3.75])
_GALAXY_COUNTS = ([13.0, 16.0, 18.0, 20.0, 22.0, 24.0, 27.0], [-0.8, 1.05, 2.15, 3.15, 4.02, 4.70, 5.45])


def _density(counts: tuple[list[float], list[float]], magnitude: FloatArray) -> FloatArray:
    return np.asarray(10.0 ** np.interp(magnitude, *counts))


def _draw_magnitudes(
    rng: np.random.Generator, counts: tuple[list[float], list[float]], low: float, high: float, area_deg2: float
) -> FloatArray:
    """A Poisson number of r magnitudes between `low` and `high`, distributed as the counts."""
    grid = np.arange(low, high + 0.05, 0.1)
    cumulative = np.concatenate([[0.0], np.cumsum(0.1 * _density(counts, grid[:-1] + 0.05))])
    number = rng.poisson(cumulative[-1] * area_deg2)
    return np.asarray(np.interp(rng.uniform(0.0, cumulative[-1], number), cumulative, grid))


# Cubic through (g-i, g-r) = (0.2, 0.16), (1.0, 0.73), (2.0, 1.15), (3.2, 1.24): the stellar locus bends at M dwarfs.
_LOCUS = np.polynomial.Polynomial.fit([0.2, 1.0, 2.0, 3.2], [0.16, 0.73, 1.15, 1.24], 3)


def stellar_magnitudes(rng: np.random.Generator, r: FloatArray) -> FloatArray:
    """PS1 magnitudes (n, 5) of stars of these r magnitudes, on a cubic locus in g-i with 0.02 mag of width."""
    red_fraction = np.interp(r, [14.0, 18.0, 21.0, 24.0], [0.1, 0.3, 0.6, 0.8])
    blue = rng.normal(0.65, 0.22, len(r))
    red = rng.normal(2.25, 0.45, len(r))
    g_i = np.clip(np.where(rng.uniform(size=len(r)) < red_fraction, red, blue), 0.15, 3.2)
    g_r: FloatArray = _LOCUS(g_i)
    r_i = g_i - g_r
    i_z = 0.02 + 0.46 * r_i
    z_y = 0.01 + 0.22 * r_i
    return _scattered(rng, _from_colors(r, g_r, r_i, i_z, z_y), 0.02)


def galaxy_magnitudes(rng: np.random.Generator, r: FloatArray) -> FloatArray:
    """PS1 magnitudes (n, 5) of galaxies: bluer the fainter."""
    redness = np.interp(r, [16.0, 20.0, 24.0], [1.0, 1.0, 0.55]) * rng.lognormal(0.0, 0.35, len(r))
    g_r, r_i = 0.75 * redness, 0.42 * redness
    i_z, z_y = 0.25 * redness, 0.15 * redness
    return _scattered(rng, _from_colors(r, g_r, r_i, i_z, z_y), 0.05)


def _scattered(rng: np.random.Generator, magnitudes: FloatArray, sigma: float) -> FloatArray:
    """`magnitudes` with scatter in all bands but r, which the counts are in."""
    scatter: FloatArray = sigma * rng.standard_normal(magnitudes.shape)
    scatter[:, 1] = 0.0
    return magnitudes + scatter


def _from_colors(r: FloatArray, g_r: FloatArray, r_i: FloatArray, i_z: FloatArray, z_y: FloatArray) -> FloatArray:
    return np.column_stack([r + g_r, r, r - r_i, r - r_i - i_z, r - r_i - i_z - z_y])


def galaxy_shapes(
    rng: np.random.Generator, r: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, NDArray[np.int64]]:
    """Half-light radii (arcsec), axis ratios, position angles (rad) and Sérsic indices of galaxies."""
    number = len(r)
    typical = 0.22 + 0.55 * 10.0 ** (-0.11 * (r - 20.0))
    return (
        np.minimum(typical * rng.lognormal(0.0, 0.35, number), 12.0),
        rng.uniform(0.25, 1.0, number),
        rng.uniform(0.0, math.pi, number),
        np.where(rng.uniform(size=number) < np.interp(r, [17.0, 21.0, 24.0], [0.5, 0.3, 0.1]), 4, 1).astype(np.int64),
    )


@dataclass(frozen=True, slots=True)
class _Cell:
    band: int  # in declination
    column: int  # in right ascension
    ra_low: float
    ra_high: float
    dec_low: float

    def area_deg2(self) -> float:
        low, high = (math.sin(math.radians(d)) for d in (self.dec_low, self.dec_low + _CELL_DEG))
        return (self.ra_high - self.ra_low) * math.degrees(high - low)

    def positions(self, rng: np.random.Generator, number: int) -> tuple[FloatArray, FloatArray]:
        low, high = (math.sin(math.radians(d)) for d in (self.dec_low, self.dec_low + _CELL_DEG))
        ra = rng.uniform(self.ra_low, self.ra_high, number)
        return ra, np.degrees(np.arcsin(rng.uniform(low, high, number)))


def _cells(circle: Circle) -> Iterator[_Cell]:
    """The cells that a circle touches (and some of their neighbours)."""
    first = max(0, math.floor((circle.dec_deg - circle.radius_deg + 90.0) / _CELL_DEG))
    last = min(round(180.0 / _CELL_DEG) - 1, math.floor((circle.dec_deg + circle.radius_deg + 90.0) / _CELL_DEG))
    for band in range(first, last + 1):
        dec_low = band * _CELL_DEG - 90.0
        widest = max(abs(dec_low), abs(dec_low + _CELL_DEG))
        columns = max(1, round(360.0 * math.cos(math.radians(min(abs(dec_low + _CELL_DEG / 2), 90.0))) / _CELL_DEG))
        width = 360.0 / columns
        reach = 180.0 if widest + circle.radius_deg >= 90.0 else circle.radius_deg / math.cos(math.radians(widest))
        low, high = math.floor((circle.ra_deg - reach) / width), math.floor((circle.ra_deg + reach) / width)
        for column in sorted({c % columns for c in range(low, min(high, low + columns - 1) + 1)}):
            yield _Cell(band, column, column * width, (column + 1) * width, dec_low)


def _galaxies(cell: _Cell, rng: np.random.Generator, low: float, high: float, first_id: int) -> SkySources:
    r = _draw_magnitudes(rng, _GALAXY_COUNTS, low, high, cell.area_deg2())
    ra, dec = cell.positions(rng, len(r))
    sizes, ratios, angles, indices = galaxy_shapes(rng, r)
    nothing = np.zeros(len(r))
    return SkySources(
        id=first_id + np.arange(len(r), dtype=np.int64),
        ra_deg=ra,
        dec_deg=dec,
        magnitudes=galaxy_magnitudes(rng, r),
        is_star=np.zeros(len(r), dtype=bool),
        half_light_arcsec=sizes,
        axis_ratio=ratios,
        position_angle_rad=angles,
        sersic_index=indices,
        pm_ra_mas=nothing,
        pm_dec_mas=nothing.copy(),
    )


def _stars(cell: _Cell, rng: np.random.Generator, low: float, high: float, first_id: int) -> SkySources:
    r = _draw_magnitudes(rng, _STAR_COUNTS, low, high, cell.area_deg2())
    ra, dec = cell.positions(rng, len(r))
    number = len(r)
    motion = 12.0 * 10.0 ** (-0.08 * (r - 16.0))
    return SkySources(
        id=first_id + np.arange(number, dtype=np.int64),
        ra_deg=ra,
        dec_deg=dec,
        magnitudes=stellar_magnitudes(rng, r),
        is_star=np.ones(number, dtype=bool),
        half_light_arcsec=np.zeros(number),
        axis_ratio=np.ones(number),
        position_angle_rad=np.zeros(number),
        sersic_index=np.ones(number, dtype=np.int64),
        pm_ra_mas=motion * rng.standard_normal(number) - 2.0,
        pm_dec_mas=motion * rng.standard_normal(number) - 4.0,
    )


def _fill(cell: _Cell, seed: int, *, faint: bool, stars: bool = True) -> SkySources:
    """One cell's sources, brighter or fainter than `BRIGHT_LIMIT`; ids tell cell, depth and running number."""
    stream = Stream.FAINT_SKY if faint else Stream.BRIGHT_SKY
    rng = generator(seed, stream, cell.band, cell.column)
    low, high = (BRIGHT_LIMIT, FAINT_LIMIT) if faint else (_BRIGHTEST_STAR, BRIGHT_LIMIT)
    first_id = ((cell.band * 4096 + cell.column) * 2 + faint + 1) << 20
    galaxies = _galaxies(cell, rng, max(low, _BRIGHTEST_GALAXY), high, first_id)
    if not stars:
        return galaxies
    return SkySources.concatenated([_stars(cell, rng, low, high, first_id + len(galaxies)), galaxies])


@dataclass(frozen=True, slots=True)
class SyntheticSky:
    """A sky of random stars and galaxies; the same for the same seed."""

    seed: int

    def sources(self, circle: Circle, epoch_year: float) -> SkySources:
        """Everything down to r = 26.3 in the cells that touch `circle`, moved to `epoch_year`."""
        parts = [_fill(cell, self.seed, faint=faint) for cell in _cells(circle) for faint in (False, True)]
        return SkySources.concatenated(parts).moved(epoch_year - POSITION_EPOCH)

    def bright_sources(self, circle: Circle) -> SkySources:
        """Sources brighter than r = 22.9 at the epoch 2015.5: what reference catalogues are made from."""
        return SkySources.concatenated([_fill(cell, self.seed, faint=False) for cell in _cells(circle)])


def faint_galaxies(seed: int, circle: Circle, brightest_r: float) -> SkySources:
    """Only the galaxies fainter than `brightest_r`: the background of a sky whose bright part is a real catalogue."""
    found = SkySources.concatenated([_fill(cell, seed, faint=True, stars=False) for cell in _cells(circle)])
    return found[found.band("r") > brightest_r]
