"""Reference stars of one patch of sky, brought to the epoch of an observation."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["ReferenceCatalog"]

FloatArray = NDArray[np.float64]


@dataclass(slots=True)
class ReferenceCatalog:
    """Columns of one length, one row a star."""

    name: str
    id: NDArray[np.int64]
    ra_deg: FloatArray  # ICRS at `epoch_mjd_tai`; proper motion applied where the catalogue's can be trusted
    dec_deg: FloatArray
    ra_error_mas: FloatArray  # 1 sigma on the sky (cos dec included), proper-motion error propagated; NaN unknown
    dec_error_mas: FloatArray
    flux_njy: dict[str, FloatArray]  # by column name without "_flux", e.g. "r"; NaN where missing
    flux_error_njy: dict[str, FloatArray]
    epoch_mjd_tai: float = float("nan")  # epoch the positions are given for; NaN: the catalogue's own
    assumed_error_mas: float = 0.0  # part of the position errors that the catalogue does not state, per axis
    systematic_floor_mas: float = 0.0  # error that averaging over stars does not reduce
    centre_ra_deg: float = float("nan")  # the circle that was loaded
    centre_dec_deg: float = float("nan")
    radius_deg: float = float("nan")
    shards: tuple[str, ...] = ()  # files that were read
    missing_shards: tuple[int, ...] = ()  # HTM ids inside the circle without a file
    rows: Table | None = field(default=None, repr=False)  # the catalogue's own columns of these rows

    def __len__(self) -> int:
        return len(self.id)

    def magnitude(self, band: str) -> FloatArray:
        """AB magnitudes in `band` (a key of `flux_njy`); NaN where the flux is missing or not positive."""
        flux = self.flux_njy[band]
        magnitudes = np.full(len(flux), np.nan)
        good = flux > 0
        magnitudes[good] = 31.4 - 2.5 * np.log10(flux[good])
        return magnitudes
