"""The header of a raw HSC frame: every card that the camera wrote in 2013, with this frame's values."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from safelight.errors import ConfigurationError
from safelight.instruments import Detector
from safelight.simulate import ephemeris
from safelight.simulate.optics import rotator_angle
from safelight.simulate.spec import VisitSpec

if TYPE_CHECKING:
    from astropy.io.fits import Header

__all__ = ["frame_id", "raw_header"]

Value = bool | int | float | str

_TEMPLATE = Path(__file__).parent / "data" / "hsc_header.csv"
_NOMINAL_DEG_PER_PIXEL = 0.17 / 3600.0  # the header's WCS is a rough one
_READ_OUT_S = 2.02  # the shutter's travel, between the end of the exposure time and UT-END
_BANNER = ("-" * 60, "------------- PARAMETERS FOR HYPER SUPRIME_CAM -------------", "-" * 60)


@lru_cache(maxsize=1)
def _template() -> tuple[tuple[str, Value, str], ...]:
    """(keyword, value, comment) of every card, in the camera's order."""
    casts: dict[str, Callable[[str], Value]] = {"bool": "True".__eq__, "int": int, "float": float, "text": str}
    with _TEMPLATE.open(newline="", encoding="utf-8") as file:
        return tuple((row["keyword"], casts[row["type"]](row["value"]), row["comment"]) for row in csv.DictReader(file))


def exposure_id(visit: int) -> str:
    """The card EXP-ID of a visit: HSC, a letter for each million, six digits, 00."""
    million, number = divmod(visit, 1_000_000)
    if not 0 <= million < 26 or number == 0:
        raise ConfigurationError("BAD_VISIT", f"HSC has no exposure number {visit}.", "Numbers go from 1 to 25999999.")
    return f"HSC{chr(ord('A') + million)}{number:06d}00"


def frame_id(visit: int, detector: Detector) -> str:
    """The card FRAMEID: an exposure takes two numbers, one for each read-out side (the first digit of the name)."""
    side, _, channel = detector.name.partition("_")
    return f"{exposure_id(visit + int(side))[:-2]}{int(channel):02d}"


def raw_header(visit: VisitSpec, detector: Detector) -> Header:
    """The cards of a raw frame after NAXIS2; the pointing is what the telescope claimed, not what was true."""
    from astropy.io.fits import Header

    values: dict[str, Value] = {
        **_identity(visit, detector),
        **_times(visit),
        **_pointing(visit),
        **_rough_wcs(visit, detector),
        **_channels(detector),
    }
    header = Header()
    for keyword, value, comment in _template():
        if keyword == "COMMENT":
            for line in _BANNER:
                header.add_comment(line)
        else:
            header.append((keyword, values.get(keyword, value), comment))
    return header


def _identity(visit: VisitSpec, detector: Detector) -> Mapping[str, Value]:
    side, _, channel = detector.name.partition("_")
    night = visit.date_obs.replace("-", "")
    name = f"/raid/Summit3/{night}/{visit.data_type.lower()}{visit.visit % 1000:03d}_{side}_{int(channel):02d}.fits"
    calibration = visit.data_type != "OBJECT"
    return {
        "EXP-ID": exposure_id(visit.visit),
        "FRAMEID": frame_id(visit.visit, detector),
        "T_UFNAME": name,
        "OBJECT": visit.object,
        "DATA-TYP": visit.data_type,
        "OBS-ALOC": "Calibration" if calibration else "Observation",
        "FILTER01": visit.filter[:-1] + visit.filter[-1].lower(),
        "EXPTIME": float(visit.exposure_time_s),
        "DET-ID": detector.id,
        "T_CCDSN": detector.serial.zfill(3),
        "T_BEEID": int(side),
        "T_SDOID": int(channel),
    }


def _times(visit: VisitSpec) -> Mapping[str, Value]:
    start = ephemeris.parse_start(visit.date_obs, visit.ut_start)
    moments = {
        "-STR": start,
        "": start + timedelta(seconds=0.019),
        "-END": start + timedelta(seconds=visit.exposure_time_s + _READ_OUT_S),
    }
    values: dict[str, Value] = {"DATE-OBS": visit.date_obs}
    for suffix, moment in moments.items():
        mjd = ephemeris.mjd(moment)
        hours = mjd % 1.0 * 24.0
        values["MJD" + suffix] = mjd
        values["UT" + suffix] = ephemeris.clock(hours)
        values["HST" + suffix] = ephemeris.clock(hours - 10.0)
        values["LST" + suffix] = ephemeris.clock(ephemeris.local_sidereal_hours(mjd))
        altitude, azimuth = ephemeris.altitude_azimuth(visit.ra_deg, visit.dec_deg, mjd)
        if suffix:
            values["ZD" + suffix] = round(90.0 - altitude, 8)
            values["SECZ" + suffix] = f"{_airmass(altitude):.3f}"
        else:
            values |= {"ALTITUDE": round(altitude, 8), "AZIMUTH": round(azimuth, 8), "AIRMASS": _airmass(altitude)}
    values["T_CCDTM"] = str(values["HST-STR"])[:8]
    return values


