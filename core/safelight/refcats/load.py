"""Loading the reference stars of a circle on the sky."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import DatasetNotFound
from safelight.exposure.projection import angular_separation
from safelight.refcats.catalog import ReferenceCatalog
from safelight.refcats.columns import flux_bands, flux_error_column, flux_scale_njy, number
from safelight.refcats.dataset import DatasetConfig
from safelight.refcats.htm import shard_ids
from safelight.refcats.motion import aged, moved, trustworthy_motions
from safelight.refcats.shards import Shard, read_shard
from safelight.refcats.traits import CatalogTraits, catalog_traits

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["catalog_shards", "load_reference_catalog"]

FloatArray = NDArray[np.float64]

_MAS = 3.6e6 * 180.0 / np.pi  # per radian


def load_reference_catalog(
    root: str | Path,
    centre_ra_deg: float,
    centre_dec_deg: float,
    radius_deg: float,
    epoch_mjd_tai: float = math.nan,
    *,
    position_error_floor_mas: float | None = None,
) -> ReferenceCatalog:
    """The stars of a catalogue within a circle, at the epoch of an observation.

    Parameters
    ----------
    root : path-like
        The catalogue's directory, ``…/ref_cats/NAME``, with shards of format version 0 (Jy), 1 or 2 (nJy).
    centre_ra_deg, centre_dec_deg, radius_deg : float
        The circle, ICRS degrees.
    epoch_mjd_tai : float
        MJD (TAI) to which stars are moved where the catalogue's proper motions can be believed; where they cannot, the
        stars stay and their errors grow with the time since the catalogue's own epoch, if that is known. NaN: neither.
    position_error_floor_mas : float, optional
        Least error of a position per axis; stars without a stated error get it too. None: what is known of the
        catalogue (10 mas for stars of PS1, which states none).

    Returns
    -------
    ReferenceCatalog
        With `missing_shards` naming the HTM triangles of the circle that have no file (perhaps because they are empty).

    Raises
    ------
    DatasetNotFound
        ``NO_REFERENCE_CATALOG`` when there is no such directory, ``MISSING_SHARDS`` when none of the shards exists.
    RepositoryError
        ``BAD_SHARD`` for a damaged file.
    """
    root = Path(root)
    there, missing = catalog_shards(root, centre_ra_deg, centre_dec_deg, radius_deg)
    config = DatasetConfig.read(root)
    if not there:
        raise DatasetNotFound(
            "MISSING_SHARDS",
            f"Reference catalogue {root.name} has no shard within {radius_deg:.3f} degrees of RA {centre_ra_deg:.4f} "
            f"Dec {centre_dec_deg:+.4f}: looked for {', '.join(f'{number_}.fits' for number_ in missing)} in {root}.",
            "Fetch or ingest these shards, or use another catalogue.",
        )
    traits = catalog_traits(root.name)
    parts = []
    for path in there.values():
        shard = read_shard(path)
        select = _inside(shard, centre_ra_deg, centre_dec_deg, radius_deg)
        parts.append(_part(shard, select, config, traits, epoch_mjd_tai, position_error_floor_mas))
    catalog = _joined(parts, root.name)
    common = 0.0 if math.isfinite(catalog.epoch_mjd_tai) else aged(traits.mean_epoch_mjd, epoch_mjd_tai)[1]
    catalog.systematic_floor_mas = math.hypot(traits.systematic_floor_mas, common)
    catalog.centre_ra_deg, catalog.centre_dec_deg, catalog.radius_deg = centre_ra_deg, centre_dec_deg, radius_deg
    catalog.shards = tuple(str(path) for path in there.values())
    catalog.missing_shards = missing
    return catalog


def catalog_shards(
    root: str | Path, centre_ra_deg: float, centre_dec_deg: float, radius_deg: float
) -> tuple[dict[int, Path], tuple[int, ...]]:
    """The shards of a catalogue that touch a circle: HTM id -> file, and the ids that have no file.

    Raises `DatasetNotFound` NO_REFERENCE_CATALOG when there is no such directory.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetNotFound(
            "NO_REFERENCE_CATALOG", f"There is no reference catalogue {root.name!r}: {root} is not a directory."
        )
    ids = shard_ids(centre_ra_deg, centre_dec_deg, radius_deg, DatasetConfig.read(root).depth)
    there = {number_: path for number_ in ids if (path := root / f"{number_}.fits").is_file()}
    return there, tuple(number_ for number_ in ids if number_ not in there)


def _inside(shard: Shard, ra_deg: float, dec_deg: float, radius_deg: float) -> NDArray[np.intp]:
    dec = np.degrees(shard.rows["coord_dec"].astype(np.float64))
    # The separation of all rows costs most of the time; few rows of a shard lie in the strip of declination.
    strip = np.flatnonzero(np.abs(dec - dec_deg) <= radius_deg)
    ra = np.degrees(shard.rows["coord_ra"][strip].astype(np.float64))
    return strip[angular_separation(ra, dec[strip], ra_deg, dec_deg) <= radius_deg]


