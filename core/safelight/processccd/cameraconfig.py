"""The camera's layer of the configuration, and its fingerprint as an input of every CCD."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from safelight.processccd.outcome import InputFile
from safelight.processccd.overrides import ConfigLayers
from safelight.processccd.plainvalues import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from safelight.instruments import Box, Instrument

__all__ = ["camera_fingerprint", "camera_layers", "defects_fingerprint"]


def camera_layers(instrument: Instrument) -> ConfigLayers:
    """Defaults with what the camera's file sets on top of them."""
    layers = ConfigLayers()
    for path, value in instrument.process_config.items():
        layers.set_value(path, value, f"camera {instrument.name}")
    return layers


def camera_fingerprint(instrument: Instrument) -> InputFile:
    """The camera's description as an input: gains, filters and distortion decide the result like any file."""
    text = json.dumps(plain(instrument.model_dump(exclude={"defect_table"})), sort_keys=True)
    return InputFile("camera", instrument.name, len(text), 0, hashlib.sha256(text.encode()).hexdigest())


def defects_fingerprint(origin: str, defects: Sequence[Box]) -> InputFile:
    """The defects as an input, whether they came from a file or from the camera's description."""
    text = repr([(box.x0, box.y0, box.width, box.height) for box in defects])
    return InputFile("defects", origin, len(defects), 0, hashlib.sha256(text.encode()).hexdigest())
