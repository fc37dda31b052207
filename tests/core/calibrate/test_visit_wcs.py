"""One camera behind the CCDs of a visit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import ArrayLike, NDArray

from safelight.calibrate.visit_config import VisitConfig
from safelight.calibrate.visit_wcs import CcdWcs, judge_visit_wcs
from safelight.exposure import SkyWcs
from safelight.exposure.wcs import FieldAngleWcs, angular_separation, tan_deproject, tan_project
from safelight.instruments import Instrument, load_instrument
from safelight.instruments.geometry import DetectorGeometry
from safelight.simulate.optics import Pointing, TrueWcs

Floats = NDArray[np.float64]
CONFIG = VisitConfig()


@dataclass(frozen=True)
class Moved:
    """A WCS moved by a shift in arcsec (East, North) and stretched about a point of the sky (refraction)."""

    wcs: SkyWcs
    shift: tuple[float, float] = (0.0, 0.0)
    about: tuple[float, float] = (0.0, 0.0)
    shear: float = 0.0

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        ra, dec = self.wcs.pixel_to_sky(x, y)
        north = self.shift[1] / 3600.0 + self.shear * (dec - self.about[1])
        return ra + self.shift[0] / 3600.0 / np.cos(np.radians(dec)), dec + north

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        raise NotImplementedError("nothing asks for it")


@dataclass(frozen=True)
class Turned:
    """A WCS turned, and with parity -1 mirrored, about a point of the sky."""

    wcs: SkyWcs
    about: tuple[float, float]
    parity: float
    degrees: float

    def pixel_to_sky(self, x: ArrayLike, y: ArrayLike) -> tuple[Floats, Floats]:
        xi, eta = tan_project(*self.wcs.pixel_to_sky(x, y), *self.about)
        c, s = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        return tan_deproject(self.parity * (c * xi - s * eta), s * xi + c * eta, *self.about)

    def sky_to_pixel(self, ra: ArrayLike, dec: ArrayLike) -> tuple[Floats, Floats]:
        raise NotImplementedError("nothing asks for it")


@dataclass(frozen=True)
class SimulatedVisit:
    ccds: list[CcdWcs]
    true: list[SkyWcs]  # of each CCD, the air's displacement left out


def distance_mas(one: SkyWcs, other: SkyWcs, ccd: CcdWcs) -> float:
    """Rms distance of two WCSs over a CCD."""
    x, y = np.meshgrid(np.linspace(0, ccd.width - 1, 9), np.linspace(0, ccd.height - 1, 9))
    apart = angular_separation(*one.pixel_to_sky(x, y), *other.pixel_to_sky(x, y))
    return float(np.sqrt(np.mean(apart**2))) * 3.6e6


def simulated_visit(
    camera: Instrument,
    rng: np.random.Generator,
    ids: Sequence[int],
    *,
    error_mas: float = 2.0,
    air_mas: float = 0.0,
    wrong: Mapping[int, tuple[float, float]] | None = None,
    pointing_arcsec: float = 600.0,
    shear: float = 0.0,
) -> SimulatedVisit:
    """CCDs of one exposure at a random place: pointing, rotation and scale wrong, fitted WCSs off by their errors.

    `air_mas` moves every CCD by as much per axis, which no error states; `wrong` are CCDs (by id) with a false WCS,
    and by how many arcsec.
    """
    ra, dec, rotator = rng.uniform(0, 360), rng.uniform(-70, 70), rng.uniform(0, 360)
    angle, far = rng.uniform(0, 2 * np.pi), pointing_arcsec / 3600.0 * np.sqrt(rng.uniform())
    at = ra + far * np.cos(angle) / np.cos(np.radians(dec)), dec + far * np.sin(angle)
    pointing = Pointing(*at, rotator + rng.uniform(-0.5, 0.5), 1.0 + 2e-4 * rng.standard_normal())
    ccds, true = [], []
    for ccd in ids:
        detector = camera.detector(ccd)
        truth = Moved(TrueWcs.of(camera, ccd, pointing), about=at, shear=shear)
        assert camera.distortion is not None
        first = FieldAngleWcs(DetectorGeometry(detector, camera.distortion), ra, dec, rotator)
        off = np.hypot(error_mas / np.sqrt(2.0), air_mas) / 1000.0 * rng.standard_normal(2) + np.array(
            (wrong or {}).get(ccd, (0.0, 0.0))
        )
        fitted = Moved(truth, (float(off[0]), float(off[1])))
        ccds.append(CcdWcs(first, fitted, detector.width, detector.height, error_mas, 0.168))
        true.append(truth)
    return SimulatedVisit(ccds, true)


@pytest.fixture(scope="module")
def camera() -> Instrument:
    return load_instrument("hsc")


@pytest.mark.parametrize("n", [2, 3, 4, 6, 12])
@pytest.mark.parametrize("air_mas", [0.0, 20.0])
def test_ccds_of_a_clean_visit_are_never_called_wrong(camera: Instrument, n: int, air_mas: float) -> None:
    rng = np.random.default_rng(n)
    called = 0
    for _ in range(12):
        visit = simulated_visit(camera, rng, rng.choice(104, n, replace=False), air_mas=air_mas)
        called += sum(judge_visit_wcs(visit.ccds, CONFIG).off)
    assert called == 0


@pytest.mark.parametrize("n", [3, 4, 6, 20])
@pytest.mark.parametrize("air_mas", [0.0, 20.0])
def test_one_ccd_that_is_two_arcsec_off_is_found_and_no_other(camera: Instrument, n: int, air_mas: float) -> None:
    rng = np.random.default_rng(10 + n)
    for _ in range(8):
        ids = rng.choice(104, n, replace=False)
        angle = rng.uniform(0, 2 * np.pi)
        wrong = {int(ids[0]): (2.0 * np.cos(angle), 2.0 * np.sin(angle))}
        found = judge_visit_wcs(simulated_visit(camera, rng, ids, air_mas=air_mas, wrong=wrong).ccds, CONFIG)
        assert found.off == (True, *[False] * (n - 1))
        assert found.distance_mas[0] == pytest.approx(2000.0, rel=0.25)


@pytest.mark.parametrize(("n", "n_wrong"), [(6, 2), (12, 5), (104, 40)])
def test_a_minority_of_wrong_ccds_is_found_even_if_they_agree_with_each_other(
    camera: Instrument, n: int, n_wrong: int
) -> None:
    rng = np.random.default_rng(n)
    for together in (True, False):
        ids = rng.choice(104, n, replace=False)
        moves = rng.uniform(-3, 3, (n_wrong, 2)) + np.array([4.0, 4.0])
        wrong = {int(ids[k]): tuple(moves[0 if together else k]) for k in range(n_wrong)}
        found = judge_visit_wcs(simulated_visit(camera, rng, ids, wrong=wrong).ccds, CONFIG)
        assert found.off == (*[True] * n_wrong, *[False] * (n - n_wrong))


def test_of_two_ccds_that_disagree_neither_is_called_right(camera: Instrument) -> None:
    visit = simulated_visit(camera, np.random.default_rng(3), (16, 23), wrong={16: (2.0, 0.0)})
    found = judge_visit_wcs(visit.ccds, CONFIG)
    assert (found.majority, found.off, found.model) == (False, (True, True), None)


def test_where_all_ccds_contradict_each_other_no_camera_is_reported(camera: Instrument) -> None:
    wrong = {16: (20.0, 0.0), 22: (0.0, 31.0), 23: (-17.0, 8.0), 100: (9.0, -26.0)}
    visit = simulated_visit(camera, np.random.default_rng(4), tuple(wrong), wrong=wrong)
    found = judge_visit_wcs(visit.ccds, CONFIG)
    assert not found.majority
    assert found.model is None
    assert all(found.off)


def test_refraction_that_stretches_one_axis_is_the_cameras_and_no_ccds(camera: Instrument) -> None:
    rng = np.random.default_rng(5)
    ids = rng.choice(104, 20, replace=False)
    visit = simulated_visit(camera, rng, ids, shear=6e-4, wrong={int(ids[0]): (0.0, 2.0)})
    found = judge_visit_wcs(visit.ccds, CONFIG)
    assert found.model is not None
    assert found.model.degree >= 1
    assert found.off == (True, *[False] * 19)


@pytest.mark.parametrize(("n", "air_mas"), [(3, 10.0), (5, 10.0), (8, 30.0), (30, 20.0)])
def test_the_camera_predicts_a_ccd_it_was_not_fitted_to_within_the_error_it_claims(
    camera: Instrument, n: int, air_mas: float
) -> None:
    rng = np.random.default_rng(100 + n)
    pulls = []
    for _ in range(30 if n < 30 else 10):
        visit = simulated_visit(camera, rng, rng.choice(104, n + 1, replace=False), error_mas=3.0, air_mas=air_mas)
        model = judge_visit_wcs(visit.ccds[1:], CONFIG).model
        assert model is not None
        unseen = visit.ccds[0]
        # what the CCD's own stars would say, turbulence included
        own = distance_mas(unseen.fitted, model.wcs(unseen.first), unseen)
        pulls.append(own / (1000.0 * model.error_arcsec(unseen.first, unseen.width, unseen.height)))
    assert 0.4 < np.sqrt(np.mean(np.square(pulls))) < 1.3


@pytest.mark.parametrize("turn", [(1.0, 118.0), (-1.0, 0.0), (-1.0, 203.0)])
def test_a_camera_that_is_turned_or_mirrored_as_a_whole_is_still_one_camera(
    camera: Instrument, turn: tuple[float, float]
) -> None:
    """A camera file may be wrong about the orientation, or know none: that is no fault of a CCD."""
    visit = simulated_visit(camera, np.random.default_rng(8), (16, 22, 23, 100, 4), wrong={22: (0.0, 2.0)})
    ccds = [replace(ccd, first=Turned(ccd.first, (ccd.first.boresight_ra_deg, ccd.first.boresight_dec_deg), *turn))
            for ccd in visit.ccds if isinstance(ccd.first, FieldAngleWcs)]  # fmt: skip
    found = judge_visit_wcs(ccds, CONFIG)
    assert found.off == (False, True, False, False, False)
    assert found.model is not None
    assert found.model.alignment.mirrored == (turn[0] < 0)
    assert distance_mas(found.model.wcs(ccds[0].first), visit.true[0], ccds[0]) < 30.0


def test_a_ccd_alone_is_no_visit(camera: Instrument) -> None:
    visit = simulated_visit(camera, np.random.default_rng(6), (16,))
    with pytest.raises(ValueError, match="two CCDs"):
        judge_visit_wcs(visit.ccds, CONFIG)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "air_mas"), [(3, 0.0), (3, 20.0), (4, 20.0), (6, 20.0), (6, 60.0), (10, 60.0), (30, 60.0)]
)
def test_false_alarms_are_rare_over_many_visits(camera: Instrument, n: int, air_mas: float) -> None:
    rng = np.random.default_rng(7)
    called, missed, draws = 0, 0, 100
    for _ in range(draws):
        ids = rng.choice(104, n, replace=False)
        called += sum(judge_visit_wcs(simulated_visit(camera, rng, ids, air_mas=air_mas).ccds, CONFIG).off)
        wrong = {int(ids[0]): (1.2, -1.6)}
        found = judge_visit_wcs(simulated_visit(camera, rng, ids, air_mas=air_mas, wrong=wrong).ccds, CONFIG)
        missed += not found.off[0]
    assert called <= 0.05 * draws
    assert missed <= 0.05 * draws
