"""What a camera is: detectors, amplifiers, filters, distortion and colour terms, as validated data.

Instances come from one YAML file per camera (`load_instrument`); see `data/hsc.yaml` for a complete one and
`data/generic.yaml` for the least that is needed and for the format. Boxes are (x0, y0, width, height) in 0-based
pixels.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from safelight.errors import ConfigurationError
from safelight.instruments.rules import HeaderRules

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
    "RawFlip",
    "ReferenceCatalogs",
    "SearchRange",
]

RawFlip = Literal["none", "LR", "TB"]


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, ignored_types=(cached_property,)
    )


class Box(_Model):
    """A rectangle of pixels. Zero size stands, in a detector without a stated size, for the whole frame."""

    x0: int
    y0: int
    width: Annotated[int, Field(ge=0)]
    height: Annotated[int, Field(ge=0)]

    @model_validator(mode="before")
    @classmethod
    def _from_four_numbers(cls, value: Any) -> Any:
        """Accept ``[x0, y0, width, height]`` and the text ``"x0 y0 width height"``."""
        if isinstance(value, str):
            value = value.split()
        if isinstance(value, (list, tuple)):
            if len(value) != 4:
                raise ValueError("a box is four numbers: x0 y0 width height")
            return dict(zip(("x0", "y0", "width", "height"), value, strict=True))
        return value

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of an array ``[y, x]`` that cuts this box out."""
        return slice(self.y0, self.y0 + self.height), slice(self.x0, self.x0 + self.width)

    def inside(self, width: int, height: int) -> bool:
        """Whether this box lies wholly within a frame of that size."""
        return self.x0 >= 0 and self.y0 >= 0 and self.x0 + self.width <= width and self.y0 + self.height <= height


WHOLE_FRAME = Box(x0=0, y0=0, width=0, height=0)


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
    box: Box = WHOLE_FRAME  # place in the assembled frame
    raw_box: Box = WHOLE_FRAME  # the amplifier's whole part of the raw frame
    raw_data_box: Box = WHOLE_FRAME
    serial_overscan: Box | None = None  # None: the camera has no overscan
    parallel_overscan: Box | None = None
    prescan: Box | None = None  # rows read before the data rows, in the columns of the data


