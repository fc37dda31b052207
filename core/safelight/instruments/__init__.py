"""What a camera is: one YAML file per camera, header translation and geometry."""

from safelight.instruments.model import (
    Amplifier,
    Box,
    ColorTerm,
    Defect,
    Detector,
    DistortionPolynomial,
    Filter,
    Instrument,
    ReferenceCatalogs,
)
from safelight.instruments.raw import RawFrame

__all__ = [
    "Amplifier",
    "Box",
    "ColorTerm",
    "Defect",
    "Detector",
    "DistortionPolynomial",
    "Filter",
    "Instrument",
    "RawFrame",
    "ReferenceCatalogs",
]
