"""The WCS to start from, with the observer's overrides, and the circle of sky in which its references must lie."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from safelight.calibrate.config import AstrometricLoaderConfig, AstrometryConfig
from safelight.calibrate.corrected_wcs import Alignment, CorrectedWcs, frame_corners, plane_of
from safelight.calibrate.plane import FloatArray, TangentPlane
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, SkyWcs, VisitInfo
from safelight.exposure.wcs import FieldAngleWcs, angular_separation
from safelight.instruments.model import Instrument, SearchRange
from safelight.instruments.pointing import Pointing, initial_wcs

__all__ = ["FirstWcs", "first_wcs", "reference_circle", "search_range", "start_of"]


@dataclass(frozen=True, slots=True)
class FirstWcs:
    """A WCS before any star was looked at."""

    wcs: SkyWcs
    origin: str  # "camera model", "header" or "pointing"
    plane: TangentPlane  # about its image of the frame's centre
    corners: FloatArray  # (4, 2) arcsec in `plane`
    pixel_scale: float  # arcsec/pixel, mean over the frame
    lever_arcsec: float  # distance of the frame's centre from the boresight; 0 where the frame turns about its centre


def first_wcs(
    wcs: SkyWcs | None,
    origin: str,
    width: int,
    height: int,
    config: AstrometryConfig,
    instrument: Instrument,
    detector_id: int,
    visit_info: VisitInfo | None = None,
) -> FirstWcs:
    """The first WCS of a frame of `width` x `height` pixels.

    `wcs` and its `origin` are as in `RawFrame`; a pointing or pixel scale in `config` replaces what they say.

    Raises
    ------
    ProcessingError
        ``NO_POINTING`` where nothing says where the telescope looked.
    """
    if config.pointingRa is not None or config.pointingDec is not None or wcs is None:
        detector = instrument.detector(detector_id)
        pointing = Pointing(config.pointingRa, config.pointingDec, config.pixelScale)
        wcs, origin = initial_wcs(
            instrument, detector.for_frame(width, height), visit_info or VisitInfo(0.0, 0.0), None, pointing
        )
    if wcs is None:
        raise ProcessingError(
            "NO_POINTING",
            "Neither the header nor the configuration says where the telescope looked, or at which pixel scale.",
            "State it: -c calibrate.astrometry.pointingRa=... calibrate.astrometry.pointingDec=... (degrees) and, "
            "where the camera file has none, calibrate.astrometry.pixelScale=... (arcsec/pixel).",
        )
    first = _measured(wcs, origin, width, height)
    if config.pixelScale is None or abs(first.pixel_scale / config.pixelScale - 1) < 1e-9:
        return first
    stretch = Alignment(np.eye(2) * (config.pixelScale / first.pixel_scale))
    stretched = _measured(CorrectedWcs(first.wcs, first.plane, stretch, first.plane), origin, width, height)
    return replace(stretched, lever_arcsec=first.lever_arcsec)


def _measured(wcs: SkyWcs, origin: str, width: int, height: int) -> FirstWcs:
    plane = plane_of(wcs, width, height)
    corners = np.column_stack(plane.project(*wcs.pixel_to_sky(*frame_corners(width, height))))
    x, y = corners.T
    area = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2.0
    lever = 0.0
    if isinstance(wcs, FieldAngleWcs):
        away = angular_separation(plane.ra_deg, plane.dec_deg, wcs.boresight_ra_deg, wcs.boresight_dec_deg)
        lever = float(away) * 3600.0
    return FirstWcs(wcs, origin, plane, corners, float(np.sqrt(area / (width * height))), lever)


def search_range(first: FirstWcs, config: AstrometryConfig, instrument: Instrument) -> SearchRange:
    """How far the first WCS may be off: the camera's statement, with the configuration's overrides.

    A camera that turns about its boresight by an unknown angle, or whose scale is not quite known, moves a CCD that is
    far from it: that adds to the offset.
    """
    stated = instrument.search_range(first.origin)
    changes: dict[str, float] = {}
    if config.matcher.maxRotationDeg is not None:
        changes["rotation_uncertainty_deg"] = max(config.matcher.maxRotationDeg, 1e-6)
    if config.matcher.maxScaleError is not None:
        changes["scale_uncertainty"] = config.matcher.maxScaleError
    offset = stated.pointing_uncertainty_arcsec
    if config.matcher.maxOffsetPix is not None:
        offset = config.matcher.maxOffsetPix * first.pixel_scale
    rotation = changes.get("rotation_uncertainty_deg", stated.rotation_uncertainty_deg)
    swing = 2.0 * float(np.sin(np.radians(min(rotation, 180.0)) / 2.0))
    stretch = changes.get("scale_uncertainty", stated.scale_uncertainty)
    changes["pointing_uncertainty_arcsec"] = offset + first.lever_arcsec * float(np.hypot(swing, stretch))
    return stated.model_copy(update=changes)


def reference_circle(
    wcs: SkyWcs | None,
    origin: str,
    width: int,
    height: int,
    config: AstrometryConfig,
    loader: AstrometricLoaderConfig,
    instrument: Instrument,
    detector_id: int,
    visit_info: VisitInfo | None = None,
) -> tuple[float, float, float]:
    """(ra, dec, radius) in degrees of the circle in which reference stars must be loaded for a frame.

    The frame's half diagonal, as far as the pointing may be off, and the loader's margin.

    Raises
    ------
    ProcessingError
        ``NO_POINTING``, see `first_wcs`.
    """
    first = first_wcs(wcs, origin, width, height, config, instrument, detector_id, visit_info)
    limits = search_range(first, config, instrument)
    radius = float(np.hypot(*first.corners.T).max()) * (1.0 + limits.scale_uncertainty)
    radius += limits.pointing_uncertainty_arcsec + loader.pixelMargin * first.pixel_scale
    return first.plane.ra_deg, first.plane.dec_deg, radius / 3600.0


def start_of(exposure: Exposure, origin: str, config: AstrometryConfig, instrument: Instrument) -> FirstWcs:
    """`first_wcs` of an exposure."""
    height, width = exposure.shape
    return first_wcs(exposure.wcs, origin, width, height, config, instrument, exposure.detector_id, exposure.visit_info)
