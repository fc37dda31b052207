"""The configuration of processCcd: those of its three steps, of a visit as a whole, and what lies between them."""

from __future__ import annotations

from pydantic import Field

from safelight.calibrate.config import CalibrateConfig
from safelight.calibrate.visit_config import VisitConfig
from safelight.characterize.config import CharacterizeConfig
from safelight.config import StepConfig
from safelight.isr.config import IsrConfig

__all__ = ["ProcessCcdConfig"]


class ProcessCcdConfig(StepConfig):
    """Everything that decides the values of a calibrated exposure, apart from its input files."""

    isr: IsrConfig = Field(default_factory=IsrConfig)
    charImage: CharacterizeConfig = Field(default_factory=CharacterizeConfig)
    calibrate: CalibrateConfig = Field(default_factory=CalibrateConfig)
    visit: VisitConfig = Field(default_factory=VisitConfig)
    doCalibrate: bool = Field(
        default=True,
        description="Fit WCS and zeropoint; False stops before that and writes icSrc, icExp, icExpBackground",
    )
    doWritePostIsr: bool = Field(default=False, description="Also write the exposure after ISR (postISRCCD)")
