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


def _psf(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.psf import measure_psf

    return measure_psf(frames, log)


def _fluxes(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.fluxes import measure_fluxes

    return measure_fluxes(frames, log)


def _detection(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.detection import measure_detection

    return measure_detection(frames, log)


def _fields(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.fields import measure_fields

    return measure_fields(log)


def _cosmic_rays(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.cosmic import measure_cosmic_rays

    return measure_cosmic_rays(log)


def _pulls(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.campaign import measure_pulls

    return measure_pulls(16 if options.quick else 200, options.seed, options.processes, log)


def _real_frames(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    from tests.benchmarks.accuracy.realframes import measure_real_frames

    return measure_real_frames(options.sky.parent, log)


SECTIONS: Mapping[str, Section] = {
    "wcs": _wcs,
    "zeropoint": _zeropoint,
    "astrometry.net": _astrometry_net,
    "stress": _stress,
    "psf": _psf,
    "fluxes": _fluxes,
    "detection": _detection,
    "fields": _fields,
    "cosmic-rays": _cosmic_rays,
    "pulls": _pulls,
    "real-frames": _real_frames,
}
#: Sections that need the simulated frames.
FRAME_SECTIONS = {"wcs", "zeropoint", "astrometry.net", "psf", "fluxes", "detection"}
