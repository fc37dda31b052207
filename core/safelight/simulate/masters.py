"""Master bias, dark and flat "taken as given": the truth with the noise that about 20 frames leave."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from safelight.exposure import MasterFrame
from safelight.instruments import Detector, Instrument
from safelight.simulate.detector import bias_pattern, dark_current, flat_field, gain_map, response
from safelight.simulate.frame import FLAT_ELECTRONS
from safelight.simulate.spec import MasterSpec, NightSpec
from safelight.simulate.streams import Stream, generator

__all__ = ["simulate_master"]

_FRAMES = 20
_DARK_SECONDS = 300.0
_KINDS = {"bias": 1, "dark": 2, "flat": 3}


def simulate_master(instrument: Instrument, night: NightSpec, master: MasterSpec, ccd: int) -> MasterFrame:
    """One master of one CCD in the assembled frame: bias in ADU, dark in ADU/s, flat relative to full response."""
    detector = instrument.detector(ccd)
    known = instrument.filter(master.filter)
    number = instrument.filters.index(known) if known is not None else 0
    rng = generator(night.seed, Stream.MASTER_NOISE, ccd, _KINDS[master.kind], number)
    noise = rng.standard_normal((detector.height, detector.width), dtype=np.float32)
    noise *= 1.0 / math.sqrt(_FRAMES)
    # Defects of the epoch of the frames that are to be calibrated, not of the masters' nominal date.
    defects = instrument.defects_on(ccd, min(visit.date_obs for visit in night.visits))
    read_noise = _read_noise(detector)
    if master.kind == "bias":
        image = bias_pattern(detector, defects, night.seed)
        image += noise * read_noise
    elif master.kind == "dark":
        gain = gain_map(detector).astype(np.float32)
        electrons = dark_current(detector, night.seed) * np.float32(_DARK_SECONDS)
        image = (electrons + noise * np.sqrt(electrons + (read_noise * gain) ** 2)) / (gain * _DARK_SECONDS)
    else:
        relative = response(instrument, detector, master.filter, defects, night.seed)
        relative += noise * np.sqrt(relative * np.float32(1.0 / FLAT_ELECTRONS))
        image = flat_field(detector, relative)
    return MasterFrame(image=np.asarray(image, dtype=np.float32), header=dict(_cards(night, master, detector)))


def _read_noise(detector: Detector) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Read noise in ADU of every column."""
    columns = np.empty(detector.width, dtype=np.float32)
    for amplifier in detector.amplifiers:
        columns[amplifier.box.x0 : amplifier.box.x0 + amplifier.box.width] = amplifier.read_noise_adu
    return columns


def _cards(night: NightSpec, master: MasterSpec, detector: Detector) -> Mapping[str, Any]:
    identity = f"filter={master.filter} calibDate={master.calib_date} calibVersion=simulated ccd={detector.id}"
    return {
        "OBSTYPE": master.kind,
        "CALIB_ID": identity,
        "CALIB_INPUT_FRAMES": _FRAMES,
        "FILTER": master.filter,
        "DET-ID": detector.id,
        "INSTRUME": night.instrument,
        "DATE-OBS": master.calib_date,
    }
