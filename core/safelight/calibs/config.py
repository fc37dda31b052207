"""The configuration of building master calibrations."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from safelight.config import StepConfig
from safelight.isr.config import IsrConfig

__all__ = ["BuildConfig", "Kind"]

Kind = Literal["bias", "dark", "flat"]


class BuildConfig(StepConfig):
    """How raw frames become a master."""

    nSigmaClip: Annotated[float, Field(gt=1, le=20, description="values farther from the median are left out")] = 3.0
    nIter: Annotated[int, Field(ge=0, le=50, description="rounds of clipping; it ends when nothing changes")] = 5
    memory: Annotated[float, Field(ge=1, le=16384, description="megabytes for one band of rows of all frames")] = 256.0
    isr: IsrConfig = Field(
        default_factory=lambda: IsrConfig(
            doSuspect=False,
            doVariance=False,
            doCrosstalk=False,
            doDefect=False,
            doWidenSaturationTrails=False,
            doInterpolate=False,
        ),
        description="signature removal of the raw frames; bias, dark and flat are switched by what is built",
    )
