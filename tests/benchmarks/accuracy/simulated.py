"""Simulated HSC CCDs through the pipeline's own steps in memory, with the truth beside them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.truestars import disturbance, true_psf

from safelight import characterize, isr
from safelight.characterize.task import CharacterizeResult
from safelight.exposure import Exposure, Workspace
from safelight.instruments import Instrument, RawFrame, read_raw
from safelight.instruments.loader import load_instrument
from safelight.isr import Masters
from safelight.processccd.cameraconfig import camera_layers
from safelight.processccd.config import ProcessCcdConfig
from safelight.simulate.frame import FrameSimulator, FrameTruth
from safelight.simulate.header import raw_header
from safelight.simulate.masters import simulate_master
from safelight.simulate.optics import TrueWcs, true_pointing
from safelight.simulate.photometry import NOMINAL_GAIN
from safelight.simulate.populations import SyntheticSky
from safelight.simulate.rawfile import write_raw
from safelight.simulate.sources import Circle, Sky, SkySources
from safelight.simulate.spec import MasterSpec, NightSpec, VisitSpec

__all__ = ["DATES", "Ccd", "Observatory", "StarSky"]

Floats = NDArray[np.float64]

#: Night and time of the exposures in each filter.
DATES = {"HSC-R": ("2013-06-17", "13:00:00"), "HSC-I": ("2013-11-02", "05:50:00")}


@dataclass(frozen=True)
class StarSky:
    """Stars strewn evenly over a square: `number` between `brightest` and `faintest` r, counts 10**(slope r)."""

    ra_deg: float
    dec_deg: float
    half_width_deg: float
    number: int
    brightest: float
    faintest: float
    slope: float = 0.2
    seed: int = 1
    faint_galaxies: bool = False

    def sources(self, circle: Circle, epoch_year: float) -> SkySources:
        """All of them, wherever the circle is."""
        rng = np.random.default_rng(self.seed)
        low, high = 10.0 ** (self.slope * np.array([self.brightest, self.faintest]))
        r = np.log10(low + rng.uniform(size=self.number) * (high - low)) / self.slope
        nothing = np.zeros(self.number)
        shift = self.half_width_deg * rng.uniform(-1.0, 1.0, (2, self.number))
        stars = SkySources(
            id=np.arange(1, self.number + 1),
            ra_deg=self.ra_deg + shift[0] / np.cos(np.radians(self.dec_deg)),
            dec_deg=self.dec_deg + shift[1],
            magnitudes=r[:, None] + np.array([0.5, 0.0, -0.2, -0.3, -0.35]),
            is_star=np.ones(self.number, dtype=bool),
            half_light_arcsec=nothing,
            axis_ratio=nothing + 1.0,
            position_angle_rad=nothing,
            sersic_index=np.ones(self.number, dtype=np.int64),
            pm_ra_mas=nothing,
            pm_dec_mas=nothing,
        )
        if not self.faint_galaxies:
            return stars
        field_ = SyntheticSky(self.seed).sources(circle, epoch_year)
        return SkySources.concatenated([stars, field_[~field_.is_star & (field_.band("r") > 21.0)]])


@dataclass
class Ccd:
    """One CCD after ISR and, once asked for, after characterisation; the truth beside it."""

    instrument: Instrument
    night: NightSpec
    truth: FrameTruth
    wcs: TrueWcs
    raw: RawFrame
    config: ProcessCcdConfig
    exposure: Exposure  # post-ISR; characterisation works on a copy
    workspace: Workspace = field(repr=False)

    @property
    def name(self) -> str:
        visit = self.truth.visit
        return f'{visit.visit}-{self.truth.ccd:03d} {visit.filter} {visit.seeing_arcsec:.2f}"'

    @cached_property
    def characterized(self) -> CharacterizeResult:
        """The pipeline's own, on a copy of the post-ISR exposure."""
        return characterize.run(
            self.copy(), self.config.charImage, exposure_id=self.raw.visit_info.exposure_id, workspace=self.workspace
        )

    def copy(self) -> Exposure:
        """The post-ISR exposure with planes of its own."""
        e = self.exposure
        return replace(e, image=e.image.copy(), mask=e.mask.copy(), variance=e.variance.copy())

    @cached_property
    def stars(self) -> dict[str, Floats]:
        """True stars: x, y (pixels), flux (ADU, flat-fielded, total), fwhm (pixels, optical), e1, e2, magnitude."""
        placed = self.truth.sources
        star = placed.sky.is_star
        return {
            "x": placed.x[star],
            "y": placed.y[star],
            "flux": placed.electrons[star] / NOMINAL_GAIN,
            "fwhm": placed.fwhm_pixels[star],
            "e1": placed.ellipticity_1[star],
            "e2": placed.ellipticity_2[star],
            "magnitude": placed.magnitude[star],
        }

    @cached_property
    def everything(self) -> dict[str, Floats]:
        """All true sources, stars and galaxies: x, y, flux, is_star, magnitude."""
        placed = self.truth.sources
        return {
            "x": placed.x,
            "y": placed.y,
            "flux": placed.electrons / NOMINAL_GAIN,
            "is_star": placed.sky.is_star.astype(np.float64),
            "half_light": placed.sky.half_light_arcsec / self.wcs.pixel_scale_arcsec,
            "magnitude": placed.magnitude,
        }

    def isolation(self) -> Floats:
        """For each true star, the disturbing flux of others; see `truestars.disturbance`."""
        every, stars = self.everything, self.stars
        return disturbance(
            every["x"], every["y"], every["flux"], every["half_light"], np.flatnonzero(every["is_star"] > 0),
            float(np.median(stars["fwhm"])),
        )  # fmt: skip

    def true_psf(self, x: float, y: float, half: int = 20) -> NDArray[np.float64]:
        """The true PSF through pixels at (x, y), in the middle of the stamp."""
        return true_psf(self.wcs, self.truth.psf, x, y, half)


