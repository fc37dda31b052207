"""Configuration of the calibration step: matching, WCS fit, zeropoint.

Field names are those of LSST's Gen2 configuration where the quantity is the same. A default of None means "from the
camera": the camera's file knows its pointing uncertainty, its scale and its filters.
"""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import Field

from safelight.config import StepConfig

__all__ = [
    "AstrometricLoaderConfig",
    "AstrometryConfig",
    "CalibrateConfig",
    "MatcherConfig",
    "PhotoCalConfig",
    "PhotometricLoaderConfig",
    "QualityConfig",
    "WcsFitterConfig",
]


class AstrometricLoaderConfig(StepConfig):
    """Which reference catalogue gives positions, and how much of it is loaded."""

    ref_dataset_name: str = Field(
        "auto", description="name of the catalogue in the repository's ref_cats; auto: the camera's first that is there"
    )
    pixelMargin: Annotated[int, Field(ge=0, le=100_000)] = Field(
        300, description="pixels around the CCD, on top of the pointing uncertainty, in which stars are loaded"
    )
    positionErrorFloor: Annotated[float, Field(ge=0, le=10_000)] | None = Field(
        None, description="mas per axis, least error of a star; None: what is known of the catalogue"
    )
    systematicFloor: Annotated[float, Field(ge=0, le=10_000)] | None = Field(
        None, description="mas per axis that averaging does not reduce; None: what is known of the catalogue"
    )


class PhotometricLoaderConfig(StepConfig):
    """Which reference catalogue gives magnitudes, and which of its columns."""

    ref_dataset_name: str = Field(
        "auto", description="name of the catalogue in the repository's ref_cats; auto: the camera's first that is there"
    )
    filterMap: dict[str, str] = Field(
        default_factory=dict,
        description="camera filter or band -> catalogue flux column without _flux; before the camera's map",
    )
    anyFilterMapsToThis: str = Field(
        "", description="catalogue flux column (without _flux) for every filter; empty: none"
    )


class MatcherConfig(StepConfig):
    """The search for the pattern of reference stars among the sources."""

    numBrightStars: Annotated[int, Field(ge=10, le=2000)] = Field(
        150, description="brightest sources that vote for a solution"
    )
    numPairStars: Annotated[int, Field(ge=8, le=120)] = Field(
        40, description="brightest sources whose pairs are tried when the orientation is unknown"
    )
    minMatchedPairs: Annotated[int, Field(ge=3, le=1000)] = Field(5, description="fewest stars a WCS may be fitted to")
    maxOffsetPix: Annotated[float, Field(gt=0, le=1e6)] | None = Field(
        None, description="largest pointing error searched, pixels; None: the camera's pointing uncertainty"
    )
    maxRotationDeg: Annotated[float, Field(ge=0, le=180)] | None = Field(
        None,
        description="largest rotation from the first WCS searched by voting; None: the camera's rotation uncertainty",
    )
    anyRotation: bool = Field(
        True, description="where voting fails and the first WCS is no camera model, try every angle and both parities"
    )
    maxScaleError: Annotated[float, Field(ge=0.001, le=0.3)] | None = Field(
        None, description="largest fractional error of the pixel scale; None: the camera's"
    )
    maxLogFalseMatches: Annotated[float, Field(ge=-100, le=-1)] = Field(
        -6.0,
        description="a solution is accepted if fewer than 10 to this power are expected by chance in the whole search",
    )
    matchRadiusPix: Annotated[float, Field(gt=0, le=50)] = Field(
        2.0, description="largest distance, pixels, between a source and its reference star after the fit"
    )
    saturatedRadiusPix: Annotated[float, Field(gt=0, le=50)] = Field(
        5.0, description="the same for a saturated source, whose core says little of its centre; it is never fitted"
    )
    matchDistanceSigma: Annotated[float, Field(ge=2, le=20)] = Field(
        5.0, description="largest distance between a source and its reference star in units of their combined error"
    )