def _airmass(altitude_deg: float) -> float:
    """Secant of the zenith distance; of 10° where the telescope does not look lower (dome flats)."""
    return 1.0 / math.sin(math.radians(max(altitude_deg, 10.0)))


def sexagesimal(degrees: float, decimals: int, *, sign: bool) -> str:
    """``+DD:MM:SS.ss`` of a number of degrees (or hours)."""
    units = round(abs(degrees) * 3600 * 10**decimals)
    seconds, fraction = divmod(units, 10**decimals)
    prefix = ("-" if degrees < 0 else "+") if sign else ""
    return f"{prefix}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{fraction:0{decimals}d}"


def _pointing(visit: VisitSpec) -> Mapping[str, Value]:
    ra, dec = sexagesimal(visit.ra_deg / 15.0, 3, sign=False), sexagesimal(visit.dec_deg, 2, sign=True)
    return {"RA": ra, "DEC": dec, "RA2000": ra, "DEC2000": dec, "INST-PA": f"{visit.inst_pa_deg:.3f}"}


def _rough_wcs(visit: VisitSpec, detector: Detector) -> Mapping[str, Value]:
    """The camera's own linear WCS of the mirrored frame on disk, overscans left out of count."""
    yaw, angle = math.radians(detector.yaw_deg), math.radians(rotator_angle(visit.inst_pa_deg))
    turned = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    to_sky = np.array([[-math.cos(angle), math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    mirror = np.diag([-1.0 if detector.raw_flip == "LR" else 1.0, -1.0 if detector.raw_flip == "TB" else 1.0])
    cd = to_sky @ turned @ mirror * _NOMINAL_DEG_PER_PIXEL
    offset = np.linalg.solve(turned, -np.array([detector.offset_x_mm, detector.offset_y_mm])) / 0.015
    x, y = detector.reference_x + offset[0], detector.reference_y + offset[1]
    x = detector.width - 1 - x if detector.raw_flip == "LR" else x
    y = detector.height - 1 - y if detector.raw_flip == "TB" else y
    return {
        "CRPIX1": round(x + 1.0, 3),
        "CRPIX2": round(y + 1.0, 3),
        "CRVAL1": visit.ra_deg,
        "CRVAL2": visit.dec_deg,
        "CD1_1": float(cd[0, 0]),
        "CD1_2": float(cd[0, 1]),
        "CD2_1": float(cd[1, 0]),
        "CD2_2": float(cd[1, 1]),
    }


def _channels(detector: Detector) -> Mapping[str, Value]:
    """Gain and pixel ranges (1-based, on disk) of channels 1 to 4, which count from the left of the frame on disk."""
    mirrored = detector.raw_flip == "LR"
    amplifiers = detector.amplifiers[::-1] if mirrored else detector.amplifiers
    values: dict[str, Value] = {}
    for channel, amplifier in enumerate(amplifiers, start=1):
        data = amplifier.raw_data_box
        values[f"T_GAIN{channel}"] = round(amplifier.gain, 2)
        parts = {"EF": (data, data), "OS": (amplifier.serial_overscan, amplifier.parallel_overscan)}
        for part, (across, along) in parts.items():
            if across is not None:
                values |= _range(f"T_{part}", channel, 1, across.x0, across.width, detector.raw_width, mirrored)
            if along is not None:
                upside_down = detector.raw_flip == "TB"
                values |= _range(f"T_{part}", channel, 2, along.y0, along.height, detector.raw_height, upside_down)
    return values


def _range(
    start: str, channel: int, axis: int, low: int, length: int, size: int, mirrored: bool
) -> Mapping[str, Value]:
    first = size - low - length if mirrored else low
    return {f"{start}MN{channel}{axis}": first + 1, f"{start}MX{channel}{axis}": first + length}
