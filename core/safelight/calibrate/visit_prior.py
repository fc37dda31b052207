"""What a visit's other CCDs tell one that is tried a second time."""

from __future__ import annotations

from dataclasses import dataclass

from safelight.calibrate.visit_wcs import CameraModel

__all__ = ["FirstResult", "VisitPrior"]


@dataclass(frozen=True, slots=True)
class FirstResult:
    """A WCS that is off its place in the camera: a second one must be better supported to replace it."""

    matches: int  # stars that it was fitted to
    distance_mas: float  # from its place


@dataclass(frozen=True, slots=True)
class VisitPrior:
    """The camera model and the zeropoint that neighbours lead to expect; picklable, for it goes to the workers."""

    model: CameraModel | None  # None: the WCS is known from the CCD's own stars
    zeropoint_mag: float = float("nan")  # magnitude of 1 ADU/s; NaN: nothing can be expected
    zeropoint_error_mag: float = float("nan")
    zeropoint_ccds: int = 0  # CCDs behind it
    tolerance_arcsec: float = 0.0  # a WCS nearer than this to the model's agrees with the visit, whatever the errors
    n_sigma: float = 5.0  # … or nearer than so many standard deviations
    first: FirstResult | None = None  # None: the CCD failed alone
