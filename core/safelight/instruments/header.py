"""From raw headers to registry columns and visit information, and from a header to its camera."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Mapping
from typing import Any

from safelight.errors import ConfigurationError, ProcessingError
from safelight.exposure.exposure import VisitInfo
from safelight.instruments.model import Detector, Instrument

__all__ = ["identify_instrument", "translate_header", "utc_mjd", "utc_to_tai_mjd", "visit_info"]

_SECONDS_PER_DAY = 86400.0
_MJD_OF_ORDINAL_0 = -678576


def identify_instrument(header: Mapping[str, Any]) -> Instrument:
    """The camera that wrote a header, among those that come with Safelight.

    Raises
    ------
    ConfigurationError
        ``UNKNOWN_CAMERA``, saying which keywords were looked for and what they hold.
    """
    from safelight.instruments.loader import builtin_instruments, load_instrument

    cameras = [load_instrument(name) for name in builtin_instruments()]
    for camera in cameras:
        for alternative in camera.identify:
            if all(re.search(pattern, str(header.get(key, "")).strip()) for key, pattern in alternative.items()):
                return camera
    keywords = dict.fromkeys(key for camera in cameras for alternative in camera.identify for key in alternative)
    seen = ", ".join(f"{key} = {str(header[key]).strip()!r}" if key in header else f"no {key}" for key in keywords)
    raise ConfigurationError(
        "UNKNOWN_CAMERA",
        f"The camera of this frame is unknown: looked for {', '.join(keywords)} in its header and found {seen}.",
        "Make a repository for the camera: --instrument generic, or a YAML file of yours that extends generic.",
    )


def translate_header(instrument: Instrument, header: Mapping[str, Any]) -> dict[str, Any]:
    """The registry columns of a raw frame: field, visit, ccd, filter, dateObs, taiObs, expTime, dataType ...

    Raises
    ------
    ProcessingError
        ``MISSING_KEYWORD`` or ``BAD_KEYWORD``.
    """
    return {column: rule.apply(header, column) for column, rule in instrument.header.columns.items()}


def visit_info(instrument: Instrument, header: Mapping[str, Any], detector: Detector) -> VisitInfo:
    """What the header says about the exposure, by the camera's rules, for one of its detectors.

    The middle of the exposure is that of its stated begin and end, the end being no earlier than begin + exposure time;
    UTC becomes TAI with the leap seconds that come with ERFA (no network).

    Raises
    ------
    ProcessingError
        ``MISSING_KEYWORD`` or ``BAD_KEYWORD``.
    """
    values = {name: rule.apply(header, name) for name, rule in instrument.header.visit_info.items()}
    begin_date, begin_time, end_time = (str(values.pop(key, "")) for key in ("date_begin", "time_begin", "time_end"))
    begin_mjd = float(values.pop("mjd_begin", math.nan))
    info = VisitInfo(**{"exposure_time_s": math.nan, "dark_time_s": math.nan, **values})
    if math.isnan(info.dark_time_s):
        info.dark_time_s = info.exposure_time_s
    if not math.isnan(info.rotator_angle_deg):
        info.rotator_angle_deg = math.remainder(info.rotator_angle_deg, 360.0) % 360.0
    begin = utc_mjd(begin_date, begin_time) if begin_date else begin_mjd
    info.mjd_mid_tai = _middle(begin, end_time, info.exposure_time_s)
    site = instrument.observatory
    if math.isnan(info.longitude_deg):
        info.longitude_deg, info.latitude_deg, info.elevation_m = (
            site.longitude_deg,
            site.latitude_deg,
            site.elevation_m,
        )
    if "visit" in instrument.header.columns:
        visit = instrument.header.columns["visit"].apply(header, "visit")
        info.exposure_id = instrument.exposure_id(visit, detector.id)
    return info


def _middle(begin: float, end_time: str, exposure_time_s: float) -> float:
    """MJD (TAI) half-way between begin (MJD, UTC) and end, which is a time of day of the same or the next day."""
    if math.isnan(begin):
        return math.nan
    duration = exposure_time_s if math.isfinite(exposure_time_s) else 0.0
    if end_time:
        stated = (utc_mjd("", end_time) - begin) % 1.0 * _SECONDS_PER_DAY
        # The end wraps at midnight; one that seems half a day late is in truth before the begin.
        duration = max(duration, stated if stated < 0.5 * _SECONDS_PER_DAY else 0.0)
    return utc_to_tai_mjd(begin + 0.5 * duration / _SECONDS_PER_DAY)


def utc_mjd(date: str, time: str = "") -> float:
    """MJD of an ISO date (with or without ``Thh:mm:ss.s``) and a time of day; without a date the fraction of the day.

    Raises
    ------
    ProcessingError
        ``BAD_KEYWORD`` when they cannot be read.
    """
    day, _, inline = date.strip().rstrip("Z").replace(" ", "T").partition("T")
    try:
        mjd = datetime.date.fromisoformat(day).toordinal() + _MJD_OF_ORDINAL_0 if day else 0
        hours, minutes, seconds = ([float(part) for part in (inline or time or "0").split(":")] + [0.0, 0.0])[:3]
    except ValueError:
        text = f"{date} {time}".strip()
        raise ProcessingError(
            "BAD_KEYWORD", f"{text!r} cannot be read as a date and time (YYYY-MM-DDThh:mm:ss)."
        ) from None
    return mjd + (hours + minutes / 60.0 + seconds / 3600.0) / 24.0


def utc_to_tai_mjd(mjd_utc: float) -> float:
    """TAI of an MJD in UTC, with ERFA's built-in table of leap seconds."""
    import erfa

    table = erfa.leap_seconds.get()
    months = table["year"] * 12 + table["month"]
    date = datetime.date.fromordinal(math.floor(mjd_utc) - _MJD_OF_ORDINAL_0)
    k = int(months.searchsorted(date.year * 12 + date.month, side="right")) - 1
    return mjd_utc + float(table["tai_utc"][max(k, 0)]) / _SECONDS_PER_DAY