class Observatory:
    """Makes CCDs of a night and brings them through ISR; keeps the masters of the CCD made last."""

    def __init__(self, night: NightSpec, sky: Sky | None = None, *, written_mirrored: bool = False) -> None:
        self.instrument = load_instrument(night.instrument)
        self.written_mirrored = written_mirrored  # left to right, against what the camera file says
        self.night = night
        self.sky = sky if sky is not None else SyntheticSky(night.seed)
        self.config = camera_layers(self.instrument).build()
        self._simulator = FrameSimulator(self.instrument, night, self.sky)
        self._masters: dict[tuple[int, str], Masters] = {}
        self._workspace = Workspace()

    def ccd(self, visit: VisitSpec, ccd: int) -> Ccd:
        """One CCD of one exposure, simulated, written, read and rid of its signature."""
        frame = self._simulator.frame(visit, ccd)
        assert frame.truth is not None
        detector = self.instrument.detector(ccd)
        with tempfile.TemporaryDirectory(prefix="safelight-accuracy-") as folder:
            path = Path(folder) / "raw.fits"
            pixels = frame.pixels[:, ::-1] if self.written_mirrored else frame.pixels
            write_raw(path, pixels, raw_header(visit, detector))
            raw = read_raw(path, self.instrument)
        exposure = isr.run(raw, self._masters_of(visit, ccd), self.config.isr, self.instrument).exposure
        wcs = TrueWcs.of(self.instrument, ccd, true_pointing(self.night, visit))
        return Ccd(self.instrument, self.night, frame.truth, wcs, raw, self.config, exposure, self._workspace)

    def _masters_of(self, visit: VisitSpec, ccd: int) -> Masters:
        key = (ccd, visit.filter)
        if key not in self._masters:
            made = {
                kind: simulate_master(self.instrument, self.night, MasterSpec(kind, name, visit.date_obs, (ccd,)), ccd)
                for kind, name in (("bias", "NONE"), ("dark", "NONE"), ("flat", visit.filter))
            }
            self._masters = {key: Masters(**made, defects=tuple(self.instrument.defects_on(ccd, visit.date_obs)))}
        return self._masters[key]