def _part(
    shard: Shard,
    select: NDArray[np.intp],
    config: DatasetConfig,
    traits: CatalogTraits,
    epoch_mjd_tai: float,
    floor_mas: float | None,
) -> ReferenceCatalog:
    """The selected rows of one shard."""
    rows = shard.rows[select]
    ra, dec = (np.degrees(rows[name].astype(np.float64)) for name in ("coord_ra", "coord_dec"))
    ra = np.mod(ra, 360.0)
    errors = [_position_error(shard, name, select, traits, floor_mas) for name in ("coord_raErr", "coord_decErr")]
    assumed = 0.0 if floor_mas is not None or _states_errors(shard, select) else traits.unstated_error_mas
    motions = trustworthy_motions(shard, select) if math.isfinite(epoch_mjd_tai) else None
    epoch = math.nan
    if motions is None:
        random, _ = aged(traits.mean_epoch_mjd, epoch_mjd_tai)
        errors = [np.hypot(error, random) for error in errors]
        assumed = math.hypot(assumed, random)
    else:
        ra, dec, errors[0], errors[1] = moved(ra, dec, errors[0], errors[1], motions, epoch_mjd_tai)
        epoch = epoch_mjd_tai
    fluxes, flux_errors = _fluxes(shard, select, config.format_version)
    return ReferenceCatalog(
        name="",
        id=rows["id"].astype(np.int64),
        ra_deg=ra,
        dec_deg=dec,
        ra_error_mas=errors[0],
        dec_error_mas=errors[1],
        flux_njy=fluxes,
        flux_error_njy=flux_errors,
        epoch_mjd_tai=epoch,
        assumed_error_mas=assumed,
        rows=_table(shard, select),
    )


def _states_errors(shard: Shard, select: NDArray[np.intp]) -> bool:
    """Whether any of the rows has a position error."""
    stated = number(shard, "coord_raErr", select)
    return stated is not None and bool(np.any(stated > 0))


def _position_error(
    shard: Shard, quantity: str, select: NDArray[np.intp], traits: CatalogTraits, floor_mas: float | None
) -> FloatArray:
    """Stated errors in mas, no less than the floor; catalogues that state none have zeros or no column."""
    stated = number(shard, quantity, select)
    error = np.full(len(select), np.nan) if stated is None else stated * _MAS
    usable = np.isfinite(error) & (error > 0)
    unstated = traits.unstated_error_mas if floor_mas is None else floor_mas
    least = traits.least_error_mas if floor_mas is None else floor_mas
    result: FloatArray = np.where(usable, np.maximum(error, least), unstated if unstated > 0 else np.nan)
    return result


def _fluxes(
    shard: Shard, select: NDArray[np.intp], format_version: int | None
) -> tuple[dict[str, FloatArray], dict[str, FloatArray]]:
    """Fluxes and errors in nJy; exact zeros stand for missing values and become NaN."""
    fluxes: dict[str, FloatArray] = {}
    errors: dict[str, FloatArray] = {}
    for band in flux_bands(shard):
        column = f"{band}_flux"
        flux = shard.rows[column][select].astype(np.float64) * flux_scale_njy(shard, column, format_version)
        flux[flux == 0] = np.nan
        fluxes[band] = flux
        name = flux_error_column(shard, band)
        if name is None:
            errors[band] = np.full(len(select), np.nan)
            continue
        error = shard.rows[name][select].astype(np.float64) * flux_scale_njy(shard, name, format_version)
        error[~(error > 0)] = np.nan
        errors[band] = error
    return fluxes, errors


def _table(shard: Shard, select: NDArray[np.intp]) -> Table:
    """The catalogue's own columns, flags unpacked, in native byte order."""
    from astropy.table import Table

    columns: dict[str, Any] = {}
    for name in shard.rows.dtype.names or ():
        if name == shard.flags_column:
            columns |= {flag: shard.flag(flag, select) for flag in shard.flags}
        else:
            column = shard.rows[name][select]
            columns[name] = column.astype(column.dtype.newbyteorder("="))
    table = Table(columns, copy=False)
    for name, unit in shard.units.items():
        known = _UNITS.get(unit.casefold())
        if known is not None and name in columns:
            table[name].unit = known
    return table


#: Units as catalogues spell them -> as astropy does.
_UNITS = {
    "rad": "rad", "deg": "deg", "njy": "nJy", "jy": "Jy", "day": "d", "rad/year": "rad / yr", "rad/yr": "rad / yr",
    "mag": "mag", "mas": "mas", "mas/yr": "mas / yr",
}  # fmt: skip


def _joined(parts: list[ReferenceCatalog], name: str) -> ReferenceCatalog:
    bands = dict.fromkeys(band for part in parts for band in part.flux_njy)
    epochs = {part.epoch_mjd_tai for part in parts if not math.isnan(part.epoch_mjd_tai)}

    def of_all(field: str) -> Any:
        return np.concatenate([getattr(part, field) for part in parts])

    def by_band(field: str) -> dict[str, FloatArray]:
        absent = [np.full(len(part), np.nan) for part in parts]
        return {
            band: np.concatenate(
                [getattr(part, field).get(band, none) for part, none in zip(parts, absent, strict=True)]
            )
            for band in bands
        }

    return ReferenceCatalog(
        name=name,
        id=of_all("id"),
        ra_deg=of_all("ra_deg"),
        dec_deg=of_all("dec_deg"),
        ra_error_mas=of_all("ra_error_mas"),
        dec_error_mas=of_all("dec_error_mas"),
        flux_njy=by_band("flux_njy"),
        flux_error_njy=by_band("flux_error_njy"),
        epoch_mjd_tai=epochs.pop() if len(epochs) == 1 else math.nan,
        assumed_error_mas=min((part.assumed_error_mas for part in parts if len(part)), default=0.0),
        rows=_stacked([part.rows for part in parts if part.rows is not None]),
    )


def _stacked(tables: list[Table]) -> Table:
    from astropy.table import vstack

    if len(tables) == 1:
        return tables[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return vstack(tables, metadata_conflicts="silent")
