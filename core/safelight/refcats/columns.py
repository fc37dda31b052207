"""What the columns of a reference catalogue mean, in all their spellings and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from safelight.refcats.shards import Shard

__all__ = ["flux_bands", "flux_error_column", "flux_scale_njy", "is_angle_per_year", "number", "spelled"]

FloatArray = NDArray[np.float64]

#: Ways in which catalogues have spelled one quantity.
_SPELLINGS = {
    "coord_raErr": ("coord_raErr", "coord_ra_err", "coord_raSigma"),
    "coord_decErr": ("coord_decErr", "coord_dec_err", "coord_decSigma"),
    "pm_raErr": ("pm_raErr", "pm_ra_err"),
    "pm_decErr": ("pm_decErr", "pm_dec_err"),
}

_NJY_PER = {"njy": 1.0, "nanojansky": 1.0, "ujy": 1e3, "mjy": 1e6, "jy": 1e9, "jansky": 1e9}
_PER_YEAR = {"rad", "rad/yr", "rad/year", "rad yr-1", "rad.yr-1", "radian/year", "rad / yr"}


def spelled(shard: Shard, quantity: str) -> str | None:
    """The name under which a shard has a quantity; None if it has not."""
    names = shard.rows.dtype.names or ()
    return next((name for name in _SPELLINGS.get(quantity, (quantity,)) if name in names), None)


def number(shard: Shard, quantity: str, select: NDArray[Any]) -> FloatArray | None:
    """A column of the selected rows as float64 in native byte order; None if the shard has not got it."""
    name = spelled(shard, quantity)
    return None if name is None else shard.rows[name][select].astype(np.float64)


def flux_bands(shard: Shard) -> list[str]:
    """The names of the flux columns without ``_flux``."""
    return [name.removesuffix("_flux") for name in shard.rows.dtype.names or () if name.endswith("_flux")]


def flux_error_column(shard: Shard, band: str) -> str | None:
    """The column of a band's flux errors; None if there is none."""
    names = shard.rows.dtype.names or ()
    spellings = (f"{band}_fluxErr", f"{band}_flux_err", f"{band}_fluxSigma")
    return next((name for name in spellings if name in names), None)


def flux_scale_njy(shard: Shard, column: str, format_version: int | None) -> float:
    """nJy per stored unit: by the column's TUNIT, else Jy before format version 1 and nJy since."""
    unit = shard.units.get(column, "").casefold()
    if unit in _NJY_PER:
        return _NJY_PER[unit]
    version = shard.format_version if shard.format_version is not None else format_version
    return 1.0 if version else 1e9


def is_angle_per_year(shard: Shard, quantity: str) -> bool:
    """Whether a proper motion (or its error) is there in rad/yr; LSST also writes just rad."""
    name = spelled(shard, quantity)
    return name is not None and " ".join(shard.units.get(name, "").split()) in _PER_YEAR