class WcsFitterConfig(StepConfig):
    """The polynomial correction to the first WCS."""

    order: Annotated[int, Field(ge=0, le=7)] = Field(
        0, description="degree of the correction in the tangent plane; 0: as stars and cross-validation support"
    )
    maxOrder: Annotated[int, Field(ge=1, le=7)] = Field(5, description="highest degree tried without a camera model")
    maxModelOrder: Annotated[int, Field(ge=1, le=7)] = Field(
        3, description="highest degree tried on top of a camera model"
    )
    numIter: Annotated[int, Field(ge=1, le=20)] = Field(4, description="rounds of association and fit")
    numRejIter: Annotated[int, Field(ge=1, le=50)] = Field(10, description="rounds of clipping in one fit")
    rejSigma: Annotated[float, Field(ge=2, le=20)] = Field(
        4.0, description="stars farther than this in either axis are clipped"
    )
    scatterFloor: Annotated[float, Field(ge=0, le=1000)] = Field(
        1.0,
        description="mas per axis, least scatter in the weights of stars, so that none counts for far more than others",
    )
    reserveFraction: Annotated[float, Field(ge=0.05, le=0.5)] = Field(
        0.2, description="share of matches kept out of every fit"
    )
    minReserveMatches: Annotated[int, Field(ge=20, le=10_000)] = Field(
        50, description="with fewer matches none is reserved and k-fold cross-validation judges"
    )
    numFolds: Annotated[int, Field(ge=3, le=50)] = Field(10, description="folds of the cross-validation")
    maxScatterArcsec: Annotated[float, Field(gt=0, le=100)] | None = Field(
        None, description="a fit with a larger rms per axis is refused; None: one pixel"
    )
    renderTolerance: Annotated[float, Field(gt=0, le=10)] = Field(
        0.1, description="mas, largest difference between the fit and the TAN-SIP form that is kept"
    )


class QualityConfig(StepConfig):
    """When a solution gets a caveat, and when it is refused."""

    fewStars: Annotated[int, Field(ge=3, le=1000)] = Field(
        20, description="FEW_ASTROMETRIC_STARS below this many fitted stars"
    )
    reservedRatioCaveat: Annotated[float, Field(gt=1, le=10)] = Field(
        1.5,
        description="WCS_RESERVED_RESIDUAL_HIGH where unfitted stars scatter this many times more than predicted",
    )
    reservedRatioFailure: Annotated[float, Field(gt=1, le=100)] = Field(
        3.0,
        description="WCS_UNSUPPORTED (failure) where unfitted stars scatter this many times more than predicted",
    )
    significance: Annotated[float, Field(ge=1, le=10)] = Field(
        3.0, description="standard errors by which such an excess must be significant"
    )
    extrapolatedFraction: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1,
        description="WCS_EXTRAPOLATED where more of the CCD is farther than 1/4 of its diagonal from all fitted stars",
    )
    scatterPixels: Annotated[float, Field(gt=0, le=10)] = Field(
        0.25, description="WCS_SCATTER_HIGH where fitted stars scatter by more than this in either axis"
    )
    missingReferences: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.25, description="WCS_REFERENCES_MISSING where clearly more of the frame's bright references have no source"
    )
    unknownSources: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.1, description="WCS_SOURCES_UNKNOWN where clearly more of the bright stars are not in the catalogue"
    )
    maxModelBend: Annotated[float, Field(gt=0, le=1000)] = Field(
        5.0,
        description="pixels; WCS_BENDS_MODEL where the fit is farther from a camera model that was shifted, turned and "
        "scaled",
    )


class AstrometryConfig(StepConfig):
    """Matching and WCS fit."""

    pointingRa: Annotated[float, Field(ge=0, lt=360)] | None = Field(
        None,
        description="degrees ICRS; overrides the header: the boresight, or the centre of the frame of a one-CCD camera",
    )
    pointingDec: Annotated[float, Field(ge=-90, le=90)] | None = Field(
        None, description="degrees ICRS; overrides the header"
    )
    pixelScale: Annotated[float, Field(gt=0, le=1000)] | None = Field(
        None, description="arcsec/pixel; overrides the header and the camera"
    )
    minSnr: Annotated[float, Field(ge=3, le=1000)] = Field(
        15.0, description="least flux over its error of a source used in matching and fit"
    )
    matcher: MatcherConfig = Field(default_factory=MatcherConfig)
    wcsFitter: WcsFitterConfig = Field(default_factory=WcsFitterConfig)
    quality: QualityConfig = Field(default_factory=QualityConfig)


