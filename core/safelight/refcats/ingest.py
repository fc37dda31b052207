"""Making reference catalogues: columns of an input catalogue become HTM shards that LSST's stack can read too."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from safelight.errors import UsageError
from safelight.refcats.convert import converted
from safelight.refcats.dataset import DatasetConfig
from safelight.refcats.htm import DEFAULT_DEPTH, shard_of
from safelight.refcats.placing import put_file, refuse_existing, replaced_directory
from safelight.refcats.readers import read_catalog_file
from safelight.refcats.shardfile import ShardFormat, shard_format

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.refcats.ingestconfig import RefcatIngestConfig

__all__ = ["IngestSummary", "ingest_reference_catalog", "write_shards"]


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What an ingest made."""

    root: Path  # the catalogue's directory
    rows: int
    dropped: int  # input rows without a position
    shards: tuple[int, ...]


def ingest_reference_catalog(
    files: Sequence[str | Path], root: str | Path, config: RefcatIngestConfig, *, replace: bool = False
) -> IngestSummary:
    """Make the catalogue ``root/NAME`` from catalogue files.

    The catalogue appears whole or not at all: it is written beside its place and moved there at the end.

    Parameters
    ----------
    files : sequence of path-like
        FITS, CSV, ECSV, VOTable or Parquet files.
    root : path-like
        The directory of reference catalogues, ``…/ref_cats``.
    config : RefcatIngestConfig
        Which columns mean what, and the catalogue's name.
    replace : bool
        Whether a catalogue of that name may be replaced.

    Raises
    ------
    UsageError, ConfigurationError
        A file that cannot be read, a column that is not there, ids that are not whole numbers or occur twice.
    RepositoryError
        ``CATALOG_EXISTS``, or the disk refuses.
    """
    if not files:
        raise UsageError("NO_FILES", "There is no catalogue file to ingest.")
    place = Path(root) / config.dataset_config.ref_dataset_name
    refuse_existing(place, replace=replace)
    tables = [converted(table, config) for table in _tables([Path(file) for file in files], config)]
    read = sum(number for _, number in tables)
    table = _with_ids([part for part, _ in tables], counted=not config.id_name)
    options = config.dataset_config
    shards = _write(table, place, options.format_version, options.depth, replace=replace)
    return IngestSummary(place, len(table), read - len(table), shards)


def write_shards(
    table: Table,
    root: str | Path,
    name: str,
    *,
    format_version: int = 1,
    depth: int = DEFAULT_DEPTH,
    replace: bool = False,
) -> IngestSummary:
    """Write a table that has the columns of a reference catalogue already as ``root/NAME``.

    Parameters
    ----------
    table : astropy.table.Table
        ``id``, ``coord_ra``, ``coord_dec`` (radians), ``<band>_flux`` and ``<band>_fluxErr`` (nJy), and whatever else
        of ``coord_raErr``, ``pm_ra``, ``epoch`` ... (radians, radians per year, MJD TAI) it holds; boolean columns
        become flags.
    root : path-like
        The directory of reference catalogues, ``…/ref_cats``.
    name : str
        The catalogue's name.
    format_version : int
        0 writes fluxes in Jy, 1 and 2 in nJy.
    depth : int
        Of the HTM mesh.
    replace : bool
        Whether a catalogue of that name may be replaced.

    Raises
    ------
    UsageError
        ``MISSING_COLUMN`` without id, coord_ra or coord_dec.
    RepositoryError
        ``CATALOG_EXISTS``, or the disk refuses.
    """
    absent = [column for column in ("id", "coord_ra", "coord_dec") if column not in table.colnames]
    if absent:
        raise UsageError("MISSING_COLUMN", f"The table has no column {', '.join(absent)}.")
    place = Path(root) / name
    refuse_existing(place, replace=replace)
    shards = _write(table, place, format_version, depth, replace=replace)
    return IngestSummary(place, len(table), 0, shards)


def _tables(files: list[Path], config: RefcatIngestConfig) -> Iterable[Table]:
    columns = _wanted_columns(config)
    jobs = [(file, config.file_reader, columns) for file in files]
    if config.n_processes == 1 or len(files) == 1:
        return (read_catalog_file(*job) for job in jobs)
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    number, context = min(config.n_processes, len(files)), get_context("spawn")
    with ProcessPoolExecutor(number, mp_context=context, initializer=_end_with_parent) as pool:
        return list(pool.map(read_catalog_file, *zip(*jobs, strict=True)))


def _end_with_parent() -> None:
    """Let a worker process end when the process that started it is gone, killed or not."""
    from multiprocessing import connection, parent_process

    parent = parent_process()
    if parent is not None:
        threading.Thread(target=lambda: (connection.wait([parent.sentinel]), os._exit(1)), daemon=True).start()


def _wanted_columns(config: RefcatIngestConfig) -> tuple[str, ...]:
    names = [getattr(config, field) for field in type(config).model_fields if field.endswith("_name")]
    names += [*config.mag_column_list, *config.mag_err_column_map.values(), *config.extra_col_names]
    return tuple(dict.fromkeys(name for name in names if name))


def _with_ids(tables: list[Table], *, counted: bool) -> Table:
    from astropy.table import vstack

    table = vstack(tables, metadata_conflicts="silent") if len(tables) > 1 else tables[0]
    if counted:
        table["id"] = np.arange(1, len(table) + 1, dtype=np.int64)
        return table
    values, counts = np.unique(table["id"], return_counts=True)
    if len(values) < len(table):
        twice = values[counts > 1]
        raise UsageError(
            "DUPLICATE_IDS",
            f"{len(twice)} ids occur more than once, the first of them {twice[0]}.",
            "Ingest every file once, or leave id_name out to have the rows counted.",
        )
    return table


def _write(table: Table, place: Path, format_version: int, depth: int, *, replace: bool) -> tuple[int, ...]:
    """Write all shards into a new directory beside `place`, then move it there."""
    layout = shard_format(table, format_version)
    rows = layout.rows(table)
    ids = shard_of(np.degrees(np.asarray(table["coord_ra"])), np.degrees(np.asarray(table["coord_dec"])), depth)
    with replaced_directory(place, replace=replace) as fresh:
        numbers = _write_files(fresh, rows, ids, layout)
        put_file(fresh / "config.py", DatasetConfig(place.name, format_version, depth).text().encode())
    return numbers


def _write_files(
    directory: Path, rows: NDArray[np.void], ids: NDArray[np.int64], layout: ShardFormat
) -> tuple[int, ...]:
    put_file(directory / "master_schema.fits", layout.content(rows[:0]))
    order = np.argsort(ids, kind="stable")
    numbers, starts = np.unique(ids[order], return_index=True)
    for number, part in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True):
        put_file(directory / f"{number}.fits", layout.content(rows[part]))
    return tuple(numbers.tolist())
