"""The sky estimate against truth and photutils."""

from __future__ import annotations

import numpy as np
import pytest
from photutils.background import Background2D, MMMBackground

from safelight.characterize.background import cell_statistics, estimate_background, variance_at
from safelight.characterize.config import BackgroundConfig
from safelight.errors import ProcessingError
from safelight.exposure import Exposure

CONFIG = BackgroundConfig(binSize=64)


def flat_exposure(shape=(300, 260), level=50.0, noise=3.0, seed=3):
    rng = np.random.default_rng(seed)
    image = rng.normal(level, noise, shape).astype(np.float32)
    return Exposure(image, np.zeros(shape, np.int32), np.full(shape, noise**2, np.float32))


def test_a_sloping_sky_under_stars_is_recovered(star_field):
    field = star_field((640, 512), n_stars=60, gradient=30.0, seed=2)
    model = estimate_background(field.exposure, CONFIG, crowded=True)
    error = model.image(field.exposure.shape) - field.sky
    assert abs(np.median(error)) < 0.5
    assert np.percentile(np.abs(error), 95) < 1.5


def test_with_the_sources_masked_the_sky_is_better_than_photutils_finds_it_unmasked(star_field):
    field = star_field((640, 512), n_stars=150, gradient=10.0, seed=4)
    theirs = Background2D(field.exposure.image.astype(float), 64, bkg_estimator=MMMBackground()).background
    bright = field.noiseless - field.sky > 1.0
    field.exposure.mask[bright] |= field.exposure.planes.bits("DETECTED")
    ours = estimate_background(field.exposure, CONFIG, crowded=False).image(field.exposure.shape)
    assert np.std(ours - field.sky) < np.std(theirs - field.sky)
    assert abs(np.mean(ours - field.sky)) < 0.3


def test_the_scatter_of_a_pixel_is_that_of_the_noise():
    model = estimate_background(flat_exposure(noise=3.0), CONFIG, crowded=False)
    assert np.median(model.rms) == pytest.approx(3.0, rel=0.02)


def test_a_saturated_cell_takes_the_level_of_its_neighbours():
    exposure = flat_exposure()
    exposure.image[100:200, 100:200] = 60000
    exposure.mask[100:200, 100:200] |= exposure.planes.bits("SAT")
    model = estimate_background(exposure, CONFIG, crowded=True)
    assert np.abs(model.levels - 50).max() < 0.5


def test_a_cell_full_of_an_unmasked_galaxy_does_not_stand_out():
    exposure = flat_exposure()
    exposure.image[130:190, 70:125] += 400
    model = estimate_background(exposure, CONFIG, crowded=True)
    assert np.abs(model.image(exposure.shape) - 50).max() < 3.0


@pytest.mark.parametrize("shape", [(48, 48), (50, 200), (130, 70)])
def test_frames_smaller_than_a_few_cells_have_a_sky_too(shape):
    model = estimate_background(flat_exposure(shape), BackgroundConfig(), crowded=True)
    assert model.image(shape).shape == shape
    assert np.abs(model.image(shape) - 50).max() < 2.0


def test_a_frame_without_usable_pixels_is_refused():
    exposure = flat_exposure()
    exposure.mask[:] = exposure.planes.bits("BAD")
    with pytest.raises(ProcessingError) as failure:
        estimate_background(exposure, CONFIG, crowded=True)
    assert failure.value.code == "NO_USABLE_PIXELS"


def test_the_spline_at_positions_is_the_image_there(star_field):
    model = estimate_background(star_field((300, 260), n_stars=5, gradient=20).exposure, CONFIG, crowded=True)
    image = model.image((300, 260))
    x, y = np.array([0, 17, 259]), np.array([299, 150, 0])
    np.testing.assert_allclose(model.at(x, y), image[y, x], rtol=1e-4)


def test_the_variance_of_the_sky_is_read_from_the_cell_around():
    exposure = flat_exposure(noise=3.0)
    exposure.variance[:, 130:] = 36.0
    cells = cell_statistics(exposure.variance, exposure.mask, 0, CONFIG)
    np.testing.assert_allclose(variance_at(cells, np.array([10.0, 250.0]), np.array([5.0, 299.0])), [9.0, 36.0])
