"""Cosmic rays against truth, on frames with ten times the usual rate and seeds of their own.

Found: of the pixels in which a ray left five times the pixel's noise, those that are flagged. Touched: of the stars of
more than five sigma, those with a flagged pixel within half the FWHM of the centre that no ray has hit.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.simulated import DATES, Ccd, Observatory

from safelight.simulate.photometry import NOMINAL_GAIN
from safelight.simulate.spec import NightSpec, VisitSpec

__all__ = ["RATE", "SEED", "measure_cosmic_rays", "night", "score"]

#: Hits per cm² and minute; the camera sees about 6. The settings were chosen on seed 901.
RATE, SEED = 60.0, 20_260
CCDS = (49, 58, 23, 101)
SEEINGS = (0.5, 0.6, 0.8, 1.0)
_NOTICED_ELECTRONS = 20.0


def night(rate: float = RATE, seed: int = SEED) -> NightSpec:
    """Four CCDs in four seeings, two filters."""
    visits = tuple(
        VisitSpec(908000 + 2 * k, name, (ccd,), *DATES[name], 40.0 + 3 * k, 5.0, 0.0, seeing_arcsec=seeing)
        for k, (ccd, seeing, name) in enumerate(zip(CCDS, SEEINGS, ("HSC-R", "HSC-I") * 2, strict=True))
    )
    return NightSpec("cosmic rays", visits, (), seed=seed, cosmic_rays_per_cm2_min=rate)


def score(ccd: Ccd, flagged: NDArray[np.bool_]) -> dict[str, float]:
    """Percent found, percent of the flagged pixels that were hit, percent of stars touched."""
    exposure, hits = ccd.exposure, ccd.truth.cosmic_rays
    spoilt = exposure.masked("BAD", "SAT", "INTRP", "NO_DATA")
    electrons = np.zeros(exposure.shape)
    electrons[hits.y, hits.x] = hits.electrons
    light = electrons / NOMINAL_GAIN
    noise = np.sqrt(np.maximum(exposure.variance - light / NOMINAL_GAIN, 1.0))
    strong = (light > 5.0 * noise) & ~spoilt
    touched = _touched(ccd, flagged & (electrons == 0), spoilt | (electrons > _NOTICED_ELECTRONS), noise)
    return {
        "pixels above 5 sigma found": 100.0 * float((flagged & strong).sum() / strong.sum()),
        "flagged pixels that were hit": 100.0 * float((flagged & (electrons > 0)).sum() / max(flagged.sum(), 1)),
        "stars touched": 100.0 * touched,
    }


def _touched(ccd: Ccd, wrong: NDArray[np.bool_], spoilt: NDArray[np.bool_], noise: NDArray[np.float64]) -> float:
    """Share of true stars with a pixel of `wrong` in the core, among those without one of `spoilt`."""
    stars, (height, width) = ccd.stars, ccd.exposure.shape
    fwhm = stars["fwhm"]
    area = 4.0 * np.pi * (fwhm / 2.3548) ** 2
    signal = stars["flux"] / np.sqrt(np.median(noise) ** 2 * area + stars["flux"] / NOMINAL_GAIN)
    inside = (stars["x"] > 10) & (stars["x"] < width - 11) & (stars["y"] > 10) & (stars["y"] < height - 11)
    judged, bad = 0, 0
    y, x = np.mgrid[-5:6, -5:6]
    for k in np.flatnonzero(inside & (signal > 5.0)):
        column, row = round(float(stars["x"][k])), round(float(stars["y"][k]))
        core = np.hypot(column + x - stars["x"][k], row + y - stars["y"][k]) <= fwhm[k] / 2.0
        box = np.s_[row - 5 : row + 6, column - 5 : column + 6]
        if not spoilt[box][core].any():
            judged += 1
            bad += bool(wrong[box][core].any())
    return bad / max(judged, 1)


def measure_cosmic_rays(log: Callable[[str], None]) -> list[Row]:
    """Safelight, and astroscrappy where it is installed."""
    values: dict[tuple[str, str], list[float]] = {}
    spec = night()
    observatory = Observatory(spec)
    for visit in spec.visits:
        ccd = observatory.ccd(visit, visit.ccds[0])
        log(ccd.name)
        masks = {"Safelight": ccd.characterized.exposure.masked("CR")}
        if importlib.util.find_spec("astroscrappy"):
            masks["astroscrappy"] = _astroscrappy(ccd)
        for tool, mask in masks.items():
            for name, value in score(ccd, mask).items():
                values.setdefault((name, tool), []).append(value)
    return [_row(name, tool, numbers) for (name, tool), numbers in values.items()]


def _row(name: str, tool: str, numbers: list[float]) -> Row:
    row = spread("cosmic rays", name, tool, "%", numbers)
    demands = {
        "pixels above 5 sigma found": (">= 95", min(numbers) >= 95.0),
        "stars touched": ("<= 2", max(numbers) <= 2),
    }
    if tool != "Safelight" or name not in demands:
        return row
    demand, met = demands[name]
    worst = min(numbers) if demand.startswith(">") else max(numbers)
    return Row(row.section, name, tool, "%", row.median, worst=worst, n=row.n, demand=f"{demand} on all", met=met)


def _astroscrappy(ccd: Ccd) -> NDArray[np.bool_]:
    """L.A.Cosmic with its defaults, told gain and variance."""
    import astroscrappy

    exposure = ccd.exposure
    spoilt = exposure.masked("BAD", "SAT", "INTRP", "NO_DATA")
    image = np.ascontiguousarray(exposure.image, dtype=np.float32)
    mask, _ = astroscrappy.detect_cosmics(image, inmask=spoilt, invar=exposure.variance, gain=1.0, readnoise=1.3)
    return np.asarray(mask, dtype=np.bool_)
