"""The configuration of instrument signature removal; names are LSST Gen2's where the quantity is the same."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from safelight.config import StepConfig

__all__ = ["FitType", "IsrConfig"]

FitType = Literal["MEAN", "MEANCLIP", "MEDIAN", "MEDIAN_PER_ROW", "AKIMA_SPLINE"]
_Pixels = Annotated[int, Field(ge=0, le=100)]


class IsrConfig(StepConfig):
    """Which corrections are made, and how. A correction that a camera has no data for (crosstalk, linearity, overscan
    on a camera without one) is left out whatever its switch says."""

    doSaturation: Annotated[bool, Field(description="mask pixels at or above the saturation level (SAT)")] = True
    saturation: Annotated[
        float | None, Field(gt=0, allow_inf_nan=False, description="saturation level, raw ADU; None: the camera's")
    ] = None
    doSuspect: Annotated[bool, Field(description="mask pixels at or above the suspect level (SUSPECT)")] = True

    doOverscan: Annotated[bool, Field(description="subtract the level of the serial overscan")] = True
    overscanFitType: Annotated[
        FitType,
        Field(description="one level (MEAN, MEANCLIP, MEDIAN), one a row, or a spline along the rows"),
    ] = "AKIMA_SPLINE"
    overscanOrder: Annotated[int, Field(ge=1, le=1000, description="number of bins of the spline")] = 30
    overscanMaxDev: Annotated[
        float, Field(gt=0, description="overscan pixels farther than this from the median are ignored, ADU")
    ] = 1000.0
    overscanNumLeadingColumnsToSkip: Annotated[
        int, Field(ge=0, le=1000, description="overscan columns on the left to ignore")
    ] = 0
    overscanNumTrailingColumnsToSkip: Annotated[
        int, Field(ge=0, le=1000, description="overscan columns on the right to ignore")
    ] = 0

    doBias: Annotated[bool, Field(description="subtract the master bias (needless if the dark contains it)")] = True
    doVariance: Annotated[bool, Field(description="variance from gain and read noise; otherwise it stays 1")] = True
    doLinearize: Annotated[bool, Field(description="correct the amplifiers' non-linearity")] = True
    doCrosstalk: Annotated[bool, Field(description="subtract the ghosts of the other amplifiers")] = True
    minPixelToMask: Annotated[
        float, Field(gt=0, description="ghosts of pixels this far above the background get CROSSTALK, ADU")
    ] = 45000.0
    doDefect: Annotated[bool, Field(description="mask the camera's known defects (BAD)")] = True
    doNanMasking: Annotated[bool, Field(description="mask pixels that are not finite (UNMASKEDNAN)")] = True
    doWidenSaturationTrails: Annotated[
        bool, Field(description="widen saturated runs along the rows: 6-7 pixels by 1, 8-9 by 3, longer ones by 4")
    ] = True
    doDark: Annotated[bool, Field(description="subtract the master dark, scaled to the dark time")] = True
    doFlat: Annotated[bool, Field(description="divide by the master flat")] = True

    doInterpolate: Annotated[bool, Field(description="fill SAT, BAD and UNMASKEDNAN pixels from neighbours")] = True
    growSaturationFootprintSize: Annotated[
        _Pixels, Field(description="saturated regions are grown by this many pixels before the filling")
    ] = 1
    fwhm: Annotated[float, Field(gt=0, le=30, description="width of the PSF that the filling assumes, arcsec")] = 1.0
    maxSaturatedFraction: Annotated[
        float, Field(gt=0, le=1, description="a CCD with a larger fraction of saturated pixels fails")
    ] = 0.9
