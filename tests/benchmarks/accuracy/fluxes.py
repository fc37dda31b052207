"""Fluxes and centroids of isolated stars against truth and the Cramer-Rao bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.frames import Frame
from tests.benchmarks.accuracy.framestars import FrameStars
from tests.benchmarks.accuracy.rows import Row, spread

__all__ = ["measure_fluxes"]

Floats = NDArray[np.float64]
BRIGHT = 100.0  # sigma


def measure_fluxes(frames: Sequence[Frame]) -> list[Row]:
    """Biases and scatters, a value for each CCD."""
    values: dict[str, list[float]] = {}
    for frame in frames:
        if frame.done:
            for name, value in _of_frame(frame).items():
                values.setdefault(name, []).append(value)
    section, tool = "isolated stars", "Safelight"
    rows = []
    for name in ("PSF flux", "Kron flux", "Gaussian flux", "aperture of 12 pixels, corrected"):
        demand, limit = ("|median| <= 3", 3.0) if name == "PSF flux" else ("", None)
        rows.append(spread(section, f"bias, {name}", tool, "mmag", values[name], demand=demand, at_most=limit))
    for name, limit in (("centroids over the bound", 1.05), ("PSF fluxes over the bound", 1.15)):
        rows.append(spread(section, name, tool, "", values[name], demand=f"<= {limit}", at_most=limit))
    for name in ("centroids over the bound, above 100 sigma", "PSF fluxes over the bound, above 100 sigma"):
        rows.append(spread(section, name, tool, "", values[name]))
    rows.append(spread(section, "stars a CCD", tool, "", values["stars"]))
    return rows


def _of_frame(frame: Frame) -> dict[str, float]:
    exposure = frame.calexp()
    stars = FrameStars(frame, exposure)
    flux, bounds = stars.true("flux"), stars.bounds
    bright = stars.signal > BRIGHT
    psf = stars.measured("base_PsfFlux_instFlux")
    corrections = exposure.aperture_corrections
    assert corrections is not None
    name = "base_CircularApertureFlux_12_0"
    circle = stars.measured(f"{name}_instFlux") * corrections.fields[name].at(stars.true("x"), stars.true("y"))
    off = np.concatenate(
        [(stars.measured(f"base_SdssCentroid_{a}") - stars.true(a)) / bounds[:, k] for k, a in ((1, "x"), (2, "y"))]
    )
    scaled = (psf - flux) / bounds[:, 0]
    return {
        "PSF flux": _bias(psf, flux),
        "Kron flux": _bias(stars.measured("ext_photometryKron_KronFlux_instFlux")[bright], flux[bright]),
        "Gaussian flux": _bias(stars.measured("base_GaussianFlux_instFlux")[bright], flux[bright]),
        "aperture of 12 pixels, corrected": _bias(circle[bright], flux[bright]),
        "centroids over the bound": _scatter(off),
        "PSF fluxes over the bound": _scatter(scaled),
        "centroids over the bound, above 100 sigma": _scatter(off[np.tile(bright, 2)]),
        "PSF fluxes over the bound, above 100 sigma": _scatter(scaled[bright]),
        "stars": float(len(stars)),
    }


def _bias(measured: Floats, true: Floats) -> float:
    """Median of measured minus true magnitude, mmag."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmedian(-2500.0 * np.log10(measured / true)))


def _scatter(values: Floats) -> float:
    """Robust standard deviation about the median."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))
