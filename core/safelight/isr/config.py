"""The configuration of instrument signature removal; names are LSST Gen2's where the quantity is the same."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from safelight.config import StepConfig

__all__ = ["CurveType", "FitType", "FlatScaling", "FringeConfig", "IsrConfig"]

CurveType = Literal["POLY", "CHEB", "LEG", "NATURAL_SPLINE", "CUBIC_SPLINE", "AKIMA_SPLINE"]
FitType = Literal["MEAN", "MEANCLIP", "MEDIAN", "MEDIAN_PER_ROW"] | CurveType
FlatScaling = Literal["USER", "MEAN", "MEDIAN"]
_Pixels = Annotated[int, Field(ge=0, le=100)]


class FringeConfig(StepConfig):
    """How the amplitude of the fringes is found."""

    filters: Annotated[
        tuple[str, ...] | None, Field(description="physical filters that have fringes; None: the camera's")
    ] = None
    num: Annotated[int, Field(ge=100, le=1_000_000, description="places at which the contrast is taken")] = 30000
    small: Annotated[int, Field(ge=1, le=50, description="half the side of the small box, pixels")] = 3
    large: Annotated[int, Field(ge=4, le=500, description="half the side of the large box, pixels")] = 30
    iterations: Annotated[int, Field(ge=1, le=100, description="rounds of rejection at most")] = 20
    clip: Annotated[float, Field(gt=0, description="rejection threshold, standard deviations")] = 3.0
    pedestal: Annotated[bool, Field(description="leave the median of each fringe frame out of what is subtracted")] = (
        False
    )


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
        Field(description="one level (MEAN, MEANCLIP, MEDIAN), one a row, or a curve along the rows"),
    ] = "AKIMA_SPLINE"
    overscanOrder: Annotated[
        int, Field(ge=1, le=1000, description="number of bins of a spline, degree of a polynomial")
    ] = 30
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
    doEmpiricalReadNoise: Annotated[
        bool, Field(description="read noise from the scatter of the overscan instead of the camera's")
    ] = False
    doLinearize: Annotated[bool, Field(description="correct the amplifiers' non-linearity")] = True
    doCrosstalk: Annotated[bool, Field(description="subtract the ghosts of the other amplifiers")] = True
    minPixelToMask: Annotated[
        float, Field(gt=0, description="ghosts of pixels this far above the background get CROSSTALK, ADU")
    ] = 45000.0
    doDefect: Annotated[bool, Field(description="mask the camera's known defects (BAD)")] = True
    numEdgeSuspect: Annotated[
        int, Field(ge=0, le=1000, description="pixels along the edges of the CCD that are masked as SUSPECT")
    ] = 0
    doNanMasking: Annotated[bool, Field(description="mask pixels that are not finite (UNMASKEDNAN)")] = True
    doWidenSaturationTrails: Annotated[
        bool, Field(description="widen saturated runs along the rows: 6-7 pixels by 1, 8-9 by 3, longer ones by 4")
    ] = True
    doBrighterFatter: Annotated[
        bool, Field(description="give back the charge that bright pixels pushed out; needs a kernel (type bfKernel)")
    ] = False
    brighterFatterMaxIter: Annotated[int, Field(ge=1, le=100, description="iterations at most")] = 10
    brighterFatterThreshold: Annotated[
        float, Field(gt=0, description="an iteration that changes the frame by less ends it, electrons in all")
    ] = 1000.0
    doDark: Annotated[bool, Field(description="subtract the master dark, scaled to the dark time")] = True
    doStrayLight: Annotated[
        bool, Field(description="refuse frames whose known stray light cannot be subtracted; False: leave it in")
    ] = True
    doFlat: Annotated[bool, Field(description="divide by the master flat")] = True
    flatScalingType: Annotated[
        FlatScaling,
        Field(description="what the flat is divided by first: its mean, its median, or flatUserScale (USER)"),
    ] = "USER"
    flatUserScale: Annotated[
        float, Field(gt=0, allow_inf_nan=False, description="the flat's level where flatScalingType is USER")
    ] = 1.0
    doFringe: Annotated[bool, Field(description="subtract the fringes, in filters that have them")] = True
    fringeAfterFlat: Annotated[
        bool, Field(description="fringe frames are flat-fielded; False: they are subtracted before the flat")
    ] = True
    fallbackFilterName: Annotated[
        str | None, Field(description="filter whose flat or fringes are taken where a frame's own has none (a caveat)")
    ] = None
    fringe: Annotated[FringeConfig, Field(description="the fit of the fringes")] = FringeConfig()
    doVignette: Annotated[bool, Field(description="attach the polygon of the unvignetted field, if known")] = True
    doSetBadRegions: Annotated[
        bool, Field(description="set BAD pixels to the median of the frame before the filling")
    ] = True

    doInterpolate: Annotated[bool, Field(description="fill SAT, BAD and UNMASKEDNAN pixels from neighbours")] = True
    growSaturationFootprintSize: Annotated[
        _Pixels, Field(description="saturated regions are grown by this many pixels before the filling")
    ] = 1
    fwhm: Annotated[float, Field(gt=0, le=30, description="width of the PSF that the filling assumes, arcsec")] = 1.0
    doMeasureBackground: Annotated[bool, Field(description="measure level and flatness of the sky (FLATNESS_*)")] = True
    maxSaturatedFraction: Annotated[
        float, Field(gt=0, le=1, description="a CCD with a larger fraction of saturated pixels fails")
    ] = 0.9
