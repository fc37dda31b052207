"""Header cards of a master frame: what `ingestCalibs.py` reads, and how the master was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safelight.calibs.config import BuildConfig, Kind
from safelight.errors import ProcessingError
from safelight.instruments import Detector, Instrument, translate_header

__all__ = ["calibration_date", "master_header"]

_COPIED = ("INSTRUME", "TELESCOP", "CAM-ID")


def master_header(
    kind: Kind,
    instrument: Instrument,
    detector: Detector,
    filter_name: str,
    inputs: Sequence[tuple[Path, Mapping[str, Any], float]],
    config: BuildConfig,
    rejected_fraction: float,
    *,
    keeps_bias: bool,
) -> dict[str, Any]:
    """Cards of a master made from `inputs`: (path, raw header, divisor that was applied)."""
    first = inputs[0][1]
    date = calibration_date(instrument, [header for _, header, _ in inputs])
    cards: dict[str, Any] = {key: first[key] for key in _COPIED if key in first}
    cards |= {
        "OBSTYPE": kind,
        "CALIB_ID": f"filter={filter_name} calibDate={date} calibVersion=safelight ccd={detector.id}",
        "CALIBDAT": date,
        "DATE-OBS": date,
        "FILTER": filter_name,
        "DETNAME": detector.name,
        "DETSER": detector.serial,
        "BUNIT": {"bias": "adu", "dark": "adu" if keeps_bias else "adu/s", "flat": ""}[kind],
        "NCOMBINE": len(inputs),
        "CLIPSIG": config.nSigmaClip,
        "CLIPITER": config.nIter,
        "CLIPFRAC": rejected_fraction,
        "SCALING": {
            "bias": "none",
            "dark": "none" if keeps_bias else "per second",
            "flat": "median of each frame of this CCD",
        }[kind],
    }
    for number, (path, _, scale) in enumerate(inputs):
        cards[f"CPP_INPUT_{number}"] = path.name
        cards[f"CPP_INPUT_SCALE_{number}"] = scale
    return cards


def calibration_date(instrument: Instrument, headers: Sequence[Mapping[str, Any]]) -> str:
    """The date of the middle one of the input frames, YYYY-MM-DD.

    Raises `ProcessingError` MISSING_KEYWORD when no header says a date.
    """
    dates = []
    for header in headers:
        columns = translate_header(instrument, header)
        date = str(columns.get("taiObs") or columns.get("dateObs") or header.get("DATE-OBS") or "")[:10]
        if date:
            dates.append(date)
    if not dates:
        raise ProcessingError("MISSING_KEYWORD", "None of the frames says its date, so the master has no calibDate.")
    return sorted(dates)[len(dates) // 2]
