"""A master calibration frame: bias, dark or flat of one CCD, in the assembled frame."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from safelight.exposure.exposure import FloatImage, MaskImage
from safelight.exposure.mask import MaskPlanes

__all__ = ["MasterFrame"]


@dataclass(slots=True)
class MasterFrame:
    """Image with optional mask and variance. Bias in ADU, dark in ADU per `exposure_time_s`, flat around 1."""

    image: FloatImage  # [y, x]
    mask: MaskImage | None = None
    variance: FloatImage | None = None
    planes: MaskPlanes = field(default_factory=MaskPlanes)
    exposure_time_s: float = 1.0  # of a dark; LSST's masters are scaled to 1 s
    contains_bias: bool = False  # a dark that was not bias-subtracted: valid unscaled, for its own exposure time only
    header: dict[str, Any] = field(default_factory=dict)
    path: str = ""
