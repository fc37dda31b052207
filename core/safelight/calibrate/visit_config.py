"""Configuration of the judgement of a whole visit."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from safelight.config import StepConfig

__all__ = ["VisitConfig"]


class VisitConfig(StepConfig):
    """What is done when all CCDs of a visit are over; nothing where it has a single one."""

    doJudge: bool = Field(
        True, description="compare the CCDs of a visit: WCS with one pointing of the camera, zeropoints with each other"
    )
    doSolve: bool = Field(
        True,
        description="solve CCDs that failed for lack of stars, and again those that are off their place, from their "
        "neighbours' WCSs (needs doJudge)",
    )
    wcsTolerance: Annotated[float, Field(gt=0, le=1000)] = Field(
        0.5,
        description="pixels; a CCD nearer than this to its place in the camera is never VISIT_WCS_OFF, and CCDs that "
        "scatter by more than twice this per axis contradict each other",
    )
    wcsSigma: Annotated[float, Field(ge=2, le=100)] = Field(
        5.6,
        description="VISIT_WCS_OFF beyond this many standard deviations of the CCD's place in the camera, in a visit "
        "of 100 CCDs; fewer CCDs are as seldom off by chance at less: 5 of three CCDs",
    )
    wcsScatter: Annotated[float, Field(gt=0, le=100)] = Field(
        0.1,
        description="pixels; scatter of CCDs about the camera model that is assumed with the weight of one CCD, until "
        "the visit's own CCDs show theirs",
    )
    zeropointTolerance: Annotated[float, Field(gt=0, le=10)] = Field(
        0.02,
        description="mag; a CCD nearer than this to its neighbours' zeropoint is never VISIT_ZEROPOINT_JUMP, and "
        "zeropoints that scatter by more than twice this contradict each other",
    )
    zeropointSigma: Annotated[float, Field(ge=2, le=100)] = Field(
        4.75,
        description="VISIT_ZEROPOINT_JUMP beyond this many standard deviations of the expected zeropoint, in a visit "
        "of 100 CCDs; fewer CCDs are as seldom off by chance at less: 4 of three CCDs",
    )
    zeropointScatter: Annotated[float, Field(gt=0, le=10)] = Field(
        0.005,
        description="mag; scatter of the CCDs' zeropoints (flats) that is assumed with the weight of two CCDs, until "
        "the visit's own CCDs show theirs",
    )
    zeropointGradient: Annotated[float, Field(gt=0, le=10)] = Field(
        0.003,
        description="mag; slope of the zeropoint from the middle of a visit's CCDs to the outermost that air and flats "
        "leave (one standard deviation); a steeper one is believed where five CCDs or more show it",
    )
