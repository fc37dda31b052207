"""The stress section: all cases through the calibration step, some of them through SCAMP."""

from __future__ import annotations

import math
import multiprocessing
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from astropy.io import fits
from tests.benchmarks.accuracy import scamp
from tests.benchmarks.accuracy.peers import PeerError, program, spent_by_children
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.sections import Log, Options
from tests.benchmarks.accuracy.sextractor import starting_header
from tests.benchmarks.accuracy.stress.cases import Case, draw_case
from tests.benchmarks.accuracy.stress.scene import HEIGHT, WIDTH, Scene, hsc, make_scene
from tests.benchmarks.accuracy.stress.trial import ENOUGH, Outcome, try_case

from safelight.calibrate.config import AstrometryConfig
from safelight.calibrate.first_wcs import first_wcs
from safelight.calibrate.selection import select_sources
from safelight.instruments import initial_wcs
from safelight.processccd.runtime import limit_threads

__all__ = ["measure_stress", "try_cases"]

SECTION = "stress"
SCAMP_EVERY = 10  # SCAMP takes ten seconds a case
SCAMP_SETTINGS = {
    "POSITION_MAXERR": "14.0",  # the pointing's 10' and what 3 degrees and 3 % add at the edge of the field
    "POSANGLE_MAXERR": "3.0",
    "PIXSCALE_MAXERR": "1.03",
    "MATCH_FLIPPED": "Y",
    "SN_THRESHOLDS": "5.0,10.0",
}


def try_cases(seed: int, numbers: Iterable[int], processes: int) -> list[Outcome]:
    """The outcomes of cases, in their order."""
    run = partial(_try, seed)
    if processes <= 1:
        return [run(number) for number in numbers]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context, initializer=limit_threads) as pool:
        return list(pool.map(run, numbers))


def _try(seed: int, number: int) -> Outcome:
    return try_case(draw_case(seed, number))


def measure_stress(options: Options, log: Log) -> list[Row]:
    """The rows of the section; each case that went wrong is told in the log."""
    try_case(draw_case(options.seed, 0))  # compiles, once
    outcomes = try_cases(options.seed, range(options.cases), options.processes)
    demanded = [outcome for outcome in outcomes if outcome.findable >= ENOUGH]
    for outcome in outcomes:
        if outcome.false or outcome.doubted or (outcome.findable >= ENOUGH and not outcome.right):
            what = f"off by {outcome.error_arcsec:.3g} arcsec" if math.isfinite(outcome.error_arcsec) else "not solved"
            kept = f"{outcome.findable} findable stars"
            log(f"  {outcome.case.title}: {outcome.status}, {what}, {kept} {' '.join(outcome.caveats)}")
    rows = [
        _count("false solutions (done, no caveat, > 1 arcsec)", [o.false for o in outcomes], "0", least=False),
        _count("wrong by > 1 arcsec with caveats", [o.doubted for o in outcomes]),
        _share(f"solved, of those with {ENOUGH} stars", demanded),
    ]
    for kind in dict.fromkeys(outcome.case.kind for outcome in outcomes):
        of_kind = [outcome for outcome in demanded if outcome.case.kind == kind]
        if of_kind:
            rows.append(_count(f"  solved: {kind}", [o.right for o in of_kind]))
    rows.append(spread(SECTION, "time, all cases", "Safelight", "s", [o.seconds for o in outcomes]))
    return rows + _beside_scamp(options, outcomes, log)


def _count(quantity: str, flags: Sequence[bool], demand: str = "", least: bool = True) -> Row:
    number = sum(flags)
    met = None if not demand else (number == 0 if not least else None)
    return Row(SECTION, quantity, "Safelight", "", number, n=len(flags), demand=demand, met=met)


def _share(quantity: str, demanded: Sequence[Outcome]) -> Row:
    share = 100.0 * sum(outcome.right for outcome in demanded) / max(len(demanded), 1)
    return Row(SECTION, quantity, "Safelight", "%", share, n=len(demanded), demand=">= 99", met=share >= 99.0)


