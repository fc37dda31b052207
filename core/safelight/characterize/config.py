"""The configuration of image characterisation; names are LSST Gen2's where the quantity is the same."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from safelight.config import StepConfig

__all__ = [
    "BackgroundConfig",
    "CharacterizeConfig",
    "CosmicRayConfig",
    "DeblendConfig",
    "DetectionConfig",
    "MeasureApCorrConfig",
    "MeasurePsfConfig",
    "MeasurementConfig",
    "RepairConfig",
    "ReserveConfig",
    "StarSelectorConfig",
]


class BackgroundConfig(StepConfig):
    """The sky: clipped means of mesh cells and a spline through them."""

    binSize: Annotated[int, Field(ge=16, description="side of a mesh cell, pixels")] = 128
    nSigmaClip: Annotated[float, Field(gt=1, le=10, description="clipping of the pixels of a cell, sigma")] = 3.0
    nIter: Annotated[int, Field(ge=1, le=20, description="clipping rounds")] = 5
    minFractionOfPixels: Annotated[
        float, Field(gt=0, le=1, description="cells with a smaller usable fraction take the level of their neighbours")
    ] = 0.08


class CosmicRayConfig(StepConfig):
    """Pixels sharper than the PSF can be."""

    minSigma: Annotated[float, Field(gt=0, description="least height above opposite neighbours, sigma")] = 6.0
    min_DN: Annotated[float, Field(ge=0, description="least sum over one cosmic ray, ADU")] = 80.0
    cond3_fac: Annotated[float, Field(ge=0, description="noise margin of the sharpness test, sigma")] = 2.5
    cond3_fac2: Annotated[float, Field(gt=0, le=1, description="fraction of the PSF's own sharpness allowed")] = 0.6
    niteration: Annotated[int, Field(ge=0, le=10, description="rounds of growth into touching pixels")] = 3
    nCrPixelMax: Annotated[int, Field(gt=0, description="more cosmic-ray pixels than this fail the CCD")] = 1_000_000


class RepairConfig(StepConfig):
    """Repair of cosmic rays."""

    doCosmicRay: Annotated[bool, Field(description="find and fill cosmic rays")] = True
    cosmicray: CosmicRayConfig = Field(default_factory=CosmicRayConfig)


class DetectionConfig(StepConfig):
    """Detection on the image smoothed with the PSF."""

    thresholdValue: Annotated[float, Field(gt=0, description="threshold, sigma of the smoothed image")] = 5.0
    includeThresholdMultiplier: Annotated[
        float, Field(ge=1, description="peaks of icSrc reach this times the threshold")
    ] = 10.0
    minPixels: Annotated[int, Field(ge=1, description="least pixels of a source above the threshold")] = 1
    nSigmaToGrow: Annotated[float, Field(ge=0, le=10, description="growth of footprints, PSF sigma")] = 2.4
    nSigmaForKernel: Annotated[float, Field(ge=2, le=12, description="width of the smoothing kernel, PSF sigma")] = 7.0
    reEstimateBackground: Annotated[bool, Field(description="fit the sky again with the sources left out")] = True


class DeblendConfig(StepConfig):
    """Separation of touching sources along the saddles between their peaks."""

    doDeblend: Annotated[bool, Field(description="split footprints with several peaks")] = True
    minSaddleDepth: Annotated[
        float, Field(ge=0, description="least height of a peak above its saddle, sigma of the smoothed image")
    ] = 2.5
    minContrast: Annotated[
        float, Field(ge=0, lt=1, description="least flux above the saddle, fraction of the brighter neighbour")
    ] = 0.005


class MeasurementConfig(StepConfig):
    """Positions, shapes and fluxes."""

    psfCentroidMaxFwhm: Annotated[
        float, Field(ge=0, description="below this FWHM (pixels) base_SdssCentroid is the PSF fit, else windowed")
    ] = 1.6
    kronRadiusForFlux: Annotated[float, Field(gt=0, description="Kron aperture, first-moment radii")] = 2.5
    kronSigmaForRadius: Annotated[float, Field(gt=0, description="extent of the first moment, shape sigma")] = 6.0
    fluxRatio: Annotated[
        float, Field(gt=0, le=1.5, description="extended when fluxRatio * GaussianFlux exceeds PsfFlux")
    ] = 0.95


class StarSelectorConfig(StepConfig):
    """Stars are the tight cluster of small widths."""

    signalToNoiseMin: Annotated[float, Field(gt=0, description="least signal to noise of a PSF candidate")] = 60.0
    widthMin: Annotated[float, Field(gt=0, description="least width sqrt((Ixx + Iyy) / 2), pixels")] = 0.5
    widthMax: Annotated[float, Field(gt=0, description="greatest width, pixels")] = 10.0
    widthStdAllowed: Annotated[float, Field(gt=0, lt=1, description="greatest spread of star widths, fraction")] = 0.15
    nSigmaClip: Annotated[float, Field(gt=1, description="clipping about the stellar width, sigma")] = 3.0
    isolation: Annotated[
        float, Field(gt=0, le=1, description="greatest flux of a neighbour inside the PSF image, fraction")
    ] = 0.03


class ReserveConfig(StepConfig):
    """Stars that are kept out of a fit and judge it."""

    fraction: Annotated[float, Field(ge=0, le=0.5, description="fraction of candidates kept out of the fit")] = 0.2


class MeasurePsfConfig(StepConfig):
    """The PSF: an image whose pixels vary as polynomials over the CCD."""

    starSelector: StarSelectorConfig = Field(default_factory=StarSelectorConfig)
    reserve: ReserveConfig = Field(default_factory=ReserveConfig)
    kernelSize: Annotated[int, Field(ge=11, le=101, description="width of the PSF image, pixels; odd")] = 41
    spatialOrder: Annotated[int, Field(ge=0, le=4, description="greatest degree of the variation over the CCD")] = 2
    maxStars: Annotated[int, Field(ge=3, description="brightest candidates that are used")] = 200
    nIter: Annotated[int, Field(ge=1, le=20, description="rounds of fitting and rejection")] = 3
    nSigmaReject: Annotated[float, Field(gt=1, description="rejection of stars by their residual, robust sigma")] = 4.0
    oversampleMaxFwhm: Annotated[
        float, Field(ge=0, description="a PSF narrower than this (pixels) is kept on a finer grid than the pixels")
    ] = 3.5


class MeasureApCorrConfig(StepConfig):
    """Factors that bring every kind of flux to the total flux."""

    order: Annotated[int, Field(ge=0, le=4, description="greatest degree of the variation over the CCD")] = 2
    numIter: Annotated[int, Field(ge=1, le=20, description="rounds of clipping")] = 4
    numSigmaClip: Annotated[float, Field(gt=1, description="clipping of stars, sigma")] = 3.0
    signalToNoiseMin: Annotated[float, Field(gt=0, description="least signal to noise of a star used")] = 60.0
    referenceRadius: Annotated[
        float, Field(ge=1.5, le=10, description="least radius of the reference aperture, FWHM")
    ] = 2.5


class CharacterizeConfig(StepConfig):
    """From a post-ISR exposure to measured sources, PSF and aperture corrections."""

    background: BackgroundConfig = Field(default_factory=BackgroundConfig)
    repair: RepairConfig = Field(default_factory=RepairConfig)
    detection: DetectionConfig = Field(default_factory=DetectionConfig)
    deblend: DeblendConfig = Field(default_factory=DeblendConfig)
    measurement: MeasurementConfig = Field(default_factory=MeasurementConfig)
    measurePsf: MeasurePsfConfig = Field(default_factory=MeasurePsfConfig)
    measureApCorr: MeasureApCorrConfig = Field(default_factory=MeasureApCorrConfig)
