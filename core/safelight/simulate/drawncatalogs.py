"""A real catalogue seen anew: its stars at their true places plus errors drawn of the size that the catalogue claims.

A catalogue whose own stars are the sky has no errors against it, or none that anybody knows. Here the sky stays and the
catalogue is written again: each position gets a draw of its stated error (or of the one that is assumed where it states
none), each proper motion a draw of its own, and the whole a smooth field of displacements, of the size of the error
that stars have in common.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.butler.atomic import atomic_path, make_directory
from safelight.refcats.traits import CatalogTraits, catalog_traits
from safelight.simulate.sources import SkySources
from safelight.simulate.streams import Stream, generator

__all__ = ["write_drawn_catalog"]

FloatArray = NDArray[np.float64]

_MAS = float(np.radians(1.0 / 3.6e6))
_WAVES = 24
_WAVELENGTHS_DEG = (0.4, 2.0)  # of the field of displacements
_POSITION_EPOCH_MJD = 57205.875  # of the sky's places


def write_drawn_catalog(source: Path, target: Path, sky: SkySources, seed: int) -> None:
    """Write the shards of the catalogue `source` to the directory `target` with places and motions drawn.

    Parameters
    ----------
    source, target : Path
        Directories of HTM shards; other files are not copied but for the configuration.
    sky : SkySources
        The true sky at 2015.5. A row of the catalogue is found in it by its id, or, where another catalogue gave the
        star its id, by its place; rows of nothing that is in the sky stay as they are.
    seed : int
        Of the draws; the same files for the same seed.
    """
    make_directory(target)
    traits = catalog_traits(source.name)
    field = _Displacements.drawn(seed, traits)
    for file in sorted(source.iterdir()):
        final = target / file.name
        if not file.is_file() or final.is_file():
            continue
        with atomic_path(final) as temporary:
            if file.suffix == ".fits" and file.stem.isdigit():
                _redraw(file, temporary, sky, traits, field, seed)
            else:
                temporary.write_bytes(file.read_bytes())


class _Displacements:
    """A smooth random field: waves of random direction and phase."""

    def __init__(self, waves: FloatArray, phases: FloatArray, amplitude_rad: float) -> None:
        self._waves, self._phases, self._amplitude = waves, phases, amplitude_rad

    @classmethod
    def drawn(cls, seed: int, traits: CatalogTraits) -> _Displacements:
        rng = generator(seed, Stream.CATALOG_ERRORS, _key(traits))
        length = rng.uniform(*_WAVELENGTHS_DEG, (2, _WAVES))
        direction = rng.uniform(0.0, 2.0 * np.pi, (2, _WAVES))
        waves = 360.0 / length * np.stack([np.cos(direction), np.sin(direction)])  # cycles over a radian, times 2 pi
        phases = rng.uniform(0.0, 2.0 * np.pi, (2, _WAVES))
        return cls(waves, phases, traits.systematic_floor_mas * _MAS * np.sqrt(2.0 / _WAVES))

    def at(self, ra: FloatArray, dec: FloatArray) -> FloatArray:
        """(2, n) radians on the sky towards East and North, at positions in radians."""
        angle = self._waves[0][..., None] * (ra * np.cos(dec)) + self._waves[1][..., None] * dec
        return np.asarray(self._amplitude * np.cos(angle + self._phases[..., None]).sum(axis=1))


def _key(traits: CatalogTraits) -> int:
    return sum(traits.glob.encode())


def _redraw(
    source: Path, target: Path, sky: SkySources, traits: CatalogTraits, field: _Displacements, seed: int
) -> None:
    from astropy.io import fits

    with warnings.catch_warnings(), fits.open(source, memmap=False) as hdus:
        warnings.simplefilter("ignore")  # units such as 'rad/year' and 'day' are not astropy's
        rows = hdus[1].data
        rng = generator(seed, Stream.CATALOG_ERRORS, _key(traits), int(source.stem))
        star = _in_the_sky(rows, sky)
        found = star >= 0
        _draw_places(rows, found, sky[star[found]], traits, field, rng)
        hdus.writeto(target)


def _in_the_sky(rows: Any, sky: SkySources) -> NDArray[np.int64]:
    """For each row its number in the sky, -1 where it is not there."""
    order = np.argsort(sky.id, kind="stable")
    ids = np.asarray(rows["id"], dtype=np.int64)
    place = np.clip(np.searchsorted(sky.id, ids, sorter=order), 0, len(order) - 1)
    by_id = np.where(sky.id[order[place]] == ids, order[place], -1)
    # stars that two catalogues have carry the id of the other one, and exactly this one's place
    near, distance = _nearest(sky, np.degrees(rows["coord_ra"]), np.degrees(rows["coord_dec"]))
    return np.asarray(np.where(by_id >= 0, by_id, np.where(distance < 0.05, near, -1)), dtype=np.int64)


def _nearest(sky: SkySources, ra: FloatArray, dec: FloatArray) -> tuple[NDArray[np.int64], FloatArray]:
    """The source nearest to each place (degrees), and its distance in arcsec."""
    from scipy.spatial import cKDTree

    def vectors(ra_deg: FloatArray, dec_deg: FloatArray) -> FloatArray:
        a, d = np.radians(np.asarray(ra_deg, dtype=np.float64)), np.radians(np.asarray(dec_deg, dtype=np.float64))
        return np.column_stack([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])

    chord, near = cKDTree(vectors(sky.ra_deg, sky.dec_deg)).query(vectors(ra, dec))
    return np.asarray(near, dtype=np.int64), np.degrees(chord) * 3600.0


def _draw_places(
    rows: Any,
    found: NDArray[np.bool_],
    stars: SkySources,
    traits: CatalogTraits,
    field: _Displacements,
    rng: np.random.Generator,
) -> None:
    """Give the found rows new places and motions, at the epoch of each (of the catalogue, where rows tell none)."""
    columns = rows.columns.names
    epoch = np.full(len(stars), traits.mean_epoch_mjd if np.isfinite(traits.mean_epoch_mjd) else _POSITION_EPOCH_MJD)
    measured = np.zeros(len(stars), dtype=bool)
    if "pm_raErr" in columns:  # Gaia; the motions that some PS1 shards carry are none
        measured = np.asarray(rows["pm_raErr"][found] > 0, dtype=bool)
        stated = np.asarray(rows["epoch"][found], dtype=np.float64)
        epoch = np.where(stated > 0, stated, epoch)
    years = (epoch - _POSITION_EPOCH_MJD) / 365.25
    cos_dec = np.cos(np.radians(stars.dec_deg))
    ra = np.radians(stars.ra_deg) + stars.pm_ra_mas * years * _MAS / cos_dec
    dec = np.radians(stars.dec_deg) + stars.pm_dec_mas * years * _MAS
    common = field.at(ra, dec)
    for axis, (name, true, stretch) in enumerate((("ra", ra, cos_dec), ("dec", dec, np.ones_like(dec)))):
        stated = np.zeros(len(stars))
        if f"coord_{name}Err" in columns:
            stated = np.asarray(rows[f"coord_{name}Err"][found], dtype=np.float64)
        error = np.where(np.isfinite(stated) & (stated > 0), stated, traits.unstated_error_mas * _MAS)
        drawn = true + (error * rng.standard_normal(len(stars)) + common[axis]) / stretch
        rows[f"coord_{name}"][found] = drawn % (2.0 * np.pi) if name == "ra" else drawn
        if measured.any():
            motion = (stars.pm_ra_mas, stars.pm_dec_mas)[axis] * _MAS
            motion = motion + np.nan_to_num(rows[f"pm_{name}Err"][found]) * rng.standard_normal(len(stars))
            rows[f"pm_{name}"][found] = np.where(measured, motion, rows[f"pm_{name}"][found])
