"""Stray light that a camera is known to have had: frames that would need its model are refused."""

from __future__ import annotations

from safelight.errors import ProcessingError
from safelight.instruments.model import StrayLight

__all__ = ["has_stray_light", "refuse_stray_light"]

#: MJD of 1858-11-17, the first day of the calendar of NumPy's dates that MJD counts from.
_MJD_ZERO = "1858-11-17"


def has_stray_light(known: StrayLight | None, band: str, ccd: int, mjd: float) -> bool:
    """Whether a frame in canonical `band` of CCD `ccd`, exposed around `mjd` (days; NaN: unknown), has stray light."""
    import numpy as np

    if known is None or band != known.band or not known.first_ccd <= ccd <= known.last_ccd:
        return False
    end = (np.datetime64(known.before) - np.datetime64(_MJD_ZERO)).astype(float)
    return not mjd >= end


def refuse_stray_light(known: StrayLight | None, band: str, ccd: int, mjd: float) -> None:
    """Raise `ProcessingError` (STRAY_LIGHT) for a frame whose stray light cannot be subtracted."""
    if known is None or not has_stray_light(known, band, ccd, mjd):
        return
    raise ProcessingError(
        "STRAY_LIGHT",
        f"Frames in {known.band} before {known.before} have stray light ({known.source}), and there is no model of it "
        "to subtract.",
        "To process the frame with the stray light in it: -c isr.doStrayLight=False",
    )
