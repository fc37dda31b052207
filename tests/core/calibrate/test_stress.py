"""The first cases of the stress set; `python -m tests.benchmarks.accuracy --only stress` runs hundreds, and frames."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.benchmarks.accuracy.stress.cases import HOSTILE, draw_case
from tests.benchmarks.accuracy.stress.pixels import FRAMES, try_frame
from tests.benchmarks.accuracy.stress.scene import make_scene
from tests.benchmarks.accuracy.stress.trial import ENOUGH, try_case

from safelight.simulate.catalogsky import CatalogSky, find_catalogs

SEED = 1
#: The first, of which those on which there is nothing to be found are left to the long run but for one; one with a true
#: star among fifty; two frames that show their stars twice.
NUMBERS = (*sorted(set(range(36)) - {15, 23, 29}), 216, 228, 321)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_case_with_enough_stars_is_solved_and_none_is_solved_wrongly(number: int) -> None:
    outcome = try_case(draw_case(SEED, number))
    assert not outcome.false, (outcome.status, outcome.error_arcsec)
    assert not outcome.doubted, (outcome.status, outcome.error_arcsec)
    if outcome.case.hostile == "doubled":
        assert outcome.status == "WCS_AMBIGUOUS"
    if outcome.findable >= ENOUGH:
        assert outcome.right, (outcome.status, outcome.message)
    if outcome.case.mirrored and outcome.status != "WCS_NO_MATCH":
        assert outcome.named_mirrored
        assert "mirrored" in outcome.message


def test_a_case_is_the_same_whenever_it_is_drawn() -> None:
    case = draw_case(SEED, 20)
    assert case == draw_case(SEED, 20)
    first, second = make_scene(case), make_scene(case)
    assert (first.src["base_SdssCentroid_x"] == second.src["base_SdssCentroid_x"]).all()
    assert (first.catalog.ra_deg == second.catalog.ra_deg).all()


def test_the_set_holds_every_kind_of_lie() -> None:
    cases = [draw_case(SEED, number) for number in range(500)]
    assert {case.hostile for case in cases} == {"", *HOSTILE}
    assert max(case.offset_arcsec for case in cases) > 590.0
    assert max(abs(case.rotation_deg) for case in cases) > 2.9
    assert max(abs(case.scale - 1.0) for case in cases) > 0.029
    assert max(case.depth for case in cases) > 1.9
    assert min(case.depth for case in cases) < -1.9
    assert max(case.spurious for case in cases) > 0.98
    assert max(case.missing for case in cases) > 0.98


def test_a_whole_frame_of_a_turned_ccd_is_solved_from_a_header_that_lies(shared_data: Path) -> None:
    frame = next(frame for frame in FRAMES if frame.ccd >= 100 and not frame.mirrored)
    catalogs = shared_data / "hsc_refcats"
    verdict = try_frame(frame, CatalogSky(find_catalogs(catalogs), 1), catalogs)
    assert verdict.right, verdict
