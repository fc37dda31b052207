"""The brighter-fatter correction against charge that was pushed about while it was collected."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.ndimage import convolve

from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame
from safelight.instruments import Amplifier, Box, Instrument, RawFrame
from safelight.isr import IsrConfig, Masters, run
from safelight.isr.brighter_fatter import correct_brighter_fatter

SIDE = 61
AMPLIFIERS = tuple(
    Amplifier(
        name=str(i), gain=gain, read_noise_adu=3.0, saturation_adu=6e4, box=Box(x0=x0, y0=0, width=width, height=SIDE)
    )
    for i, (gain, x0, width) in enumerate(((2.0, 0, 31), (4.0, 31, 30)))
)
GAIN = np.where(np.arange(SIDE) < 31, 2.0, 4.0)[None, :]


def _kernel(side: int = 9, strength: float = 5e-7) -> np.ndarray:
    y, x = np.indices((side, side)) - side // 2
    return (-strength * np.exp(-np.hypot(x, y) / 1.5)).astype(np.float32)


def _light(peak: float, sigma: float = 1.8) -> np.ndarray:
    y, x = np.indices((SIDE, SIDE)) - SIDE // 2
    return 200.0 + peak * np.exp(-0.5 * (x**2 + y**2) / sigma**2)


def _collected(light: np.ndarray, kernel: np.ndarray, steps: int = 400) -> np.ndarray:
    """Charge collected in `steps` instalments, each pushed out by what is there already through the pixels' sides."""
    charge = np.zeros_like(light)
    for _ in range(steps):
        potential = convolve(charge, kernel.astype(float), mode="constant")
        flow_x = 0.5 * (light[:, 1:] + light[:, :-1]) * np.diff(potential, axis=1)  # into the right pixel's left side
        flow_y = 0.5 * (light[1:] + light[:-1]) * np.diff(potential, axis=0)
        arriving = light.copy()
        arriving[:, 1:] += flow_x
        arriving[:, :-1] -= flow_x
        arriving[1:] += flow_y
        arriving[:-1] -= flow_y
        charge += arriving / steps
    return charge


def _width(image: np.ndarray) -> float:
    """Second moment in the inner 15 pixels, above the sky, under a Gaussian weight."""
    y, x = np.indices(image.shape) - SIDE // 2
    weight = (image - 200.0) * np.exp(-(x**2 + y**2) / (2 * 3.0**2))
    return float(np.sum(weight * (x**2 + y**2)) / np.sum(weight))


def _corrected(electrons: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    image = (electrons / GAIN).astype(np.float32)
    report = correct_brighter_fatter(image, image.copy(), kernel, AMPLIFIERS, threshold=1.0)
    assert report.converged
    return image * GAIN


def test_a_bright_star_gets_its_width_and_peak_back() -> None:
    light, kernel = _light(1e5), _kernel()
    seen = _collected(light, kernel)
    assert _width(seen) > 1.02 * _width(light)  # the effect is there
    corrected = _corrected(seen, kernel)
    middle = (SIDE // 2, SIDE // 2)
    assert abs(corrected[middle] - light[middle]) < 0.05 * abs(seen[middle] - light[middle])
    assert abs(_width(corrected) - _width(light)) < 0.05 * (_width(seen) - _width(light))


def test_no_charge_is_made_or_lost() -> None:
    seen = _collected(_light(1e5), _kernel())
    assert _corrected(seen, _kernel()).sum() == pytest.approx(seen.sum(), rel=1e-6)


def test_a_faint_star_hardly_changes() -> None:
    faint = _light(100.0)
    assert np.abs(_corrected(faint, _kernel()) - faint).max() < 0.1


def test_one_iteration_is_the_published_formula() -> None:
    light, kernel = _light(2e4, sigma=6.0), _kernel(strength=2e-8)
    image = (light / GAIN).astype(np.float32)
    correct_brighter_fatter(image, image.copy(), kernel, AMPLIFIERS, max_iterations=1)
    potential = convolve(light, kernel.astype(float), mode="constant")
    gradient = [np.gradient(a) for a in (light, potential)]
    laplacian = sum(np.gradient(np.gradient(potential, axis=k), axis=k) for k in (0, 1))
    expected = 0.5 * (sum(a * b for a, b in zip(*gradient, strict=True)) + light * laplacian)
    inner = (slice(12, -12), slice(12, -12))
    change = (image * GAIN - light)[inner]
    np.testing.assert_allclose(change, expected[inner], atol=0.02 * np.abs(expected[inner]).max())


def test_the_frame_is_corrected_in_its_place_of_the_steps_and_its_border_marked(
    raw_of: Callable[..., RawFrame], camera: Instrument
) -> None:
    data = np.full((64, 80), 1000.0)
    y, x = np.indices(data.shape)
    data += 30000.0 * np.exp(-0.5 * ((x - 20) ** 2 + (y - 30) ** 2) / 2.0**2)
    raw = raw_of(data, np.full((2, 64), 500.0))
    config = IsrConfig(
        doBias=False, doDark=False, doFlat=False, doCrosstalk=False, doBrighterFatter=True, doLinearize=False
    )
    masters = Masters(brighter_fatter=MasterFrame(_kernel()))
    result = run(raw, masters, config, camera)
    image, mask = result.exposure.image.copy(), result.exposure.mask.copy()
    without = run(raw, Masters(), config.model_copy(update={"doBrighterFatter": False}), camera).exposure
    assert image[30, 20] > without.image[30, 20] + 50.0
    np.testing.assert_allclose(image[30, 45:70], without.image[30, 45:70], atol=0.05)  # far from the star
    edge = result.exposure.planes.bits("EDGE")
    assert (mask[:5] & edge).all()
    assert not (mask[8:-8, 8:-8] & edge).any()
    assert result.metadata["brighterFatterIterations"] >= 2


def test_a_kernel_that_is_missing_or_of_even_sides_is_refused_with_its_name(
    raw_of: Callable[..., RawFrame], camera: Instrument
) -> None:
    raw = raw_of(np.full((64, 80), 1000.0), np.full((2, 64), 500.0))
    config = IsrConfig(doBias=False, doDark=False, doFlat=False, doBrighterFatter=True)
    with pytest.raises(ProcessingError, match="no brighter-fatter kernel") as missing:
        run(raw, Masters(), config, camera)
    assert missing.value.code == "MISSING_BRIGHTER_FATTER_KERNEL"
    even = Masters(brighter_fatter=MasterFrame(np.zeros((8, 8), np.float32), path="K.fits"))
    with pytest.raises(ProcessingError, match=r"K\.fits of 8 x 8"):
        run(raw, even, config, camera)
