"""Backgrounds on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from safelight.errors import ProcessingError
from safelight.exposure import BackgroundModel
from safelight.exposure.tables import read_background, write_background


@pytest.fixture
def models() -> list[BackgroundModel]:
    rng = np.random.default_rng(7)
    first = BackgroundModel(
        levels=rng.normal(180, 1, (5, 4)).astype(np.float32),
        rms=rng.uniform(6, 8, (5, 4)).astype(np.float32),
        y_centres=np.linspace(10, 90, 5) / 1.1,
        x_centres=np.linspace(10, 70, 4) / 1.3,
    )
    first.rms[2, 2] = np.nan
    second = BackgroundModel(
        np.array([[-0.5]], np.float32), np.array([[7.0]], np.float32), np.array([50.0]), np.array([40.0])
    )
    return [first, second]


def test_the_very_surface_comes_back(tmp_path: Path, models: list[BackgroundModel]) -> None:
    write_background(tmp_path / "b.fits", models)
    read = read_background(tmp_path / "b.fits")
    assert len(read) == 2
    for before, after in zip(models, read, strict=True):
        np.testing.assert_array_equal(after.image((100, 80)), before.image((100, 80)))
        np.testing.assert_array_equal(after.rms, before.rms)


def test_the_layout_is_that_of_lsst_with_the_centres_added(tmp_path: Path, models: list[BackgroundModel]) -> None:
    write_background(tmp_path / "b.fits", models)
    with fits.open(tmp_path / "b.fits", checksum=True) as hdus:
        assert [hdu.name for hdu in hdus[1:6]] == ["IMAGE", "MASK", "VARIANCE", "X_CENTRES", "Y_CENTRES"]
        assert len(hdus) == 11
        np.testing.assert_array_equal(hdus[1].data, models[0].levels)
        np.testing.assert_allclose(hdus[3].data, models[0].rms.astype(float) ** 2)
        assert np.argwhere(hdus[2].data).tolist() == [[2, 2]]


def test_another_file_is_refused(tmp_path: Path) -> None:
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "i.fits")
    with pytest.raises(ProcessingError) as caught:
        read_background(tmp_path / "i.fits")
    assert caught.value.code == "NOT_A_BACKGROUND"
