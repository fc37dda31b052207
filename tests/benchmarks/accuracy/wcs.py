"""WCS error against truth over the whole CCD, with PS1 and with Gaia, and SCAMP's on the same frames and stars.

Both tools start from the camera model (SCAMP reads it as TPV and fits a linear map to it, as Safelight does) with the
header's wrong pointing, and once more from a plain header: a TAN about the CCD's centre that knows of no distortion.
"""

from __future__ import annotations

import math
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
from safelight.calibrate.first_wcs import FirstWcs, first_wcs
from safelight.calibrate.polynomial_fit import robust_scale
from safelight.calibrate.reference_stars import reference_errors
from safelight.calibrate.reserve import reserved
from safelight.calibrate.selection import select_sources
from safelight.errors import ProcessingError
from safelight.exposure.wcs import TanSipWcs
from safelight.refcats import ReferenceCatalog

__all__ = ["measure_wcs"]

Floats = NDArray[np.float64]

SECTION = "WCS"
LIMITS_MAS = {PS1: 5.5, GAIA: 1.0}
TITLES = {PS1: "PS1", GAIA: "Gaia"}
NOTES = {PS1: "errors of the real catalogue", GAIA: "errors drawn, of the size that it states"}
PLAIN = "from a plain header"
WRONG_MAS = 1000.0  # a solution that is farther off anywhere is none
SAME_ARCSEC = 0.3  # a reference star and the source that it is
BRIGHT_MAG = 19.5  # to where Gaia gave the sky its places; beyond, many are PS1's own and a random draw
REPEATS = 3  # of our own match and fit; the fastest is compared with a program that starts once


@dataclass
class _Tool:
    """Figures of one tool with one catalogue, one entry a CCD."""

    rms: dict[str, float] = field(default_factory=dict)  # by the name of the CCD
    worst: list[float] = field(default_factory=list)  # anywhere on the CCD
    seconds: list[float] = field(default_factory=list)
    ratio: list[float] = field(default_factory=list)  # true rms over the claimed error
    unsolved: list[str] = field(default_factory=list)

    @property
    def errors(self) -> list[float]:
        """The rms of each CCD."""
        return list(self.rms.values())

    @property
    def last(self) -> float:
        """The rms of the CCD that was added last."""
        return self.errors[-1]

    def add(self, name: str, error_mas: Floats, seconds: float) -> None:
        """Take up the solution of the CCD `name`."""
        distance = np.hypot(*error_mas)
        self.rms[name] = float(np.sqrt(np.mean(distance**2)))
        self.worst.append(float(distance.max()))
        self.seconds.append(seconds)


def measure_wcs(frames: Sequence[Frame], log: Callable[[str], None]) -> list[Row]:
    """The rows of the section; frames without a calexp count as unsolved."""
    ours, theirs = ({(name, plain): _Tool() for name in (PS1, GAIA) for plain in (False, True)} for _ in range(2))
    peers = program("scamp") is not None and program("source-extractor") is not None
    extraction: list[float] = []
    references: dict[str, list[_References]] = {PS1: [], GAIA: []}
    for frame in frames:
        if not frame.done:
            for tool in ours.values():
                tool.unsolved.append(frame.name)
            continue
        with tempfile.TemporaryDirectory(prefix="safelight-wcs-") as place:
            folder = Path(place)
            header = sextractor.starting_header(frame.start[0], frame.shape)
            if peers:
                sextractor.write_inputs(frame.calexp(), header, frame.start[2], folder)
                extraction.append(sextractor.extract(folder).seconds)
                _keep_stars(frame, folder / "catalog.cat")
            for (name, plain), tool in ours.items():
                catalog = frame.catalog(name)
                errors = _ours(frame, catalog, tool, header if plain else None)
                if peers:
                    scamp.write_reference(catalog, _fitted(frame, catalog), errors, folder / "reference.cat")
                    _scamp(frame, theirs[name, plain], folder, None if plain else header)
                if not plain:
                    references[name].append(_references(frame, catalog))
        log(f"  {frame.name} " + ", ".join(_progress(frame, *key, ours[key], theirs[key]) for key in ours))
    rows = []
    for name in (PS1, GAIA):
        rows += _rows(name, ours[name, False], theirs[name, False], len(frames))
        rows += _reference_rows(name, references[name])
    for name in (PS1, GAIA):
        rows += _plain_rows(TITLES[name], ours[name, True], theirs[name, True], len(frames))
    if extraction:
        rows.append(spread(SECTION, "catalogue for SCAMP", "source-extractor", "s", extraction))
    return rows


