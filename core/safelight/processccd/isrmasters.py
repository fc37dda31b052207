"""The master calibrations of one CCD: which are wanted, where they are found, and what ISR gets of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safelight.errors import DatasetNotFound
from safelight.isr import IsrConfig, Masters

if TYPE_CHECKING:
    from safelight.butler.butler import Butler
    from safelight.butler.calibrations import CalibrationChoice
    from safelight.exposure import MasterFrame
    from safelight.instruments import Box

__all__ = ["find_master", "isr_masters", "read_frames"]

_BY_FILTER = ("flat", "fringe")


def find_master(butler: Butler, kind: str, data_id: Mapping[str, Any], config: IsrConfig) -> CalibrationChoice:
    """The master of a `kind` for a frame, if need be that of `config.fallbackFilterName`.

    Raises `DatasetNotFound` as `Butler.find_calibration`, about the frame's own filter.
    """
    try:
        return butler.find_calibration(kind, data_id)
    except DatasetNotFound:
        fallback = config.fallbackFilterName
        if not fallback or kind not in _BY_FILTER or data_id.get("filter") == fallback:
            raise
        try:
            return butler.find_calibration(kind, {**data_id, "filter": fallback})
        except DatasetNotFound:
            pass
        raise


def read_frames(kind: str, path: Path) -> tuple[MasterFrame, ...]:
    """The frames of a master's file: one, or several of fringes."""
    from safelight.exposure.fits import read_fringes, read_master

    return read_fringes(path) if kind == "fringe" else (read_master(path),)


def isr_masters(frames: Mapping[str, Sequence[MasterFrame]], defects: Sequence[Box]) -> Masters:
    """What ISR takes, from the frames by kind (bias, dark, flat, fringe, bfKernel)."""

    def one(kind: str) -> MasterFrame | None:
        return frames[kind][0] if kind in frames else None

    return Masters(
        bias=one("bias"),
        dark=one("dark"),
        flat=one("flat"),
        fringes=frames.get("fringe", ()),
        brighter_fatter=one("bfKernel"),
        defects=defects,
    )
