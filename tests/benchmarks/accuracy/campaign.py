"""The campaign of honesty: hundreds of simulated CCDs, and the widths of their pulls."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.pulls import CASES, CcdPulls, pulls_of
from tests.benchmarks.accuracy.rows import Row
from tests.benchmarks.accuracy.simulated import DATES, Observatory

from safelight.errors import SafelightError
from safelight.processccd.runtime import limit_threads
from safelight.simulate.spec import NightSpec, VisitSpec

__all__ = ["measure_pulls", "night", "rows_of", "width"]

Floats = NDArray[np.float64]
Log = Callable[[str], None]

#: CCDs of the campaign in turn, and the seeings: the middle, both halves of the field, the edge and its turned CCDs.
CCDS = (49, 100, 23, 103, 58, 101, 77, 102)
SEEINGS = (0.5, 0.6, 0.7, 0.85, 1.0)
EDGE = (100, 101, 102, 103)
#: Visits are taken CCD by CCD within as many, so that masters serve several and a part of the campaign has all kinds.
BLOCK = 80
_FALSE_ARCSEC = 1.0

_observatory: Observatory | None = None  # of a worker process


def night(number: int, seed: int) -> NightSpec:
    """`number` visits of one CCD each."""
    visits = []
    for k in range(number):
        name = ("HSC-R", "HSC-I")[k // len(CCDS) % 2]
        visits.append(
            VisitSpec(
                907000 + 2 * k, name, (CCDS[k % len(CCDS)],), *DATES[name], 20.0 + 1.7 * k, 3.0, 90.0 * (k % 4),
                seeing_arcsec=SEEINGS[k % len(SEEINGS)],
            )
        )  # fmt: skip
    return NightSpec("honesty", tuple(visits), (), seed=seed)


def in_order(visits: Sequence[VisitSpec]) -> list[VisitSpec]:
    """Block by block; in each CCD by CCD and filter by filter."""
    blocks = (visits[start : start + BLOCK] for start in range(0, len(visits), BLOCK))
    return [visit for block in blocks for visit in sorted(block, key=lambda visit: (visit.ccds, visit.filter))]


def _open(spec: NightSpec, folder: str) -> None:
    """Begin a worker: the interruption of a campaign, and what is left in `folder` then, are its parent's matter."""
    global _observatory
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tempfile.tempdir = folder
    limit_threads()
    _observatory = Observatory(spec)


def _one(visit: VisitSpec) -> CcdPulls | str:
    """The pulls of a visit's CCD, or why there are none."""
    assert _observatory is not None
    ccd = _observatory.ccd(visit, visit.ccds[0])
    try:
        return pulls_of(ccd)
    except SafelightError as error:
        return f"{ccd.name} {error.code}"


def campaign(number: int, seed: int, processes: int) -> Iterator[CcdPulls | str]:
    """The pulls of `number` CCDs, or why one has none, as they come."""
    spec = night(number, seed)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="safelight-pulls-", ignore_cleanup_errors=True) as folder:
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_open, initargs=(spec, folder))
        try:
            for future in as_completed([pool.submit(_one, visit) for visit in in_order(spec.visits)]):
                yield future.result()
        except BaseException:
            for process in multiprocessing.active_children():  # nothing that they are at is kept
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def measure_pulls(number: int, seed: int, processes: int, log: Log) -> list[Row]:
    """Simulate, process and judge `number` CCDs; nothing is kept.

    Interrupted (Ctrl-C, or SIGTERM as a batch system sends it), the table of what there is so far.
    """
    measured: list[CcdPulls] = []
    failed: list[str] = []
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for result in campaign(number, seed, processes):
            (failed if isinstance(result, str) else measured).append(result)  # type: ignore[arg-type]
            log(f"pulls: {len(measured) + len(failed)} of {number} CCDs: {_said(result)}")
    except KeyboardInterrupt:
        log(f"pulls: interrupted after {len(measured) + len(failed)} of {number} CCDs")
    finally:
        signal.signal(signal.SIGTERM, before)
    return rows_of(measured, failed, number)


def _said(result: CcdPulls | str) -> str:
    if isinstance(result, str):
        return result
    wcs = ", ".join(f"{title} {one.true_mas:.2f}/{one.claim_mas:.2f} mas" for title, one in result.wcs.items())
    error, claim = 1000.0 * result.zeropoint_error_mag, 1000.0 * result.zeropoint_claim_mag
    return f"{result.name} true/claimed: {wcs}; zeropoint {error:+.1f}/{claim:.1f} mmag"


