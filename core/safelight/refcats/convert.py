"""From the columns of an input catalogue to those of a reference catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from astropy.table import Table

    from safelight.refcats.ingestconfig import RefcatIngestConfig

__all__ = ["converted"]

FloatArray = NDArray[np.float64]

_RADIANS_PER_MAS = np.radians(1.0 / 3.6e6)
_WORST_PLAUSIBLE_ERROR = np.radians(10.0 / 3600.0)


def converted(table: Table, config: RefcatIngestConfig) -> tuple[Table, int]:
    """The rows that have a position, with a reference catalogue's columns, and the number of rows of the input.

    Raises
    ------
    UsageError
        ``BAD_COORDINATES``, ``BAD_IDS`` or ``NOT_NUMBERS`` for columns that cannot be what the configuration says.
    ConfigurationError
        ``BAD_INGEST_CONFIG`` for a unit or time format that is unknown or makes no sense of the numbers.
    """
    from astropy.table import Table

    ra, dec = _numbers(table, config.ra_name), _numbers(table, config.dec_name)
    placed = np.isfinite(ra) & np.isfinite(dec)
    _check_coordinates(ra[placed], dec[placed], config)
    used = table[placed]
    columns: dict[str, Any] = {"id": _ids(used, config)}
    columns["coord_ra"] = np.radians(np.mod(ra[placed], 360.0))
    columns["coord_dec"] = np.radians(dec[placed])
    columns |= _fluxes(used, config) | _position_errors(used, config) | _motions(used, config)
    for name, source in (
        ("photometric", config.is_photometric_name),
        ("resolved", config.is_resolved_name),
        ("variable", config.is_variable_name),
    ):
        if source:
            columns[name] = _flags(used, source)
    for name in config.extra_col_names:
        columns[name] = np.ma.filled(np.ma.asarray(used[name]))
    return Table(columns), len(table)


def _numbers(table: Table, name: str) -> FloatArray:
    try:
        values = np.ma.asarray(table[name]).astype(np.float64)
    except (TypeError, ValueError):
        raise UsageError("NOT_NUMBERS", f"The column {name} does not hold numbers.") from None
    return np.asarray(np.ma.filled(values, np.nan), dtype=np.float64)


def _flags(table: Table, name: str) -> NDArray[np.bool_]:
    values = np.ma.asarray(table[name])
    if values.dtype.kind in "US":
        return np.isin(np.char.lower(np.ma.filled(values, "").astype(str)), ["true", "t", "yes", "y", "1"])
    return np.asarray(np.ma.filled(values, 0)).astype(np.bool_)


def _check_coordinates(ra: FloatArray, dec: FloatArray, config: RefcatIngestConfig) -> None:
    if len(ra) == 0:
        raise UsageError(
            "BAD_COORDINATES", f"No row has a position in the columns {config.ra_name} and {config.dec_name}."
        )
    if ra.min() < -360.0 or ra.max() > 360.0 or np.abs(dec).max() > 90.0:
        raise UsageError(
            "BAD_COORDINATES",
            f"{config.ra_name} reaches from {ra.min():g} to {ra.max():g} and {config.dec_name} from {dec.min():g} to "
            f"{dec.max():g}; they must be degrees.",
        )


def _ids(table: Table, config: RefcatIngestConfig) -> NDArray[np.int64]:
    if not config.id_name:
        return np.zeros(len(table), dtype=np.int64)
    values = np.ma.asarray(table[config.id_name])
    if values.dtype.kind not in "iu" or np.ma.is_masked(values):
        raise UsageError(
            "BAD_IDS",
            f"The column {config.id_name} is not one of whole numbers without gaps.",
            "Leave id_name out to have the rows counted.",
        )
    return np.asarray(values, dtype=np.int64)


def _fluxes(table: Table, config: RefcatIngestConfig) -> dict[str, FloatArray]:
    """AB magnitudes become nJy; missing magnitudes NaN."""
    columns: dict[str, FloatArray] = {}
    for name in config.mag_column_list:
        columns[f"{name}_flux"] = 10.0 ** (0.4 * (31.4 - _numbers(table, name)))
    for name, source in config.mag_err_column_map.items():
        columns[f"{name}_fluxErr"] = columns[f"{name}_flux"] * _numbers(table, source) * (np.log(10.0) / 2.5)
    return columns


def _position_errors(table: Table, config: RefcatIngestConfig) -> dict[str, Any]:
    if not config.ra_err_name:
        return {}
    from astropy import units

    try:
        per_unit = float(units.Unit(config.coord_err_unit).to(units.rad))
    except (ValueError, units.UnitConversionError):
        raise ConfigurationError(
            "BAD_INGEST_CONFIG", f"coord_err_unit is {config.coord_err_unit!r}; it must be an angle such as mas or deg."
        ) from None
    columns = {
        name: (_numbers(table, source) * per_unit).astype(np.float32)
        for name, source in (("coord_raErr", config.ra_err_name), ("coord_decErr", config.dec_err_name))
    }
    for source, column in zip((config.ra_err_name, config.dec_err_name), columns.values(), strict=True):
        stated = column[np.isfinite(column)]
        if len(stated) and np.median(stated) > _WORST_PLAUSIBLE_ERROR:
            raise ConfigurationError(
                "BAD_INGEST_CONFIG",
                f"With coord_err_unit={config.coord_err_unit} the median of {source} is "
                f"{np.degrees(np.median(stated)) * 3600:.3g} arcseconds, which no catalogue has.",
            )
    return columns


def _motions(table: Table, config: RefcatIngestConfig) -> dict[str, Any]:
    """Epoch (MJD, TAI), proper motions (rad/yr) and parallaxes (rad) with flags where they are missing."""
    columns: dict[str, Any] = {}
    if config.epoch_name:
        columns["epoch"] = _epochs(table, config)
    if config.pm_ra_name:
        scale = config.pm_scale * _RADIANS_PER_MAS
        for name, source, kind in (
            ("pm_ra", config.pm_ra_name, np.float64),
            ("pm_dec", config.pm_dec_name, np.float64),
            ("pm_raErr", config.pm_ra_err_name, np.float32),
            ("pm_decErr", config.pm_dec_err_name, np.float32),
        ):
            columns[name] = (_numbers(table, source) * scale).astype(kind)
        missing = [~np.isfinite(columns[name]) for name in ("pm_ra", "pm_dec", "pm_raErr", "pm_decErr")]
        columns["pm_flag"] = np.logical_or.reduce(missing)
    if config.parallax_name:
        scale = config.parallax_scale * _RADIANS_PER_MAS
        columns["parallax"] = _numbers(table, config.parallax_name) * scale
        columns["parallaxErr"] = (_numbers(table, config.parallax_err_name) * scale).astype(np.float32)
        columns["parallax_flag"] = ~np.isfinite(columns["parallax"]) | ~np.isfinite(columns["parallaxErr"])
    return columns


def _epochs(table: Table, config: RefcatIngestConfig) -> FloatArray:
    from astropy.time import Time

    values = np.ma.asarray(table[config.epoch_name])
    there = ~np.ma.getmaskarray(values)
    if values.dtype.kind == "f":
        there &= np.isfinite(np.ma.filled(values, np.nan))
    epochs = np.full(len(table), np.nan)
    try:
        times = Time(np.ma.getdata(values)[there], format=config.epoch_format, scale=config.epoch_scale)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            "BAD_INGEST_CONFIG",
            f"The column {config.epoch_name} cannot be read with epoch_format={config.epoch_format} and "
            f"epoch_scale={config.epoch_scale}: {error}.",
        ) from None
    epochs[there] = times.tai.mjd
    return epochs
