"""Known defects of a detector, and the bad pixels of master frames."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from safelight.compiled import compiled
from safelight.exposure import FloatImage, MaskImage, MasterFrame
from safelight.instruments.model import Amplifier, Box

__all__ = ["is_dead", "mask_defects", "mask_edges", "merge_master_mask", "set_bad_regions"]

#: Planes of a master that say something about the pixel itself; that a flat had DETECTED set is none of our business.
_INHERITED = ("BAD", "SAT", "SUSPECT", "NO_DATA", "UNMASKEDNAN")


def mask_defects(mask: MaskImage, defects: Iterable[Box], bits: int) -> int:
    """Set `bits` in the defects' boxes (assembled frame; cut at its edges); returns the number of pixels covered."""
    height, width = mask.shape
    covered = np.zeros(mask.shape, np.bool_)
    for box in defects:
        rows = slice(max(0, box.y0), min(height, max(0, box.y0 + box.height)))
        columns = slice(max(0, box.x0), min(width, max(0, box.x0 + box.width)))
        covered[rows, columns] = True
        mask[rows, columns] |= np.int32(bits)
    return int(np.count_nonzero(covered))


def mask_edges(mask: MaskImage, width: int, bits: int) -> None:
    """Set `bits` on the `width` outermost pixels of every side."""
    if width > 0:
        for edge in (mask[:width], mask[-width:], mask[:, :width], mask[:, -width:]):
            edge |= np.int32(bits)


def is_dead(amplifier: Amplifier, defects: Iterable[Box]) -> bool:
    """Whether one defect covers the amplifier's whole place in the assembled frame (LSST Gen2's bad-amplifier test)."""
    box = amplifier.box
    return any(
        defect.x0 <= box.x0
        and defect.y0 <= box.y0
        and defect.x0 + defect.width >= box.x0 + box.width
        and defect.y0 + defect.height >= box.y0 + box.height
        for defect in defects
    )


def merge_master_mask(mask: MaskImage, master: MasterFrame) -> None:
    """OR into `mask` the planes of a master's mask that mean an unusable or doubtful pixel."""
    if master.mask is not None:
        _merge(mask, master.mask, master.planes.bits(*_INHERITED))


@compiled
def _merge(mask: MaskImage, other: MaskImage, bits: int) -> None:
    height, width = mask.shape
    for y in range(height):
        for x in range(width):
            mask[y, x] |= other[y, x] & bits


def set_bad_regions(image: FloatImage, mask: MaskImage, bits: int, level: float) -> None:
    """Give the pixels of `image` [y, x] that have any of `bits` the value `level`."""
    _set_level(image, mask, bits, np.float32(level))


@compiled
def _set_level(image: FloatImage, mask: MaskImage, bits: int, level: np.float32) -> None:
    height, width = image.shape
    for y in range(height):
        for x in range(width):
            if mask[y, x] & bits:
                image[y, x] = level
