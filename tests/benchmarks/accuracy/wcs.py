"""WCS error against truth over the whole CCD, with PS1 and with Gaia, and SCAMP's on the same frames and stars."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from tests.benchmarks.accuracy import scamp, sextractor
from tests.benchmarks.accuracy.frames import GAIA, PS1, Frame
from tests.benchmarks.accuracy.peers import PeerError, program
from tests.benchmarks.accuracy.rows import Row, spread

from safelight.calibrate.astrometry import Astrometry, solve_astrometry
from safelight.calibrate.reference_stars import reference_errors
from safelight.calibrate.reserve import reserved
from safelight.calibrate.selection import select_sources
from safelight.errors import ProcessingError
from safelight.refcats import ReferenceCatalog

__all__ = ["measure_wcs"]

Floats = NDArray[np.float64]

LIMITS_MAS = {PS1: 5.5, GAIA: 1.0}
TITLES = {PS1: "PS1", GAIA: "Gaia"}


@dataclass
class _Tool:
    """Figures of one tool with one catalogue, one entry a CCD."""

    rms: list[float] = field(default_factory=list)
    worst: list[float] = field(default_factory=list)  # anywhere on the CCD
    seconds: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)  # true rms over the claimed error
    unsolved: list[str] = field(default_factory=list)

    def add(self, error_mas: Floats, seconds: float) -> None:
        distance = np.hypot(*error_mas)
        self.rms.append(float(np.sqrt(np.mean(distance**2))))
        self.worst.append(float(distance.max()))
        self.seconds.append(seconds)


def measure_wcs(frames: Sequence[Frame], log: Callable[[str], None]) -> list[Row]:
    """The rows of the section; frames without a calexp count as unsolved."""
    ours = {name: _Tool() for name in (PS1, GAIA)}
    theirs = {name: _Tool() for name in (PS1, GAIA)}
    peers = program("scamp") is not None and program("source-extractor") is not None
    extraction: list[float] = []
    for frame in frames:
        if not frame.done:
            for name in ours:
                ours[name].unsolved.append(frame.name)
            continue
        with tempfile.TemporaryDirectory(prefix="safelight-wcs-") as place:
            folder = Path(place)
            if peers:
                header = sextractor.starting_header(frame.start[0], frame.shape)
                sextractor.write_inputs(frame.calexp(), header, frame.start[2], folder)
                extraction.append(sextractor.extract(folder).seconds)
                _keep_stars(frame, folder / "catalog.cat")
            for name in (PS1, GAIA):
                catalog = frame.catalog(name)
                _ours(frame, catalog, ours[name])
                if peers:
                    _scamp(frame, catalog, theirs[name], folder)
        log(f"  {frame.name} " + ", ".join(_progress(frame, name, ours[name], theirs[name]) for name in (PS1, GAIA)))
    rows = []
    for name in (PS1, GAIA):
        rows += _rows(TITLES[name], LIMITS_MAS[name], ours[name], theirs[name], len(frames))
    if extraction:
        rows.append(spread("WCS", "catalogue for SCAMP", "source-extractor", "s", extraction))
    return rows


def _ours(frame: Frame, catalog: ReferenceCatalog, tool: _Tool) -> None:
    """The pipeline's own sources through the pipeline's own match and fit; the second, steady run is timed."""
    src = frame.src.copy()
    solved: Astrometry | None = None
    seconds = float("nan")
    for _ in range(2):
        began = time.process_time()
        try:
            solved = solve_astrometry(src, frame.shape, frame.start[0], catalog, frame.config, frame.instrument)
        except ProcessingError as error:
            tool.unsolved.append(f"{frame.name} {error.code}")
            return
        seconds = time.process_time() - began
    assert solved is not None
    tool.add(frame.wcs_error_mas(solved.wcs.pixel_to_sky), seconds)
    tool.ratio.append(tool.rms[-1] / solved.metrics["wcs_error_mas"])


def _keep_stars(frame: Frame, path: Path) -> None:
    """Leave in source-extractor's catalogue only what our fit may use: clean, unsaturated stars of enough signal."""
    height, width = frame.shape
    sources = select_sources(frame.src, width, height, frame.config.astrometry.minSnr)
    stars = sources.fit & ~sources.extended
    with fits.open(path, memmap=False) as hdus:
        rows = hdus["LDAC_OBJECTS"].data
        places = np.column_stack([rows["XWIN_IMAGE"] - 1.0, rows["YWIN_IMAGE"] - 1.0])
        distance, _ = cKDTree(np.column_stack([sources.x[stars], sources.y[stars]])).query(places)
        hdus["LDAC_OBJECTS"].data = rows[distance < 1.0]
        hdus.writeto(path, overwrite=True)


