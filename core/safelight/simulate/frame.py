"""One CCD of one exposure: from the sky to the numbers on disk, and the truth about it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.instruments import Detector, Instrument
from safelight.instruments.geometry import pixel_to_focal_plane
from safelight.simulate import ephemeris
from safelight.simulate.charge import bleed
from safelight.simulate.cosmicrays import CosmicRays, cosmic_rays
from safelight.simulate.detector import CcdCharacter
from safelight.simulate.galaxies import shoot_galaxies
from safelight.simulate.optics import Pointing, TrueWcs, true_pointing
from safelight.simulate.photometry import NOMINAL_GAIN, VisitPhotometry, camera_magnitudes, visit_photometry
from safelight.simulate.psf import PsfField, draw_stars, moffat_alpha, stellar_radius, visit_psf
from safelight.simulate.readout import full_well_electrons, read_out
from safelight.simulate.sources import Circle, Sky, SkySources
from safelight.simulate.spec import NightSpec, VisitSpec
from safelight.simulate.streams import Stream, generator, kernel_state, photon_noise

__all__ = ["FrameSimulator", "FrameTruth", "PlacedSources", "SimulatedFrame", "place_sources", "sky_circle"]

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]

#: Electrons of a raw flat at full response.
FLAT_ELECTRONS = 25_000.0
_SKY_MARGIN_DEG = 0.04
_LEAST_ELECTRONS = 20.0


@dataclass(slots=True)
class PlacedSources:
    """Sources as they fall on one CCD, those just outside included."""

    sky: SkySources
    x: FloatArray  # 0-based, assembled frame
    y: FloatArray
    magnitude: FloatArray  # in the camera's filter
    electrons: FloatArray  # total, at full response
    fwhm_pixels: FloatArray  # of the PSF
    ellipticity_1: FloatArray  # of the PSF, pixel frame
    ellipticity_2: FloatArray


@dataclass(frozen=True, slots=True)
class FrameTruth:
    """What is true of one frame of the sky."""

    visit: VisitSpec
    ccd: int
    pointing: Pointing
    photometry: VisitPhotometry
    psf: PsfField
    fwhm_arcsec: float  # PSF at the CCD's centre
    ellipticity: tuple[float, float]  # there, pixel frame
    sky_electrons: float  # at the CCD's centre and a response of 1
    sources: PlacedSources
    cosmic_rays: CosmicRays


@dataclass(slots=True)
class SimulatedFrame:
    """Pixels as they lie on disk, and the truth (None for calibration exposures)."""

    pixels: NDArray[np.uint16]
    truth: FrameTruth | None


def epoch_year(visit: VisitSpec) -> float:
    """Julian year of the middle of the exposure."""
    middle = ephemeris.mjd(ephemeris.parse_start(visit.date_obs, visit.ut_start)) + visit.exposure_time_s / 172800.0
    return 2000.0 + (middle - 51544.5) / 365.25


def sky_circle(wcs: TrueWcs, margin_deg: float = _SKY_MARGIN_DEG) -> Circle:
    """A circle about the CCD, `margin_deg` larger than its corners need."""
    ra, dec = wcs.pixel_to_sky((wcs.detector.width - 1) / 2.0, (wcs.detector.height - 1) / 2.0)
    corner_ra, corner_dec = wcs.footprint()
    away_ra = (corner_ra - float(ra) + 180.0) % 360.0 - 180.0
    radius = np.hypot(away_ra * math.cos(math.radians(float(dec))), corner_dec - float(dec)).max()
    return Circle(float(ra), float(dec), float(radius) + margin_deg)


class FrameSimulator:
    """Makes the frames of one night, CCD by CCD; keeps the character of the CCD that it made last."""

    def __init__(self, instrument: Instrument, night: NightSpec, sky: Sky) -> None:
        self.instrument = instrument
        self.night = night
        self.sky = sky
        self._character: tuple[tuple[int, str, str], CcdCharacter] | None = None

    def character(self, ccd: int, filter_name: str, date: str) -> CcdCharacter:
        """The true bias, dark and response of a CCD in a filter, with the defects of the ISO date."""
        key = (ccd, filter_name, date)
        if self._character is None or self._character[0] != key:
            self._character = key, CcdCharacter.of(self.instrument, ccd, filter_name, date, self.night.seed)
        return self._character[1]

    def frame(self, visit: VisitSpec, ccd: int) -> SimulatedFrame:
        """One CCD of an exposure of the sky, as the camera would have written it."""
        night, detector = self.night, self.instrument.detector(ccd)
        wcs = TrueWcs.of(self.instrument, ccd, true_pointing(night, visit))
        psf, photometry = visit_psf(night, visit), visit_photometry(self.instrument, night, visit)
        placed = place_sources(self.instrument, visit, wcs, psf, photometry, self.sky)
        electrons, sky_electrons = _light(visit, wcs, psf, photometry, placed)
        character = self.character(ccd, visit.filter, visit.date_obs)
        electrons *= character.response
        electrons += character.dark * np.float32(visit.exposure_time_s)
        self._add_noise(electrons, visit, ccd)
        rng = generator(night.seed, Stream.GALAXIES, visit.visit, ccd)
        _add_galaxies(electrons, character.response, rng, wcs, psf, placed, wcs.pixel_scale_arcsec)
        hits = self._cosmic_rays(visit, detector)
        hits.add_to(electrons)
        fwhm, e1, e2 = _psf_at(wcs, psf, (detector.width - 1) / 2, (detector.height - 1) / 2)
        truth = FrameTruth(
            visit=visit,
            ccd=ccd,
            pointing=wcs.pointing,
            photometry=photometry,
            psf=psf,
            fwhm_arcsec=float(fwhm),
            ellipticity=(float(e1), float(e2)),
            sky_electrons=sky_electrons,
            sources=placed,
            cosmic_rays=hits,
        )
        return SimulatedFrame(self._read_out(electrons, character, visit, detector), truth)

    def calibration(self, visit: VisitSpec, ccd: int) -> SimulatedFrame:
        """A raw bias, dark or dome flat of one CCD."""
        detector = self.instrument.detector(ccd)
        character = self.character(ccd, visit.filter, visit.date_obs)
        electrons = character.dark * np.float32(visit.exposure_time_s)
        if visit.data_type == "DOMEFLAT":
            lamp = generator(self.night.seed, Stream.VISIT, visit.visit, 4).uniform(0.95, 1.05)
            electrons += np.float32(FLAT_ELECTRONS * lamp) * character.response
        self._add_noise(electrons, visit, ccd)
        if visit.data_type == "DARK":
            self._cosmic_rays(visit, detector).add_to(electrons)
        return SimulatedFrame(self._read_out(electrons, character, visit, detector), None)

    def _add_noise(self, electrons: FloatImage, visit: VisitSpec, ccd: int) -> None:
        rng = generator(self.night.seed, Stream.PHOTONS, visit.visit, ccd)
        normals = rng.standard_normal(electrons.shape, dtype=np.float32)
        photon_noise(electrons, normals, kernel_state(rng))

    def _cosmic_rays(self, visit: VisitSpec, detector: Detector) -> CosmicRays:
        rng = generator(self.night.seed, Stream.COSMIC_RAYS, visit.visit, detector.id)
        rate = self.night.cosmic_rays_per_cm2_min
        return cosmic_rays(rng, detector.width, detector.height, visit.exposure_time_s, rate)

    def _read_out(
        self, electrons: FloatImage, character: CcdCharacter, visit: VisitSpec, detector: Detector
    ) -> NDArray[np.uint16]:
        bleed(electrons, full_well_electrons(detector))
        return read_out(self.instrument, detector, electrons, character.bias, self.night.seed, visit.visit)


def _psf_at(wcs: TrueWcs, psf: PsfField, x: FloatArray | float, y: FloatArray | float) -> tuple[FloatArray, ...]:
    """FWHM (arcsec) and ellipticity in the pixel frame at pixels (x, y)."""
    fwhm, e1, e2 = psf.at(*pixel_to_focal_plane(wcs.detector, x, y, wcs.distortion.pixel_size_mm))
    turn = 2.0 * math.radians(wcs.detector.yaw_deg)
    return fwhm, e1 * math.cos(turn) + e2 * math.sin(turn), e2 * math.cos(turn) - e1 * math.sin(turn)


def place_sources(
    instrument: Instrument, visit: VisitSpec, wcs: TrueWcs, psf: PsfField, photometry: VisitPhotometry, sky: Sky
) -> PlacedSources:
    """The sources whose light reaches the CCD."""
    sources = sky.sources(sky_circle(wcs), epoch_year(visit))
    magnitude = camera_magnitudes(instrument, visit.filter, sources.by_band())
    electrons = photometry.total_electrons(magnitude, visit.exposure_time_s)
    x, y = wcs.sky_to_pixel(sources.ra_deg, sources.dec_deg)
    fwhm, e1, e2 = _psf_at(wcs, psf, x, y)
    fwhm_pixels = fwhm / wcs.pixel_scale_arcsec
    reach = stellar_radius(electrons, moffat_alpha(fwhm_pixels, psf.beta), psf.beta)
    reach = np.where(sources.is_star, reach, 60.0)
    kept = (electrons > _LEAST_ELECTRONS) & (x > -reach) & (y > -reach)
    kept &= (x < wcs.detector.width + reach) & (y < wcs.detector.height + reach)
    columns = (x, y, magnitude, electrons, fwhm_pixels, e1, e2)
    return PlacedSources(sources[kept], *(column[kept] for column in columns))


def _light(
    visit: VisitSpec,
    wcs: TrueWcs,
    psf: PsfField,
    photometry: VisitPhotometry,
    placed: PlacedSources,
) -> tuple[FloatImage, float]:
    """Expected electrons of sky and stars at full response, [y, x], and the sky at the CCD's centre."""
    detector = wcs.detector
    x, y = np.arange(detector.width, dtype=np.float64), np.arange(detector.height, dtype=np.float64)
    x_mm, y_mm = pixel_to_focal_plane(detector, [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], wcs.distortion.pixel_size_mm)
    level = photometry.sky_adu_per_s * NOMINAL_GAIN * visit.exposure_time_s
    gradient = np.array(photometry.sky_gradient) / 270.0
    at_origin = 1.0 + gradient @ [x_mm[0], y_mm[0]]
    by_x, by_y = gradient @ [x_mm[1] - x_mm[0], y_mm[1] - y_mm[0]], gradient @ [x_mm[2] - x_mm[0], y_mm[2] - y_mm[0]]
    rows = (level * (at_origin + by_y * y)).astype(np.float32)
    image = rows[:, None] + (level * by_x * x).astype(np.float32)
    star = placed.sky.is_star
    draw_stars(
        image,
        placed.x[star],
        placed.y[star],
        placed.electrons[star],
        moffat_alpha(placed.fwhm_pixels[star], psf.beta),
        placed.ellipticity_1[star],
        placed.ellipticity_2[star],
        psf.beta,
    )
    centre = level * (at_origin + by_x * x.mean() + by_y * y.mean())
    return image, float(centre)


