"""What the calibration step returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from safelight.caveats import Caveat
from safelight.exposure import Exposure

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["METRICS", "CalibrateResult"]

#: Every metric of this step, in the order of reports; NaN where a part was switched off or failed unrequired.
METRICS = (
    "wcs_matches",
    "wcs_rms_mas",
    "wcs_reserved_median_mas",
    "wcs_error_mas",
    "wcs_offset_arcsec",
    "wcs_rotation_deg",
    "wcs_cv_rms_px",
    "n_associated",
    "zeropoint_mag",
    "zeropoint_error_mag",
    "zeropoint_rms_mag",
    "zeropoint_stars",
    "depth_5sigma_mag",
)


@dataclass(slots=True)
class CalibrateResult:
    """A calibrated exposure, its sources and matches, and what is to be said about them."""

    exposure: Exposure  # `wcs` a TanSipWcs, `photo_calib` set
    src: Table  # coordinates and calib_* flags filled
    matches: Table  # first, second, distance
    matches_full: Table  # ref_*, src_*, distance
    metrics: dict[str, float]
    caveats: list[Caveat]
    metadata: dict[str, Any] = field(default_factory=dict)
