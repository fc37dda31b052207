"""What the command measures: a function for each section, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.accuracy.frames import Frame
    from tests.benchmarks.accuracy.rows import Row

__all__ = ["FRAME_SECTIONS", "SECTIONS", "Log", "Options", "Section"]

Log = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What the command line asked for."""

    only: tuple[str, ...]
    quick: bool
    cache: Path
    sky: Path
    cases: int
    seed: int
    processes: int


Section = Callable[[Options, "Sequence[Frame]", Log], "list[Row]"]


def _wcs(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.wcs import measure_wcs

    return measure_wcs(frames, log)


def _zeropoint(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.zeropoint import measure_zeropoint

    return measure_zeropoint(frames)


def _astrometry_net(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.astrometrynet import measure_astrometry_net

    return measure_astrometry_net(options, frames, log)


def _stress(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.stress.measure import measure_stress

    return measure_stress(options, log)


SECTIONS: Mapping[str, Section] = {
    "wcs": _wcs,
    "zeropoint": _zeropoint,
    "astrometry.net": _astrometry_net,
    "stress": _stress,
}
#: Sections that need the simulated frames.
FRAME_SECTIONS = {"wcs", "zeropoint", "astrometry.net"}
