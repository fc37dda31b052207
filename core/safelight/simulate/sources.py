"""A list of stars and galaxies on the sky: what every kind of simulated sky gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["BANDS", "Circle", "Sky", "SkySources"]

FloatArray = NDArray[np.float64]

#: PS1's bands; magnitudes are stored in this order.
BANDS = ("g", "r", "i", "z", "y")


@dataclass(frozen=True, slots=True)
class Circle:
    """A circle on the sky, degrees."""

    ra_deg: float
    dec_deg: float
    radius_deg: float


@dataclass(slots=True)
class SkySources:
    """Columns of one length, one row a source; positions at the epoch that was asked for."""

    id: NDArray[np.int64]
    ra_deg: FloatArray  # ICRS
    dec_deg: FloatArray
    magnitudes: FloatArray  # (n, 5): AB magnitudes in PS1's g, r, i, z, y
    is_star: NDArray[np.bool_]
    half_light_arcsec: FloatArray  # major axis; 0 for stars
    axis_ratio: FloatArray
    position_angle_rad: FloatArray  # of the major axis, East of North
    sersic_index: NDArray[np.int64]  # 1 or 4
    pm_ra_mas: FloatArray  # proper motion per year, cos dec included
    pm_dec_mas: FloatArray

    def __len__(self) -> int:
        return len(self.id)

    def __getitem__(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> SkySources:
        return SkySources(*(getattr(self, name)[rows] for name in self.__slots__))

    def band(self, name: str) -> FloatArray:
        """Magnitudes in PS1 band `name`."""
        return self.magnitudes[:, BANDS.index(name)]

    def by_band(self) -> dict[str, FloatArray]:
        """Magnitudes by PS1 band."""
        return {name: self.magnitudes[:, k] for k, name in enumerate(BANDS)}

    def moved(self, years: float) -> SkySources:
        """These sources after `years` of their proper motion."""
        cos_dec = np.cos(np.radians(self.dec_deg))
        moved = self[np.ones(len(self), dtype=bool)]
        moved.ra_deg = self.ra_deg + self.pm_ra_mas * years / 3.6e6 / cos_dec
        moved.dec_deg = self.dec_deg + self.pm_dec_mas * years / 3.6e6
        return moved

    @staticmethod
    def concatenated(parts: Sequence[SkySources]) -> SkySources:
        """All rows of `parts`, in order; there must be at least one part."""
        return SkySources(*(np.concatenate([getattr(p, name) for p in parts]) for name in SkySources.__slots__))


class Sky(Protocol):
    """A sky to look at."""

    def sources(self, circle: Circle, epoch_year: float) -> SkySources:
        """Everything within (at least) `circle`, at its place in the Julian year `epoch_year`."""
        ...
