"""Reading the catalogues that observers have: FITS, CSV and other text, ECSV, VOTable, Parquet."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.refcats.ingestconfig import FileReader

__all__ = ["read_catalog_file"]

_BY_SUFFIX = {
    ".fits": "fits", ".fit": "fits", ".fits.gz": "fits", ".csv": "csv", ".csv.gz": "csv", ".txt": "csv", ".tsv": "tsv",
    ".ecsv": "ecsv", ".xml": "votable", ".vot": "votable", ".votable": "votable", ".parquet": "parquet",
    ".parq": "parquet",
}  # fmt: skip


def read_catalog_file(path: Path, reader: FileReader, columns: tuple[str, ...]) -> Table:
    """The named columns of a catalogue file as a table.

    Parameters
    ----------
    path : Path
        The file.
    reader : FileReader
        How to read it.
    columns : tuple of str
        The columns that are wanted; others are not read where the format allows.

    Raises
    ------
    UsageError
        ``CATALOG_NOT_FOUND`` or ``CATALOG_UNREADABLE``.
    ConfigurationError
        ``UNKNOWN_COLUMN`` naming the columns that there are, ``UNKNOWN_FORMAT``.
    """
    if not path.is_file():
        raise UsageError("CATALOG_NOT_FOUND", f"There is no catalogue file {path}.")
    kind = _format(path) if reader.format == "auto" else reader.format
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # units and metadata of foreign files do not matter here
            table = _read(path, kind, reader, columns)
    except (ConfigurationError, UsageError):
        raise
    except Exception as error:  # the readers of six formats raise whatever they like
        raise UsageError(
            "CATALOG_UNREADABLE",
            f"{path} cannot be read as {kind}: {error}.",
            "Say the format with file_reader.format.",
        ) from error
    absent = [name for name in columns if name not in table.colnames]
    if absent:
        raise _absent(path, absent, list(table.colnames))
    return table[list(columns)]


def _absent(path: Path, absent: list[str], there: list[str]) -> ConfigurationError:
    shown = ", ".join(there[:40]) + (f" and {len(there) - 40} more" if len(there) > 40 else "")
    return ConfigurationError("UNKNOWN_COLUMN", f"{path} has no column {', '.join(absent)}; it has {shown}.")


def _format(path: Path) -> str:
    name = path.name.casefold()
    for suffix in sorted(_BY_SUFFIX, key=len, reverse=True):
        if name.endswith(suffix):
            return _BY_SUFFIX[suffix]
    raise ConfigurationError(
        "UNKNOWN_FORMAT",
        f"The format of {path} cannot be told from its name.",
        "Say it with file_reader.format: fits, csv, ecsv, votable or parquet.",
    )


def _read(path: Path, kind: str, reader: FileReader, columns: tuple[str, ...]) -> Table:
    from astropy.table import Table

    if kind == "fits":
        return Table.read(path, format="fits", hdu=reader.hdu)
    if kind == "votable":
        return Table.read(path, format="votable")
    if kind == "ecsv":
        return Table.read(path, format="ascii.ecsv")
    if kind == "parquet":
        return _read_parquet(path, columns)
    return _read_text(path, kind, reader, columns)


def _read_text(path: Path, kind: str, reader: FileReader, columns: tuple[str, ...]) -> Table:
    from astropy.io import ascii as text

    options: dict[str, Any] = {"include_names": list(columns), "guess": False}
    if kind in ("csv", "tsv"):
        options |= {"format": "csv", "delimiter": "\t" if kind == "tsv" else reader.delimiter, "comment": "#"}
    else:
        options |= {"format": kind, "delimiter": reader.delimiter} if kind != "fixed_width" else {"format": kind}
    if reader.colnames:
        options |= {"names": list(reader.colnames), "data_start": reader.header_lines}
        if options["format"] == "csv":
            options["format"] = "no_header"
    elif reader.header_lines:
        options |= {"header_start": reader.header_lines - 1, "data_start": reader.header_lines}
    try:
        table = text.read(path, **options)
    except KeyError as error:
        raise UsageError("CATALOG_UNREADABLE", f"{path} cannot be read: {error}.") from error
    if len(table.colnames) < len(set(columns)):
        del options["include_names"]
        raise _absent(
            path, [name for name in columns if name not in table.colnames], text.read(path, **options).colnames
        )
    return table


def _read_parquet(path: Path, columns: tuple[str, ...]) -> Table:
    try:
        import pyarrow.parquet as parquet
    except ImportError:
        raise UsageError(
            "MISSING_EXTRA",
            f"Reading {path} needs pyarrow, which is not installed.",
            "Install it with: pip install 'safelight[parquet]'",
        ) from None
    import numpy as np
    from astropy.table import MaskedColumn, Table

    file = parquet.ParquetFile(path)
    absent = [name for name in columns if name not in file.schema_arrow.names]
    if absent:
        raise _absent(path, absent, list(file.schema_arrow.names))
    arrow = file.read(columns=list(columns))
    table = Table()
    for name in columns:
        column = arrow.column(name)
        values = column.to_numpy()
        # Missing integers come as floats with NaN; the mask keeps what is missing.
        table[name] = MaskedColumn(values, mask=np.asarray(column.is_null())) if column.null_count else values
    return table
