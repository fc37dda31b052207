"""The zeropoint: value, honest error, clipping, reserved stars, selection, caveats' numbers."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from numpy.typing import NDArray

from safelight.calibrate.config import CalibrateConfig, PhotoCalConfig
from safelight.calibrate.reference_flux import ReferenceMagnitudes, reference_magnitudes
from safelight.calibrate.zeropoint import Zeropoint, fit_zeropoint, photometric_stars
from safelight.errors import ProcessingError
from safelight.instruments import Instrument, load_instrument
from safelight.refcats import ReferenceCatalog

Floats = NDArray[np.float64]
TRUE = 30.79  # magnitude of 1 ADU


def night(
    seed: int, n: int, *, reference_error: float = 0.01, intrinsic: float = 0.0, name: str = "ps1_test"
) -> tuple[Table, ReferenceCatalog]:
    rng = np.random.default_rng(seed)
    r = rng.uniform(17.5, 20.5, n)
    bands = {"g": r + 0.6, "r": r, "i": r - 0.25}
    flux = 10 ** (-0.4 * (r + rng.normal(0, intrinsic, n) - TRUE))
    error = np.sqrt(flux / 3.4 + 3000.0)
    measured = {band: m + rng.normal(0, reference_error, n) for band, m in bands.items()}
    njy = {band: 10 ** (-0.4 * (m - 31.4)) for band, m in measured.items()}
    zero = np.zeros(n)
    catalog = ReferenceCatalog(
        name,
        np.arange(n, dtype=np.int64) * 17,
        zero,
        zero,
        zero,
        zero,
        njy,
        {band: f * reference_error / 1.0857 for band, f in njy.items()},
    )
    src = Table(
        {
            "base_PsfFlux_instFlux": flux + rng.normal(0, 1, n) * error,
            "base_PsfFlux_instFluxErr": error,
            "base_ClassificationExtendedness_value": np.zeros(n),
            "parent": np.zeros(n, dtype=np.int64),
        }
    )
    return src, catalog


def plain(catalog: ReferenceCatalog) -> ReferenceMagnitudes:
    error = 1.0857 * catalog.flux_error_njy["r"] / catalog.flux_njy["r"]
    return ReferenceMagnitudes(catalog.magnitude("r"), error, "r", False, ())


def solve(src: Table, catalog: ReferenceCatalog, config: PhotoCalConfig | None = None) -> Zeropoint:
    config = config or PhotoCalConfig()
    rows = np.arange(len(src))
    stars, _ = photometric_stars(src, rows, rows, plain(catalog), catalog, config)
    return fit_zeropoint(src, rows, rows, stars, plain(catalog), catalog, config)


@pytest.mark.parametrize("intrinsic", [0.0, 0.03])
def test_the_error_covers_the_truth_as_often_as_it_should(intrinsic: float) -> None:
    pulls = []
    for seed in range(60):
        result = solve(*night(seed, 80, intrinsic=intrinsic), PhotoCalConfig(systematicFloor=0.0))
        pulls.append((result.magnitude - TRUE) / result.error)
    assert 0.6 < np.std(pulls) < 1.35
    assert abs(np.mean(pulls)) < 0.5


def test_a_fifth_is_reserved_and_its_rms_is_the_stars_scatter() -> None:
    result = solve(*night(1, 400, intrinsic=0.02))
    assert not result.cross_validated
    assert abs(result.reserved.sum() / 400 - 0.2) < 0.06
    assert not (result.reserved & result.used).any()
    assert result.rms == pytest.approx(np.hypot(0.02, 0.01), rel=0.3)
    assert result.scatter == pytest.approx(0.02, abs=0.006)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_variables_on_either_side_do_not_move_it(sign: float) -> None:
    src, catalog = night(2, 120)
    src["base_PsfFlux_instFlux"][:25] *= 10 ** (0.4 * sign * 0.4)
    result = solve(src, catalog)
    assert result.magnitude == pytest.approx(TRUE, abs=4 * result.error)
    assert not result.used[:25].any()


def test_few_stars_are_cross_validated_with_none_reserved() -> None:
    src, catalog = night(4, 7, reference_error=0.01, intrinsic=0.1)
    result = solve(src, catalog)
    assert result.cross_validated
    assert not result.reserved.any()
    assert result.n_stars == 7
    # an independent leave-one-out, all weights equal as the intrinsic scatter rules
    difference = catalog.magnitude("r") + 2.5 * np.log10(np.asarray(src["base_PsfFlux_instFlux"]))
    alone = [difference[k] - np.delete(difference, k).mean() for k in range(7)]
    assert result.rms == pytest.approx(np.sqrt(np.mean(np.square(alone))), rel=0.1)


def test_one_star_is_refused_and_two_make_a_zeropoint() -> None:
    src, catalog = night(4, 1)
    with pytest.raises(ProcessingError) as caught:
        solve(src, catalog)
    assert caught.value.code == "TOO_FEW_PHOTOMETRIC_STARS"
    assert solve(*night(4, 2)).n_stars == 2


def test_saturated_blended_extended_and_faint_sources_stay_out() -> None:
    src, catalog = night(5, 100)
    src["base_PixelFlags_flag_saturated"] = np.arange(100) < 5
    src["parent"][5:10] = 77
    src["base_ClassificationExtendedness_value"][10:15] = 1.0
    src["base_PsfFlux_instFluxErr"][15:20] = src["base_PsfFlux_instFlux"][15:20]
    src["base_PsfFlux_instFlux"][20] = np.nan
    rows = np.arange(100)
    stars, how = photometric_stars(src, rows, rows, plain(catalog), catalog, PhotoCalConfig())
    assert how == "strict"
    assert not stars[:21].any()
    assert stars[21:].all()


def test_colour_limits_are_given_up_before_blends_are_let_in() -> None:
    src, catalog = night(6, 30)
    narrow = PhotoCalConfig(colorLimits={"g-r": (5.0, 6.0)})
    rows = np.arange(30)
    stars, how = photometric_stars(src, rows, rows, plain(catalog), catalog, narrow)
    assert how == "any colour"
    assert stars.all()
    src["parent"][:] = 3
    assert photometric_stars(src, rows, rows, plain(catalog), catalog, narrow)[1] == "blends included"
    src["base_ClassificationExtendedness_value"][:] = 1.0
    assert photometric_stars(src, rows, rows, plain(catalog), catalog, narrow)[1] == "relaxed"


# ---- which reference magnitudes ----


def chosen(
    catalog: ReferenceCatalog, filter_name: str, band: str, camera: Instrument, photo_cal: PhotoCalConfig | None = None
) -> ReferenceMagnitudes:
    config = CalibrateConfig(photoCal=photo_cal or PhotoCalConfig())
    rows = np.arange(len(catalog))
    return reference_magnitudes(catalog, filter_name, band, camera, config, rows, catalog.magnitude("i") - 30.0)


def test_a_filter_with_a_colour_term_uses_it(hsc: Instrument) -> None:
    _, catalog = night(7, 20)
    result = chosen(catalog, "HSC-R", "r", hsc)
    color = catalog.magnitude("r") - catalog.magnitude("i")
    expected = catalog.magnitude("r") - 0.000294 - 0.005458 * color - 0.009451 * color**2
    assert result.color_term
    assert np.allclose(result.magnitude, expected)
    assert result.caveats == ()


def test_a_camera_without_colour_terms_gets_a_caveat_or_a_failure_when_one_is_required() -> None:
    camera = load_instrument("huntsman")
    _, catalog = night(8, 20)
    catalog.flux_njy["g_psf"] = catalog.flux_njy["g"]
    result = chosen(catalog, "g_band", "g", camera)
    assert [caveat.code for caveat in result.caveats] == ["NO_COLOR_TERM"]
    assert chosen(catalog, "g_band", "g", camera, PhotoCalConfig(applyColorTerms=False)).caveats == ()
    with pytest.raises(ProcessingError) as caught:
        chosen(catalog, "g_band", "g", camera, PhotoCalConfig(applyColorTerms=True))
    assert caught.value.code == "NO_COLOR_TERM"


def test_the_cameras_filter_map_names_the_column() -> None:
    _, catalog = night(9, 20)
    catalog.flux_njy = {"g_psf": catalog.flux_njy["g"], "r_psf": catalog.flux_njy["r"]}
    config = CalibrateConfig()
    rows = np.arange(20)
    result = reference_magnitudes(catalog, "g_band", "g", load_instrument("huntsman"), config, rows, np.zeros(20))
    assert result.column == "g_psf"
    # stars without an error are believed to 0.02 mag
    assert np.allclose(result.error, 0.02)


def test_a_filter_without_a_band_is_compared_with_the_column_that_follows_it_best() -> None:
    rng = np.random.default_rng(1)
    _, catalog = night(10, 40)
    catalog.flux_njy["g"] *= 10 ** (0.4 * rng.normal(0, 0.3, 40))
    catalog.flux_njy["r"] *= 10 ** (0.4 * rng.normal(0, 0.3, 40))
    result = chosen(catalog, "Filter 2", "", load_instrument("generic"))
    assert result.column == "i"
    assert [caveat.code for caveat in result.caveats] == ["NO_BAND"]
    assert "i_flux" in result.caveats[0].message


def test_a_band_that_the_catalogue_lacks_is_an_error_naming_what_it_has(hsc: Instrument) -> None:
    _, catalog = night(11, 5, name="gaia_test")
    catalog.flux_njy = {"phot_g_mean": catalog.flux_njy["g"]}
    config = CalibrateConfig()
    with pytest.raises(ProcessingError) as caught:
        reference_magnitudes(catalog, "HSC-R", "r", hsc, config, np.arange(5), np.zeros(5))
    assert caught.value.code == "NO_REFERENCE_BAND"
    assert "phot_g_mean" in caught.value.hint
    with pytest.raises(ProcessingError, match="no column x_flux"):
        chosen(night(11, 5)[1], "HSC-R", "r", hsc, PhotoCalConfig(band="x"))


def test_configuration_overrides_the_column(hsc: Instrument) -> None:
    _, catalog = night(12, 20)
    assert chosen(catalog, "HSC-R", "r", hsc, PhotoCalConfig(band="g")).column == "g"
    from safelight.calibrate.config import PhotometricLoaderConfig

    rows = np.arange(20)
    for loader in (PhotometricLoaderConfig(anyFilterMapsToThis="i"), PhotometricLoaderConfig(filterMap={"XX": "i"})):
        config = CalibrateConfig(photoRefObjLoader=loader)
        result = reference_magnitudes(catalog, "XX", "XX", hsc, config, rows, np.zeros(20))
        assert result.column == "i"
