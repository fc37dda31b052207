"""The accuracy that is asked for, on small frames: the long campaigns are in the benchmark of accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from safelight import characterize
from safelight.characterize.config import CharacterizeConfig, CosmicRayConfig
from safelight.characterize.cosmic_rays import find_cosmic_rays, gaussian_sharpness
from safelight.characterize.psf_size import fwhm_at
from safelight.simulate.cosmicrays import cosmic_rays

GAIN, READ_NOISE = 3.4, 4.3  # of the star fields


def _true_psf(field_options, x, y, shape, pixels, half=15):
    """The PSF of a star field at (x, y) through pixels, drawn by the test's own integration."""
    u, v = 2 * x / shape[1] - 1, 2 * y / shape[0] - 1
    size = field_options["fwhm"] * (1 + field_options["variation"] * (u * v + 0.5 * u))
    at = np.arange(-half, half + 1, dtype=float)
    e = field_options["ellipticity"]
    return pixels(at[None, :], at[:, None], size, field_options["beta"], e * u, e * v)


def _width(stamp):
    """FWHM of the circle of the area above half of the maximum, on a quintic spline."""
    middle = stamp.shape[0] // 2
    fine = np.linspace(-9, 9, 541)
    rows, columns = np.meshgrid(fine + middle, fine + middle, indexing="ij")
    dense = map_coordinates(stamp, [rows, columns], order=5)
    return 2 * np.sqrt((dense > dense.max() / 2).sum() * (fine[1] - fine[0]) ** 2 / np.pi)


@pytest.fixture(scope="module")
def pixels():
    """The light of a Moffat profile in pixels: Gauss-Legendre integration, apart from the code under test."""
    nodes, weights = np.polynomial.legendre.leggauss(5)

    def light(dx, dy, fwhm, beta, e1=0.0, e2=0.0):
        alpha2 = fwhm**2 / (4 * (2 ** (1 / beta) - 1))
        total = np.zeros(np.broadcast(dx, dy).shape)
        for node_y, weight_y in zip(nodes / 2, weights / 2, strict=True):
            for node_x, weight_x in zip(nodes / 2, weights / 2, strict=True):
                u, v = dx + node_x, dy + node_y
                r2 = ((1 - e1) * u**2 + (1 + e1) * v**2 - 2 * e2 * u * v) / np.sqrt(1 - e1**2 - e2**2)
                total += weight_x * weight_y * (beta - 1) / (np.pi * alpha2) * (1 + r2 / alpha2) ** -beta
        return total

    return light


@pytest.mark.parametrize(
    ("stars", "side", "faintest", "seed"), [(20, 1100, 2e4, 41), (1200, 700, 300.0, 42)], ids=["sparse", "crowded"]
)
def test_psfs_of_sparse_and_crowded_fields_have_the_true_width(star_field, pixels, stars, side, faintest, seed):
    options = {"fwhm": 3.6, "beta": 3.0, "variation": 0.01, "ellipticity": 0.01}
    field = star_field((side, side), n_stars=stars, flux_range=(faintest, 3e5), seed=seed, **options)
    result = characterize.run(field.exposure, CharacterizeConfig(), exposure_id=seed)
    psf = result.exposure.psf
    assert psf is not None
    widths, cores = [], []
    for x in np.array([0.2, 0.5, 0.8]) * side:
        for y in np.array([0.2, 0.5, 0.8]) * side:
            truth = _true_psf(options, x, y, (side, side), pixels)
            widths.append(fwhm_at(psf, x, y) / _width(truth) - 1)
            model = psf.image(x, y)[5:-5, 5:-5]
            model = model * (model * truth).sum() / (model**2).sum()
            cores.append((model - truth) / truth.max())
    assert abs(np.median(widths)) < 0.01
    assert np.abs(widths).max() < 0.0125
    assert np.abs(np.mean(cores, axis=0)).max() < 0.01


def test_few_psf_stars_judge_the_psf_and_then_join_it(star_field):
    field = star_field((700, 700), n_stars=16, flux_range=(2e4, 3e5), seed=43)
    result = characterize.run(field.exposure, CharacterizeConfig(), exposure_id=5)
    candidates = np.asarray(result.src["calib_psf_candidate"])
    assert 8 <= candidates.sum() <= 16
    assert not np.any(result.src["calib_psf_reserved"])
    assert result.metrics["n_psf_stars"] >= candidates.sum() - 2
    assert 0.5 < result.metrics["psf_reserved_residual"] < 2.0  # some were kept out while it was judged


