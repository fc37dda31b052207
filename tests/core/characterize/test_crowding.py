"""Overlapping stars: fluxes fitted together, neighbours taken off, against photutils and truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from photutils.psf import CircularGaussianPRF, PSFPhotometry, SourceGrouper
from scipy.spatial import cKDTree

from safelight import characterize
from safelight.characterize.apertures import measure_apertures
from safelight.characterize.config import CharacterizeConfig
from safelight.characterize.joint_fluxes import fit_together
from safelight.characterize.overlaps import PsfProfile, find_overlaps
from safelight.characterize.point_sources import add_own, render_sources, take_off
from safelight.exposure import PsfModel

FWHM = 3.6
NOISE = 5.0


def gaussian_psf(half=20):
    """A PSF integrated over pixels by photutils."""
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    image = CircularGaussianPRF(fwhm=FWHM)(x, y)
    return PsfModel(image[None].astype(np.float32), 0, 50.0, 50.0, 50.0, 50.0)


def crowd(seed, n, side):
    """Stars at least 0.9 FWHM apart, and their light."""
    rng = np.random.default_rng(seed)
    at = np.empty((0, 2))
    while len(at) < n:
        new = rng.uniform(8, side - 9, 2)
        if len(at) == 0 or np.hypot(*(at - new).T).min() > 0.9 * FWHM:
            at = np.vstack([at, new])
    flux = 10 ** rng.uniform(2.5, 3.7, n)
    y, x = np.mgrid[:side, :side]
    light = sum(f * CircularGaussianPRF(x_0=a, y_0=b, fwhm=FWHM)(x, y) for (a, b), f in zip(at, flux, strict=True))
    return at[:, 0], at[:, 1], flux, np.asarray(light, dtype=np.float64)


def fit_all(image, x, y, start, *, slope=0.0, radius=8):
    """The joint fit of all stars at given places from the fluxes `start`."""
    n = len(x)
    sources = render_sources(gaussian_psf(), x, y, start, np.full(n, radius), np.append(-1, np.arange(n)))
    remainder = image.copy()
    take_off(remainder, sources)
    blank = np.zeros(image.shape, dtype=np.int32)
    fitted = fit_together(
        image, remainder, blank, blank, sources, label=np.arange(1, n + 1), free=np.ones(n, dtype=bool),
        sky_variance=np.full(n, NOISE**2), variance_slope=slope, bad=1, radius=radius,
    )  # fmt: skip
    return sources, remainder, fitted


def test_fluxes_fitted_together_are_those_of_photutils_groups():
    x, y, flux, light = crowd(51, 12, 42)
    image = (light + np.random.default_rng(52).normal(0, NOISE, light.shape)).astype(np.float32)
    sources, _, fitted = fit_all(image, x, y, 0.7 * flux)
    model = CircularGaussianPRF(fwhm=FWHM)
    model.x_0.fixed = model.y_0.fixed = True
    photometry = PSFPhotometry(model, (17, 17), grouper=SourceGrouper(2.5 * FWHM), aperture_radius=4)
    start = Table({"x": x, "y": y, "flux": flux})
    theirs = photometry(image.astype(float), error=np.full(image.shape, NOISE), init_params=start)
    assert fitted.n_rounds < 20
    off = (sources.flux - np.asarray(theirs["flux_fit"])) / fitted.flux_err
    # we fit circles, photutils squares: with squares of 15 or 21 pixels its fluxes differ by as much
    assert np.abs(off).max() < 0.4
    assert np.sqrt(np.mean(off**2)) < 0.2


def test_errors_of_overlapping_fluxes_are_their_scatter():
    psf, pairs, spacing = gaussian_psf(), 150, 40
    nodes = np.stack(np.meshgrid(np.arange(15), np.arange(10)), -1).reshape(-1, 2) * spacing + 20.3
    x = np.ravel(np.column_stack([nodes[:, 0], nodes[:, 0] + 1.1 * FWHM]))
    y = np.repeat(nodes[:, 1], 2)
    flux = np.tile([3000.0, 1000.0], pairs)
    image = np.zeros((10 * spacing, 15 * spacing), dtype=np.float32)
    sources = render_sources(psf, x, y, -flux, np.full(2 * pairs, 15), np.full(2 * pairs + 1, -1))
    take_off(image, sources)
    image += np.random.default_rng(53).normal(0, NOISE, image.shape).astype(np.float32)
    found, _, fitted = fit_all(image, x, y, flux.copy())
    alone = np.full(2 * pairs, 100.0)
    overlaps = find_overlaps(PsfProfile.of(psf), x, y, flux, alone, np.ones(2 * pairs, dtype=bool))
    assert overlaps.disturbed.all()
    assert overlaps.disturbing.all()
    pulls = (found.flux - flux) / fitted.flux_err * np.sqrt(overlaps.information)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.12)
    assert abs(np.mean(pulls)) < 0.2
    assert np.median(overlaps.information) < 0.97


def test_stars_far_from_each_other_do_not_disturb_each_other():
    x, y = np.array([20.0, 28.0, 200.0]), np.array([20.0, 20.0, 200.0])
    flux = np.array([1e5, 1e3, 1e4])
    overlaps = find_overlaps(PsfProfile.of(gaussian_psf()), x, y, flux, np.sqrt(flux), np.ones(3, dtype=bool))
    assert list(overlaps.disturbed) == [False, True, False]
    assert list(overlaps.disturbing) == [True, False, False]


def test_a_source_is_measured_with_its_own_light_and_without_the_others():
    x, y = np.array([30.0, 36.0]), np.array([30.0, 31.0])
    sources = render_sources(gaussian_psf(), x, y, np.array([2e4, 5e4]), np.full(2, 15), np.array([-1, 0, 1]))
    image = np.zeros((61, 61), dtype=np.float32)
    one = np.ones(1, dtype=np.int64)
    blank = np.zeros(image.shape, dtype=np.int32)
    flux = measure_apertures(image, image + 1, blank, one, one, x[:1], y[:1], (9.0,), sources=sources).flux
    assert flux[0, 0] == pytest.approx(2e4, rel=1e-3)
    assert np.abs(image).max() < 1e-3
    add_own(image, sources, 1, 2, 1.0)  # the parent of both
    assert image.sum() == pytest.approx(7e4, rel=1e-3)


@pytest.fixture(scope="module")
def crowded(star_field):
    """A field in which every third pixel holds a star, characterised."""
    field = star_field((600, 600), n_stars=900, fwhm=3.6, flux_range=(600, 2e5), seed=54, variation=0.01)
    return field, characterize.run(field.exposure, CharacterizeConfig(), exposure_id=54)


def test_fluxes_of_crowded_stars_are_unbiased(crowded):
    field, result = crowded
    src = result.src[result.src["deblend_nChild"] == 0]
    places = np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]])
    true = np.column_stack([field.x, field.y])
    distance, row = cKDTree(places).query(true)
    unseen = distance > 1.0
    hidden = np.array([field.flux[near].sum() for near in _near(true, unseen, 3.0)])
    inside = (true > 25).all(axis=1) & (true < 574).all(axis=1)
    good = ~unseen & inside & (field.flux > 5000) & (hidden < 0.001 * field.flux)
    assert good.sum() > 100
    measured = np.asarray(src["base_PsfFlux_instFlux"])[row[good]]
    difference = -2.5 * np.log10(measured / field.flux[good])
    assert abs(np.median(difference)) < 0.013
    assert 1.4826 * np.median(np.abs(difference - np.median(difference))) < 0.02


def _near(places, which, radius):
    chosen = np.flatnonzero(which)
    return [chosen[k] for k in cKDTree(places[chosen]).query_ball_point(places, radius)]


def test_the_noise_of_a_crowded_field_is_that_of_its_sky(crowded):
    _, result = crowded
    assert result.metrics["noise_scale"] < 1.25
    assert "NOISE_MISMATCH" not in [caveat.code for caveat in result.caveats]
