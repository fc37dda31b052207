"""The tables of matches: normalised (ids and distance) and full (every column of both sides)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.plane import FloatArray
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["full_matches", "match_table"]

IntArray = NDArray[np.int64]


def match_table(
    src: Table,
    source: IntArray,
    catalog: ReferenceCatalog,
    reference: IntArray,
    distance_rad: FloatArray,
    filter_name: str,
    epoch_mjd: float,
) -> Table:
    """Pairs as ids: `first` (reference), `second` (source), `distance` in radians.

    The metadata hold the circle of the reference query (RA, DEC, RADIUS in degrees), the version of the form (SMATCHV),
    FILTER and, where known, EPOCH (MJD, TAI): enough to load the references again and join.
    """
    from astropy.table import Table

    ids = np.asarray(src["id"], dtype=np.int64) if "id" in src.colnames else np.arange(1, len(src) + 1)
    table = Table({"first": catalog.id[reference].astype(np.int64), "second": ids[source], "distance": distance_rad})
    table["distance"].unit = "rad"
    circle = {"RA": catalog.centre_ra_deg, "DEC": catalog.centre_dec_deg, "RADIUS": catalog.radius_deg}
    meta: dict[str, Any] = {key: float(value) for key, value in circle.items() if np.isfinite(value)}
    meta |= {"SMATCHV": 1, "FILTER": filter_name}
    if np.isfinite(epoch_mjd):
        meta["EPOCH"] = float(epoch_mjd)
    table.meta.update(meta)
    return table


def full_matches(
    src: Table, source: IntArray, catalog: ReferenceCatalog, reference: IntArray, distance_rad: FloatArray
) -> Table:
    """Every column of both sides, prefixed ``ref_`` and ``src_``, and `distance` in radians."""
    from astropy.table import Table

    columns: dict[str, Any] = {}
    for prefix, table, rows in (
        ("ref", catalog.rows if catalog.rows is not None else _rows(catalog), reference),
        ("src", src, source),
    ):
        columns |= {f"{prefix}_{name}": table[name][rows] for name in table.colnames}
    full = Table(columns, copy=False)
    full["distance"] = distance_rad
    full["distance"].unit = "rad"
    return full


def _rows(catalog: ReferenceCatalog) -> Table:
    """The columns that every catalogue has, under the names of the shards."""
    from astropy.table import Table

    columns = {
        "id": catalog.id,
        "coord_ra": np.radians(catalog.ra_deg),
        "coord_dec": np.radians(catalog.dec_deg),
        "coord_raErr": np.radians(catalog.ra_error_mas / 3.6e6),
        "coord_decErr": np.radians(catalog.dec_error_mas / 3.6e6),
    }
    for name, flux in catalog.flux_njy.items():
        columns[f"{name}_flux"] = flux
    for name, error in catalog.flux_error_njy.items():
        columns[f"{name}_fluxErr"] = error
    return Table(columns)