def _beside_scamp(options: Options, outcomes: Sequence[Outcome], log: Log) -> list[Row]:
    """SCAMP on every tenth case, in the same minutes; none where it is not installed."""
    if program("scamp") is None:
        log("scamp is absent: left out")
        return []
    ours: list[float] = []
    theirs: list[float] = []
    right: list[bool] = []
    for outcome in outcomes[::SCAMP_EVERY]:
        if outcome.findable < ENOUGH or outcome.case.mirrored:
            continue
        with tempfile.TemporaryDirectory(prefix="safelight-stress-") as folder:
            seconds, error = _scamp(outcome.case, Path(folder))
        ours.append(outcome.seconds)
        theirs.append(seconds)
        right.append(error < 1.0)
    if not theirs:
        return []
    ratio = float(np.median(ours)) / float(np.median(theirs))
    return [
        Row(SECTION, "solved, of these cases not mirrored", "SCAMP", "", sum(right), n=len(right)),
        spread(SECTION, "time, the same cases", "Safelight", "s", ours),
        spread(SECTION, "time, the same cases", "SCAMP", "s", theirs),
        Row(SECTION, "time over SCAMP's", "Safelight", "", ratio, n=len(ours), demand="<= 1", met=ratio <= 1.0),
    ]


def _scamp(case: Case, folder: Path) -> tuple[float, float]:
    """Seconds of the processor, and the largest error on the CCD in arcsec (infinite where there is no solution)."""
    scene = make_scene(case)
    _write_sources(case, scene, folder)
    errors = (scene.catalog.ra_error_mas / 1000.0, scene.catalog.dec_error_mas / 1000.0)
    everyone = np.ones(len(scene.catalog), dtype=np.bool_)
    scamp.write_reference(scene.catalog, everyone, (errors[0], errors[1]), folder / "reference.cat")
    before = spent_by_children()
    try:
        solution = scamp.solve(folder, SCAMP_SETTINGS)
    except PeerError:
        return spent_by_children() - before, math.inf
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, WIDTH - 1, 17), np.linspace(0, HEIGHT - 1, 33)))
    ra, dec = solution.pixel_to_sky(x, y)
    true_ra, true_dec = scene.true_sky(x, y)
    east = ((ra - true_ra + 180.0) % 360.0 - 180.0) * np.cos(np.radians(true_dec))
    worst = float(np.hypot(east, dec - true_dec).max()) * 3600.0
    return solution.seconds, worst if math.isfinite(worst) else math.inf


def _write_sources(case: Case, scene: Scene, folder: Path) -> None:
    """The sources as source-extractor would have written them, with the linear part of the header's WCS."""
    instrument = hsc()
    wcs, origin = initial_wcs(instrument, instrument.detector(case.ccd), scene.visit)
    first = first_wcs(wcs, origin, WIDTH, HEIGHT, AstrometryConfig(), instrument, case.ccd, scene.visit)
    header = starting_header(first, (HEIGHT, WIDTH))
    header["NAXIS1"], header["NAXIS2"] = WIDTH, HEIGHT
    header["FILTER"], header["EXPTIME"], header["MJD-OBS"] = "HSC-R", 30.0, scene.visit.mjd_mid_tai
    sources = select_sources(scene.src, WIDTH, HEIGHT, AstrometryConfig().minSnr)
    n = len(sources)
    columns = {
        "XWIN_IMAGE": sources.x + 1.0,
        "YWIN_IMAGE": sources.y + 1.0,
        "ERRAWIN_IMAGE": sources.x_error,
        "ERRBWIN_IMAGE": sources.y_error,
        "ERRTHETAWIN_IMAGE": np.zeros(n),
        "FLUX_AUTO": sources.flux,
        "FLUXERR_AUTO": sources.flux / 50.0,
        "FLUX_RADIUS": np.full(n, 2.0),
        "FWHM_IMAGE": np.full(n, 4.0),
        "ELONGATION": np.ones(n),
        "FLAGS": np.where(sources.saturated, 4, 0).astype(np.int32),
    }
    scamp.write_ldac(columns, fits.Header(header.cards), folder / "catalog.cat")
