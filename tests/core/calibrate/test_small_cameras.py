"""Cameras that know little: pointing and scale only, or a header's WCS."""

from __future__ import annotations

import math

import numpy as np
import pytest
from astropy.table import Table

from safelight.calibrate import CalibrateConfig, CalibrateResult, choose_catalog, run
from safelight.calibrate.config import AstrometryConfig
from safelight.errors import DatasetNotFound, ProcessingError
from safelight.exposure import Exposure, VisitInfo
from safelight.exposure.wcs import TanSipWcs, angular_separation
from safelight.instruments import load_instrument
from safelight.refcats import ReferenceCatalog

WIDTH, HEIGHT, SCALE = 1092, 736, 2.374


def truth(rotation_deg: float, mirrored: bool, distortion: float = 0.0) -> TanSipWcs:
    c, s = math.cos(math.radians(rotation_deg)), math.sin(math.radians(rotation_deg))
    east = 1.0 if mirrored else -1.0
    cd = np.array([[east * c, s], [-east * s, c]]) * SCALE / 3600
    a = np.zeros((4, 4))
    b = np.zeros((4, 4))
    a[3, 0] = a[1, 2] = b[0, 3] = b[2, 1] = distortion / 600.0**3
    crpix = np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2])
    return TanSipWcs(crpix, np.array([286.04, 36.63]), cd, a, b)


def observed(wcs: TanSipWcs, seed: int, n: int = 400, other: int = 100) -> tuple[Table, ReferenceCatalog]:
    """A catalogue over 1.6 degrees of `n` stars, and the frame's sources: those in it, and `other` faint ones."""
    rng = np.random.default_rng(seed)
    ra = 286.04 + rng.uniform(-0.8, 0.8, n) / math.cos(math.radians(36.63))
    dec = 36.63 + rng.uniform(-0.8, 0.8, n)
    magnitude = np.sort(12.5 - rng.exponential(1.0, n))
    x, y = wcs.sky_to_pixel(ra, dec)
    inside = (x > 2) & (x < WIDTH - 3) & (y > 2) & (y < HEIGHT - 3)
    flux = 10 ** (-0.4 * (magnitude[inside] - 24.0 + rng.normal(0, 0.2, inside.sum())))
    flux = np.append(flux, 10 ** (-0.4 * (rng.uniform(12.5, 15, other) - 24.0)))
    x = np.append(x[inside], rng.uniform(2, WIDTH - 3, other)) + rng.normal(0, 0.05, inside.sum() + other)
    y = np.append(y[inside], rng.uniform(2, HEIGHT - 3, other)) + rng.normal(0, 0.05, inside.sum() + other)
    src = Table(
        {
            "id": np.arange(len(x)) + 1,
            "base_SdssCentroid_x": x,
            "base_SdssCentroid_y": y,
            "base_SdssCentroid_xErr": np.full(len(x), 0.05),
            "base_SdssCentroid_yErr": np.full(len(x), 0.05),
            "base_PsfFlux_instFlux": flux,
            "base_PsfFlux_instFluxErr": flux / 50,
        }
    )
    njy = 10 ** (-0.4 * (magnitude - 31.4))
    error = np.full(n, 30.0)
    catalog = ReferenceCatalog("tycho2", np.arange(n) + 1, ra, dec, error, error, {"vt": njy}, {"vt": njy * 0.02})
    return src, catalog


def solve(
    src: Table, catalog: ReferenceCatalog, first: TanSipWcs | None, origin: str, config: CalibrateConfig | None = None
) -> CalibrateResult:
    image = np.zeros((HEIGHT, WIDTH), dtype=np.float32)
    exposure = Exposure(image, image.astype(np.int32), image, filter_name="Filter 2", wcs=first)
    exposure.visit_info = VisitInfo(60.0, 60.0)
    camera = load_instrument("generic")
    return run(exposure, src, catalog, catalog, config or CalibrateConfig(), camera, wcs_origin=origin)


def pointing(dra_arcmin: float = 0.0, ddec_arcmin: float = 0.0, scale: float = SCALE) -> TanSipWcs:
    """A first WCS with North up and East left, wherever the camera really is turned."""
    at = np.array([286.04 + dra_arcmin / 60 / math.cos(math.radians(36.63)), 36.63 + ddec_arcmin / 60])
    return TanSipWcs(np.array([(WIDTH - 1) / 2, (HEIGHT - 1) / 2]), at, np.diag([-scale, scale]) / 3600)


def largest_error_pixels(wcs: TanSipWcs, true: TanSipWcs) -> float:
    x, y = (g.ravel() for g in np.meshgrid(np.linspace(0, WIDTH - 1, 20), np.linspace(0, HEIGHT - 1, 20)))
    return float(np.max(angular_separation(*wcs.pixel_to_sky(x, y), *true.pixel_to_sky(x, y)))) * 3600 / SCALE


