"""When visits were taken, from the headers of their raw frames: registries tell the night, not the hour."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from safelight.errors import SafelightError

if TYPE_CHECKING:
    from safelight.butler.butler import Butler

__all__ = ["visit_times"]


def visit_times(butler: Butler, data_ids: Iterable[Mapping[str, Any]]) -> dict[Any, float]:
    """The middle of each visit's exposure, read from the first of its CCDs whose header tells.

    Parameters
    ----------
    data_ids : iterable of mapping
        Raw frames, with ``visit``.

    Returns
    -------
    dict
        Visit -> MJD (UTC); NaN where no header of the visit can be read or tells.
    """
    found: dict[Any, float] = {}
    for data_id in data_ids:
        visit = data_id.get("visit")
        if visit is not None and math.isnan(found.get(visit, math.nan)):
            found[visit] = _time_of(butler, data_id)
    return found


def _time_of(butler: Butler, data_id: Mapping[str, Any]) -> float:
    from safelight.instruments.header import utc_to_tai_mjd, visit_info
    from safelight.instruments.reading import read_raw_header

    instrument = butler.instrument
    try:
        header = read_raw_header(butler.uri("raw", data_id))
        ccd = data_id.get("ccd")
        detector = instrument.detector(ccd) if ccd is not None else instrument.detectors[0]
        tai = visit_info(instrument, header, detector).mjd_mid_tai
        # Wrong by a second for half a minute after a leap second: nothing that a plot could show.
        return tai - (utc_to_tai_mjd(tai) - tai) if math.isfinite(tai) else math.nan
    except SafelightError:  # a damaged frame has no time; its metrics, if it has any, are shown without it
        return math.nan
