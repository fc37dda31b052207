"""What a camera is: one YAML file per camera, header translation, geometry and the reading of raw frames."""

from safelight.instruments.header import identify_instrument, translate_header, visit_info
from safelight.instruments.loader import builtin_instruments, instrument_for_mapper, load_instrument
from safelight.instruments.model import (
    Amplifier,
    Box,
    ColorTerm,
    Defect,
    DefectTable,
    Detector,
    DistortionPolynomial,
    Filter,
    Instrument,
    Observatory,
    ReferenceCatalogs,
    SearchRange,
)
from safelight.instruments.pointing import Pointing, initial_wcs
from safelight.instruments.raw import RawFrame
from safelight.instruments.reading import read_raw, read_raw_header

__all__ = [
    "Amplifier",
    "Box",
    "ColorTerm",
    "Defect",
    "DefectTable",
    "Detector",
    "DistortionPolynomial",
    "Filter",
    "Instrument",
    "Observatory",
    "Pointing",
    "RawFrame",
    "ReferenceCatalogs",
    "SearchRange",
    "builtin_instruments",
    "identify_instrument",
    "initial_wcs",
    "instrument_for_mapper",
    "load_instrument",
    "read_raw",
    "read_raw_header",
    "translate_header",
    "visit_info",
]
