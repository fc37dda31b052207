"""What a CCD image is: image, mask, variance, WCS, PSF and photometric calibration, and its FITS form."""

from safelight.exposure.apcorr import ApertureCorrections, CorrectionField
from safelight.exposure.background import BackgroundModel
from safelight.exposure.exposure import Exposure, FloatImage, MaskImage, VisitInfo
from safelight.exposure.mask import DEFAULT_PLANES, MaskPlanes
from safelight.exposure.master import MasterFrame
from safelight.exposure.photocalib import PhotoCalib
from safelight.exposure.psf import PsfModel
from safelight.exposure.wcs import (
    FieldAngleWcs,
    SkyWcs,
    TanSipWcs,
    angular_separation,
    render_tan_sip,
    tan_deproject,
    tan_project,
)
from safelight.exposure.workspace import Workspace

__all__ = [
    "DEFAULT_PLANES",
    "ApertureCorrections",
    "BackgroundModel",
    "CorrectionField",
    "Exposure",
    "FieldAngleWcs",
    "FloatImage",
    "MaskImage",
    "MaskPlanes",
    "MasterFrame",
    "PhotoCalib",
    "PsfModel",
    "SkyWcs",
    "TanSipWcs",
    "VisitInfo",
    "Workspace",
    "angular_separation",
    "render_tan_sip",
    "tan_deproject",
    "tan_project",
]
