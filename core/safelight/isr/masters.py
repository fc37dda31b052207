"""Checks of master frames before they are used: a wrong one must not spoil a CCD silently."""

from __future__ import annotations

import re

import numpy as np

from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame

__all__ = ["check_master", "filter_of_master", "required_master"]

_STEP = 4
_LEAST_USABLE = 0.5


def check_master(kind: str, master: MasterFrame, shape: tuple[int, int]) -> None:
    """Raise `ProcessingError` MASTER_WRONG_SIZE or BAD_MASTER, naming the file.

    A master is bad when more than half of its pixels are not finite, or of a flat, not above zero.
    """
    where = f" {master.path}" if master.path else ""
    if master.image.shape != shape:
        height, width = master.image.shape
        raise ProcessingError(
            "MASTER_WRONG_SIZE",
            f"The {kind}{where} has {width} x {height} pixels; the assembled CCD has {shape[1]} x {shape[0]}.",
            "Was it made for this CCD, trimmed and assembled?",
        )
    # Every fourth pixel of every fourth row tells a broken file as surely as all of them.
    sample = master.image[::_STEP, ::_STEP]
    usable = np.isfinite(sample) & (sample > 0) if kind == "flat" else np.isfinite(sample)
    fraction = float(usable.mean())
    if fraction < _LEAST_USABLE:
        are_not = "finite numbers above zero" if kind == "flat" else "finite numbers"
        raise ProcessingError(
            "BAD_MASTER",
            f"The {kind}{where} is not usable: {100 * (1 - fraction):.0f} % of its pixels are not {are_not}.",
            "Build it again, or choose another one.",
        )


def required_master(kind: str, master: MasterFrame | None, shape: tuple[int, int]) -> MasterFrame:
    """`master` itself, checked; raises `ProcessingError` MISSING_BIAS, MISSING_DARK or MISSING_FLAT if it is None."""
    if master is None:
        raise ProcessingError(
            f"MISSING_{kind.upper()}",
            f"There is no master {kind} for this CCD.",
            f"Ingest one, or switch the correction off: -c isr.do{kind.capitalize()}=False",
        )
    check_master(kind, master, shape)
    return master


def filter_of_master(master: MasterFrame) -> str:
    """The filter that the master's card CALIB_ID names; empty where there is none (``filter=NONE`` of a bias too)."""
    found = re.search(r"\bfilter=(\S+)", str(master.header.get("CALIB_ID", "")))
    return found[1] if found and found[1] != "NONE" else ""