def _scamp(frame: Frame, catalog: ReferenceCatalog, tool: _Tool, folder: Path) -> None:
    """SCAMP with the stars that our fit may use: those that are not kept out of it."""
    loader = frame.config.astromRefObjLoader
    kept = ~reserved(catalog.id, frame.config.astrometry.wcsFitter.reserveFraction)
    scamp.write_reference(catalog, kept, reference_errors(catalog, loader), folder / "reference.cat")
    try:
        solution = scamp.solve(folder)
    except PeerError as error:
        tool.unsolved.append(f"{frame.name} {error}")
        return
    error_mas = frame.wcs_error_mas(solution.pixel_to_sky)
    if np.hypot(*error_mas).max() > 1000.0:
        tool.unsolved.append(f"{frame.name} wrong")
        return
    tool.add(error_mas, solution.seconds)


def _progress(frame: Frame, name: str, ours: _Tool, theirs: _Tool) -> str:
    def last(tool: _Tool) -> str:
        failed = tool.unsolved and tool.unsolved[-1].startswith(frame.name)
        return "no solution" if failed else f"{tool.rms[-1]:.2f} mas" if tool.rms else "absent"

    return f"{TITLES[name]}: {last(ours)}, SCAMP {last(theirs)}"


def _rows(title: str, limit: float, ours: _Tool, theirs: _Tool, n_frames: int) -> list[Row]:
    section = "WCS"
    rows = [
        spread(
            section,
            f"rms over the CCD, {title}",
            "Safelight",
            "mas",
            ours.rms,
            demand=f"median <= {limit}",
            at_most=limit,
        )
    ]
    if theirs.rms:
        rows.append(spread(section, f"rms over the CCD, {title}", "SCAMP", "mas", theirs.rms))
    rows.append(spread(section, f"worst point of the CCD, {title}", "Safelight", "mas", ours.worst))
    if theirs.rms:
        rows.append(spread(section, f"worst point of the CCD, {title}", "SCAMP", "mas", theirs.worst))
        rows.append(_not_worse(title, ours, theirs))
    rows.append(spread(section, f"true rms over claimed error, {title}", "Safelight", "", ours.ratio))
    rows.append(spread(section, f"time of match and fit, {title}", "Safelight", "s", ours.seconds))
    if theirs.seconds:
        rows.append(spread(section, f"time of match and fit, {title}", "SCAMP", "s", theirs.seconds))
    for tool, figures in (("Safelight", ours), ("SCAMP", theirs)):
        if figures.rms or figures.unsolved:
            note = "; ".join(figures.unsolved)[:120]
            rows.append(Row(section, f"CCDs solved, {title}", tool, "", len(figures.rms), n=n_frames, note=note))
    return rows


def _not_worse(title: str, ours: _Tool, theirs: _Tool) -> Row:
    ratio = float(np.median(ours.rms)) / float(np.median(theirs.rms))
    return Row(
        "WCS",
        f"median rms over SCAMP's, {title}",
        "Safelight",
        "",
        ratio,
        n=len(ours.rms),
        demand="<= 1",
        met=ratio <= 1.0,
    )