class Detector(_Model):
    """One CCD: its place in the focal plane and its amplifiers."""

    id: int
    name: str
    serial: str = ""
    type: Literal["SCIENCE", "FOCUS", "GUIDER"] = "SCIENCE"
    width: Annotated[int, Field(ge=0, description="assembled frame, pixels; 0: as the file says")]
    height: Annotated[int, Field(ge=0)]
    raw_width: Annotated[int, Field(ge=0, description="frame on disk, pixels; 0: as the file says")]
    raw_height: Annotated[int, Field(ge=0)]
    raw_flip: RawFlip = "none"  # the on-disk frame is mirrored so before anything else
    reference_x: float = 0.0  # pixel that lies at (offset_x_mm, offset_y_mm)
    reference_y: float = 0.0
    offset_x_mm: float = 0.0
    offset_y_mm: float = 0.0
    yaw_deg: float = 0.0
    pitch_deg: float = 0.0
    roll_deg: float = 0.0
    amplifiers: Annotated[tuple[Amplifier, ...], Field(min_length=1)]

    @property
    def size_from_frame(self) -> bool:
        """Whether frames (and cut-outs) of any size are taken, their own size being the detector's."""
        return self.raw_width == 0

    @model_validator(mode="after")
    def _boxes_fit(self) -> Detector:
        sizes = (self.width, self.height, self.raw_width, self.raw_height)
        if 0 in sizes and any(sizes):
            raise ValueError("width, height, raw_width and raw_height are all stated or all left out")
        if self.size_from_frame:
            if len(self.amplifiers) != 1 or self.amplifiers[0].raw_data_box != WHOLE_FRAME:
                raise ValueError("a detector without a stated size has one amplifier and no boxes")
            return self
        for amplifier in self.amplifiers:
            self._check(amplifier)
        return self

    def _check(self, amplifier: Amplifier) -> None:
        for field, width, height in (
            ("box", self.width, self.height),
            ("raw_box", self.raw_width, self.raw_height),
            ("raw_data_box", self.raw_width, self.raw_height),
            ("serial_overscan", self.raw_width, self.raw_height),
            ("parallel_overscan", self.raw_width, self.raw_height),
            ("prescan", self.raw_width, self.raw_height),
        ):
            box = getattr(amplifier, field)
            if box is None:
                continue
            if not (box.inside(width, height) and box.width > 0 and box.height > 0):
                raise ValueError(f"amplifier {amplifier.name}: {field} {box} is not inside {width}x{height} pixels")
        data, place = amplifier.raw_data_box, amplifier.box
        if (data.width, data.height) != (place.width, place.height):
            raise ValueError(f"amplifier {amplifier.name}: raw_data_box and box differ in size")

    def for_frame(
        self, width: int, height: int, gain: float | None = None, saturation: float | None = None
    ) -> Detector:
        """This detector as one frame shows it: sizes from the frame, gain and saturation from its header.

        Parameters
        ----------
        width, height : int
            Size of the raw frame in pixels; used where the camera file states no size.
        gain : float, optional
            e-/ADU that replaces the single amplifier's.
        saturation : float, optional
            Raw ADU that replaces the single amplifier's.
        """
        changes: dict[str, Any] = {}
        amplifier = self.amplifiers[0]
        if len(self.amplifiers) == 1 and (gain or saturation):
            levels = {"gain": gain or amplifier.gain, "saturation_adu": saturation or amplifier.saturation_adu}
            amplifier = amplifier.model_copy(update=levels)
            changes["amplifiers"] = (amplifier,)
        if self.size_from_frame:
            whole = Box(x0=0, y0=0, width=width, height=height)
            boxes = {"box": whole, "raw_box": whole, "raw_data_box": whole}
            changes["amplifiers"] = (amplifier.model_copy(update=boxes),)
            changes |= {"width": width, "height": height, "raw_width": width, "raw_height": height}
            changes |= {"reference_x": 0.5 * (width - 1), "reference_y": 0.5 * (height - 1)}
        return self.model_copy(update=changes) if changes else self


class Filter(_Model):
    """A physical filter."""

    name: str  # physical, as in data IDs: "HSC-I"
    band: str = ""  # canonical, as in colour terms and reference catalogues: "i"; empty: unknown
    aliases: tuple[str, ...] = ()
    wavelength_nm: float = 0.0
    flux_mag0_per_second: float | None = None  # expected ADU/s of magnitude 0, a plausibility check

    @model_validator(mode="before")
    @classmethod
    def _aliases_from_text(cls, value: Any) -> Any:
        if isinstance(value, dict) and isinstance(value.get("aliases"), str):
            value = value | {"aliases": tuple(a for a in value["aliases"].split(";") if a)}
        return value


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


class DefectTable(_Model):
    """All curated defects, a row a box, with the epochs in which each is there."""

    epochs: tuple[str, ...] = ()  # ISO dates, ascending; each lasts until the next
    boxes: NDArray[np.int64]  # (n, 5): ccd, x0, y0, width, height
    valid: NDArray[np.bool_]  # (n, number of epochs)


class DistortionPolynomial(_Model):
    """Focal plane to field angle: u, v in units of `pixel_size_mm`; U = sum x_k u**i_k v**j_k, V likewise with y_k.

    (U, V) times the plate scale are field angles.
    """

    pixel_size_mm: Annotated[float, Field(gt=0)]
    plate_scale_arcsec_per_mm: Annotated[float, Field(gt=0)]
    powers: NDArray[np.int64]  # (n, 2): exponents (i, j) of u and v
    x: NDArray[np.float64]  # (n,)
    y: NDArray[np.float64]  # (n,)

    @cached_property
    def matrices(self) -> NDArray[np.float64]:
        """Coefficients as ``[axis, i, j]`` of u**i v**j."""
        degree = int(self.powers.sum(axis=1).max())
        matrices = np.zeros((2, degree + 1, degree + 1))
        matrices[0, self.powers[:, 0], self.powers[:, 1]] = self.x
        matrices[1, self.powers[:, 0], self.powers[:, 1]] = self.y
        return matrices


