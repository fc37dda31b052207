"""Whether bright stars and bright references agree with the WCS throughout."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from safelight.calibrate import CalibrateConfig, CalibrateResult, run
from safelight.calibrate.config import AstrometryConfig, QualityConfig
from safelight.calibrate.departure import Departure, judge_departure
from safelight.calibrate.support import Support, judge_support
from safelight.refcats import ReferenceCatalog

CONFIG = AstrometryConfig()


def wcs_only(scene, catalog: ReferenceCatalog, **changes) -> CalibrateResult:
    quality = QualityConfig(**changes)
    config = CalibrateConfig(doPhotoCal=False, astrometry=AstrometryConfig(quality=quality))
    exposure = replace(scene.exposure, mask=scene.exposure.mask.copy())
    return run(exposure, scene.src.copy(), catalog, None, config, scene.instrument, wcs_origin=scene.origin)


def support_of(result: CalibrateResult) -> dict[str, int]:
    return result.metadata["astrometry"]


def codes(result: CalibrateResult) -> set[str]:
    return {caveat.code for caveat in result.caveats}


@pytest.fixture(scope="module")
def field(random_sky: Callable, make_scene):
    sky, catalog = random_sky()
    return make_scene(sky), catalog


def test_on_an_honest_ccd_nothing_bright_is_missing(field) -> None:
    result = wcs_only(*field)
    found = support_of(result)
    assert found["brightReferences"] > 50
    assert found["brightSources"] > 50
    assert found["brightReferencesMissing"] <= 0.05 * found["brightReferences"]
    assert found["brightSourcesUnknown"] <= 0.05 * found["brightSources"]
    assert codes(result) == set()


def test_sources_lost_in_half_of_the_frame_are_missed_unless_the_mask_explains_them(field) -> None:
    scene, catalog = field
    left = np.asarray(scene.src["base_SdssCentroid_x"]) < 1000
    lost = replace(scene, src=scene.src[~left])
    assert "WCS_REFERENCES_MISSING" in codes(wcs_only(lost, catalog))
    lost.exposure = replace(scene.exposure, mask=scene.exposure.mask.copy())
    lost.exposure.mask[:, :1005] |= lost.exposure.planes.bits("BAD")
    explained = wcs_only(lost, catalog)
    assert "WCS_REFERENCES_MISSING" not in codes(explained)
    assert support_of(explained)["brightReferencesMissing"] <= 0.05 * support_of(explained)["brightReferences"]


def test_stars_that_the_catalogue_lacks_are_noticed_at_the_configured_share(field) -> None:
    scene, catalog = field
    kept = np.random.default_rng(1).uniform(size=len(catalog)) < 0.6
    thinned = replace(
        catalog,
        **{name: getattr(catalog, name)[kept] for name in ("id", "ra_deg", "dec_deg", "ra_error_mas", "dec_error_mas")},
        flux_njy={"r": catalog.flux_njy["r"][kept]},
        flux_error_njy={"r": catalog.flux_error_njy["r"][kept]},
    )
    assert codes(wcs_only(scene, thinned)) == {"WCS_SOURCES_UNKNOWN"}
    assert codes(wcs_only(scene, thinned, unknownSources=0.6)) == set()


def test_a_catalogue_without_fluxes_says_nothing_of_what_must_be_seen(field) -> None:
    scene, catalog = field
    found = support_of(wcs_only(scene, replace(catalog, flux_njy={}, flux_error_njy={})))
    assert found["brightReferences"] == 0
    assert found["brightSources"] > 50


@pytest.mark.parametrize(("missing", "doubted"), [(25, False), (33, False), (34, True), (60, True)])
def test_more_must_be_missing_than_chance_brings_at_the_allowed_share(missing: int, doubted: bool) -> None:
    caveats = judge_support(Support(100, missing, 100, 0), CONFIG)
    assert [caveat.code for caveat in caveats] == (["WCS_REFERENCES_MISSING"] if doubted else [])
    assert judge_support(Support(0, 0, 0, 0), CONFIG) == []
    for caveat in caveats:
        assert f"{missing} of 100" in caveat.message


def test_a_bend_is_doubted_only_where_there_is_a_model_to_bend() -> None:
    bent = Departure(scale_error=0.0005, bend_pixels=8.0)
    assert [c.code for c in judge_departure(bent, "camera model", 0.01, QualityConfig())] == ["WCS_BENDS_MODEL"]
    assert judge_departure(bent, "pointing", 0.01, QualityConfig()) == []
    assert judge_departure(bent, "camera model", 0.01, QualityConfig(maxModelBend=10.0)) == []


def test_a_scale_beyond_the_stated_uncertainty_is_doubted_with_both_numbers() -> None:
    caveats = judge_departure(Departure(-0.021, 0.1), "pointing", 0.01, QualityConfig())
    assert [caveat.code for caveat in caveats] == ["WCS_SCALE_UNEXPECTED"]
    assert "-2.10 %" in caveats[0].message
    assert "1 %" in caveats[0].message


def test_the_departure_of_an_honest_ccd_is_nearly_nothing(field) -> None:
    metadata = wcs_only(*field).metadata["astrometry"]
    assert abs(metadata["scaleError"]) < 1e-4
    assert metadata["bendPixels"] < 0.1
    assert math.isfinite(metadata["bendPixels"])


def test_stars_that_scatter_by_a_third_of_a_pixel_are_called_wide(field) -> None:
    scene, catalog = field
    src = scene.src.copy()
    rng = np.random.default_rng(2)
    src["base_SdssCentroid_y"] += rng.normal(0, 0.35, len(src))
    assert "WCS_SCATTER_HIGH" in codes(wcs_only(replace(scene, src=src), catalog))