def _ours(frame: Frame, catalog: ReferenceCatalog, tool: _Tool, header: fits.Header | None) -> tuple[Floats, Floats]:
    """The pipeline's own sources through the pipeline's own match and fit, from the camera model or from `header`.

    Returns the errors of the reference stars, arcsec, in which what the catalogue does not state is what the fit found.
    """
    errors = reference_errors(catalog, frame.config.astromRefObjLoader)
    src = frame.src.copy()
    first = frame.start[0] if header is None else _plain_start(frame, header)
    solved: Astrometry | None = None
    seconds = []
    for _ in range(REPEATS if header is None else 1):
        began = time.process_time()
        try:
            solved = solve_astrometry(src, frame.shape, first, catalog, frame.config, frame.instrument)
        except ProcessingError as error:
            tool.unsolved.append(f"{frame.name} {error.code}")
            return errors
        seconds.append(time.process_time() - began)
    assert solved is not None
    tool.add(frame.name, frame.wcs_error_mas(solved.wcs.pixel_to_sky), min(seconds))
    tool.ratio.append(tool.last / solved.metrics["wcs_error_mas"])
    found = solved.solution.fit.scatter**2 + (catalog.systematic_floor_mas**2 - catalog.assumed_error_mas**2) / 1e6
    return np.sqrt(errors[0] ** 2 + found), np.sqrt(errors[1] ** 2 + found)


def _fitted(frame: Frame, catalog: ReferenceCatalog) -> NDArray[np.bool_]:
    """The reference stars that Safelight does not keep out of its fits."""
    return ~reserved(catalog.id, frame.config.astrometry.wcsFitter.reserveFraction)


def _plain_start(frame: Frame, header: fits.Header) -> FirstWcs:
    height, width = frame.shape
    wcs = TanSipWcs.from_header(header)
    return first_wcs(wcs, "header", width, height, frame.config.astrometry, frame.instrument, frame.ccd)


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


def _scamp(frame: Frame, tool: _Tool, folder: Path, model: fits.Header | None) -> None:
    """SCAMP on what has been written to `folder`.

    `model` is the linear WCS to which the camera model is added; None: SCAMP starts from the catalogue's own header.
    """
    (folder / "catalog.ahead").unlink(missing_ok=True)
    if model is not None:
        scamp.write_camera_model(frame.start[0], model, frame.shape, folder)
    try:
        solution = scamp.solve(folder, None if model is None else scamp.MODEL_SETTINGS)
    except PeerError as error:
        tool.unsolved.append(f"{frame.name} {error}")
        return
    error_mas = frame.wcs_error_mas(solution.pixel_to_sky)
    if not np.hypot(*error_mas).max() < WRONG_MAS:
        tool.unsolved.append(f"{frame.name} wrong")
        return
    tool.add(frame.name, error_mas, solution.seconds)


@dataclass(frozen=True)
class _References:
    """How far the brighter reference stars of a CCD are from where the simulator put them."""

    offset_mas: float  # of their mean, both axes together
    scatter_mas: float  # per axis
    pull: float  # width of error over stated error


def _references(frame: Frame, catalog: ReferenceCatalog) -> _References:
    truth = frame.truth.sources
    truth = truth[np.asarray(truth["is_star"], dtype=bool) & (np.asarray(truth["mag"]) < BRIGHT_MAG)]
    places = [np.asarray(truth[name], dtype=np.float64) for name in ("ra", "dec")]
    stretch = np.cos(np.radians(catalog.dec_deg.mean()))
    distance, at = cKDTree(np.column_stack([places[0] * stretch, places[1]])).query(
        np.column_stack([catalog.ra_deg * stretch, catalog.dec_deg])
    )
    same = distance * 3600.0 < SAME_ARCSEC
    east = (catalog.ra_deg - places[0][at])[same] * stretch * 3.6e6
    north = (catalog.dec_deg - places[1][at])[same] * 3.6e6
    stated = [1000.0 * error[same] for error in reference_errors(catalog, frame.config.astromRefObjLoader)]
    pulls = np.concatenate([east / stated[0], north / stated[1]])
    scatter = np.concatenate([east - np.median(east), north - np.median(north)])
    return _References(float(np.hypot(east.mean(), north.mean())), robust_scale(scatter), robust_scale(pulls))