def test_isolated_stars_are_measured_as_well_as_their_photons_allow(star_field, pixels):
    fwhm, beta, spacing = 3.8, 3.0, 60
    nodes = np.stack(np.meshgrid(np.arange(13), np.arange(13)), -1).reshape(-1, 2) * spacing + 45
    at = nodes + np.random.default_rng(44).uniform(-0.5, 0.5, nodes.shape)
    options = {"fwhm": fwhm, "beta": beta, "variation": 0.0, "ellipticity": 0.0}
    field = star_field(
        (820, 820),
        n_stars=len(at),
        positions=(at[:, 0], at[:, 1]),
        flux_range=(1500.0, 2e5),
        slope=0.3,
        seed=44,
        **options,
    )
    src = characterize.run(field.exposure, CharacterizeConfig(), exposure_id=6).src
    src = src[cKDTree(np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]])).query(at)[1]]
    errors = np.array([_bounds(pixels, fwhm, beta, x, y, flux) for (x, y), flux in zip(at, field.flux, strict=True)])
    measured = np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]])
    off = ((measured - at) / errors[:, 1:]).ravel()
    light = (src["base_PsfFlux_instFlux"] - field.flux) / errors[:, 0]
    # 338 and 169 values know their scatter to 6 % and 9 %
    assert 1.4826 * np.median(np.abs(off - np.median(off))) < 1.05 * 1.12
    assert 1.4826 * np.median(np.abs(light - np.median(light))) < 1.15 * 1.18
    assert abs(np.median(2.5 * np.log10(src["base_PsfFlux_instFlux"] / field.flux))) < 0.003


def _bounds(pixels, fwhm, beta, x, y, flux, half=16, step=0.01):
    """Cramer-Rao bounds of flux, x and y on known sky."""
    at = np.arange(-half, half + 1, dtype=float)
    fx, fy = x - np.rint(x), y - np.rint(y)

    def star(dx, dy):
        return pixels(at[None, :] - fx - dx, at[:, None] - fy - dy, fwhm, beta)

    light = star(0, 0)
    by_x = (star(step, 0) - star(-step, 0)) / (2 * step)
    by_y = (star(0, step) - star(0, -step)) / (2 * step)
    weight = 1 / ((180 + flux * light) / GAIN + (READ_NOISE / GAIN) ** 2)
    slopes = (light, flux * by_x, flux * by_y)
    return np.sqrt(np.diag(np.linalg.inv([[(weight * a * b).sum() for b in slopes] for a in slopes])))


@pytest.mark.parametrize("fwhm", [3.0, 4.2, 6.0])
def test_diffuse_cosmic_rays_are_found_and_the_cores_of_stars_are_not_touched(star_field, fwhm):
    side = 900
    field = star_field((side, side), n_stars=250, fwhm=fwhm, flux_range=(400, 5e5), seed=45)
    hits = cosmic_rays(np.random.default_rng(46), side, side, 30.0, 80.0)
    exposure = field.exposure
    noise = np.sqrt(exposure.variance)
    light = np.zeros((side, side))
    light[hits.y, hits.x] = hits.electrons / GAIN
    exposure.image += (light - field.sky).astype(np.float32)
    exposure.variance += (light / GAIN).astype(np.float32)
    find_cosmic_rays(exposure, gaussian_sharpness(fwhm), CosmicRayConfig())
    found = exposure.masked("CR")
    strong = light > 5 * noise
    assert strong.sum() > 500
    assert (found & strong).sum() / strong.sum() >= 0.95
    wrong = np.argwhere(found & (light == 0))[:, ::-1]
    distance, _ = cKDTree(np.vstack([wrong, [[-99, -99]]])).query(np.column_stack([field.x, field.y]))
    touched = distance < fwhm / 2
    assert np.mean(touched) <= 0.02


def test_the_error_of_the_light_beyond_the_aperture_is_common_to_all_corrections(star_field):
    result = characterize.run(star_field((700, 700), n_stars=60, seed=47).exposure, CharacterizeConfig(), exposure_id=7)
    corrections = result.exposure.aperture_corrections
    assert corrections is not None
    expected = result.metadata["growthError"] / result.metadata["growthFactor"]
    assert 0 < expected < 0.02
    assert {field.common_error for field in corrections.fields.values()} == {expected}
