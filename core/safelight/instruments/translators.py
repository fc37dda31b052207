"""Header rules that need more than the declarative language of camera files, by name."""

from __future__ import annotations

import datetime
import logging
import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from safelight.errors import ProcessingError
from safelight.instruments.rules import missing_keyword

__all__ = ["TRANSLATORS"]

_log = logging.getLogger("safelight.instruments")

_MJD_OF_ORDINAL_0 = -678576  # MJD of datetime.date ordinal 0


def _text(header: Mapping[str, Any], keyword: str) -> str:
    value = header.get(keyword)
    if value is None:
        return ""
    return str(value).strip()


def hsc_visit(header: Mapping[str, Any]) -> int:
    """HSC's visit number from EXP-ID, in both schemes, with the fall-back to FRAMEID of commissioning data.

    ``HSCE`` and 8 digits (since 2016-06-14) is the number itself; ``HSCA90333400`` is 903334; a later letter adds a
    million each; zero digits mean that FRAMEID counts, whose odd numbers are the second half of a pair.
    """
    exposure = _text(header, "EXP-ID")
    if not exposure:
        raise missing_keyword(("EXP-ID",), "visit")
    new = re.fullmatch(r"HSCE(\d{8})", exposure)
    if new:
        return int(new[1])
    old = re.fullmatch(r"HSC([A-Z])(\d{6})00", exposure)
    if old is None:
        raise ProcessingError(
            "BAD_KEYWORD", f"EXP-ID = {exposure!r} cannot be read as a visit (HSCE12345678 or HSCA12345600)."
        )
    letter, number = old[1], int(old[2])
    if number == 0:
        frame = re.fullmatch(r"HSC([A-Z])(\d{6})\d{2}", _text(header, "FRAMEID"))
        if frame is None:
            raise ProcessingError(
                "BAD_KEYWORD",
                f"EXP-ID = {exposure!r} has no number and FRAMEID = {_text(header, 'FRAMEID')!r} cannot stand in.",
            )
        letter, number = frame[1], int(frame[2])
        number -= number % 2
    return number + 1_000_000 * (ord(letter) - ord("A"))


def hsc_pointing(header: Mapping[str, Any]) -> int:
    """Days from 2012-01-01 to the night's UT date, from MJD or else DATE-OBS; 0 with a warning without either."""
    first_night = 55927
    mjd = header.get("MJD")
    try:
        if mjd is not None:
            return math.floor(float(mjd)) - first_night
    except (TypeError, ValueError):
        _log.warning("MJD = %r is not a number; the pointing is taken from DATE-OBS.", mjd)
    try:
        return datetime.date.fromisoformat(_text(header, "DATE-OBS")[:10]).toordinal() + _MJD_OF_ORDINAL_0 - first_night
    except ValueError:
        _log.warning("The header has neither a usable MJD nor DATE-OBS; the pointing is set to 0.")
        return 0


def seconds_since_2000(header: Mapping[str, Any]) -> int | None:
    """A visit number for cameras that count none: whole UTC seconds from 2000-01-01 to the start in DATE-OBS."""
    text = _text(header, "DATE-OBS")
    if not text:
        return None
    if "T" not in text and _text(header, "TIME-OBS"):
        text = f"{text}T{_text(header, 'TIME-OBS')}"
    try:
        start = datetime.datetime.fromisoformat(text.rstrip("Z"))
    except ValueError:
        raise ProcessingError("BAD_KEYWORD", f"DATE-OBS = {text!r} is not an ISO date and time.") from None
    return math.floor((start - datetime.datetime(2000, 1, 1)).total_seconds())


def focal_length_scale(header: Mapping[str, Any]) -> float | None:
    """Arcseconds per (binned) pixel from the pixel size in micrometres and the focal length in mm; None if unknown."""
    try:
        size, focal_length = float(header.get("XPIXSZ", 0)), float(header.get("FOCALLEN", 0))
    except (TypeError, ValueError):
        return None
    return math.degrees(size * 1e-3 / focal_length) * 3600.0 if size > 0 and focal_length > 0 else None


def huntsman_frame_type(header: Mapping[str, Any]) -> str | None:
    """Kind of a Huntsman frame: IMAGETYP, but light frames of a field called FlatDither00 and the like are flats."""
    kind = _text(header, "IMAGETYP").casefold()
    if kind.startswith("light"):
        return "FLAT" if _text(header, "FIELD").casefold().startswith("flat") else "OBJECT"
    kinds = {"dark": "DARK", "bias": "BIAS", "zero": "BIAS", "flat": "FLAT"}
    return next((name for word, name in kinds.items() if kind.startswith(word)), None)


TRANSLATORS: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "hsc_visit": hsc_visit,
    "hsc_pointing": hsc_pointing,
    "seconds_since_2000": seconds_since_2000,
    "focal_length_scale": focal_length_scale,
    "huntsman_frame_type": huntsman_frame_type,
}
