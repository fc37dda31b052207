"""The second attempt at the WCS of a CCD, with the camera model of its visit as a start.

A CCD that failed alone takes what there is: its own pattern of stars, looked for where the visit puts it, or the
visit's WCS corrected by the few stars that it has; of few stars, whichever claims the smaller error. A CCD that was
solved, but off its place, is worth a second look: its match may have been false, or its fit may rest on too few stars.
Its new WCS must agree with the visit and with as many stars as the first, but for chance; else the first stays.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from safelight.calibrate.astrometry import Astrometry, solve_astrometry
from safelight.calibrate.config import AstrometryConfig, CalibrateConfig
from safelight.calibrate.first_wcs import FirstWcs, first_wcs
from safelight.calibrate.visit_prior import FirstResult, VisitPrior
from safelight.calibrate.visit_solution import SEARCH_PIXELS, SEARCH_SIGMA, rotation_from, solve_from_visit
from safelight.calibrate.wcs_metrics import wcs_metrics
from safelight.caveats import Caveat
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.exposure.wcs import angular_separation
from safelight.instruments.model import Instrument
from safelight.refcats import ReferenceCatalog

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["solve_again"]

GRID = 9  # points along either side at which two WCSs are compared
#: Of more stars some are reserved, so that their numbers cannot be compared with a fit to all; nor need they be.
MOST_FOR_PREDICTION = 40
#: Where the visit says that the first WCS is off, so many of its stars are as good as all.
AS_MANY = 0.8


def solve_again(
    src: Table,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    visit: VisitPrior,
    config: CalibrateConfig,
    instrument: Instrument,
    detector_id: int,
) -> Astrometry:
    """The WCS of a CCD in its second attempt; arguments as of `solve_astrometry`.

    Parameters
    ----------
    visit
        With the camera model.
    detector_id
        Of the CCD.

    Raises
    ------
    ProcessingError
        What `solve_from_visit` raises, of a CCD that failed alone; ``VISIT_NO_BETTER`` of one whose first WCS stays.
    """
    model = visit.model
    assert model is not None
    found: list[Astrometry] = []
    failures: list[ProcessingError] = []
    try:
        found.append(_at_its_place(src, shape, first, catalog, visit, config, instrument, detector_id))
    except ProcessingError as error:
        failures.append(error)
    if visit.first is None or visit.first.matches < MOST_FOR_PREDICTION:
        try:
            found.append(solve_from_visit(src, shape, first, catalog, model, config))
        except ProcessingError as error:
            failures.append(error)
    agreeing = [one for one in found if _agrees(one, first, shape, visit)]
    if visit.first is not None:
        return _better(agreeing, visit.first, failures, config)
    if agreeing:
        return _best(agreeing, config)
    if failures:
        raise failures[-1]
    raise ProcessingError("WCS_AGAINST_VISIT", "Its stars lead away from the place that the visit's other CCDs give.")


def _best(found: list[Astrometry], config: CalibrateConfig) -> Astrometry:
    """A WCS of the CCD's own stars, if they are enough for it; else that of the smallest error."""
    enough = [
        one
        for one in found
        if one.match.method != "visit" and one.quality.n_matches >= config.astrometry.quality.fewStars
    ]
    return min(enough or found, key=lambda one: one.quality.error_mas)


def _better(
    found: list[Astrometry], before: FirstResult, failures: list[ProcessingError], config: CalibrateConfig
) -> Astrometry:
    """The best of what about as many stars agree with as with the first WCS."""
    enough = [one for one in found if one.quality.n_matches >= AS_MANY * before.matches]
    if enough:
        best = _best(enough, config)
        text = f" Its first WCS was {before.distance_mas / 1000.0:.2f} arcsec off, with {before.matches} stars."
        by_visit = ("WCS_FROM_VISIT", "WCS_FOUND_BY_VISIT")
        told = [replace(one, message=one.message + text) if one.code in by_visit else one for one in best.caveats]
        return replace(best, caveats=told)
    if found:
        most = max(one.quality.n_matches for one in found)
        why = f"only {most} stars agree with it, {before.matches} with the first WCS."
    else:
        why = failures[0].message if failures else "its stars lead away from it."
    raise ProcessingError("VISIT_NO_BETTER", f"No better WCS was found at that place: {why}")


def _at_its_place(
    src: Table,
    shape: tuple[int, int],
    first: FirstWcs,
    catalog: ReferenceCatalog,
    visit: VisitPrior,
    config: CalibrateConfig,
    instrument: Instrument,
    detector_id: int,
) -> Astrometry:
    """The usual solution, searched for about the model's place only."""
    model = visit.model
    assert model is not None
    height, width = shape
    error = model.error_arcsec(first.wcs, width, height)
    pixels = max(SEARCH_SIGMA * error / first.pixel_scale, SEARCH_PIXELS[0])
    near = _narrowed(config.astrometry, pixels, math.hypot(height, width) / 2.0)
    start = first_wcs(model.wcs(first.wcs), first.origin, width, height, near, instrument, detector_id)
    narrow = config.model_copy(update={"astrometry": near})
    solved = solve_astrometry(src, shape, start, catalog, narrow, instrument)
    rotation = rotation_from(first, solved.solution.wcs, shape)
    metrics = wcs_metrics(solved.solution, solved.quality, first, shape, rotation)
    caveat = Caveat(
        "WCS_FOUND_BY_VISIT",
        f"The WCS was found only at the place that {model.n_ccds} other CCDs of the visit give this CCD; "
        f"{solved.quality.n_matches} stars of its own make it.",
    )
    metadata = solved.metadata | {"visitCcds": model.n_ccds, "visitErrorMas": 1000.0 * error}
    return replace(solved, metrics=metrics, caveats=[*solved.caveats, caveat], metadata=metadata)


def _narrowed(config: AstrometryConfig, pixels: float, lever: float) -> AstrometryConfig:
    """The search within `pixels` of the start all over a CCD of half diagonal `lever` (pixels)."""
    matcher = config.matcher.model_copy(
        update={
            "maxOffsetPix": pixels,
            "maxRotationDeg": math.degrees(pixels / lever),
            "maxScaleError": max(pixels / lever, 0.001),
            "anyRotation": False,
        }
    )
    nothing = dict.fromkeys(("pointingRa", "pointingDec", "pixelScale"))  # the model has them already
    return config.model_copy(update={"matcher": matcher, **nothing})


def _agrees(solved: Astrometry, first: FirstWcs, shape: tuple[int, int], visit: VisitPrior) -> bool:
    """Whether a WCS lies where the model puts the CCD, by the measure that finds CCDs to be off."""
    model = visit.model
    assert model is not None
    height, width = shape
    error = math.hypot(model.error_arcsec(first.wcs, width, height), solved.quality.error_mas / 1000.0)
    distance = _distance_arcsec(solved.wcs, model.wcs(first.wcs), shape)
    return distance <= max(visit.tolerance_arcsec, visit.n_sigma * error)


def _distance_arcsec(one: SkyWcs, other: SkyWcs, shape: tuple[int, int]) -> float:
    """Rms distance of two WCSs over a CCD."""
    x, y = np.meshgrid(np.linspace(0, shape[1] - 1, GRID), np.linspace(0, shape[0] - 1, GRID))
    apart = angular_separation(*one.pixel_to_sky(x, y), *other.pixel_to_sky(x, y))
    return float(np.sqrt(np.mean(apart**2))) * 3600.0
