"""What a visit's other CCDs tell one that could not be calibrated alone."""

from __future__ import annotations

from dataclasses import dataclass

from safelight.calibrate.visit_wcs import CameraModel

__all__ = ["VisitPrior"]


@dataclass(frozen=True, slots=True)
class VisitPrior:
    """The camera model and the zeropoint that neighbours lead to expect; picklable, for it goes to the workers."""

    model: CameraModel | None  # None: the WCS is known from the CCD's own stars
    zeropoint_mag: float = float("nan")  # magnitude of 1 ADU/s; NaN: nothing can be expected
    zeropoint_error_mag: float = float("nan")
    zeropoint_ccds: int = 0  # CCDs behind it