@pytest.mark.parametrize(("rotation", "mirrored"), [(0.16, True), (90.0, False), (-133.0, True), (180.0, False)])
def test_orientation_parity_and_pointing_need_not_be_known(rotation: float, mirrored: bool) -> None:
    true = truth(rotation, mirrored)
    src, catalog = observed(true, 3)
    result = solve(src, catalog, pointing(9.0, -6.0, scale=2.33), "pointing")
    assert largest_error_pixels(result.exposure.wcs, true) < 0.15
    assert result.metadata["astrometry"]["mirrored"] == mirrored
    assert result.metrics["wcs_cv_rms_px"] < 0.2
    assert {caveat.code for caveat in result.caveats} >= {"NO_BAND"}


def test_distortion_is_fitted_where_the_stars_support_it() -> None:
    true = truth(20.0, False, distortion=2.5)
    src, catalog = observed(true, 4, n=1200, other=200)
    result = solve(src, catalog, pointing(), "pointing")
    assert result.metadata["astrometry"]["correctionDegree"] == 3
    assert largest_error_pixels(result.exposure.wcs, true) < 0.3


def test_a_sparse_field_keeps_the_degree_low() -> None:
    true = truth(20.0, False)
    src, catalog = observed(true, 5, n=110, other=60)
    result = solve(src, catalog, pointing(), "pointing")
    assert result.metadata["astrometry"]["correctionDegree"] <= 1
    assert largest_error_pixels(result.exposure.wcs, true) < 0.4


def test_a_header_wcs_is_the_base_of_a_small_correction() -> None:
    true = truth(33.0, False, distortion=1.0)
    src, catalog = observed(true, 6)
    header = TanSipWcs(true.crpix, true.crval + 0.01, true.cd, true.a, true.b)
    result = solve(src, catalog, header, "header")
    assert result.metadata["astrometry"]["matcher"] == "vote"
    assert result.metadata["astrometry"]["correctionDegree"] <= 1
    assert largest_error_pixels(result.exposure.wcs, true) < 0.15


def test_a_header_wcs_that_is_turned_is_still_solved_unless_that_is_switched_off() -> None:
    true = truth(70.0, True)
    src, catalog = observed(true, 7)
    result = solve(src, catalog, pointing(), "header")
    assert result.metadata["astrometry"]["matcher"] == "pairs"
    assert largest_error_pixels(result.exposure.wcs, true) < 0.2
    fixed = AstrometryConfig.model_validate({"matcher": {"anyRotation": False}})
    with pytest.raises(ProcessingError) as caught:
        solve(src, catalog, pointing(), "header", CalibrateConfig(astrometry=fixed))
    assert caught.value.code == "WCS_NO_MATCH"


def test_a_frame_without_any_pointing_says_how_to_state_one() -> None:
    true = truth(0.0, False)
    src, catalog = observed(true, 8)
    with pytest.raises(ProcessingError) as caught:
        solve(src, catalog, None, "")
    assert caught.value.code == "NO_POINTING"
    assert "calibrate.astrometry.pointingRa" in caught.value.hint
    stated = AstrometryConfig(pointingRa=286.1, pointingDec=36.6, pixelScale=2.37)
    result = solve(src, catalog, None, "", CalibrateConfig(astrometry=stated))
    assert largest_error_pixels(result.exposure.wcs, true) < 0.15


def test_a_stated_pixel_scale_overrides_a_header() -> None:
    true = truth(0.0, False)
    src, catalog = observed(true, 9)
    wrong = TanSipWcs(true.crpix, true.crval, true.cd * 1.3)
    with pytest.raises(ProcessingError):
        solve(src, catalog, wrong, "header")
    config = CalibrateConfig(astrometry=AstrometryConfig(pixelScale=2.37))
    assert largest_error_pixels(solve(src, catalog, wrong, "header", config).exposure.wcs, true) < 0.15


def test_a_scale_beyond_the_limit_is_refused_and_a_wider_limit_finds_it() -> None:
    src, catalog = observed(truth(0.0, False), 10)
    with pytest.raises(ProcessingError, match="scales within 5 %"):
        solve(src, catalog, pointing(scale=2.15), "pointing")
    wide = AstrometryConfig.model_validate({"matcher": {"maxScaleError": 0.12}})
    assert solve(src, catalog, pointing(scale=2.15), "pointing", CalibrateConfig(astrometry=wide)).matches


def test_the_catalogue_is_the_configured_one_or_the_cameras_first_choice() -> None:
    there = ["ps1", "gaia_dr2", "skymapper"]
    assert choose_catalog("ps1", ("gaia_dr2",), there, "astrometry") == "ps1"
    assert choose_catalog("auto", ("gaia_dr3", "gaia_dr2", "ps1"), there, "astrometry") == "gaia_dr2"
    assert choose_catalog("auto", ("sdss",), ["tycho2"], "photometry") == "tycho2"
    with pytest.raises(DatasetNotFound, match="looked for sdss") as caught:
        choose_catalog("auto", ("sdss",), there, "photometry")
    assert "photoRefObjLoader" in caught.value.hint
    with pytest.raises(DatasetNotFound) as caught:
        choose_catalog("gaia_dr", (), there, "astrometry")
    assert "Did you mean gaia_dr2?" in caught.value.hint
