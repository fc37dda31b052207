"""The first WCS of a frame: from the camera model, the header, or a pointing and a scale."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from safelight.errors import ConfigurationError, ProcessingError
from safelight.exposure.exposure import VisitInfo
from safelight.exposure.fieldangle import FieldAngleWcs
from safelight.exposure.projection import tan_deproject
from safelight.exposure.tansip import TanSipWcs
from safelight.exposure.wcs import SkyWcs
from safelight.instruments.geometry import DetectorGeometry
from safelight.instruments.model import Detector, Instrument
from safelight.instruments.rules import sexagesimal

__all__ = ["Pointing", "initial_wcs"]


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the telescope looked, as the observer says; what is None is left to the header and the camera file."""

    ra_deg: float | None = None  # ICRS
    dec_deg: float | None = None
    pixel_scale_arcsec: float | None = None
    position_angle_deg: float | None = None  # of the frame's +y direction, from North through East
    mirrored: bool | None = None  # with +y to the North, +x points East instead of West

    @classmethod
    def parse(cls, text: str) -> Pointing:
        """A pointing from ``"286.04,+36.63"`` (degrees) or ``"19:04:09.6,+36:37:48"`` (hours, degrees).

        Raises
        ------
        ConfigurationError
            ``BAD_POINTING`` when the text is not two coordinates.
        """
        parts = [part.strip() for part in text.split(",")]
        try:
            ra, dec = sexagesimal(parts[0], "hours"), sexagesimal(parts[1], "degrees")
        except (IndexError, ValueError):
            ra = dec = math.nan
        if len(parts) != 2 or not (0.0 <= ra <= 360.0 and -90.0 <= dec <= 90.0):
            raise ConfigurationError(
                "BAD_POINTING",
                f"{text!r} is not a pointing.",
                'Write RA,Dec in degrees, "286.04,+36.63", or sexagesimal, "19:04:09.6,+36:37:48".',
            )
        return cls(ra_deg=ra, dec_deg=dec)


def initial_wcs(
    instrument: Instrument,
    detector: Detector,
    visit_info: VisitInfo,
    header: Mapping[str, Any] | None = None,
    pointing: Pointing | None = None,
) -> tuple[SkyWcs | None, str]:
    """The WCS to start from, of the assembled frame, and where it comes from.

    The first of these that is possible: the camera's distortion model with the boresight and rotator angle
    (``"camera model"``); a WCS in the header, unless the observer states a pointing (``"header"``); the boresight with
    the pixel scale and the nominal orientation (``"pointing"``); none (``""``).

    Parameters
    ----------
    instrument, detector, visit_info
        The camera, the CCD (with its size known, see `Detector.for_frame`) and the visit.
    header : mapping, optional
        The raw header, whose own WCS is used where the camera file says so.
    pointing : Pointing, optional
        What the observer states; it overrides the header.
    """
    pointing = pointing or Pointing()
    ra = visit_info.boresight_ra_deg if pointing.ra_deg is None else pointing.ra_deg
    dec = visit_info.boresight_dec_deg if pointing.dec_deg is None else pointing.dec_deg
    known = math.isfinite(ra) and math.isfinite(dec)
    rotator = visit_info.rotator_angle_deg
    if instrument.distortion is not None and known and math.isfinite(rotator):
        return FieldAngleWcs(DetectorGeometry(detector, instrument.distortion), ra, dec, rotator), "camera model"
    stated = pointing.ra_deg is not None
    if not stated and instrument.header_wcs is not None and header is not None:
        wcs = _header_wcs(detector, header)
        if wcs is not None:
            return wcs, "header"
    scale = _pixel_scale(instrument, header, pointing)
    if known and scale > 0:
        return _from_pointing(instrument, detector, ra, dec, scale, pointing), "pointing"
    return None, ""


def _pixel_scale(instrument: Instrument, header: Mapping[str, Any] | None, pointing: Pointing) -> float:
    if pointing.pixel_scale_arcsec is not None:
        return pointing.pixel_scale_arcsec
    rule = instrument.header.pixel_scale_arcsec
    if rule is not None and header is not None:
        scale = rule.apply(header, "pixel scale")
        if math.isfinite(scale) and scale > 0:
            return float(scale)
    return instrument.pixel_scale_arcsec


def _header_wcs(detector: Detector, header: Mapping[str, Any]) -> TanSipWcs | None:
    """The header's WCS in the assembled frame; None when it has none or the amplifiers leave gaps."""
    try:
        wcs = TanSipWcs.from_header(header)
    except ProcessingError:
        return None
    wcs = wcs.mirrored(detector.raw_flip, detector.raw_width, detector.raw_height)
    shifts = {(a.box.x0 - a.raw_data_box.x0, a.box.y0 - a.raw_data_box.y0) for a in detector.amplifiers}
    if len(shifts) != 1 or any(a.flip_x or a.flip_y for a in detector.amplifiers):
        return None
    return wcs.shifted(*shifts.pop())


def _from_pointing(
    instrument: Instrument, detector: Detector, ra: float, dec: float, scale: float, pointing: Pointing
) -> TanSipWcs:
    """A plain TAN projection; detectors of a mosaic lie at their offsets in the focal plane."""
    angle = instrument.position_angle_deg if pointing.position_angle_deg is None else pointing.position_angle_deg
    mirrored = instrument.mirrored if pointing.mirrored is None else pointing.mirrored
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    towards_east = 1.0 if mirrored else -1.0
    camera = np.array([[towards_east * cos, sin], [-towards_east * sin, cos]]) * scale / 3600.0
    yaw = math.radians(detector.yaw_deg)
    turn = np.array([[math.cos(yaw), -math.sin(yaw)], [math.sin(yaw), math.cos(yaw)]])
    crpix = np.array([detector.reference_x, detector.reference_y])
    offset = np.array([detector.offset_x_mm, detector.offset_y_mm])
    if not offset.any():
        return TanSipWcs(crpix, np.array([ra, dec]), camera @ turn)
    if instrument.pixel_size_mm is None:
        raise ConfigurationError(
            "MISSING_PIXEL_SIZE",
            f"Camera {instrument.name} places CCD {detector.id} off its axis but states no pixel_size_mm.",
            "Add pixel_size_mm to the camera's YAML file.",
        )
    plane = camera @ offset / instrument.pixel_size_mm
    crval = np.array([float(value) for value in tan_deproject(plane[0], plane[1], ra, dec)])
    return TanSipWcs(crpix, crval, camera @ turn)
