"""Fluxes and centroids of isolated stars against truth and the Cramer-Rao bound, beside those of the peers.

photutils measures the same stars by an ePSF of its own; source-extractor's are its automatic (Kron) fluxes and windowed
positions. A peer's flux bias is told, not corrected: neither corrects to total flux.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tests.benchmarks.accuracy import photutilspeer, sextractor
from tests.benchmarks.accuracy.frames import Frame
from tests.benchmarks.accuracy.framestars import FrameStars
from tests.benchmarks.accuracy.peers import PeerError, program
from tests.benchmarks.accuracy.rows import Row, spread

from safelight.exposure import Exposure

__all__ = ["measure_fluxes"]

Floats = NDArray[np.float64]
BRIGHT = 100.0  # sigma
PSF, KRON = "bias, PSF flux", "bias, Kron flux"
CENTROIDS, FLUXES = "centroids over the bound", "PSF fluxes over the bound"
ABOVE = f", above {BRIGHT:.0f} sigma"
#: What is measured, in the order of the table, with what is demanded of Safelight.
QUANTITIES = {
    PSF: ("mmag", 3.0),
    KRON: ("mmag", None),
    "bias, Gaussian flux": ("mmag", None),
    "bias, aperture of 12 pixels, corrected": ("mmag", None),
    CENTROIDS: ("", 1.05),
    FLUXES: ("", 1.15),
    CENTROIDS + ABOVE: ("", None),
    FLUXES + ABOVE: ("", None),
    "stars a CCD": ("", None),
}


def measure_fluxes(frames: Sequence[Frame], log: Callable[[str], None] = print) -> list[Row]:
    """Biases and scatters, a value for each CCD."""
    tools: dict[str, Callable[[Exposure, FrameStars], dict[str, float]]] = {
        "Safelight": _ours,
        "photutils": _photutils,
    }
    if program("source-extractor") is not None:
        tools["source-extractor"] = _source_extractor
    values: dict[tuple[str, str], list[float]] = {}
    for frame in frames:
        if not frame.done:
            continue
        exposure = frame.calexp()
        stars = FrameStars(frame, exposure)
        for tool, measure in tools.items():
            try:
                measured = measure(exposure, stars)
            except PeerError as error:
                log(f"{frame.name}: {error}")
                continue
            for name, value in measured.items():
                values.setdefault((name, tool), []).append(value)
    return [_row(name, tool, values[name, tool]) for name in QUANTITIES for tool in tools if (name, tool) in values]


def _row(name: str, tool: str, values: list[float]) -> Row:
    unit, limit = QUANTITIES[name]
    if tool != "Safelight" or limit is None:
        return spread("isolated stars", name, tool, unit, values)
    demand = f"|median| <= {limit:g}" if unit else f"<= {limit:g}"
    return spread("isolated stars", name, tool, unit, values, demand=demand, at_most=limit)


def _ours(exposure: Exposure, stars: FrameStars) -> dict[str, float]:
    flux, bright = stars.true("flux"), stars.signal > BRIGHT
    x, y, psf = (stars.measured(f"base_{name}") for name in ("SdssCentroid_x", "SdssCentroid_y", "PsfFlux_instFlux"))
    corrections = exposure.aperture_corrections
    assert corrections is not None
    name = "base_CircularApertureFlux_12_0"
    circle = stars.measured(f"{name}_instFlux") * corrections.fields[name].at(stars.true("x"), stars.true("y"))
    return {
        PSF: _bias(psf, flux),
        KRON: _bias(stars.measured("ext_photometryKron_KronFlux_instFlux")[bright], flux[bright]),
        "bias, Gaussian flux": _bias(stars.measured("base_GaussianFlux_instFlux")[bright], flux[bright]),
        "bias, aperture of 12 pixels, corrected": _bias(circle[bright], flux[bright]),
        **_centroids(stars, x, y),
        **_psf_fluxes(stars, psf),
        "stars a CCD": float(len(stars)),
    }


def _photutils(exposure: Exposure, stars: FrameStars) -> dict[str, float]:
    start = (stars.measured(f"base_SdssCentroid_{axis}") for axis in "xy")
    x, y, flux = photutilspeer.measure_stars(exposure, *start, stars.signal)
    return {PSF: _bias(flux, stars.true("flux")), **_centroids(stars, x, y), **_psf_fluxes(stars, flux)}


def _source_extractor(exposure: Exposure, stars: FrameStars) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="safelight-fluxes-") as name:
        folder = Path(name)
        sextractor.write_inputs(exposure, fits.Header(), 56000.0, folder)
        sextractor.extract(folder)
        with fits.open(folder / "catalog.cat", memmap=False) as hdus:
            rows = hdus["LDAC_OBJECTS"].data
            found = {
                name: np.asarray(rows[name], dtype=np.float64) for name in ("XWIN_IMAGE", "YWIN_IMAGE", "FLUX_AUTO")
            }
    places = np.column_stack([found["XWIN_IMAGE"] - 1.0, found["YWIN_IMAGE"] - 1.0])
    distance, row = cKDTree(places).query(np.column_stack([stars.true("x"), stars.true("y")]))
    x, y, flux = (
        np.where(distance < 1.0, column[row], np.nan) for column in (places[:, 0], places[:, 1], found["FLUX_AUTO"])
    )
    bright = stars.signal > BRIGHT
    return {KRON: _bias(flux[bright], stars.true("flux")[bright]), **_centroids(stars, x, y)}


def _centroids(stars: FrameStars, x: Floats, y: Floats) -> dict[str, float]:
    off = np.stack([(x - stars.true("x")) / stars.bounds[:, 1], (y - stars.true("y")) / stars.bounds[:, 2]])
    return {CENTROIDS: _scatter(off), CENTROIDS + ABOVE: _scatter(off[:, stars.signal > BRIGHT])}


def _psf_fluxes(stars: FrameStars, flux: Floats) -> dict[str, float]:
    off = (flux - stars.true("flux")) / stars.bounds[:, 0]
    return {FLUXES: _scatter(off), FLUXES + ABOVE: _scatter(off[stars.signal > BRIGHT])}


def _bias(measured: Floats, true: Floats) -> float:
    """Median of measured minus true magnitude, mmag."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nanmedian(-2500.0 * np.log10(measured / true)))


def _scatter(values: Floats) -> float:
    """Robust standard deviation about the median of what is finite."""
    return float(1.4826 * np.nanmedian(np.abs(values - np.nanmedian(values))))
