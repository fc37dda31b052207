"""A cut-down CCD for the physics, and two whole HSC frames for the format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest

from safelight.instruments import Box, Detector, Instrument, load_instrument
from safelight.simulate.frame import FrameSimulator, SimulatedFrame
from safelight.simulate.populations import SyntheticSky
from safelight.simulate.presets import PRESETS
from safelight.simulate.sources import Circle, SkySources
from safelight.simulate.spec import NightSpec, VisitSpec


@dataclass
class FixedSky:
    """The same sources whatever is asked for."""

    rows: SkySources

    def sources(self, circle: Circle, epoch_year: float) -> SkySources:
        return self.rows


def make_sources(
    ra: np.ndarray, dec: np.ndarray, magnitude: np.ndarray, *, star: bool = True, half_light: float = 0.0
) -> SkySources:
    """Round sources without colour."""
    number = len(ra)
    return SkySources(
        id=np.arange(number, dtype=np.int64) + 1,
        ra_deg=np.asarray(ra, dtype=float),
        dec_deg=np.asarray(dec, dtype=float),
        magnitudes=np.repeat(np.asarray(magnitude, dtype=float)[:, None], 5, axis=1),
        is_star=np.full(number, star),
        half_light_arcsec=np.full(number, half_light),
        axis_ratio=np.ones(number),
        position_angle_rad=np.zeros(number),
        sersic_index=np.ones(number, dtype=np.int64),
        pm_ra_mas=np.zeros(number),
        pm_dec_mas=np.zeros(number),
    )


NO_SOURCES = make_sources(np.zeros(0), np.zeros(0), np.zeros(0))


def _moved(box: Box | None, x0: int, width: int, y0: int, height: int) -> Box | None:
    return None if box is None else Box(x0=x0, y0=y0, width=width, height=height)


def with_detector(instrument: Instrument, detector: Detector) -> Instrument:
    """`instrument` with this CCD alone, and no curated defects."""
    return Instrument.model_construct(**{**dict(instrument), "detectors": (detector,), "defect_table": None})


def cut_down(instrument: Instrument, ccd: int, columns: int = 96, rows: int = 400) -> Instrument:
    """`instrument` with one CCD of four amplifiers of columns x rows; 8 + 16 columns and 10 + 6 rows without light."""
    detector = instrument.detector(ccd)
    amplifiers = []
    span = columns + 24
    for k, amplifier in enumerate(detector.amplifiers):
        start = k * span
        left = amplifier.readout_corner == "LL"
        data_x, over_x = (start + 8, start + 8 + columns) if left else (start + 16, start)
        amplifiers.append(
            amplifier.model_copy(
                update={
                    "box": Box(x0=k * columns, y0=0, width=columns, height=rows),
                    "raw_box": Box(x0=start, y0=0, width=span, height=rows + 16),
                    "raw_data_box": Box(x0=data_x, y0=10, width=columns, height=rows),
                    "serial_overscan": _moved(amplifier.serial_overscan, over_x, 16, 10, rows),
                    "parallel_overscan": _moved(amplifier.parallel_overscan, data_x, columns, rows + 10, 6),
                }
            )
        )
    small = detector.model_copy(
        update={
            "width": 4 * columns,
            "height": rows,
            "raw_width": 4 * span,
            "raw_height": rows + 16,
            "reference_x": (4 * columns - 1) / 2,
            "reference_y": (rows - 1) / 2,
            "amplifiers": tuple(amplifiers),
        }
    )
    return with_detector(instrument, small)


@pytest.fixture(scope="session")
def hsc() -> Instrument:
    return load_instrument("hsc")


@pytest.fixture(scope="session")
def small(hsc: Instrument) -> Instrument:
    """CCD 50 of HSC, which has clear non-linearity, with 384 x 400 pixels."""
    return cut_down(hsc, 50)


@pytest.fixture(scope="session")
def night() -> NightSpec:
    """A night of one visit, with nothing between the sky and the numbers but what a test switches on."""
    visit = VisitSpec(904024, "HSC-I", (50,), "2013-11-02", "06:15:55.908", 320.75, 0.5)
    return NightSpec("test", (visit,), (), cosmic_rays_per_cm2_min=0.0)


@pytest.fixture(scope="session")
def whole_frame() -> Callable[[int], tuple[NightSpec, SimulatedFrame]]:
    """Whole HSC frames of visit 903334 by CCD, each made once."""
    base = PRESETS["tutorial"]()
    made: dict[int, SimulatedFrame] = {}

    def frame(ccd: int) -> tuple[NightSpec, SimulatedFrame]:
        if ccd not in made:
            instrument = load_instrument("hsc")
            simulator = FrameSimulator(instrument, base, SyntheticSky(base.seed))
            made[ccd] = simulator.frame(base.visit(903334), ccd)
        return replace(base), made[ccd]

    return frame
