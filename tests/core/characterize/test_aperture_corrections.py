"""Fluxes brought to the total light of a star: the hard point of the zeropoint."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial import cKDTree

from safelight import characterize
from safelight.characterize.aperture_corrections import StarFlux, annulus_edges, fit_corrections, fit_growth
from safelight.characterize.config import CharacterizeConfig, MeasureApCorrConfig
from safelight.characterize.profiles import RingProfiles


def moffat_light(radius, alpha, beta):
    """Light of a Moffat profile inside `radius`."""
    return 1 - (1 + (radius / alpha) ** 2) ** (1 - beta)


def test_the_wing_beyond_the_aperture_and_under_the_annulus_is_recovered_without_noise():
    for fwhm, beta in ((3.0, 4.0), (5.0, 3.0), (7.0, 2.5)):
        alpha = fwhm / (2 * np.sqrt(2 ** (1 / beta) - 1))
        edges = annulus_edges(fwhm, 17.0)
        ring = np.diff(moffat_light(edges, alpha, beta)) / (np.pi * np.diff(edges**2))
        flux = np.array([1e5, 3e5, 2e5])
        sky = np.array([0.3, -0.5, 0.0])
        mean = flux[:, None] * ring + sky[:, None]
        inside = flux * moffat_light(17.0, alpha, beta)
        measured = StarFlux(inside + sky * np.pi * 17**2, np.sqrt(flux), np.pi * 17**2)
        growth, local, light = fit_growth(RingProfiles(edges, mean, np.full_like(mean, 0.01)), measured, 17.0)
        assert growth.factor == pytest.approx(1 / moffat_light(17.0, alpha, beta), abs=5e-4)
        np.testing.assert_allclose(local, sky, atol=0.05)
        np.testing.assert_allclose(light * growth.factor, flux, rtol=1e-3)


def test_a_field_that_varies_over_the_frame_is_fitted_in_spite_of_outliers():
    rng = np.random.default_rng(3)
    x, y = rng.uniform(0, 2047, 80), rng.uniform(0, 4175, 80)
    truth = 1.05 + 0.02 * x / 2048 - 0.01 * (y / 4176) ** 2
    total = rng.uniform(1e4, 1e5, 80)
    flux = total / truth * rng.normal(1, 0.002, 80)
    flux[:4] *= 0.7  # blends
    kinds = {"base_PsfFlux": StarFlux(flux, np.full(80, 50.0), 0.0)}
    corrections = fit_corrections(
        kinds, x, y, np.zeros(80), total, np.full(80, 50.0), (4176, 2048), MeasureApCorrConfig()
    )
    np.testing.assert_allclose(corrections.fields["base_PsfFlux"].at(x, y), truth, atol=0.004)
    assert corrections.fields["base_PsfFlux"].n_stars <= 76


@pytest.mark.parametrize(("fwhm", "beta", "seed"), [(3.0, 4.0, 31), (4.5, 3.0, 32), (6.5, 2.5, 33)])
def test_fluxes_of_bright_stars_are_total_to_five_millimagnitudes(star_field, fwhm, beta, seed):
    rng = np.random.default_rng(seed)
    nodes = np.stack(np.meshgrid(np.arange(11), np.arange(12)), -1).reshape(-1, 2) * 80 + 50
    at = nodes + rng.uniform(-12, 12, nodes.shape)
    field = star_field(
        (980, 900), n_stars=len(at), positions=(at[:, 0], at[:, 1]), fwhm=fwhm, beta=beta, flux_range=(3e3, 6e5),
        slope=0.4, saturation=45000, seed=seed,
    )  # fmt: skip
    result = characterize.run(field.exposure, CharacterizeConfig(), exposure_id=seed)
    src = result.src[result.src["deblend_nChild"] == 0]
    row = cKDTree(np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]])).query(at)[1]
    src = src[row]
    good = (field.flux > 3e4) & ~src["base_PixelFlags_flag_saturated"] & ~src["base_PixelFlags_flag_edge"]
    assert good.sum() > 30
    x, y = src["base_SdssCentroid_x"][good], src["base_SdssCentroid_y"][good]
    growth = result.exposure.aperture_corrections.fields["base_CircularApertureFlux_12_0"].at(x, y)
    fluxes = {
        "psf": src["base_PsfFlux_instFlux"][good],
        "gaussian": src["base_GaussianFlux_instFlux"][good],
        "kron": src["ext_photometryKron_KronFlux_instFlux"][good],
        "aperture": src["base_CircularApertureFlux_12_0_instFlux"][good] * growth,
    }
    for name, flux in fluxes.items():
        difference = -2.5 * np.log10(flux / field.flux[good])
        assert abs(np.median(difference)) < 0.005, name
