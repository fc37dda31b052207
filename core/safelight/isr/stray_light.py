"""Stray light that a camera is known to have had: frames that would need its model are refused."""

from __future__ import annotations

from datetime import date

from safelight.errors import ProcessingError
from safelight.instruments.model import StrayLight

__all__ = ["has_stray_light", "mjd_of_date", "refuse_stray_light"]

_MJD_ZERO = date(1858, 11, 17)


def mjd_of_date(text: str) -> float:
    """MJD (days) at which the day of an ISO date or time begins; NaN for what is neither."""
    try:
        return float((date.fromisoformat(text[:10]) - _MJD_ZERO).days)
    except ValueError:
        return float("nan")


def has_stray_light(known: StrayLight | None, band: str, ccd: int, mjd: float) -> bool:
    """Whether a frame in canonical `band` of CCD `ccd`, exposed around `mjd` (days; NaN: unknown), has stray light."""
    if known is None or band != known.band or not known.first_ccd <= ccd <= known.last_ccd:
        return False
    return not mjd >= mjd_of_date(known.before)


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
