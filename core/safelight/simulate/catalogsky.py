"""A real reference catalogue as the sky.

PS1 sources that Gaia also saw are stars at Gaia's places, moved to the epoch of the observation; the others lie at
PS1's places plus a draw of 8 mas on each axis. True fluxes are the catalogue's scattered by its errors. Gaia stars too
bright for PS1 are added, and a synthetic background of galaxies beyond PS1's depth. The pipeline gets the catalogues as
they are, or with errors drawn anew (`drawncatalogs`).
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight.simulate.populations import BRIGHT_LIMIT, faint_galaxies, galaxy_shapes
from safelight.simulate.sources import BANDS, Circle, SkySources
from safelight.simulate.streams import Stream, generator

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["CatalogFolders", "CatalogSky", "find_catalogs"]

FloatArray = NDArray[np.float64]

_MATCH_ARCSEC = 0.5
_PS1_POSITION_MAS = 8.0
_GAIA_EPOCH_MJD = 57205.875  # 2015.5, where a catalogue says none
_SHARD_DEPTH = 7
_PS1_SATURATION_R = 16.0  # where the fragments of saturated stars end
_FRAGMENTS_ARCSEC = 5.0
#: r magnitude beyond which PS1's stacks miss most sources.
_CATALOG_DEPTH_R = 23.7


@dataclass(frozen=True, slots=True)
class CatalogFolders:
    """The folders of shards, named as reference catalogues are."""

    ps1: Path
    gaia: Path | None


def _shards(folder: Path) -> dict[int, Path]:
    return {int(path.stem): path for path in sorted(folder.glob("*.fits")) if path.stem.isdigit()}


def _folders(parent: Path, name: str) -> list[Path]:
    return [folder for folder in sorted(parent.glob(f"{name}*")) if folder.is_dir() and _shards(folder)]


def find_catalogs(folder: Path) -> CatalogFolders:
    """PS1's and Gaia's folders: `folder` holds both, or is one of them with the other beside it.

    Raises `UsageError` (NO_SKY_CATALOG) when there is no PS1 catalogue.
    """
    for parent in (folder, folder.parent):
        ps1, gaia = (_folders(parent, name) for name in ("ps1", "gaia"))
        if ps1:
            return CatalogFolders(ps1[0], gaia[0] if gaia else None)
    raise UsageError(
        "NO_SKY_CATALOG",
        f"There is no PS1 reference catalogue in {folder}.",
        "Give the folder that holds ps1_…/ and gaia_…/, each with HTM shards named <id>.fits.",
    )


def _read(path: Path) -> Table:
    from astropy.table import Table

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # units such as 'rad/year' and 'day' are not astropy's
        return Table.read(path, hdu=1)


def _plain(table: Table, name: str) -> FloatArray:
    """A column as float64, NaN where it has no value."""
    return np.ma.filled(np.ma.asarray(table[name]).astype(np.float64), np.nan)


@dataclass(frozen=True)
class CatalogSky:
    """The sky of a pair of reference catalogues; the same for the same seed."""

    folders: CatalogFolders
    seed: int

    @cached_property
    def shards(self) -> dict[int, Path]:
        """PS1's shards by HTM id."""
        return _shards(self.folders.ps1)

    def covers(self, ra_deg: FloatArray, dec_deg: FloatArray) -> NDArray[np.bool_]:
        """Whether each position lies in a triangle that both catalogues have."""
        from lsst.sphgeom import HtmPixelization, LonLat, UnitVector3d

        known = set(self.shards)
        if self.folders.gaia is not None:
            known &= set(_shards(self.folders.gaia))
        pixels = HtmPixelization(_SHARD_DEPTH)
        places = (LonLat.fromDegrees(float(ra), float(dec)) for ra, dec in zip(ra_deg, dec_deg, strict=True))
        return np.array([pixels.index(UnitVector3d(place)) in known for place in places])

    def sources(self, circle: Circle, epoch_year: float) -> SkySources:
        """The whole catalogue (it is small) and the faint galaxies of `circle`, at `epoch_year`."""
        return SkySources.concatenated(
            [self.bright.moved(epoch_year - 2015.5), faint_galaxies(self.seed, circle, _CATALOG_DEPTH_R)]
        )

    @cached_property
    def bright(self) -> SkySources:
        """All that the catalogues know, each source once, at 2015.5."""
        gaia = self._gaia()
        streams = {shard: generator(self.seed, Stream.CATALOG_SKY, shard) for shard in self.shards}
        ps1 = [_ps1_shard(_read(path), streams[shard]) for shard, path in self.shards.items()]
        sources = _without_doubles(SkySources.concatenated(ps1))
        if gaia is None:
            return sources
        return _with_gaia(sources, gaia)

    def _gaia(self) -> SkySources | None:
        if self.folders.gaia is None:
            return None
        parts = [_gaia_shard(_read(path)) for path in _shards(self.folders.gaia).values()]
        return SkySources.concatenated(parts)


