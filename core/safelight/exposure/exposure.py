"""What a CCD image is.

Conventions, said once for the whole project: arrays are ``[y, x]``; pixels are 0-based with centres at integers, so
the first pixel covers -0.5 … +0.5; images are float32 in ADU, masks int32 bit planes, variances float32 in ADU².
The frame is the assembled CCD frame of LSST (after the mirroring of the raw on reading).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.exposure.mask import MaskPlanes
from safelight.exposure.photocalib import PhotoCalib
from safelight.exposure.wcs import SkyWcs

if TYPE_CHECKING:
    from astropy.nddata import CCDData

    from safelight.exposure.apcorr import ApertureCorrections
    from safelight.exposure.psf import PsfModel

__all__ = ["Exposure", "FloatImage", "MaskImage", "VisitInfo"]

FloatImage = NDArray[np.float32]
MaskImage = NDArray[np.int32]


@dataclass(slots=True)
class VisitInfo:
    """What the header says about the whole exposure; angles in degrees, NaN where unknown."""

    exposure_time_s: float
    dark_time_s: float
    mjd_mid_tai: float = float("nan")  # middle of the exposure, MJD, TAI
    boresight_ra_deg: float = float("nan")  # ICRS
    boresight_dec_deg: float = float("nan")
    rotator_angle_deg: float = float("nan")  # LSST's boresight rotation angle (type SKY)
    azimuth_deg: float = float("nan")
    altitude_deg: float = float("nan")
    airmass: float = float("nan")
    longitude_deg: float = float("nan")
    latitude_deg: float = float("nan")
    elevation_m: float = float("nan")
    air_temperature_c: float = float("nan")
    air_pressure_pa: float = float("nan")
    humidity_percent: float = float("nan")
    exposure_id: int = 0  # visit * 200 + ccd for HSC


@dataclass(slots=True)
class Exposure:
    """Image, mask and variance of one CCD with its calibrations."""

    image: FloatImage  # [y, x], ADU
    mask: MaskImage  # [y, x], bit planes
    variance: FloatImage  # [y, x], ADU²
    planes: MaskPlanes = field(default_factory=MaskPlanes)
    detector_id: int = 0
    detector_name: str = ""
    detector_serial: str = ""
    filter_name: str = ""  # physical filter, e.g. "HSC-I"
    band: str = ""  # canonical band, e.g. "i"; empty when unknown
    gains: tuple[float, ...] = ()  # e-/ADU per amplifier
    visit_info: VisitInfo | None = None
    wcs: SkyWcs | None = None
    psf: PsfModel | None = None
    aperture_corrections: ApertureCorrections | None = None
    photo_calib: PhotoCalib | None = None
    #: (n, 2) vertices (x, y) in pixels of the part that sees the whole mirror; None: not known
    valid_polygon: NDArray[np.float64] | None = None
    header: dict[str, Any] = field(default_factory=dict)  # further header cards: keyword -> value

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        height, width = self.image.shape
        return int(height), int(width)

    def masked(self, *names: str) -> NDArray[np.bool_]:
        """Boolean image, True where any of the named planes is set."""
        result: NDArray[np.bool_] = (self.mask & np.int32(self.planes.bits(*names))) != 0
        return result

    def to_ccddata(self) -> CCDData:
        """This exposure as `astropy.nddata.CCDData`.

        The unit is ADU, the mask is True for pixels without a usable measurement (BAD, SAT, NO_DATA, UNMASKEDNAN),
        the uncertainty is the variance, the WCS is the TAN-SIP rendering as `astropy.wcs.WCS`.
        """
        from safelight.exposure.convert import to_ccddata

        return to_ccddata(self)
