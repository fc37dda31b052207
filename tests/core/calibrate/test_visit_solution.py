"""A CCD with few stars of its own, solved from the camera model of its visit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig
from safelight.calibrate.astrometry import Astrometry
from safelight.calibrate.corrected_wcs import Alignment, PolynomialCorrection, plane_of
from safelight.calibrate.first_wcs import FirstWcs, first_wcs
from safelight.calibrate.visit_attempt import solve_again
from safelight.calibrate.visit_prior import FirstResult, VisitPrior
from safelight.calibrate.visit_solution import solve_from_visit
from safelight.calibrate.visit_wcs import CameraModel
from safelight.errors import ProcessingError
from safelight.exposure import SkyWcs
from safelight.exposure.wcs import FieldAngleWcs, angular_separation
from safelight.instruments import Instrument, load_instrument
from safelight.instruments.geometry import DetectorGeometry
from safelight.refcats import ReferenceCatalog

HSC = load_instrument("hsc")
CCD, WIDTH, HEIGHT = 23, 2048, 4176
CONFIG = CalibrateConfig()
MODEL_ERROR = 0.02  # arcsec per axis by which the model is off, and says it is
STAR_ERROR = 0.005  # arcsec per axis, of sources and of references


def wcs_at(ra: float, dec: float, instrument: Instrument = HSC) -> SkyWcs:
    assert instrument.distortion is not None
    return FieldAngleWcs(DetectorGeometry(instrument.detector(CCD), instrument.distortion), ra, dec, 270.0)


def scene(
    rng: np.random.Generator,
    *,
    stars: int,
    references: int = 80,
    junk: int = 0,
    off_arcsec: float = 0.0,
    attempt: VisitPrior | None = None,
) -> tuple[Astrometry, SkyWcs]:
    """Solve a CCD that shows `stars` of its `references`, and `junk` that no catalogue has.

    The model is off by `MODEL_ERROR` per axis, and the stars besides by `off_arcsec`. `attempt`: try everything that
    the visit offers, as a second attempt does.
    """
    first = first_wcs(wcs_at(320.0, -0.5), "camera model", WIDTH, HEIGHT, CONFIG.astrometry, HSC, CCD)
    true = wcs_at(320.003, -0.502)
    x, y = rng.uniform(30, WIDTH - 30, references), rng.uniform(30, HEIGHT - 30, references)
    ra, dec = true.pixel_to_sky(x, y)
    model = model_of(first, true, rng.normal(0, MODEL_ERROR, 2))
    src = sources(rng, x[:stars] + off_arcsec / 0.168, y[:stars], junk)
    error = np.full(references, 1000.0 * STAR_ERROR)
    flux = 10 ** rng.uniform(3.5, 5, references)
    seen = ra + rng.normal(0, STAR_ERROR, references) / 3600.0, dec + rng.normal(0, STAR_ERROR, references) / 3600.0
    catalog = ReferenceCatalog("stars", np.arange(references), *seen, error, error, {"r": flux}, {"r": flux * 0.01})
    if attempt is not None:
        visit = replace(attempt, model=model)
        return solve_again(src, (HEIGHT, WIDTH), first, catalog, visit, CONFIG, HSC, CCD), true
    return solve_from_visit(src, (HEIGHT, WIDTH), first, catalog, model, CONFIG), true


def model_of(first: FirstWcs, true: SkyWcs, off: np.ndarray) -> CameraModel:
    """A camera model that looks `off` (arcsec) beside the truth, and knows by how much it may."""
    plane = plane_of(true, WIDTH, HEIGHT)
    shift = PolynomialCorrection(1, 1000.0, np.array([[off[0], 0.0, 0.0], [off[1], 0.0, 0.0]]))
    scatter = MODEL_ERROR / np.sqrt(1.25)
    return CameraModel(first.plane, Alignment(), plane, shift, np.zeros((4, 4)), 0, scatter, 5)


def sources(rng: np.random.Generator, x: np.ndarray, y: np.ndarray, junk: int):  # type: ignore[no-untyped-def]
    from astropy.table import Table

    x = np.append(x, rng.uniform(0, WIDTH, junk)) + rng.normal(0, STAR_ERROR / 0.168, len(x) + junk)
    y = np.append(y, rng.uniform(0, HEIGHT, junk)) + rng.normal(0, STAR_ERROR / 0.168, len(y) + junk)
    error = np.full(len(x), STAR_ERROR / 0.168)
    return Table(
        {
            "base_SdssCentroid_x": x,
            "base_SdssCentroid_y": y,
            "base_SdssCentroid_xErr": error,
            "base_SdssCentroid_yErr": error,
            "base_PsfFlux_instFlux": rng.uniform(1e4, 1e5, len(x)),
            "base_PsfFlux_instFluxErr": np.full(len(x), 200.0),
        }
    )


def error_mas(solved: Astrometry, true: SkyWcs) -> float:
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, WIDTH - 1, 9), np.linspace(0, HEIGHT - 1, 17)))
    apart = angular_separation(*solved.wcs.pixel_to_sky(x, y), *true.pixel_to_sky(x, y))
    return float(np.sqrt(np.mean(apart**2))) * 3.6e6


@pytest.mark.parametrize("stars", [1, 3, 8])
def test_the_error_that_is_claimed_is_the_error_that_is_made(stars: int) -> None:
    rng = np.random.default_rng(stars)
    solved = [scene(rng, stars=stars) for _ in range(40)]
    ratio = [error_mas(one, true) / one.metrics["wcs_error_mas"] for one, true in solved]
    assert 0.5 < np.sqrt(np.mean(np.square(ratio))) < 1.25
    claimed = np.median([one.metrics["wcs_error_mas"] for one, _ in solved])
    assert claimed < 1000.0 * MODEL_ERROR * np.sqrt(2.0), "the stars make the model better"


def test_more_stars_make_the_prediction_better() -> None:
    rng = np.random.default_rng(9)
    made = [np.median([error_mas(*scene(rng, stars=stars)) for _ in range(30)]) for stars in (1, 4, 16)]
    assert made[0] > made[1] > made[2]


@pytest.mark.parametrize(("stars", "junk"), [(3, 0), (3, 2), (6, 60), (12, 400)])
def test_junk_among_the_sources_does_not_hide_that_the_stars_agree(stars: int, junk: int) -> None:
    rng = np.random.default_rng(100 + junk)
    for _ in range(10):
        solved, true = scene(rng, stars=stars, junk=junk)
        assert solved.metrics["wcs_matches"] >= stars
        assert error_mas(solved, true) < 3.0 * solved.metrics["wcs_error_mas"]
        assert [caveat.code for caveat in solved.caveats] == ["WCS_FROM_VISIT"]


@pytest.mark.parametrize("stars", [1, 2, 3, 8, 40])
def test_stars_that_are_elsewhere_are_a_failure_and_never_a_result(stars: int) -> None:
    rng = np.random.default_rng(200 + stars)
    for _ in range(20):
        with pytest.raises(ProcessingError) as caught:
            scene(rng, stars=stars, references=80, off_arcsec=2.0)
        assert caught.value.code == "WCS_AGAINST_VISIT"
        assert caught.value.hint


def test_a_star_that_moves_is_left_out() -> None:
    rng = np.random.default_rng(11)
    first = first_wcs(wcs_at(320.0, -0.5), "camera model", WIDTH, HEIGHT, CONFIG.astrometry, HSC, CCD)
    true = wcs_at(320.003, -0.502)
    x, y = rng.uniform(100, WIDTH - 100, 6), rng.uniform(100, HEIGHT - 100, 6)
    ra, dec = true.pixel_to_sky(x, y)
    x[2] += 0.8  # a pixel holds 168 mas
    error = np.full(6, 1000.0 * STAR_ERROR)
    catalog = ReferenceCatalog("stars", np.arange(6), ra, dec, error, error, {"r": np.ones(6)}, {"r": np.ones(6)})
    model = model_of(first, true, np.zeros(2))
    solved = solve_from_visit(sources(rng, x, y, 0), (HEIGHT, WIDTH), first, catalog, model, CONFIG)
    assert solved.metrics["wcs_matches"] == 5
    assert error_mas(solved, true) < 15.0


def test_a_model_that_knows_too_little_is_not_used() -> None:
    first = first_wcs(wcs_at(320.0, -0.5), "camera model", WIDTH, HEIGHT, CONFIG.astrometry, HSC, CCD)
    vague = CameraModel(
        first.plane,
        Alignment(),
        first.plane,
        PolynomialCorrection(1, 1000.0, np.zeros((2, 3))),
        np.zeros((4, 4)),
        0,
        3.0,
        2,
    )
    catalog = ReferenceCatalog("none", *[np.zeros(0)] * 5, {}, {})
    rng = np.random.default_rng(1)
    with pytest.raises(ProcessingError, match="arcsec only"):
        solve_from_visit(sources(rng, np.ones(3), np.ones(3), 0), (HEIGHT, WIDTH), first, catalog, vague, CONFIG)


# ---- second attempts -------------------------------------------------------------------------------------------------

ALONE = VisitPrior(None, tolerance_arcsec=0.084)


def off_its_place(matches: int) -> VisitPrior:
    return replace(ALONE, first=FirstResult(matches, 2000.0))


@pytest.mark.parametrize(("stars", "junk"), [(40, 0), (40, 400), (70, 0)])
def test_a_pattern_of_stars_at_the_place_that_the_visit_gives_makes_a_wcs_of_its_own(stars: int, junk: int) -> None:
    solved, true = scene(np.random.default_rng(stars + junk), stars=stars, junk=junk, attempt=ALONE)
    assert "WCS_FOUND_BY_VISIT" in [caveat.code for caveat in solved.caveats]
    assert error_mas(solved, true) < 2.0 * solved.metrics["wcs_error_mas"]
    offset = angular_separation(*true.pixel_to_sky(1023.5, 2087.5), *wcs_at(320.0, -0.5).pixel_to_sky(1023.5, 2087.5))
    assert solved.metrics["wcs_offset_arcsec"] == pytest.approx(float(offset) * 3600.0, abs=0.1), "from the header's"


def test_few_stars_correct_the_visits_wcs_rather_than_make_their_own() -> None:
    solved, true = scene(np.random.default_rng(5), stars=7, attempt=ALONE)
    assert [caveat.code for caveat in solved.caveats] == ["WCS_FROM_VISIT"]
    assert error_mas(solved, true) < 2.0 * solved.metrics["wcs_error_mas"]


@pytest.mark.parametrize("stars", [6, 40])
def test_a_first_wcs_off_its_place_gives_way_to_one_that_as_many_stars_support(stars: int) -> None:
    solved, true = scene(np.random.default_rng(6), stars=stars, attempt=off_its_place(stars // 2))
    assert error_mas(solved, true) < 2.0 * solved.metrics["wcs_error_mas"]
    told = [one.message for one in solved.caveats if one.code in ("WCS_FROM_VISIT", "WCS_FOUND_BY_VISIT")]
    assert told[0].endswith(f"Its first WCS was 2.00 arcsec off, with {stars // 2} stars.")


@pytest.mark.parametrize(("stars", "first", "off"), [(12, 30, 0.0), (40, 30, 2.0), (40, 30, 0.5), (6, 6, 2.0)])
def test_a_first_wcs_stays_where_fewer_stars_support_the_visits_or_lead_away_from_it(
    stars: int, first: int, off: float
) -> None:
    with pytest.raises(ProcessingError) as caught:
        scene(np.random.default_rng(stars), stars=stars, off_arcsec=off, attempt=off_its_place(first))
    assert caught.value.code == "VISIT_NO_BETTER"
    assert "at that place: " in caught.value.message
