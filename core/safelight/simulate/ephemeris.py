"""Times and directions for header cards: sidereal time, altitude and azimuth of the pointing.

Good to some arcseconds of direction, which is all that a header's weather-and-pointing cards need; no Earth
orientation data are used.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

__all__ = ["LATITUDE_DEG", "LONGITUDE_DEG", "altitude_azimuth", "clock", "local_sidereal_hours", "mjd", "parse_start"]

#: Subaru Telescope, East positive.
LONGITUDE_DEG, LATITUDE_DEG = -155.476667, 19.825556

_MJD_ZERO = datetime(1858, 11, 17, tzinfo=UTC)


def parse_start(date_obs: str, ut_start: str) -> datetime:
    """The UTC moment of an ISO date and a clock time HH:MM:SS."""
    return datetime.fromisoformat(f"{date_obs}T{ut_start}").replace(tzinfo=UTC)


def mjd(moment: datetime) -> float:
    """Modified Julian Date, UTC."""
    return (moment - _MJD_ZERO) / timedelta(days=1)


def clock(hours: float) -> str:
    """Hours as HH:MM:SS.sss, wrapped to one day."""
    milliseconds = round(hours * 3_600_000) % 86_400_000
    seconds, thousandths = divmod(milliseconds, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{thousandths:03d}"


def local_sidereal_hours(mjd_utc: float) -> float:
    """Local mean sidereal time at Subaru in hours (Meeus, Astronomical Algorithms, 12.4, linear terms)."""
    degrees = 280.46061837 + 360.98564736629 * (mjd_utc - 51544.5) + LONGITUDE_DEG
    return degrees / 15.0 % 24.0


def altitude_azimuth(ra_deg: float, dec_deg: float, mjd_utc: float) -> tuple[float, float]:
    """Altitude and azimuth (from North through East) in degrees of an ICRS position; precession left out."""
    hour_angle = math.radians(local_sidereal_hours(mjd_utc) * 15.0 - ra_deg)
    dec, latitude = math.radians(dec_deg), math.radians(LATITUDE_DEG)
    up = math.sin(latitude) * math.sin(dec) + math.cos(latitude) * math.cos(dec) * math.cos(hour_angle)
    north = math.cos(latitude) * math.sin(dec) - math.sin(latitude) * math.cos(dec) * math.cos(hour_angle)
    east = -math.cos(dec) * math.sin(hour_angle)
    return math.degrees(math.asin(up)), math.degrees(math.atan2(east, north)) % 360.0
