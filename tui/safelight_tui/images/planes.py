"""Mask planes as they are drawn and listed: letter, tone and meaning of each, and how many pixels have it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["DRAWN_AT_FIRST", "PLANES", "Plane", "PlaneCount", "count_planes", "drawn"]


class Plane(NamedTuple):
    """How a plane is drawn, and what it says of a pixel."""

    letter: str
    tone: str
    meaning: str


PLANES: Mapping[str, Plane] = {
    "BAD": Plane("B", "mask-bad", "defect of the detector"),
    "SAT": Plane("S", "mask-saturated", "saturated"),
    "CR": Plane("C", "mask-ray", "cosmic ray"),
    "NO_DATA": Plane("N", "mask-bad", "nothing was measured"),
    "UNMASKEDNAN": Plane("X", "mask-bad", "not a number, for no known reason"),
    "SUSPECT": Plane("U", "mask-saturated", "near saturation: linearity in doubt"),
    "CROSSTALK": Plane("K", "mask-ray", "corrected for crosstalk"),
    "EDGE": Plane("E", "mask-other", "too near to the edge for detection"),
    "INTRP": Plane("I", "mask-other", "interpolated"),
    "NOT_DEBLENDED": Plane("T", "mask-other", "blended, left together"),
    "DETECTED_NEGATIVE": Plane("M", "mask-other", "part of a negative detection"),
    "DETECTED": Plane("D", "mask-other", "part of a detected source"),
}
"""In the order in which they count where several are set."""

DRAWN_AT_FIRST = frozenset({"BAD", "SAT", "CR", "NO_DATA", "SUSPECT", "CROSSTALK", "EDGE", "INTRP"})
"""Planes that tell of something wrong; detections cover half of a deep image."""


@dataclass(frozen=True, slots=True)
class PlaneCount:
    """A plane of an image."""

    name: str
    plane: Plane
    pixels: int


def _plane(name: str) -> Plane:
    """Of a plane with a name of its own, its first letter in lower case."""
    return PLANES.get(name) or Plane(name[:1].lower() or "?", "mask-other", "")


def _in_order(names: Collection[str]) -> Sequence[str]:
    return [*(name for name in PLANES if name in names), *(name for name in names if name not in PLANES)]


def drawn(names: Collection[str], planes: Mapping[str, int]) -> dict[str, tuple[str, str]]:
    """Letter and tone of those of `names` that an image has, for a `MaskLayer`."""
    return {name: _plane(name)[:2] for name in _in_order(planes) if name in names}


def count_planes(mask: NDArray[np.integer], planes: Mapping[str, int]) -> list[PlaneCount]:
    """How many pixels have each plane. A pass over the mask for each: call it in a thread."""
    return [
        PlaneCount(name, _plane(name), int(np.count_nonzero(mask & mask.dtype.type(1 << planes[name]))))
        for name in _in_order(planes)
    ]
