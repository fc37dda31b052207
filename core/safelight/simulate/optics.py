"""Where the sky truly falls on a CCD: telescope pointing, rotation, scale and the camera's distortion.

The projection is written with unit vectors and an orthonormal frame at the boresight, on purpose otherwise than the
reduction's, so that a mistake in one is not undone by the same mistake in the other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from safelight.errors import ConfigurationError
from safelight.instruments import Detector, DistortionPolynomial, Instrument
from safelight.instruments.geometry import (
    field_angle_to_focal_plane,
    focal_plane_to_field_angle,
    focal_plane_to_pixel,
    pixel_to_focal_plane,
)
from safelight.simulate.spec import NightSpec, VisitSpec
from safelight.simulate.streams import Stream, generator

__all__ = ["Pointing", "TrueWcs", "claimed_pointing", "rotator_angle", "true_pointing"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Pointing:
    """Where the boresight looks and how the camera is turned."""

    ra_deg: float  # ICRS
    dec_deg: float
    rotator_deg: float  # LSST's boresight rotation angle
    scale: float = 1.0  # field angles are this times the camera model's


def rotator_angle(inst_pa_deg: float) -> float:
    """LSST's boresight rotation angle of HSC in degrees, from the flange's position angle (card INST-PA)."""
    return (270.0 - inst_pa_deg) % 360.0


def claimed_pointing(visit: VisitSpec) -> Pointing:
    """What the header says."""
    return Pointing(visit.ra_deg, visit.dec_deg, rotator_angle(visit.inst_pa_deg))


def true_pointing(night: NightSpec, visit: VisitSpec) -> Pointing:
    """What the telescope did: the header's pointing with this visit's random error."""
    rng = generator(night.seed, Stream.VISIT, visit.visit, 1)
    distance = night.pointing_error_arcsec / 3600.0 * math.sqrt(rng.uniform())
    direction = rng.uniform(0.0, 2.0 * math.pi)
    turn = night.rotation_error_deg * rng.uniform(-1.0, 1.0)
    return Pointing(
        ra_deg=(visit.ra_deg + distance * math.cos(direction) / math.cos(math.radians(visit.dec_deg))) % 360.0,
        dec_deg=visit.dec_deg + distance * math.sin(direction),
        rotator_deg=(rotator_angle(visit.inst_pa_deg) + turn) % 360.0,
        scale=1.0 + night.scale_error * rng.standard_normal(),
    )


def _frame(pointing: Pointing) -> FloatArray:
    """Unit vectors (rows) to the East, to the North and to the boresight."""
    ra, dec = math.radians(pointing.ra_deg), math.radians(pointing.dec_deg)
    return np.array(
        [
            [-math.sin(ra), math.cos(ra), 0.0],
            [-math.sin(dec) * math.cos(ra), -math.sin(dec) * math.sin(ra), math.cos(dec)],
            [math.cos(dec) * math.cos(ra), math.cos(dec) * math.sin(ra), math.sin(dec)],
        ]
    )


@dataclass(frozen=True, slots=True)
class TrueWcs:
    """The true WCS of one CCD of one visit; a `safelight.exposure.SkyWcs`."""

    detector: Detector
    distortion: DistortionPolynomial
    pointing: Pointing

    @classmethod
    def of(cls, instrument: Instrument, ccd: int, pointing: Pointing) -> TrueWcs:
        """The WCS of CCD `ccd`; raises `ConfigurationError` for a camera without a distortion model."""
        if instrument.distortion is None:
            raise ConfigurationError("NO_DISTORTION", f"Camera {instrument.name} has no model of its optics.")
        return cls(instrument.detector(ccd), instrument.distortion, pointing)

    @property
    def pixel_scale_arcsec(self) -> float:
        """Arcsec a pixel at the CCD's centre, the mean of both axes: it differs by some percent over the field."""
        x, y = (self.detector.width - 1) / 2, (self.detector.height - 1) / 2
        ra, dec = self.pixel_to_sky([x - 8, x + 8, x, x], [y, y, y - 8, y + 8])
        east = ((ra - ra[0] + 180.0) % 360.0) * math.cos(math.radians(float(dec[0])))
        area = (east[1] - east[0]) * (dec[3] - dec[2]) - (east[3] - east[2]) * (dec[1] - dec[0])
        return 3600.0 * math.sqrt(abs(float(area))) / 16.0

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """ICRS (ra, dec) in degrees of 0-based pixels of the assembled frame."""
        plane = pixel_to_focal_plane(self.detector, x, y, self.distortion.pixel_size_mm)
        across, along = focal_plane_to_field_angle(self.distortion, *plane)
        across, along = across * self.pointing.scale, along * self.pointing.scale
        angle = math.radians(self.pointing.rotator_deg)
        east = math.sin(angle) * along - math.cos(angle) * across
        north = math.sin(angle) * across + math.cos(angle) * along
        frame = _frame(self.pointing)
        vector = frame[0] * east[..., None] + frame[1] * north[..., None] + frame[2]
        ra = np.degrees(np.arctan2(vector[..., 1], vector[..., 0])) % 360.0
        return ra, np.degrees(np.arctan2(vector[..., 2], np.hypot(vector[..., 0], vector[..., 1])))

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[FloatArray, FloatArray]:
        """0-based pixels of ICRS degrees; NaN behind the sky or where the optics have no image."""
        alpha, delta = np.radians(np.asarray(ra, dtype=np.float64)), np.radians(np.asarray(dec, dtype=np.float64))
        vector = np.stack([np.cos(delta) * np.cos(alpha), np.cos(delta) * np.sin(alpha), np.sin(delta)])
        east, north, depth = np.tensordot(_frame(self.pointing), vector, axes=1)
        with np.errstate(all="ignore"):
            east, north = (np.where(depth > 0, a / depth, np.nan) / self.pointing.scale for a in (east, north))
        angle = math.radians(self.pointing.rotator_deg)
        across = math.sin(angle) * north - math.cos(angle) * east
        along = math.sin(angle) * east + math.cos(angle) * north
        plane = field_angle_to_focal_plane(self.distortion, across, along)
        return focal_plane_to_pixel(self.detector, *plane, self.distortion.pixel_size_mm)

    def footprint(self, margin_pixels: float = 0.0) -> tuple[FloatArray, FloatArray]:
        """Sky positions (ra, dec, degrees) of the CCD's corners and edge middles, `margin_pixels` outside them."""
        right, top = self.detector.width - 1 + margin_pixels, self.detector.height - 1 + margin_pixels
        middle_x, middle_y = (self.detector.width - 1) / 2, (self.detector.height - 1) / 2
        left = -margin_pixels
        x = [left, middle_x, right, right, right, middle_x, left, left]
        y = [left, left, left, middle_y, top, top, top, middle_y]
        return self.pixel_to_sky(x, y)
