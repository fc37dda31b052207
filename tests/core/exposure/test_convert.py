"""Exposures and PSFs as objects of other packages."""

from __future__ import annotations

import numpy as np
import pytest
from astropy import units as u

from safelight.exposure import Exposure, PsfModel


def test_ccddata_shares_the_pixels_and_knows_unit_noise_and_sky(exposure: Exposure) -> None:
    ccd = exposure.to_ccddata()
    assert ccd.unit == u.adu
    assert np.shares_memory(ccd.data, exposure.image)
    np.testing.assert_array_equal(ccd.mask, exposure.masked("BAD", "SAT", "NO_DATA", "UNMASKEDNAN"))
    np.testing.assert_array_equal(ccd.uncertainty.array, exposure.variance)
    assert exposure.wcs is not None
    ra, dec = exposure.wcs.pixel_to_sky(12.0, 34.0)
    np.testing.assert_allclose(ccd.wcs.all_pix2world(12.0, 34.0, 0), [ra, dec], atol=1e-11)
    assert ccd.meta["GAIN2"] == 3.48
    assert ccd.meta["MAGZERO"] == pytest.approx(30.793)


def test_ccddata_of_a_bare_exposure_has_no_wcs(exposure: Exposure) -> None:
    bare = Exposure(exposure.image, exposure.mask, exposure.variance)
    assert bare.to_ccddata().wcs is None


def test_photutils_draws_the_same_psf_on_grid_positions() -> None:
    y, x = np.mgrid[-7:8, -7:8]
    round_ = np.exp(-(x**2 + y**2) / 8.0)
    coefficients = np.stack([round_, 0.1 * round_ * x * x / 10, 0.1 * round_ * y * y / 10]).astype(np.float32)
    psf = PsfModel(coefficients, 1, 50.0, 60.0, 50.0, 60.0)
    model = psf.to_photutils(101, 121, grid=3)
    for x0, y0 in ((0.0, 0.0), (50.0, 60.0), (100.0, 0.0)):
        yy, xx = np.mgrid[int(y0) - 7 : int(y0) + 8, int(x0) - 7 : int(x0) + 8]
        drawn = model.evaluate(xx, yy, 1000.0, x0, y0)
        np.testing.assert_allclose(drawn, 1000.0 * psf.image(x0, y0), atol=1e-6)


def test_one_grid_position_stands_for_the_whole_ccd() -> None:
    y, x = np.mgrid[-4:5, -4:5]
    psf = PsfModel(np.exp(-(x**2 + y**2) / 4.0)[None].astype(np.float32), 0, 5.0, 5.0, 5.0, 5.0)
    model = psf.to_photutils(11, 11, grid=1)
    np.testing.assert_allclose(model.evaluate(x + 2.0, y + 3.0, 1.0, 2.0, 3.0), psf.image(0, 0), atol=1e-7)


def test_photutils_sees_the_fine_grid_of_an_undersampled_psf() -> None:
    y, x = np.mgrid[-15:16, -15:16] / 3.0  # three grid points a pixel, five pixels to the edge
    narrow = np.exp(-(x**2 + y**2) / (2 * 0.6**2))
    psf = PsfModel(narrow[None].astype(np.float32), 0, 50.0, 50.0, 50.0, 50.0, oversampling=3)
    assert psf.size == 11
    model = psf.to_photutils(101, 101, grid=1)
    yy, xx = np.mgrid[45:56, 45:56]
    np.testing.assert_allclose(model.evaluate(xx, yy, 1.0, 50.0, 50.0), psf.image(50, 50), atol=1e-6)
    third = np.exp(-((xx - 50 - 1 / 3) ** 2 + (yy - 50) ** 2) / (2 * 0.6**2)) / narrow[::3, ::3].sum()
    inside = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(model.evaluate(xx, yy, 1.0, 50.0 + 1 / 3, 50.0)[inside], third[inside], atol=1e-5)