class ReferenceCatalogs(_Model):
    """Which reference catalogues this camera prefers, first choice first."""

    astrometry: tuple[str, ...] = ()
    photometry: tuple[str, ...] = ()
    #: camera filter or band -> catalogue flux column without "_flux", e.g. {"N921": "z"}
    filter_map: dict[str, str] = Field(default_factory=dict)


class Observatory(_Model):
    """Where the telescope stands; NaN where unknown."""

    longitude_deg: float = float("nan")  # East positive
    latitude_deg: float = float("nan")
    elevation_m: float = float("nan")


class SearchRange(_Model):
    """How far a first WCS may be off."""

    pointing_uncertainty_arcsec: Annotated[float, Field(gt=0)]
    rotation_uncertainty_deg: Annotated[float, Field(gt=0, le=180)]
    scale_uncertainty: Annotated[float, Field(ge=0, lt=1, description="fraction of the pixel scale")]
    parity_known: bool


class Vignetting(_Model):
    """The circle of the focal plane that sees the whole mirror, as a polygon."""

    centre_x_mm: float = 0.0
    centre_y_mm: float = 0.0
    radius_mm: Annotated[float, Field(gt=0)]
    points: Annotated[int, Field(ge=8, description="corners of the polygon")] = 100


class StrayLight(_Model):
    """Frames that are known to have stray light of a kind that needs a model of its own."""

    band: str  # canonical
    first_ccd: int
    last_ccd: int
    before: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="ISO date of the repair, UTC")]
    source: str = "unknown"  # in words


