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
from tests.benchmarks.accuracy.peers import program
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.sections import Log, Options
from tests.benchmarks.accuracy.stress.byscamp import QUICK, THOROUGH, solve_by_scamp
from tests.benchmarks.accuracy.stress.cases import draw_case
from tests.benchmarks.accuracy.stress.pixels import FRAMES, measure_pixels
from tests.benchmarks.accuracy.stress.trial import ENOUGH, RIGHT_ARCSEC, Outcome, try_case

from safelight.processccd.runtime import limit_threads

__all__ = ["measure_stress", "try_cases"]

SECTION = "stress"
SCAMP_EVERY = 10  # thorough, it takes ten seconds and more for a case


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
        _count("wrong by > 1 arcsec with caveats", [o.doubted for o in outcomes], "0", least=False),
        _share(f"solved, of those with {ENOUGH} stars", demanded),
    ]
    for kind in dict.fromkeys(outcome.case.kind for outcome in outcomes):
        of_kind = [outcome for outcome in demanded if outcome.case.kind == kind]
        if of_kind:
            rows.append(_count(f"  solved: {kind}", [o.right for o in of_kind]))
    rows.append(spread(SECTION, "time, all cases", "Safelight", "s", [o.seconds for o in outcomes]))
    rows += _beside_scamp(options, outcomes, log)
    return rows + measure_pixels(options.sky, FRAMES[1::4] if options.quick else FRAMES, log)


def _count(quantity: str, flags: Sequence[bool], demand: str = "", least: bool = True) -> Row:
    number = sum(flags)
    met = None if not demand else (number == 0 if not least else None)
    return Row(SECTION, quantity, "Safelight", "", number, n=len(flags), demand=demand, met=met)


def _share(quantity: str, demanded: Sequence[Outcome]) -> Row:
    share = 100.0 * sum(outcome.right for outcome in demanded) / max(len(demanded), 1)
    return Row(SECTION, quantity, "Safelight", "%", share, n=len(demanded), demand=">= 99", met=share >= 99.0)


def _beside_scamp(options: Options, outcomes: Sequence[Outcome], log: Log) -> list[Row]:
    """SCAMP on every tenth case, quick and thorough, in the same minutes; none where it is not installed."""
    if program("scamp") is None:
        log("scamp is absent: left out")
        return []
    compared = [o for o in outcomes[::SCAMP_EVERY] if o.findable >= ENOUGH and not o.case.mirrored]
    if not compared:
        return []
    ours = [outcome.seconds for outcome in compared]
    rows = [
        _count("solved, of the cases compared", [outcome.right for outcome in compared]),
        spread(SECTION, "time, the cases compared", "Safelight", "s", ours),
    ]
    for tool, settings in (("SCAMP, quick", QUICK), ("SCAMP, thorough", THOROUGH)):
        theirs, right = [], []
        for outcome in compared:
            with tempfile.TemporaryDirectory(prefix="safelight-stress-") as folder:
                seconds, error = solve_by_scamp(outcome.case, Path(folder), settings)
            theirs.append(seconds)
            right.append(error < RIGHT_ARCSEC)
        log(f"{tool}: {sum(right)} of {len(right)} solved")
        ratio = float(np.median(ours)) / float(np.median(theirs))
        rows += [
            Row(SECTION, "solved, of the cases compared", tool, "", sum(right), n=len(right)),
            spread(SECTION, "time, the cases compared", tool, "s", theirs),
            Row(
                SECTION,
                f"time over that of {tool}",
                "Safelight",
                "",
                ratio,
                n=len(ours),
                demand="<= 1",
                met=ratio <= 1.0,
            ),
        ]
    return rows
