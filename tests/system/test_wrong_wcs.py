"""Attempts to have a wrong WCS reported as a good one.

Headers that lie, catalogues that lie, images that lie, and CCDs with next to nothing on them. Whatever is done, either
the WCS is the true one within what it claims, or the CCD fails or carries a caveat that doubts the WCS. Source tables
are made with the simulator's projection, which shares no code with the reduction's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table, vstack
from numpy.typing import ArrayLike, NDArray

from safelight import calibrate, characterize, isr
from safelight.calibrate import CalibrateConfig, reference_circle
from safelight.characterize.config import CharacterizeConfig
from safelight.errors import ProcessingError
from safelight.exposure import Exposure, SkyWcs, VisitInfo
from safelight.exposure.fits import read_master
from safelight.exposure.wcs import angular_separation
from safelight.instruments import initial_wcs, load_instrument, read_raw
from safelight.refcats import ReferenceCatalog, load_reference_catalog
from safelight.simulate.optics import Pointing, TrueWcs
from safelight.simulate.truth import true_wcs

Floats = NDArray[np.float64]
CAMERA = load_instrument("hsc")
WIDTH, HEIGHT = 2048, 4176
CENTRE = (320.9, -0.38)  # degrees; of every CCD
CCDS = (4, 16, 23, 49, 50, 57, 77, 100, 103)
ZEROPOINT, SECONDS, SEEING_PIXELS = 27.1, 30.0, 4.2
SEEDS = range(5)
#: Caveats that say "this WCS may be wrong". FEW_ASTROMETRIC_STARS is none: a WCS of few stars has to be true as well.
DOUBTS = {
    "WCS_BENDS_MODEL",
    "WCS_EXTRAPOLATED",
    "WCS_REFERENCES_MISSING",
    "WCS_RESERVED_RESIDUAL_HIGH",
    "WCS_SCALE_UNEXPECTED",
    "WCS_SCATTER_HIGH",
    "WCS_SOURCES_UNKNOWN",
}
REFUSALS = {"WCS_AMBIGUOUS", "WCS_CONTRADICTED", "WCS_NO_MATCH", "WCS_MIRRORED", "WCS_UNSUPPORTED", "TOO_FEW_STARS"}
_EMPTY = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
_CLEAN = np.zeros((HEIGHT, WIDTH), dtype=np.int32)


@dataclass(frozen=True)
class Stars:
    """Stars as they are on the sky, degrees and magnitudes."""

    ra: Floats
    dec: Floats
    magnitude: Floats

    def moved(self, east_arcsec: ArrayLike, north_arcsec: ArrayLike) -> Stars:
        """The same at other places (on the equator, nearly)."""
        return replace(
            self, ra=self.ra + np.divide(east_arcsec, 3600.0), dec=self.dec + np.divide(north_arcsec, 3600.0)
        )

    def __getitem__(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Stars:
        return Stars(self.ra[chosen], self.dec[chosen], self.magnitude[chosen])


def scattered(rng: np.random.Generator, n: int = 4000, depth: float = 21.0) -> Stars:
    """Stars strewn over 0.8 degrees; 4000 are what Gaia has in 120 to a CCD."""
    ra, dec = (place + rng.uniform(-0.4, 0.4, n) for place in CENTRE)
    return Stars(ra, dec, depth - rng.exponential(2.0, n))


def as_catalog(stars: Stars, error_mas: float = 0.5) -> ReferenceCatalog:
    n = len(stars.ra)
    flux = 10 ** (-0.4 * (stars.magnitude - 31.4))
    return ReferenceCatalog(
        name="gaia_of_a_test",
        id=np.arange(n, dtype=np.int64) + 1000,
        ra_deg=stars.ra,
        dec_deg=stars.dec,
        ra_error_mas=np.full(n, error_mas),
        dec_error_mas=np.full(n, error_mas),
        flux_njy={"r": flux},
        flux_error_njy={"r": 0.01 * flux},
        centre_ra_deg=CENTRE[0],
        centre_dec_deg=CENTRE[1],
        radius_deg=0.4,
        systematic_floor_mas=0.2,
    )


def observed(rng: np.random.Generator, wcs: SkyWcs, stars: Stars, others: int) -> Table:
    """Measured sources: the stars on the CCD, in 5 mas of turbulence, and faint galaxies that no catalogue has."""
    x, y = wcs.sky_to_pixel(stars.ra, stars.dec)
    on = (x > 5) & (x < WIDTH - 6) & (y > 5) & (y < HEIGHT - 6)
    extended = np.concatenate([np.zeros(on.sum()), np.ones(others)])
    x = np.append(x[on], rng.uniform(0, WIDTH - 1, others))
    y = np.append(y[on], rng.uniform(0, HEIGHT - 1, others))
    magnitude = np.append(stars.magnitude[on], 24.0 - rng.exponential(1.0, others))
    flux = SECONDS * 10 ** (0.4 * (ZEROPOINT - magnitude))
    sigma = SEEING_PIXELS / 2.355
    flux_error = np.sqrt(flux / 3.4 + 4 * math.pi * sigma**2 * 620 / 3.4**2)
    error = np.hypot(1.2 * sigma * flux_error / flux, 5e-4)
    seen = np.hypot(error, 0.005 / 0.168)
    n = len(x)
    table = Table(
        {
            "id": np.arange(n, dtype=np.int64) + 1,
            "parent": np.zeros(n, dtype=np.int64),
            "deblend_nChild": np.zeros(n, dtype=np.int32),
            "base_SdssCentroid_x": x + seen * rng.standard_normal(n),
            "base_SdssCentroid_y": y + seen * rng.standard_normal(n),
            "base_SdssCentroid_xErr": error,
            "base_SdssCentroid_yErr": error,
            "base_PsfFlux_instFlux": flux,
            "base_PsfFlux_instFluxErr": flux_error,
            "base_PixelFlags_flag_saturated": flux > 56000 * SEEING_PIXELS**2,
            "base_ClassificationExtendedness_value": extended,
        }
    )
    return table[flux > 5 * flux_error]


@dataclass
class Observation:
    """A CCD, what is true of it, and what the pipeline will be told."""

    rng: np.random.Generator
    ccd: int
    pointing: Pointing  # true
    truth: SkyWcs
    stars: Stars
    src: Table
    header: Pointing  # claimed
    catalog: ReferenceCatalog = field(init=False)
    first: SkyWcs | None = None  # a WCS in the header, in place of the camera's model

    def __post_init__(self) -> None:
        self.catalog = as_catalog(self.stars)

    def on_ccd(self) -> NDArray[np.int64]:
        """Which stars lie on the CCD."""
        x, y = self.truth.sky_to_pixel(self.stars.ra, self.stars.dec)
        return np.flatnonzero((x > 10) & (x < WIDTH - 10) & (y > 10) & (y < HEIGHT - 10))


def observation(seed: int, *, n_stars: int = 4000, others: int = 900, scale: float = 1.0) -> Observation:
    """A CCD somewhere in the focal plane, turned by any angle; the header is up to 60 arcsec and half a degree off."""
    rng = np.random.default_rng(seed)
    ccd = int(rng.choice(CCDS))
    rotator = float(rng.uniform(0, 360))
    stars = scattered(rng, n_stars)
    at = np.array(CENTRE)
    for _ in range(6):
        ra, dec = TrueWcs.of(CAMERA, ccd, Pointing(at[0], at[1], rotator)).pixel_to_sky([1023.5], [2087.5])
        at += np.array(CENTRE) - np.array([ra[0], dec[0]])
    pointing = Pointing(float(at[0]), float(at[1]), rotator, scale)
    truth = TrueWcs.of(CAMERA, ccd, pointing)
    src = observed(rng, truth, stars, others)
    distance, direction = 60.0 * math.sqrt(rng.uniform()), rng.uniform(0, 2 * math.pi)
    header = off_by(pointing, distance, direction)
    return Observation(rng, ccd, pointing, truth, stars, src, turned(header, rng.uniform(-0.5, 0.5)))


def off_by(pointing: Pointing, arcsec: float, direction: float) -> Pointing:
    return replace(
        pointing,
        ra_deg=pointing.ra_deg + arcsec / 3600.0 * math.cos(direction),
        dec_deg=pointing.dec_deg + arcsec / 3600.0 * math.sin(direction),
    )


def turned(pointing: Pointing, degrees: float) -> Pointing:
    return replace(pointing, rotator_deg=pointing.rotator_deg + degrees)


@dataclass
class Outcome:
    """What was reported, and what is true."""

    code: str  # of a failure; empty: there is a WCS
    error_mas: float = math.nan  # median over the CCD
    claimed_mas: float = math.nan
    caveats: frozenset[str] = frozenset()
    matches: int = 0
    explained: bool = True  # a failure: with a sentence and a hint

    @property
    def true_to_its_word(self) -> bool:
        return not self.code and self.error_mas < 3.0 * self.claimed_mas

    @property
    def doubted(self) -> bool:
        """Refused, or called doubtful, with a code."""
        return self.code in REFUSALS and self.explained if self.code else bool(self.caveats & DOUBTS)


def distance_mas(wcs: SkyWcs, truth: SkyWcs) -> float:
    """Median distance on a grid of 32 x 64 points."""
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(0, WIDTH - 1, 32), np.linspace(0, HEIGHT - 1, 64)))
    return float(np.median(angular_separation(*wcs.pixel_to_sky(x, y), *truth.pixel_to_sky(x, y)))) * 3.6e6


def solve(case: Observation) -> Outcome:
    """Through the calibration step, with the references that a run would load for that header."""
    visit = VisitInfo(SECONDS, SECONDS, 56450.0, case.header.ra_deg, case.header.dec_deg, case.header.rotator_deg)
    first, origin = initial_wcs(CAMERA, CAMERA.detector(case.ccd), visit)
    if case.first is not None:
        first, origin = case.first, "header"
    exposure = Exposure(
        _EMPTY, _CLEAN, _EMPTY, detector_id=case.ccd, filter_name="HSC-R", band="r", visit_info=visit, wcs=first
    )
    config = CalibrateConfig(doPhotoCal=False)
    ra, dec, radius = reference_circle(
        first, origin, WIDTH, HEIGHT, config.astrometry, config.astromRefObjLoader, CAMERA, case.ccd, visit
    )
    near = angular_separation(case.catalog.ra_deg, case.catalog.dec_deg, ra, dec) < radius
    return judged(exposure, case.src.copy(), chosen(case.catalog, near), config, origin, case.truth)


def judged(
    exposure: Exposure, src: Table, catalog: ReferenceCatalog, config: CalibrateConfig, origin: str, truth: SkyWcs
) -> Outcome:
    try:
        result = calibrate.run(exposure, src, catalog, None, config, CAMERA, wcs_origin=origin)
    except ProcessingError as error:
        return Outcome(error.code, explained=bool(error.message and error.hint))
    assert result.exposure.wcs is not None
    return Outcome(
        "",
        distance_mas(result.exposure.wcs, truth),
        result.metrics["wcs_error_mas"],
        frozenset(caveat.code for caveat in result.caveats),
        int(result.metrics["wcs_matches"]),
    )


def chosen(catalog: ReferenceCatalog, rows: NDArray[np.bool_]) -> ReferenceCatalog:
    return replace(
        catalog,
        id=catalog.id[rows],
        ra_deg=catalog.ra_deg[rows],
        dec_deg=catalog.dec_deg[rows],
        ra_error_mas=catalog.ra_error_mas[rows],
        dec_error_mas=catalog.dec_error_mas[rows],
        flux_njy={name: flux[rows] for name, flux in catalog.flux_njy.items()},
        flux_error_njy={name: error[rows] for name, error in catalog.flux_error_njy.items()},
    )


# ---- nothing wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(10))
def test_an_honest_ccd_is_solved_without_any_doubt(seed: int) -> None:
    outcome = solve(observation(seed))
    assert outcome.true_to_its_word
    assert outcome.caveats == frozenset()
    assert outcome.error_mas < 5.0


# ---- headers that lie -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arcsec", [150.0, 240.0, 400.0, 900.0])
def test_a_pointing_farther_off_than_the_camera_states_is_recovered_or_refused(seed: int, arcsec: float) -> None:
    case = observation(seed)
    case.header = off_by(case.pointing, arcsec, case.rng.uniform(0, 2 * math.pi))
    outcome = solve(case)
    assert outcome.true_to_its_word or outcome.code == "WCS_NO_MATCH"
    if arcsec > 300.0:
        assert outcome.code == "WCS_NO_MATCH"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("degrees", [3.0, -3.0, 10.0, 90.0, 180.0])
def test_a_wrong_rotation_is_recovered_or_refused(seed: int, degrees: float) -> None:
    case = observation(seed)
    case.header = turned(case.header, degrees)
    outcome = solve(case)
    assert outcome.true_to_its_word or outcome.code in REFUSALS


class Mirrored:
    """A WCS of the frame with its columns in reverse."""

    def __init__(self, wcs: SkyWcs) -> None:
        self._wcs = wcs

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        return self._wcs.pixel_to_sky(WIDTH - 1 - np.asarray(x, dtype=np.float64), y)

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        x, y = self._wcs.sky_to_pixel(ra, dec)
        return WIDTH - 1 - x, y


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mirrored_wcs_in_the_header_is_recovered_or_refused(seed: int) -> None:
    case = observation(seed)
    case.first = Mirrored(TrueWcs.of(CAMERA, case.ccd, case.header))
    outcome = solve(case)
    assert outcome.true_to_its_word or outcome.code in REFUSALS


@pytest.mark.parametrize("seed", SEEDS)
def test_a_frame_that_was_read_mirrored_is_refused_and_called_so(seed: int) -> None:
    case = observation(seed)
    case.src["base_SdssCentroid_x"] = WIDTH - 1 - case.src["base_SdssCentroid_x"]
    case.truth = Mirrored(case.truth)
    assert solve(case).code == "WCS_MIRRORED"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scale", [1.05, 1.02, 0.985])
def test_another_pixel_scale_than_the_cameras_is_refused_or_doubted(seed: int, scale: float) -> None:
    outcome = solve(observation(seed, scale=scale))
    assert outcome.doubted
    assert outcome.code or outcome.true_to_its_word


# ---- catalogues that lie ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n_stars", [4000, 40_000])
def test_references_of_another_field_are_refused(seed: int, n_stars: int) -> None:
    case = observation(seed)
    case.catalog = as_catalog(scattered(case.rng, n_stars, depth=23.5))
    assert solve(case).code == "WCS_NO_MATCH"


@pytest.mark.parametrize("seed", SEEDS)
def test_clumped_references_of_another_field_are_refused(seed: int) -> None:
    case = observation(seed)
    clump = case.rng.integers(0, 12, 4000)
    centres, spread = case.rng.uniform(-0.2, 0.2, (2, 12)), case.rng.normal(0, 0.01, (2, 4000))
    ra, dec = (place + centres[axis][clump] + spread[axis] for axis, place in enumerate(CENTRE))
    case.catalog = as_catalog(replace(case.stars, ra=ra, dec=dec))
    assert solve(case).code == "WCS_NO_MATCH"


@pytest.mark.parametrize("seed", SEEDS)
def test_shuffled_reference_positions_are_refused(seed: int) -> None:
    case = observation(seed)
    stars = case.stars
    case.catalog = as_catalog(replace(stars, ra=case.rng.permutation(stars.ra), dec=case.rng.permutation(stars.dec)))
    assert solve(case).code == "WCS_NO_MATCH"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("period_deg", [0.05, 0.1, 0.2, 0.4, 0.8])
def test_a_catalogue_warped_by_thirty_arcsec_is_refused_or_doubted(seed: int, period_deg: float) -> None:
    # a longer wave only shifts and turns the stars of one CCD, which no one can tell from the telescope's error
    case = observation(seed)
    k, phase = 2 * math.pi / period_deg, case.rng.uniform(0, 2 * math.pi, 2)
    east = 30.0 * np.sin(k * (case.stars.dec - CENTRE[1]) + phase[0])
    north = 30.0 * np.sin(k * (case.stars.ra - CENTRE[0]) + phase[1])
    case.catalog = as_catalog(case.stars.moved(east, north))
    assert solve(case).doubted


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arcsec", [2.0, 30.0])
def test_references_displaced_on_one_side_of_the_ccd_are_doubted(seed: int, arcsec: float) -> None:
    case = observation(seed)
    case.catalog = as_catalog(case.stars.moved(0.0, arcsec * (case.stars.dec > CENTRE[1])))
    assert solve(case).doubted


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("arcsec", [0.1, 1.0, 5.0])
def test_half_of_the_references_moved_together_are_doubted(seed: int, arcsec: float) -> None:
    case = observation(seed)
    case.catalog = as_catalog(case.stars.moved(0.0, arcsec * (case.rng.uniform(size=len(case.stars.ra)) < 0.5)))
    assert solve(case).doubted


@pytest.mark.parametrize("seed", SEEDS)
def test_half_of_the_references_moved_at_random_are_doubted_and_do_no_harm(seed: int) -> None:
    case = observation(seed)
    moved = case.rng.uniform(size=len(case.stars.ra)) < 0.5
    east, north = 30.0 * moved * case.rng.standard_normal((2, len(moved)))
    case.catalog = as_catalog(case.stars.moved(east, north))
    outcome = solve(case)
    assert outcome.doubted
    assert outcome.true_to_its_word


# ---- images that lie --------------------------------------------------------------------------------------------


def doubled(src: Table, along: tuple[float, float], brighter: float) -> Table:
    """Every star twice, as when the telescope jumps during the exposure."""
    second = src.copy()
    second["base_SdssCentroid_x"] += along[0]
    second["base_SdssCentroid_y"] += along[1]
    second["base_PsfFlux_instFlux"] *= brighter
    both = vstack([src, second])
    both["id"] = np.arange(len(both), dtype=np.int64) + 1
    return both


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("pixels", "brighter"), [(40.0, 1.0), (40.0, 1.5), (7.0, 1.0), (7.0, 0.7)])
def test_an_image_of_double_stars_is_doubted(seed: int, pixels: float, brighter: float) -> None:
    case = observation(seed)
    angle = case.rng.uniform(0, 2 * math.pi)
    case.src = doubled(case.src, (pixels * math.cos(angle), pixels * math.sin(angle)), brighter)
    assert solve(case).doubted


# ---- next to nothing --------------------------------------------------------------------------------------------


def few_sources(seed: int, n: int) -> Observation:
    case = observation(seed, others=0)
    order = np.argsort(-case.src["base_PsfFlux_instFlux"])[: 3 * n]
    case.src = case.src[np.sort(case.rng.permutation(order)[:n])]
    return case


def few_references(seed: int, n: int) -> Observation:
    case = observation(seed)
    case.catalog = as_catalog(case.stars[case.rng.permutation(case.on_ccd())[:n]])
    return case


def few_of_both(seed: int, n: int) -> Observation:
    return observation(seed, n_stars=30 * n, others=10)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("n", [3, 5, 8, 15])
@pytest.mark.parametrize("make", [few_sources, few_references, few_of_both])
def test_a_wcs_of_few_stars_is_true_or_refused(make: Callable[[int, int], Observation], n: int, seed: int) -> None:
    outcome = solve(make(seed, n))
    if outcome.code:
        assert outcome.code in {"TOO_FEW_STARS", "WCS_NO_MATCH"}
    else:
        assert outcome.true_to_its_word
        assert "FEW_ASTROMETRIC_STARS" in outcome.caveats
    if n == 3:
        assert outcome.code


def test_fifteen_references_suffice() -> None:
    outcomes = [solve(few_references(seed, 15)) for seed in range(12)]
    assert all(not outcome.code and outcome.matches >= 8 for outcome in outcomes)


def test_claimed_errors_of_few_stars_are_neither_boasts_nor_excuses() -> None:
    outcomes = [solve(few_references(seed, n)) for seed in range(16) for n in (8, 11, 15)]
    ratios = [outcome.error_mas / outcome.claimed_mas for outcome in outcomes if not outcome.code]
    assert len(ratios) > 30
    assert 0.3 < math.sqrt(np.mean(np.square(ratios))) < 2.0


# ---- a real image -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tiny_night: Path) -> Exposure:
    """One simulated CCD after signature removal."""
    raw = read_raw(next(tiny_night.glob("STRIPE82L/**/HSC-0903334-016.fits")), CAMERA)
    bias, dark, flat = (
        read_master(next((tiny_night / "CALIB").glob(f"{kind}/**/*016*.fits"))) for kind in ("BIAS", "DARK", "FLAT")
    )
    return isr.run(raw, isr.Masters(bias=bias, dark=dark, flat=flat), isr.IsrConfig(), CAMERA).exposure


def _solve_image(exposure: Exposure, night: Path) -> Outcome:
    config = CalibrateConfig(doPhotoCal=False)
    visit = exposure.visit_info
    assert visit is not None
    circle = reference_circle(
        exposure.wcs, "camera model", WIDTH, HEIGHT, config.astrometry, config.astromRefObjLoader, CAMERA, 16, visit
    )
    gaia = next((night / "ref_cats").glob("gaia*"))
    catalog = load_reference_catalog(gaia, *circle, visit.mjd_mid_tai)
    try:
        found = characterize.run(exposure, CharacterizeConfig(), exposure_id=1)
    except ProcessingError as error:
        return Outcome(error.code, explained=bool(error.message and error.hint))
    return judged(found.exposure, found.src, catalog, config, "camera model", true_wcs(night, 903334, 16))


def _copy(exposure: Exposure) -> Exposure:
    arrays = {name: getattr(exposure, name).copy() for name in ("image", "mask", "variance")}
    return replace(exposure, **arrays)


def test_a_trailed_image_is_doubted(simulated: Exposure, tiny_night: Path) -> None:
    plain = _solve_image(_copy(simulated), tiny_night)
    assert plain.true_to_its_word
    assert plain.caveats == frozenset()
    trailed = _copy(simulated)
    jump = (-9, 23)
    trailed.image = (0.5 * (trailed.image + np.roll(trailed.image, jump, (0, 1)))).astype(np.float32)
    trailed.mask = trailed.mask | np.roll(trailed.mask, jump, (0, 1))
    trailed.variance = (0.25 * (trailed.variance + np.roll(trailed.variance, jump, (0, 1)))).astype(np.float32)
    assert _solve_image(trailed, tiny_night).doubted
