"""The zeropoint of a CCD with too few stars of its own, from its neighbours."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from safelight.calibrate.depth import depth_5sigma, sky_rms
from safelight.calibrate.photometry import Photometry
from safelight.calibrate.visit_prior import VisitPrior
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, PhotoCalib

__all__ = ["own_or_visits_zeropoint"]


def own_or_visits_zeropoint(
    exposure: Exposure, prior: VisitPrior, solve: Callable[[], Photometry], enough: int
) -> Photometry:
    """The visit's zeropoint, or the CCD's own where that rests on `enough` stars or claims the smaller error.

    Parameters
    ----------
    exposure
        For exposure time, PSF and sky noise.
    prior
        What the visit's other CCDs lead to expect.
    solve
        Finds the zeropoint by the CCD's own stars.
    enough
        Stars that make a zeropoint of a CCD's own.

    Raises
    ------
    ProcessingError
        That of `solve`, where the visit has no zeropoint either, or where more than stars is lacking.
    """
    known = math.isfinite(prior.zeropoint_mag)
    try:
        own = solve()
    except ProcessingError as error:
        if not known or error.code != "TOO_FEW_PHOTOMETRIC_STARS":
            raise
        return _of_the_visit(exposure, prior, error.message)
    stars = own.photo_calib.n_stars
    if not known or stars >= enough or own.photo_calib.zeropoint_error_mag <= prior.zeropoint_error_mag:
        return own
    difference = own.metrics["zeropoint_mag"] - prior.zeropoint_mag
    expected = math.hypot(prior.zeropoint_error_mag, own.photo_calib.zeropoint_error_mag)
    if abs(difference) > 4.0 * expected:
        return own  # its stars contradict the visit, and the comparison of zeropoints will say so
    why = f"Its own {stars} stars give {difference:+.3f} mag, with an error of {expected:.3f} mag."
    return _of_the_visit(exposure, prior, why)


def _of_the_visit(exposure: Exposure, prior: VisitPrior, why: str) -> Photometry:
    """The zeropoint that the visit's other CCDs lead to expect."""
    seconds = exposure.visit_info.exposure_time_s if exposure.visit_info is not None else math.nan
    magnitude = prior.zeropoint_mag + 2.5 * math.log10(seconds)
    sky = sky_rms(exposure)
    caveat = Caveat(
        "ZEROPOINT_FROM_VISIT",
        f"The zeropoint comes from {prior.zeropoint_ccds} other CCDs of the visit, with an expected error of "
        f"{prior.zeropoint_error_mag:.3f} mag. {why}",
    )
    return Photometry(
        photo_calib=PhotoCalib(magnitude, prior.zeropoint_error_mag, 0),
        used_rows=_no_rows(),
        reserved_rows=_no_rows(),
        metrics={
            "zeropoint_mag": prior.zeropoint_mag,
            "zeropoint_error_mag": prior.zeropoint_error_mag,
            "zeropoint_rms_mag": math.nan,
            "zeropoint_stars": 0.0,
            "depth_5sigma_mag": depth_5sigma(exposure, magnitude, sky),
        },
        caveats=[caveat],
        metadata={
            "zeropointOrigin": "visit",
            "visitCcds": prior.zeropoint_ccds,
            "zeropointOf1AduMag": magnitude,
            "skyRmsAdu": sky,
        },
    )


def _no_rows() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)