def _ps1_shard(table: Table, rng: np.random.Generator) -> SkySources:
    """PS1 rows with true fluxes drawn from their errors, and places drawn about PS1's; all galaxies until matched."""
    number = len(table)
    fluxes = np.column_stack([_plain(table, f"{band}_flux") for band in BANDS])
    errors = np.column_stack([_plain(table, f"{band}_fluxErr") for band in BANDS])
    errors = np.where(np.isfinite(errors), errors, 0.0)
    true = np.maximum(fluxes + errors * rng.standard_normal(fluxes.shape), 0.3 * fluxes)
    magnitudes = _without_gaps(_ab_magnitudes(true))
    dec = np.degrees(_plain(table, "coord_dec"))
    shift = _PS1_POSITION_MAS / 3.6e6 * rng.standard_normal((2, number))
    r = magnitudes[:, 1]
    sizes, ratios, angles, indices = galaxy_shapes(rng, r)
    # Gaia is complete for stars to about r = 20.5; fainter sources without a match are stars one time in three.
    point_like = rng.uniform(size=number) < np.interp(r, [20.0, 21.0], [0.1, 0.35])
    return SkySources(
        id=np.asarray(table["id"], dtype=np.int64),
        ra_deg=np.degrees(_plain(table, "coord_ra")) + shift[0] / np.cos(np.radians(dec)),
        dec_deg=dec + shift[1],
        magnitudes=magnitudes,
        is_star=point_like,
        half_light_arcsec=np.where(point_like, 0.0, sizes),
        axis_ratio=ratios,
        position_angle_rad=angles,
        sersic_index=indices,
        pm_ra_mas=np.zeros(number),
        pm_dec_mas=np.zeros(number),
    )


def _gaia_shard(table: Table) -> SkySources:
    """Gaia stars at 2015.5, with PS1-like magnitudes from G, BP and RP (photometric relations of Gaia DR2 to SDSS)."""
    number = len(table)
    g, bp, rp = (_ab_magnitudes(_plain(table, f"phot_{band}_mean_flux")) for band in ("g", "bp", "rp"))
    color = np.clip(np.where(np.isfinite(bp - rp), bp - rp, 1.2) + 0.45, 0.0, 3.5)  # AB to Vega
    r = g + 0.12 - 0.247 * color + 0.0275 * color**2 + 0.0495 * color**3
    i = g + 0.297 - 0.647 * color + 0.101 * color**2
    g_r = np.clip(1.9 * (r - i) + 0.1, 0.1, 1.25)
    magnitudes = np.column_stack([r + g_r, r, i, i - 0.46 * (r - i), i - 0.68 * (r - i)])
    dec = np.degrees(_plain(table, "coord_dec"))
    ra = np.degrees(_plain(table, "coord_ra"))
    # The catalogue's column says "rad"; it is radians a year.
    pm = [np.nan_to_num(np.degrees(_plain(table, name))) * 3.6e6 for name in ("pm_ra", "pm_dec")]
    epoch = np.where(_plain(table, "epoch") > 0, _plain(table, "epoch"), _GAIA_EPOCH_MJD)
    years = (_GAIA_EPOCH_MJD - epoch) / 365.25
    return SkySources(
        id=np.asarray(table["id"], dtype=np.int64),
        ra_deg=ra + pm[0] * years / 3.6e6 / np.cos(np.radians(dec)),
        dec_deg=dec + pm[1] * years / 3.6e6,
        magnitudes=magnitudes,
        is_star=np.ones(number, dtype=bool),
        half_light_arcsec=np.zeros(number),
        axis_ratio=np.ones(number),
        position_angle_rad=np.zeros(number),
        sersic_index=np.ones(number, dtype=np.int64),
        pm_ra_mas=pm[0],
        pm_dec_mas=pm[1],
    )


