"""One CCD on its way through the corrections."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import FloatImage, MaskImage, MaskPlanes, MasterFrame, Workspace
from safelight.instruments.model import Amplifier, Box, Instrument
from safelight.instruments.raw import RawFrame
from safelight.isr.amplifiers import AmplifierReport
from safelight.isr.brighter_fatter import brighter_fatter_kernel
from safelight.isr.config import IsrConfig
from safelight.isr.masters import check_master, required_master
from safelight.isr.result import Masters
from safelight.isr.stray_light import refuse_stray_light
from safelight.isr.wanted import wanted_masters

__all__ = ["Work", "begin"]


@dataclass(slots=True)
class Work:
    """One CCD on its way through the steps."""

    raw: RawFrame
    config: IsrConfig
    instrument: Instrument
    workspace: Workspace
    image: FloatImage
    mask: MaskImage
    variance: FloatImage
    bias: MasterFrame | None
    dark: MasterFrame | None
    flat: MasterFrame | None
    fringes: Sequence[MasterFrame]
    brighter_fatter: NDArray[np.float32] | None  # kernel [dy, dx], per electron
    defects: Sequence[Box]
    planes: MaskPlanes = field(default_factory=MaskPlanes)
    reports: list[AmplifierReport] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    caveats: list[Caveat] = field(default_factory=list)

    @property
    def amplifiers(self) -> tuple[Amplifier, ...]:
        return self.raw.detector.amplifiers


def begin(raw: RawFrame, masters: Masters, config: IsrConfig, instrument: Instrument, workspace: Workspace) -> Work:
    """Check sizes and masters before anything is computed."""
    detector = raw.detector
    expected = (detector.raw_height, detector.raw_width)
    if raw.pixels.shape != expected:
        raise ProcessingError(
            "RAW_WRONG_SIZE",
            f"The raw frame has {raw.pixels.shape[1]} x {raw.pixels.shape[0]} pixels; CCD {detector.id} of "
            f"{instrument.name} has {expected[1]} x {expected[0]}.",
        )
    if config.doStrayLight:
        refuse_stray_light(instrument.stray_light, raw.band, detector.id, raw.visit_info.mjd_mid_tai)
    shape = (detector.height, detector.width)
    wanted = wanted_masters(config, instrument, raw.filter_name)
    dark = required_master("dark", masters.dark, shape) if config.doDark else None
    needs_bias = config.doBias and not (dark is not None and dark.contains_bias)
    return Work(
        raw=raw,
        config=config,
        instrument=instrument,
        workspace=workspace,
        image=workspace.take("isr.image", shape, np.float32),
        mask=workspace.take("isr.mask", shape, np.int32),
        variance=workspace.take("isr.variance", shape, np.float32),
        bias=required_master("bias", masters.bias, shape) if needs_bias else None,
        dark=dark,
        flat=required_master("flat", masters.flat, shape) if config.doFlat else None,
        fringes=_fringes(masters, shape) if "fringe" in wanted else (),
        brighter_fatter=brighter_fatter_kernel(masters.brighter_fatter) if config.doBrighterFatter else None,
        defects=masters.defects if config.doDefect else (),
    )


def _fringes(masters: Masters, shape: tuple[int, int]) -> Sequence[MasterFrame]:
    """The fringe frames, checked; there must be one."""
    if not masters.fringes:
        required_master("fringe", None, shape)
    for frame in masters.fringes:
        check_master("fringe", frame, shape)
    return masters.fringes
