"""What a camera is: detectors, amplifiers, filters, distortion and colour terms, as validated data.

Instances come from one YAML file per camera (`load_instrument`); see `data/hsc.yaml` for a complete one and
`data/generic.yaml` for the least that is needed. Boxes are (x0, y0, width, height) in 0-based pixels.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from safelight.errors import ConfigurationError

__all__ = [
    "Amplifier",
    "Box",
    "ColorTerm",
    "Defect",
    "Detector",
    "DistortionPolynomial",
    "Filter",
    "Instrument",
    "RawFlip",
    "ReferenceCatalogs",
]

RawFlip = Literal["none", "LR", "TB"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Box(_Model):
    """A rectangle of pixels."""

    x0: int
    y0: int
    width: Annotated[int, Field(gt=0)]
    height: Annotated[int, Field(gt=0)]

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an array ``[y, x]`` that cuts this box out."""
        return slice(self.y0, self.y0 + self.height), slice(self.x0, self.x0 + self.width)


class Amplifier(_Model):
    """One read-out channel. Raw boxes are in the raw frame after its mirroring (`Detector.raw_flip`)."""

    name: str
    gain: Annotated[float, Field(gt=0, description="e-/ADU")]
    read_noise_adu: Annotated[float, Field(ge=0, description="ADU; squared as it is in the variance")]
    saturation_adu: Annotated[float, Field(gt=0, description="raw ADU, overscan included; >= is saturated")]
    suspect_adu: float | None = None  # raw ADU; None: no suspect level
    linearity_coefficient: float = 0.0  # image += c * image² ("Squared"); 0: none
    readout_corner: Literal["LL", "LR", "UL", "UR"] = "LL"
    flip_x: bool = False  # flips applied when the data box is placed in the assembled frame
    flip_y: bool = False
    box: Box  # place in the assembled frame
    raw_box: Box  # the amplifier's whole part of the raw frame
    raw_data_box: Box
    serial_overscan: Box | None = None  # None: the camera has no overscan
    parallel_overscan: Box | None = None


class Detector(_Model):
    """One CCD: its place in the focal plane and its amplifiers."""

    id: int
    name: str
    serial: str = ""
    type: Literal["SCIENCE", "FOCUS", "GUIDER"] = "SCIENCE"
    width: Annotated[int, Field(gt=0, description="assembled frame, pixels")]
    height: Annotated[int, Field(gt=0)]
    raw_width: Annotated[int, Field(gt=0, description="frame on disk, pixels")]
    raw_height: Annotated[int, Field(gt=0)]
    raw_flip: RawFlip = "none"  # the on-disk frame is mirrored so before anything else
    reference_x: float = 0.0  # pixel that lies at (offset_x_mm, offset_y_mm)
    reference_y: float = 0.0
    offset_x_mm: float = 0.0
    offset_y_mm: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    amplifiers: tuple[Amplifier, ...]


class Filter(_Model):
    """A physical filter."""

    name: str  # physical, as in data IDs: "HSC-I"
    band: str = ""  # canonical, as in colour terms and reference catalogues: "i"; empty: unknown
    aliases: tuple[str, ...] = ()
    wavelength_nm: float = 0.0
    flux_mag0_per_second: float | None = None  # expected ADU/s of magnitude 0, a plausibility check


class ColorTerm(_Model):
    """Reference magnitude in the camera's system: p + c0 + c1 (p - s) + c2 (p - s)²."""

    catalog: str  # glob of the reference catalogue's name, e.g. "ps1*"
    filter: str  # band or physical filter
    primary: str
    secondary: str
    c0: float
    c1: float
    c2: float


class Defect(_Model):
    """A bad rectangle of one detector, in the assembled frame, valid from an ISO date until the next epoch."""

    detector: int
    valid_from: str
    box: Box


class DistortionPolynomial(_Model):
    """Focal plane to field angle (facts 4.3): u, v in units of `pixel_size_mm`; U = sum x_k u**i_k v**j_k."""

    pixel_size_mm: float
    plate_scale_arcsec_per_mm: float
    powers: NDArray[np.int64]  # (n, 2): exponents (i, j) of u and v
    x: NDArray[np.float64]  # (n,)
    y: NDArray[np.float64]  # (n,)


class ReferenceCatalogs(_Model):
    """Which reference catalogues this camera prefers, first choice first."""

    astrometry: tuple[str, ...] = ()
    photometry: tuple[str, ...] = ()
    #: camera filter or band -> catalogue flux column without "_flux", e.g. {"N921": "z"}
    filter_map: dict[str, str] = Field(default_factory=dict)


class Instrument(_Model):
    """A camera."""

    name: str  # short, lower case: "hsc"
    title: str = ""
    mappers: tuple[str, ...] = ()  # dotted Gen2 mapper classes that mean this camera
    pixel_scale_arcsec: Annotated[float, Field(gt=0, description="nominal, at the centre")]
    pointing_uncertainty_arcsec: Annotated[float, Field(gt=0, description="how far the header may be off")]
    rotation_uncertainty_deg: Annotated[float, Field(gt=0)] = 1.0
    detectors: tuple[Detector, ...]
    filters: tuple[Filter, ...] = ()
    color_terms: tuple[ColorTerm, ...] = ()
    crosstalk: NDArray[np.float64] | None = None  # [target amplifier, source amplifier]; None: no correction
    defects: tuple[Defect, ...] = ()
    distortion: DistortionPolynomial | None = None  # None: WCS from the header, or pointing and scale only
    reference_catalogs: ReferenceCatalogs = Field(default_factory=ReferenceCatalogs)
    #: dataset type -> path template, e.g. {"raw": "%(field)s/HSC-%(visit)07d-%(ccd)03d.fits"}; replaces the common ones
    templates: dict[str, str] = Field(default_factory=dict)
    #: columns of the registry's table `raw` -> SQL type ("text", "int", "double"), in order; empty: the common ones
    registry_columns: dict[str, str] = Field(default_factory=dict)
    #: data-ID keys of a raw frame -> "str", "int" or "float", in the order of listings; empty: the common ones
    data_id_keys: dict[str, Literal["str", "int", "float"]] = Field(default_factory=dict)

    def detector(self, ccd: int | str) -> Detector:
        """The detector with id or name `ccd`; raises `ConfigurationError` naming the range of ids."""
        for detector in self.detectors:
            if detector.id == ccd or detector.name == ccd:
                return detector
        ids = [d.id for d in self.detectors]
        raise ConfigurationError(
            "UNKNOWN_DETECTOR",
            f"Camera {self.name} has no CCD {ccd!r}.",
            f"Its CCDs are {min(ids)} to {max(ids)}.",
        )

    def filter(self, name: str) -> Filter | None:
        """The filter of that physical name, band or alias (case ignored); None if the camera does not list it."""
        folded = name.strip().casefold()
        for filter_ in self.filters:
            if folded == filter_.name.casefold() or folded in (a.casefold() for a in filter_.aliases):
                return filter_
        return next((f for f in self.filters if f.band and folded == f.band.casefold()), None)
