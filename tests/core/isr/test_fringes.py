"""Fringe amplitudes against those that were put in."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from safelight.errors import ProcessingError
from safelight.exposure import MasterFrame
from safelight.instruments import Instrument, RawFrame
from safelight.isr import IsrConfig, Masters, run
from safelight.isr.config import FringeConfig
from safelight.isr.fringes import fit_fringes, subtract_fringes

SHAPE = (500, 400)
CONFIG = FringeConfig(num=4000)


def _pattern(seed: int) -> np.ndarray:
    """Interference rings of a layer of slowly varying thickness."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE) / 100.0
    phase = 7 * x + 4 * y + rng.uniform(1, 3) * np.sin(2 * x + rng.uniform(0, 6)) + rng.uniform(1, 3) * np.cos(3 * y)
    return np.cos(phase + rng.uniform(0, 6)).astype(np.float32)


def _sky(seed: int, noise: float = 12.0) -> np.ndarray:
    """A sloping sky with stars."""
    rng = np.random.default_rng(seed)
    y, x = np.indices(SHAPE)
    image = 1500.0 + 0.05 * x + rng.normal(0, noise, SHAPE)
    for _ in range(60):
        x0, y0, flux = rng.uniform(0, SHAPE[1]), rng.uniform(0, SHAPE[0]), 10 ** rng.uniform(2, 4.5)
        near = np.s_[max(int(y0) - 15, 0) : int(y0) + 17, max(int(x0) - 15, 0) : int(x0) + 17]
        image[near] += flux * np.exp(-0.5 * ((x[near] - x0) ** 2 + (y[near] - y0) ** 2) / 2.0**2)
    return image.astype(np.float32)


def _mask() -> np.ndarray:
    return np.zeros(SHAPE, np.int32)


def test_the_amplitude_is_found_among_stars_within_its_error() -> None:
    pulls = []
    for seed in range(16):
        fringe = MasterFrame(_pattern(seed))
        fit = fit_fringes(_sky(seed) + 20.0 * fringe.image, _mask(), 1, [fringe], CONFIG, seed=seed)
        pulls.append((fit.amplitudes[0] - 20.0) / fit.errors[0])
        assert fit.amplitudes[0] == pytest.approx(20.0, abs=1.0)
    assert 0.6 < np.sqrt(np.mean(np.square(pulls))) < 1.5


def test_several_fringe_frames_are_told_apart_and_subtracted() -> None:
    frames = [MasterFrame(_pattern(1)), MasterFrame(_pattern(2))]
    clean = _sky(3)
    image = clean + 15.0 * frames[0].image - 8.0 * frames[1].image
    fit = fit_fringes(image, _mask(), 1, frames, CONFIG, seed=5)
    assert fit.amplitudes == pytest.approx((15.0, -8.0), abs=1.0)
    subtract_fringes(image, frames, fit, pedestal=False)
    assert np.std(image - clean) < 0.1 * np.std(15.0 * frames[0].image - 8.0 * frames[1].image)


def test_masked_pixels_have_no_say() -> None:
    fringe = MasterFrame(_pattern(4))
    image, mask = _sky(4) + 20.0 * fringe.image, _mask()
    image[:, 100:220] = 60000.0 * (1 + fringe.image[:, 100:220])
    mask[:, 100:220] = 1
    fringe.image[300:310] = np.nan
    fit = fit_fringes(image, mask, 1, [fringe], CONFIG, seed=1)
    assert fit.amplitudes[0] == pytest.approx(20.0, abs=1.5)
    subtract_fringes(image, [fringe], fit, pedestal=False)
    assert np.isfinite(image).all()


def test_a_pedestal_of_the_fringe_frame_is_left_out_on_request() -> None:
    fringe = MasterFrame(_pattern(6) + np.float32(50.0))
    image = _sky(6) + 20.0 * (fringe.image - 50.0)
    fit = fit_fringes(image, _mask(), 1, [fringe], CONFIG, seed=2)
    kept, lowered = image.copy(), image.copy()
    subtract_fringes(kept, [fringe], fit, pedestal=True)
    subtract_fringes(lowered, [fringe], fit, pedestal=False)
    assert np.median(kept) == pytest.approx(np.median(_sky(6)), abs=5.0)
    assert np.median(kept - lowered) == pytest.approx(50.0 * fit.amplitudes[0], rel=0.02)


def test_a_frame_without_good_places_keeps_its_fringes_with_a_caveat(
    raw_of: Callable[..., RawFrame], camera: Instrument
) -> None:
    data = np.full((64, 80), 1000.0)
    raw = raw_of(data, np.full((2, 64), 500.0))
    config = IsrConfig(
        doBias=False, doDark=False, doFlat=False, fringe=FringeConfig(filters=("HSC-R",), num=200, large=10)
    )
    flat_pattern = MasterFrame(np.ones((64, 80), np.float32))
    result = run(raw, Masters(fringes=[flat_pattern]), config, camera)
    assert [caveat.code for caveat in result.caveats] == ["FRINGES_NOT_FITTED"]
    assert result.metadata["fringeAmplitude1"] == 0.0


def test_fringes_are_wanted_only_in_filters_that_have_them(raw_of: Callable[..., RawFrame], camera: Instrument) -> None:
    raw = raw_of(np.full((64, 80), 1000.0), np.full((2, 64), 500.0))
    config = IsrConfig(doBias=False, doDark=False, doFlat=False)
    assert "nFringe" not in run(raw, Masters(), config, camera).metadata
    with pytest.raises(ProcessingError) as missing:
        run(raw, Masters(), config.model_copy(update={"fringe": FringeConfig(filters=("HSC-R",))}), camera)
    assert missing.value.code == "MISSING_FRINGE"
    assert "isr.doFringe=False" in missing.value.hint