class PhotoCalConfig(StepConfig):
    """The zeropoint."""

    band: str = Field("", description="reference flux column (without _flux); empty: from the filter")
    photoCatName: str = Field(
        "", description="catalogue name by which colour terms are looked up; empty: the loaded one's"
    )
    applyColorTerms: bool | None = Field(
        None, description="True: a missing colour term is a failure; None: a caveat; False: no colour terms"
    )
    minSnr: Annotated[float, Field(ge=3, le=1000)] = Field(20.0, description="least flux over its error of a source")
    maxReferenceError: Annotated[float, Field(gt=0, le=1)] = Field(
        0.1, description="mag, largest error of a reference magnitude"
    )
    magLimit: Annotated[float, Field(ge=0, le=40)] = Field(
        22.0, description="faintest reference magnitude in the primary band"
    )
    colorLimits: dict[str, tuple[float, float]] = Field(
        default_factory=lambda: {"g-r": (0.0, math.inf), "r-i": (-math.inf, 0.5)},
        description="reference colours that are used; ignored where columns are missing or fewer than 10 stars stay",
    )
    matchRadius: Annotated[float, Field(gt=0, le=60)] | None = Field(
        None, description="arcsec between source and reference star; None: the larger of 0.25 arcsec and half a pixel"
    )
    nSigma: Annotated[float, Field(ge=2, le=10)] = Field(3.0, description="clip at this many standard deviations")
    sigmaMax: Annotated[float, Field(gt=0, le=2)] = Field(
        0.25, description="mag, largest standard deviation used in clipping"
    )
    nIter: Annotated[int, Field(ge=1, le=100)] = Field(20, description="rounds of clipping")
    magErrFloor: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="mag, added in quadrature to every star's error"
    )
    systematicFloor: Annotated[float, Field(ge=0, le=1)] = Field(
        0.002, description="mag, error of the zeropoint that more stars do not reduce"
    )
    reserveFraction: Annotated[float, Field(ge=0.05, le=0.5)] = Field(
        0.2, description="share of stars kept out of the zeropoint"
    )
    minReserveStars: Annotated[int, Field(ge=20, le=10_000)] = Field(
        50, description="with fewer stars none is reserved and k-fold cross-validation judges"
    )
    fewStars: Annotated[int, Field(ge=2, le=1000)] = Field(10, description="FEW_PHOTOMETRIC_STARS below this many")
    minStars: Annotated[int, Field(ge=1, le=1000)] = Field(2, description="fewest stars that make a zeropoint")
    maxDeviation: Annotated[float, Field(gt=0, le=10)] = Field(
        0.5, description="mag, ZEROPOINT_UNEXPECTED beyond this from the filter's expected zeropoint"
    )


class CalibrateConfig(StepConfig):
    """From measured sources to an exposure with a WCS and a zeropoint."""

    doAstrometry: bool = Field(True, description="match sources to reference stars and fit the WCS")
    doPhotoCal: bool = Field(True, description="determine the zeropoint")
    requireAstrometry: bool = Field(True, description="a failed match or fit fails the CCD; False: it becomes a caveat")
    requirePhotoCal: bool = Field(True, description="a failed zeropoint fails the CCD; False: it becomes a caveat")
    doEvalLocCalibration: bool = Field(True, description="add base_CDMatrix_* and base_localPhotoCalib columns to src")
    doWriteMatchesDenormalized: bool = Field(True, description="make srcMatchFull: every column of both sides")
    astromRefObjLoader: AstrometricLoaderConfig = Field(default_factory=AstrometricLoaderConfig)
    photoRefObjLoader: PhotometricLoaderConfig = Field(default_factory=PhotometricLoaderConfig)
    astrometry: AstrometryConfig = Field(default_factory=AstrometryConfig)
    photoCal: PhotoCalConfig = Field(default_factory=PhotoCalConfig)
