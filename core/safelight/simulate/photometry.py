"""How bright things are in ADU: zeropoints, sky brightness and the camera's bandpasses.

Truth is in PS1's system; a camera magnitude follows by the camera's own PS1 colour terms, so that these terms are
exactly right. The zeropoint refers to ADU after division by the flat, which carries the amplifiers' gains: one ADU
is then `NOMINAL_GAIN` electrons at full response, everywhere in the focal plane.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch

import numpy as np
from numpy.typing import NDArray

from safelight.errors import ConfigurationError
from safelight.instruments import ColorTerm, Instrument
from safelight.simulate.spec import NightSpec, VisitSpec
from safelight.simulate.streams import Stream, generator

__all__ = ["NOMINAL_GAIN", "VisitPhotometry", "band_of", "camera_magnitudes", "visit_photometry"]

FloatArray = NDArray[np.float64]

#: Electrons per ADU of a flat-fielded frame at a response of 1.
NOMINAL_GAIN = 3.3

#: Band: magnitude of 1 ADU/s, dark-sky ADU/s a pixel. r has 620 electrons of sky in 30 s.
_BANDS: Mapping[str, tuple[float, float]] = {
    "g": (27.10, 3.0),
    "r": (27.10, 6.26),
    "i": (26.95, 11.5),
    "z": (25.90, 9.5),
    "y": (25.50, 14.0),
}


@dataclass(frozen=True, slots=True)
class VisitPhotometry:
    """Throughput and sky of one visit."""

    zeropoint_mag: float  # magnitude of 1 ADU/s
    sky_adu_per_s: float  # at the centre of the field, before the response
    sky_gradient: tuple[float, float]  # fractional growth over 270 mm towards +x and +y

    def total_electrons(self, magnitude: FloatArray, seconds: float) -> FloatArray:
        """Electrons at full response of sources of these magnitudes."""
        return np.asarray(NOMINAL_GAIN * seconds * 10.0 ** (0.4 * (self.zeropoint_mag - magnitude)))


def band_of(instrument: Instrument, filter_name: str) -> str:
    """The band of a physical filter; raises `ConfigurationError` for one that the simulator has no sky for."""
    known = instrument.filter(filter_name)
    if known is None or known.band not in _BANDS:
        raise ConfigurationError(
            "NO_SUCH_SKY", f"The simulator has no sky in filter {filter_name!r}.", f"Its bands are {', '.join(_BANDS)}."
        )
    return known.band


def visit_photometry(instrument: Instrument, night: NightSpec, visit: VisitSpec) -> VisitPhotometry:
    """The zeropoint and sky of a visit: the band's, with this visit's transparency and sky brightness."""
    zeropoint, sky = _BANDS[band_of(instrument, visit.filter)]
    rng = generator(night.seed, Stream.VISIT, visit.visit, 3)
    return VisitPhotometry(
        zeropoint_mag=zeropoint + float(rng.uniform(-0.03, 0.03)),
        sky_adu_per_s=sky * float(rng.uniform(0.97, 1.03)),
        sky_gradient=(float(0.01 * rng.standard_normal()), float(0.01 * rng.standard_normal())),
    )


def camera_magnitudes(instrument: Instrument, filter_name: str, ps1: Mapping[str, FloatArray]) -> FloatArray:
    """Magnitudes in the camera's filter from PS1 magnitudes by band (g, r, i, z, y)."""
    band = band_of(instrument, filter_name)
    term = _term(instrument, band)
    if term is None:
        return ps1[band]
    color = ps1[term.primary] - ps1[term.secondary]
    return ps1[term.primary] + term.c0 + term.c1 * color + term.c2 * color**2


def _term(instrument: Instrument, band: str) -> ColorTerm | None:
    for term in instrument.color_terms:
        if fnmatch("ps1_pv3_3pi_20170110", term.catalog) and term.filter == band:
            return term
    return None