class Instrument(_Model):
    """A camera."""

    name: Annotated[str, Field(min_length=1)]  # short, lower case: "hsc"
    title: str = ""
    mappers: tuple[str, ...] = ()  # dotted Gen2 mapper classes that mean this camera
    #: alternatives; each maps header keywords to regular expressions that must all match
    identify: tuple[dict[str, str], ...] = ()
    pixel_scale_arcsec: Annotated[float, Field(ge=0, description="nominal, at the centre; 0: unknown")]
    position_angle_deg: float = 0.0  # of the frame's +y direction, from North through East, without a distortion model
    mirrored: bool = False  # with +y to the North, +x points East instead of West
    pointing_uncertainty_arcsec: Annotated[float, Field(gt=0, description="how far the pointing may be off")]
    rotation_uncertainty_deg: Annotated[float, Field(gt=0, le=180)] = 1.0
    scale_uncertainty: Annotated[float, Field(ge=0, lt=1, description="fraction of the pixel scale")] = 0.01
    parity_known: bool = True
    header_wcs: SearchRange | None = None  # how far a WCS in the header may be off; None: the header's WCS is not used
    observatory: Observatory = Field(default_factory=Observatory)
    detectors: Annotated[tuple[Detector, ...], Field(min_length=1)]
    exposure_id_stride: Annotated[int, Field(gt=0)] = 1  # exposure id = visit * stride + ccd
    filters: tuple[Filter, ...] = ()
    color_terms: tuple[ColorTerm, ...] = ()
    crosstalk: NDArray[np.float64] | None = None  # [target amplifier, source amplifier]; None: no correction
    defect_table: DefectTable | None = None
    pixel_size_mm: Annotated[float, Field(gt=0)] | None = None  # needed by a mosaic without a distortion model
    distortion: DistortionPolynomial | None = None  # None: WCS from the header, or pointing and scale only
    vignetting: Vignetting | None = None  # None: no polygon is attached to exposures
    stray_light: StrayLight | None = None
    fringe_filters: tuple[str, ...] = ()  # physical names of the filters that show fringes
    reference_catalogs: ReferenceCatalogs = Field(default_factory=ReferenceCatalogs)
    header: HeaderRules = Field(default_factory=HeaderRules)
    #: dataset type -> path template, e.g. {"raw": "%(field)s/HSC-%(visit)07d-%(ccd)03d.fits"}; replaces the common ones
    templates: dict[str, str] = Field(default_factory=dict)
    #: columns of the registry's table `raw` -> SQL type ("text", "int", "double"), in order; empty: the common ones
    registry_columns: dict[str, str] = Field(default_factory=dict)
    #: data-ID keys of a raw frame -> "str", "int" or "float", in the order of listings; empty: the common ones
    data_id_keys: dict[str, Literal["str", "int", "float"]] = Field(default_factory=dict)
    #: configuration of processCcd that this camera needs, dotted path -> value, e.g. {"isr.doBias": False}
    process_config: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def _by_key(self) -> dict[int | str, Detector]:
        return {d.name: d for d in self.detectors} | {d.id: d for d in self.detectors}

    @cached_property
    def defects(self) -> tuple[Defect, ...]:
        """Every curated defect of every epoch."""
        table = self.defect_table
        if table is None:
            return ()
        return tuple(
            Defect(detector=int(ccd), valid_from=epoch, box=Box(x0=int(x0), y0=int(y0), width=int(w), height=int(h)))
            for k, epoch in enumerate(table.epochs)
            for ccd, x0, y0, w, h in table.boxes[table.valid[:, k]]
        )

    def defect_epoch(self, date: str) -> str | None:
        """The start (ISO date) of the epoch of curated defects that holds on an ISO date; None before the first."""
        epochs = self.defect_table.epochs if self.defect_table is not None else ()
        return next((epoch for epoch in reversed(epochs) if epoch[:10] <= date[:10]), None)

    def defects_on(self, ccd: int, date: str) -> list[Box]:
        """The curated defects of one CCD on an ISO date, in the assembled frame."""
        table, epoch = self.defect_table, self.defect_epoch(date)
        if table is None or epoch is None:
            return []
        rows = table.boxes[table.valid[:, table.epochs.index(epoch)] & (table.boxes[:, 0] == ccd)]
        return [Box(x0=int(x0), y0=int(y0), width=int(w), height=int(h)) for _, x0, y0, w, h in rows]

    def detector(self, ccd: int | str) -> Detector:
        """The detector with id or name `ccd`; raises `ConfigurationError` naming the range of ids."""
        try:
            return self._by_key[ccd]
        except KeyError:
            ids = [d.id for d in self.detectors]
            raise ConfigurationError(
                "UNKNOWN_DETECTOR",
                f"Camera {self.name} has no CCD {ccd!r}.",
                f"Its CCDs are {min(ids)} to {max(ids)}." if len(ids) > 1 else f"Its only CCD is {ids[0]}.",
            ) from None

    def exposure_id(self, visit: int, ccd: int) -> int:
        """The number of one CCD's exposure, e.g. visit * 200 + ccd for HSC."""
        return visit * self.exposure_id_stride + ccd

    @cached_property
    def _filters_by_name(self) -> dict[str, Filter]:
        table = {f.band.casefold(): f for f in reversed(self.filters) if f.band}
        for filter_ in reversed(self.filters):
            table |= {name.casefold(): filter_ for name in (*filter_.aliases, filter_.name)}
        return table

    def filter(self, name: str) -> Filter | None:
        """The filter of that physical name, alias or band (case ignored); None if the camera does not list it."""
        return self._filters_by_name.get(name.strip().casefold())

    def search_range(self, wcs_origin: str) -> SearchRange:
        """How far a first WCS of that origin (as in `RawFrame.wcs_origin`) may be off."""
        if wcs_origin == "header" and self.header_wcs is not None:
            return self.header_wcs
        return SearchRange(
            pointing_uncertainty_arcsec=self.pointing_uncertainty_arcsec,
            rotation_uncertainty_deg=self.rotation_uncertainty_deg,
            scale_uncertainty=self.scale_uncertainty,
            parity_known=self.parity_known,
        )
