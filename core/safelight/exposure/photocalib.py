"""The photometric calibration of one CCD."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["PhotoCalib"]

#: AB zeropoint in nJy: the flux density of magnitude 0 (3631 Jy).
AB_FLUX_NJY = 3631e9


@dataclass(frozen=True, slots=True)
class PhotoCalib:
    """A spatially constant zeropoint: AB magnitude of an instrumental flux of 1 ADU over the whole exposure."""

    zeropoint_mag: float  # AB magnitude of 1 ADU (not of 1 ADU/s)
    zeropoint_error_mag: float = math.nan
    n_stars: int = 0

    @property
    def njy_per_adu(self) -> float:
        """nJy per ADU: LSST's calibration mean."""
        return float(AB_FLUX_NJY * 10 ** (-0.4 * self.zeropoint_mag))

    def magnitude(self, flux_adu: float) -> float:
        """AB magnitude of `flux_adu`; NaN for a flux that is not positive."""
        return self.zeropoint_mag - 2.5 * math.log10(flux_adu) if flux_adu > 0 else math.nan