def _add_galaxies(
    electrons: FloatImage,
    response: FloatImage,
    rng: np.random.Generator,
    wcs: TrueWcs,
    psf: PsfField,
    placed: PlacedSources,
    scale_arcsec: float,
) -> None:
    galaxy = ~placed.sky.is_star
    shapes = placed.sky[galaxy]
    x, y = placed.x[galaxy], placed.y[galaxy]
    shoot_galaxies(
        electrons,
        response,
        rng,
        x=x,
        y=y,
        flux_e=placed.electrons[galaxy],
        half_light_pixels=shapes.half_light_arcsec / scale_arcsec,
        axis_ratio=shapes.axis_ratio,
        angle_rad=_pixel_angle(wcs, x, y, shapes.position_angle_rad),
        sersic_index=shapes.sersic_index,
        alpha=moffat_alpha(placed.fwhm_pixels[galaxy], psf.beta),
        psf_ellipticity_1=placed.ellipticity_1[galaxy],
        psf_ellipticity_2=placed.ellipticity_2[galaxy],
        beta=psf.beta,
    )


def _pixel_angle(wcs: TrueWcs, x: FloatArray, y: FloatArray, position_angle: FloatArray) -> FloatArray:
    """Angles against +x in the pixel frame of position angles (East of North) on the sky."""
    ra, dec = wcs.pixel_to_sky(x, y)
    step = 1.0 / 3600.0
    end_ra = ra + step * np.sin(position_angle) / np.cos(np.radians(dec))
    end_x, end_y = wcs.sky_to_pixel(end_ra, dec + step * np.cos(position_angle))
    return np.asarray(np.arctan2(end_y - y, end_x - x))