def _progress(frame: Frame, name: str, plain: bool, ours: _Tool, theirs: _Tool) -> str:
    def last(tool: _Tool) -> str:
        failed = tool.unsolved and tool.unsolved[-1].startswith(frame.name)
        return "no solution" if failed else f"{tool.last:.2f} mas" if tool.rms else "absent"

    return f"{TITLES[name]}{' plain' if plain else ''}: {last(ours)}, SCAMP {last(theirs)}"


def _rows(name: str, ours: _Tool, theirs: _Tool, n_frames: int) -> list[Row]:
    title, limit = TITLES[name], LIMITS_MAS[name]
    demand = f"median <= {limit}"
    quantity = f"rms over the CCD, {title}"
    rows = [
        spread(SECTION, quantity, "Safelight", "mas", ours.errors, demand=demand, at_most=limit, note=NOTES[name]),
        spread(SECTION, quantity, "SCAMP", "mas", theirs.errors),
        spread(SECTION, f"worst point of the CCD, {title}", "Safelight", "mas", ours.worst),
        spread(SECTION, f"worst point of the CCD, {title}", "SCAMP", "mas", theirs.worst),
        _not_worse(title, ours, theirs),
        spread(SECTION, f"true rms over claimed error, {title}", "Safelight", "", ours.ratio),
        spread(SECTION, f"time of match and fit, {title}", "Safelight", "s", ours.seconds),
        spread(SECTION, f"time of match and fit, {title}", "SCAMP", "s", theirs.seconds),
        *_solved(f"CCDs solved, {title}", ours, theirs, n_frames),
    ]
    return [row for row in rows if row.n]


def _plain_rows(title: str, ours: _Tool, theirs: _Tool, n_frames: int) -> list[Row]:
    rows = [
        spread(SECTION, f"rms over the CCD, {title}, {PLAIN}", "Safelight", "mas", ours.errors),
        spread(SECTION, f"rms over the CCD, {title}, {PLAIN}", "SCAMP", "mas", theirs.errors),
        spread(SECTION, f"true rms over claimed error, {title}, {PLAIN}", "Safelight", "", ours.ratio),
        *_solved(f"CCDs solved, {title}, {PLAIN}", ours, theirs, n_frames),
    ]
    return [row for row in rows if row.n]


def _solved(quantity: str, ours: _Tool, theirs: _Tool, n_frames: int) -> list[Row]:
    return [
        Row(SECTION, quantity, tool, "", len(figures.rms), n=n_frames, note="; ".join(figures.unsolved)[:120])
        for tool, figures in (("Safelight", ours), ("SCAMP", theirs))
        if figures.rms or figures.unsolved
    ]


def _not_worse(title: str, ours: _Tool, theirs: _Tool) -> Row:
    """Over the CCDs that both have solved."""
    both = [name for name in ours.rms if name in theirs.rms]
    mine, other = ([tool.rms[name] for name in both] for tool in (ours, theirs))
    ratio = float(np.median(mine)) / float(np.median(other)) if both else math.nan
    better = sum(a <= b for a, b in zip(mine, other, strict=True))
    quantity, note = f"median rms over SCAMP's, {title}", f"smaller on {better} of {len(both)} CCDs"
    return Row(SECTION, quantity, "Safelight", "", ratio, n=len(both), demand="<= 1", met=ratio <= 1.0, note=note)


def _reference_rows(name: str, references: Sequence[_References]) -> list[Row]:
    title, pulls = TITLES[name], [r.pull for r in references]
    return [
        spread(SECTION, f"mean offset of bright stars in {title}", title, "mas", [r.offset_mas for r in references]),
        spread(SECTION, f"scatter of bright stars in {title}", title, "mas", [r.scatter_mas for r in references]),
        spread(SECTION, f"errors of bright stars over stated, {title}", title, "", pulls, note=NOTES[name]),
    ]
