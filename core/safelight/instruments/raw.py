"""A raw frame as the camera's read-out gave it, mirrored into the frame in which the amplifier boxes are said."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.exposure import SkyWcs, VisitInfo
from safelight.instruments.model import Detector, RawFlip

__all__ = ["RawFrame"]


@dataclass(slots=True)
class RawFrame:
    """Pixels, header and what the camera knows about them."""

    pixels: NDArray[np.uint16] | NDArray[np.int32] | NDArray[np.float32]  # [y, x], mirrored; may be a view
    header: dict[str, Any]  # the raw header's cards, keyword -> value
    detector: Detector
    visit_info: VisitInfo
    wcs: SkyWcs | None  # from the camera model and the pointing, or the header; None when neither is known
    filter_name: str = ""
    band: str = ""
    wcs_origin: str = ""  # "camera model", "header", "pointing" or "": where `wcs` came from
    data_id: dict[str, Any] = field(default_factory=dict)
    mirrored: RawFlip = "none"  # how the frame on disk was mirrored in reading