def rows_of(measured: Sequence[CcdPulls], failed: Sequence[str], wanted: int) -> list[Row]:
    """The table of a campaign."""
    done = len(measured) + len(failed)
    note = "" if done == wanted else f"of {wanted}: broken off"
    rows = [Row("pulls", "CCDs simulated", "Safelight", "", float(done), n=done, note=note)]
    rows.append(
        Row(
            "pulls", "CCDs not calibrated", "Safelight", "", float(len(failed)), n=done, demand="0", met=not failed,
            note=", ".join(failed[:5]),
        )
    )  # fmt: skip
    if not measured:
        return rows
    for title in CASES:
        rows += _wcs_rows(title, measured)
    false = sum(one.true_mas > 1000.0 * _FALSE_ARCSEC for ccd in measured for one in ccd.wcs.values())
    count = len(measured) * len(CASES)
    rows.append(Row("pulls", "WCS false and done", "Safelight", "", float(false), n=count, demand="0", met=false == 0))
    return rows + _photometric_rows(measured)


def _wcs_rows(title: str, measured: Sequence[CcdPulls]) -> list[Row]:
    mine = [one.wcs[title] for one in measured]
    claims, truths = np.array([one.claim_mas for one in mine]), np.array([one.true_mas for one in mine])
    ratio = truths / claims
    matches = np.array([one.matches for one in mine])
    rows = []
    pulls = np.concatenate([one.reserved for one in mine])
    if len(pulls):
        rows.append(_unit_row(f"reserved stars, positions, {title}", width(pulls), len(pulls)))
    low, high = matches.min(), matches.max()
    rows.append(_unit_row(f"WCS, {title}: true over claimed", rms(ratio), len(mine), f"rms; {low} to {high} matches"))
    edge = np.array([one.ccd in EDGE for one in measured])
    for kind, chosen in (("CCDs 100-103", edge), ("other CCDs", ~edge)):
        if chosen.any():
            value, number = rms(ratio[chosen]), int(chosen.sum())
            rows.append(Row("pulls", f"WCS, {title}: true over claimed, {kind}", "Safelight", "", value, n=number))
    for name, values in (("claimed", claims), ("true rms", truths)):
        rows.append(Row("pulls", f"WCS, {title}: {name}", "Safelight", "mas", float(np.median(values)), n=len(mine)))
    return rows


def _photometric_rows(measured: Sequence[CcdPulls]) -> list[Row]:
    magnitudes = [
        one.magnitudes.difference / np.hypot(one.magnitudes.expected, one.zeropoint_claim_mag) for one in measured
    ]
    together = {
        "reserved stars, magnitudes": np.concatenate(magnitudes),
        "true stars, centroids": np.concatenate([one.centroids for one in measured]),
        "true stars, PSF fluxes": np.concatenate([one.fluxes for one in measured]),
    }
    rows = [_unit_row(name, width(values), len(values)) for name, values in together.items()]
    zeropoint = np.array([one.zeropoint_error_mag / one.zeropoint_claim_mag for one in measured])
    rows.append(_unit_row("zeropoint", rms(zeropoint), len(measured), note="rms"))
    bias = 1000.0 * np.array([one.zeropoint_error_mag for one in measured])
    excess = 1000.0 * np.array([one.magnitudes.excess_mag for one in measured])
    rows.append(_mmag("zeropoint bias", bias, "|median| <= 2", abs(float(np.median(bias))) <= 2.0))
    met = float(np.median(excess)) <= 3.0
    rows.append(_mmag("rms of reserved stars over photon and catalogue noise", excess, "<= 3", met))
    return rows


def _unit_row(name: str, value: float, number: int, note: str = "") -> Row:
    return Row("pulls", name, "Safelight", "", value, n=number, demand="0.8 to 1.2", met=0.8 <= value <= 1.2, note=note)


def _mmag(name: str, values: Floats, demand: str, met: bool) -> Row:
    median, worst = float(np.median(values)), float(values[np.argmax(np.abs(values))])
    tail = float(np.percentile(np.abs(values), 90))
    return Row("pulls", name, "Safelight", "mmag", median, tail, worst, len(values), demand, met)


def width(values: Floats) -> float:
    """Half of the interval that holds the middle 68.3 % of values."""
    if len(values) < 2:
        return float("nan")
    low, high = np.percentile(values, (15.866, 84.134))
    return float(high - low) / 2.0


def rms(values: Floats) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(values))))