def _ab_magnitudes(flux_njy: FloatArray) -> FloatArray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(flux_njy > 0, 31.4 - 2.5 * np.log10(flux_njy), np.nan)


def _without_gaps(magnitudes: FloatArray) -> FloatArray:
    """Missing bands filled from the nearest band that is there, with the catalogue's median colours."""
    filled = magnitudes.copy()
    medians = np.nanmedian(magnitudes - magnitudes[:, [2]], axis=0)
    medians = np.where(np.isfinite(medians), medians, 0.0)
    for band in range(len(BANDS)):
        for other in sorted(range(len(BANDS)), key=lambda k: abs(k - band))[1:]:
            gap = ~np.isfinite(filled[:, band])
            filled[gap, band] = magnitudes[gap, other] + medians[band] - medians[other]
    return np.where(np.isfinite(filled), filled, BRIGHT_LIMIT)


def _unit_vectors(sources: SkySources) -> FloatArray:
    ra, dec = np.radians(sources.ra_deg), np.radians(sources.dec_deg)
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def _chord(arcsec: float) -> float:
    return float(2.0 * np.sin(np.radians(arcsec / 3600.0) / 2.0))


def _without_doubles(sources: SkySources) -> SkySources:
    """Entries within 0.3" of a brighter one left out: they are second detections of the same source."""
    from scipy.spatial import cKDTree

    pairs: Iterable[tuple[int, int]] = cKDTree(_unit_vectors(sources)).query_pairs(_chord(0.3))
    i = sources.band("i")
    fainter = {a if i[a] > i[b] else b for a, b in pairs}
    kept = np.ones(len(sources), dtype=bool)
    kept[sorted(fainter)] = False
    return sources[kept]


def _with_gaia(ps1: SkySources, gaia: SkySources) -> SkySources:
    """PS1's sources with Gaia's places and motions where they match, and Gaia's other stars down to G about 18.

    PS1 breaks saturated stars up: what it has beside one is left out of the sky, unless Gaia saw it too.
    """
    from scipy.spatial import cKDTree

    # PS1's mean epoch is about 2013: Gaia's stars are brought there for the comparison.
    distance, nearest = cKDTree(_unit_vectors(gaia.moved(-2.5))).query(_unit_vectors(ps1))
    matched = np.flatnonzero(distance < _chord(_MATCH_ARCSEC))
    order = matched[np.argsort(distance[matched])]
    _, first = np.unique(nearest[order], return_index=True)  # each Gaia star once, its nearest PS1 source
    matched = order[first]
    star = nearest[matched]
    ps1.ra_deg[matched], ps1.dec_deg[matched] = gaia.ra_deg[star], gaia.dec_deg[star]
    ps1.pm_ra_mas[matched], ps1.pm_dec_mas[matched] = gaia.pm_ra_mas[star], gaia.pm_dec_mas[star]
    ps1.is_star[matched], ps1.half_light_arcsec[matched] = True, 0.0
    saturated = gaia.band("r") < _PS1_SATURATION_R
    if saturated.any():
        beside, _ = cKDTree(_unit_vectors(gaia[saturated].moved(-2.5))).query(_unit_vectors(ps1))
        kept = beside > _chord(_FRAGMENTS_ARCSEC)
        kept[matched] = True
        ps1 = ps1[kept]
    alone = np.ones(len(gaia), dtype=bool)
    alone[star] = False
    near, _ = cKDTree(_unit_vectors(ps1)).query(_unit_vectors(gaia))
    alone &= (near > _chord(2.0)) & (gaia.band("r") < 18.5)
    return SkySources.concatenated([ps1, gaia[alone]])
