"""Crosstalk against a loop in plain numpy."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.instruments import Amplifier, Box
from safelight.isr.crosstalk import subtract_crosstalk

COEFFICIENTS = np.array([[0, -124e-6, -171e-6], [-125e-6, 0, -134e-6], [-149e-6, -132e-6, 0]])


def _amplifiers(corners: tuple[str, str, str]) -> list[Amplifier]:
    return [
        Amplifier(
            name=str(i),
            gain=1.0,
            read_noise_adu=1.0,
            saturation_adu=6e4,
            readout_corner=corner,
            box=Box(x0=20 * i, y0=0, width=20, height=30),
        )
        for i, corner in enumerate(corners)
    ]


def _reference(image: np.ndarray, corners: tuple[str, str, str], background: float) -> np.ndarray:
    result = image.astype(float).copy()
    for i in range(3):
        for j in range(3):
            source = image[:, 20 * j : 20 * j + 20].astype(float) - background
            if corners[i][1] != corners[j][1]:
                source = np.fliplr(source)
            if corners[i][0] != corners[j][0]:
                source = np.flipud(source)
            result[:, 20 * i : 20 * i + 20] -= COEFFICIENTS[i, j] * source
    return result


@pytest.mark.parametrize("corners", [("LL", "LR", "LL"), ("LL", "UL", "UR"), ("UR", "LR", "LL")])
def test_ghosts_are_mirrored_by_the_readout_corners(corners: tuple[str, str, str]) -> None:
    image = np.random.default_rng(17).uniform(100, 60000, (30, 60)).astype(np.float32)
    expected = _reference(image, corners, 180.0)
    subtract_crosstalk(
        image,
        np.zeros(image.shape, np.int32),
        _amplifiers(corners),
        COEFFICIENTS,
        background=180.0,
        min_pixel_to_mask=45000.0,
        crosstalk_bit=1024,
        source_copy=np.empty_like(image),
    )
    np.testing.assert_allclose(image, expected, rtol=1e-6)


def test_a_ghost_put_in_by_its_definition_is_taken_out() -> None:
    sky = np.full((30, 60), 180.0)
    sky[10, 3] = 50000.0  # in amplifier 0, three pixels from its corner: x = 36 in amplifier 1 (read from the right)
    measured = sky.copy()
    for i, x in ((1, 20 + 16), (2, 40 + 3)):
        measured[10, x] += COEFFICIENTS[i, 0] * (50000.0 - 180.0)
    image, mask = measured.astype(np.float32), np.zeros(sky.shape, np.int32)
    masked = subtract_crosstalk(
        image,
        mask,
        _amplifiers(("LL", "LR", "LL")),
        COEFFICIENTS,
        background=180.0,
        min_pixel_to_mask=45000.0,
        crosstalk_bit=1024,
        source_copy=np.empty_like(image),
    )
    np.testing.assert_allclose(image, sky, atol=0.01)
    assert masked == 2
    assert np.argwhere(mask == 1024).tolist() == [[10, 36], [10, 43]]


def test_a_dead_amplifier_leaves_no_ghosts() -> None:
    image = np.full((30, 60), 180.0, np.float32)
    image[:, :20] = 60000.0
    before = image.copy()
    subtract_crosstalk(
        image,
        np.zeros(image.shape, np.int32),
        _amplifiers(("LL", "LR", "LL")),
        COEFFICIENTS,
        background=180.0,
        min_pixel_to_mask=45000.0,
        crosstalk_bit=1024,
        source_copy=np.empty_like(image),
        usable=[False, True, True],
    )
    np.testing.assert_array_equal(image, before)
