"""Full wells, non-linearity, crosstalk, masters and cosmic rays."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.simulate.charge import bleed
from safelight.simulate.cosmicrays import cosmic_rays
from safelight.simulate.detector import CcdCharacter, bias_pattern, flat_field
from safelight.simulate.frame import FrameSimulator
from safelight.simulate.masters import simulate_master
from safelight.simulate.presets import PRESETS
from safelight.simulate.readout import full_well_electrons, read_out

from .conftest import NO_SOURCES, FixedSky, with_detector


def _assembled(instrument, pixels):
    """ADU above each row's overscan, in the assembled frame."""
    detector = instrument.detectors[0]
    frame = pixels[:, ::-1]
    result = np.zeros((detector.height, detector.width))
    for a in detector.amplifiers:
        level = frame[a.serial_overscan.slices].astype(float).mean(axis=1, keepdims=True)
        result[a.box.slices] = frame[a.raw_data_box.slices] - level
    return result


def _read(instrument, electrons):
    detector = instrument.detectors[0]
    quiet = tuple(a.model_copy(update={"read_noise_adu": 0.0}) for a in detector.amplifiers)
    silent = detector.model_copy(update={"amplifiers": quiet})
    camera = with_detector(instrument, silent)
    bias = np.zeros(electrons.shape, dtype=np.float32)
    return _assembled(instrument, read_out(camera, silent, electrons.astype(np.float32), bias, 1, 1))


def test_a_raw_value_obeys_the_inverse_of_the_linearity_correction(small):
    without = small.model_copy(update={"crosstalk": None})
    detector = small.detectors[0]
    for signal in (500.0, 10_000.0, 40_000.0):
        electrons = np.empty((detector.height, detector.width))
        for a in detector.amplifiers:
            electrons[a.box.slices] = signal * a.gain
        raw = _read(without, electrons)
        for a in detector.amplifiers:
            value = raw[a.box.slices].mean()
            assert value + a.linearity_coefficient * value**2 == pytest.approx(signal, abs=0.3)
            assert abs(a.linearity_coefficient) > 1e-8


def test_crosstalk_makes_a_negative_ghost_at_the_same_distance_from_the_readout_corner(small):
    detector = small.detectors[0]
    linear = tuple(a.model_copy(update={"linearity_coefficient": 0.0}) for a in detector.amplifiers)
    camera = with_detector(small, detector.model_copy(update={"amplifiers": linear}))
    dark = np.zeros((detector.height, detector.width))
    bright = dark.copy()
    bright[100:140, 10:20] = 40_000.0 * detector.amplifiers[0].gain
    ghost = _read(camera, bright) - _read(camera, dark)
    width = detector.width // 4
    # Amplifier 1 is read from the right: its ghost is mirrored; amplifier 2 from the left.
    assert ghost[100:140, 2 * width - 20 : 2 * width - 10].mean() == pytest.approx(-125e-6 * 40_000, abs=0.3)
    assert ghost[100:140, 2 * width + 10 : 2 * width + 20].mean() == pytest.approx(-149e-6 * 40_000, abs=0.3)
    assert abs(ghost[100:140, width + 10 : width + 20].mean()) < 0.3
    assert abs(ghost[200:240, 2 * width + 10 : 2 * width + 20].mean()) < 0.3


def test_charge_above_the_full_well_moves_along_the_column_and_is_kept():
    electrons = np.full((200, 3), 100.0, dtype=np.float32)
    electrons[90:93, 1] = 1e6
    before = electrons.sum(dtype=float)
    bleed(electrons, np.full(3, 1e5, dtype=np.float32))
    assert electrons.sum(dtype=float) == pytest.approx(before, rel=1e-5)
    assert electrons.max() <= 1e5
    trail = np.flatnonzero(electrons[:, 1] >= 0.999e5)
    assert len(trail) in (29, 30)
    assert trail[0] + trail[-1] == pytest.approx(2 * 91, abs=1)
    np.testing.assert_array_equal(electrons[:, [0, 2]], 100.0)


def test_full_wells_are_recognised_as_saturated(small):
    detector = small.detectors[0]
    electrons = np.repeat(full_well_electrons(detector)[None, :], detector.height, axis=0)
    bias = np.zeros(electrons.shape, dtype=np.float32)
    frame = read_out(small, detector, electrons, bias, 1, 1)[:, ::-1]
    for a in detector.amplifiers:
        assert frame[a.raw_data_box.slices].min() >= a.saturation_adu


def test_every_whole_hsc_ccd_recognises_its_full_wells(hsc):
    for detector in hsc.detectors:
        for a, well in zip(detector.amplifiers, full_well_electrons(detector)[::512], strict=True):
            light, c = float(well) / a.gain, a.linearity_coefficient
            raw = 2 * light / (1 + np.sqrt(1 + 4 * c * light)) + 950.0
            assert a.saturation_adu <= raw < 65535.0


def test_masters_are_the_truth_with_the_noise_of_twenty_frames(small, hsc, night):
    from dataclasses import replace

    masters = {m.kind: replace(m, ccds=(50,)) for m in PRESETS["tutorial"]().masters}
    detector = small.detectors[0]
    read_noise = detector.amplifiers[0].read_noise_adu
    columns = detector.amplifiers[0].box.slices
    bias = simulate_master(small, night, masters["bias"], 50)
    residual = (bias.image - bias_pattern(detector, [], night.seed))[columns]
    assert residual.std() == pytest.approx(read_noise / np.sqrt(20), rel=0.03)
    flat = simulate_master(small, night, masters["flat"], 50)
    character = CcdCharacter.of(small, 50, masters["flat"].filter, "2013-11-02", night.seed)
    ratio = (flat.image / flat_field(detector, character.response))[columns]
    assert ratio.mean() == pytest.approx(1.0, abs=1e-4)
    assert ratio.std() == pytest.approx(1 / np.sqrt(20 * 25_000 * character.response[columns].mean()), rel=0.05)
    assert flat.header["CALIB_ID"].startswith(f"filter={masters['flat'].filter} calibDate=")


def test_raw_flats_over_the_flat_field_are_even(small, night):
    from dataclasses import replace

    with_flats = replace(night, raw_calibrations=1)
    visit = next(v for v in with_flats.calibration_visits() if v.data_type == "DOMEFLAT")
    simulator = FrameSimulator(small, with_flats, FixedSky(NO_SOURCES))
    image = _assembled(small, simulator.calibration(visit, 50).pixels)
    detector = small.detectors[0]
    truth = flat_field(detector, simulator.character(50, visit.filter, visit.date_obs).response)
    levels = []
    for a in detector.amplifiers:
        raw = image[a.box.slices]
        levels.append(np.median((raw + a.linearity_coefficient * raw**2) / truth[a.box.slices]))
    assert np.ptp(levels) / np.mean(levels) < 0.002


def test_raw_calibration_visits_are_of_each_kind_and_before_the_night():
    from dataclasses import replace

    night = replace(PRESETS["demo"](), raw_calibrations=3)
    visits = night.calibration_visits()
    kinds = [(v.data_type, v.filter) for v in visits]
    assert [kinds.count(k) for k in dict.fromkeys(kinds)] == [3, 3, 3, 3]
    assert len({v.visit for v in visits}) == 12
    assert max(v.visit for v in visits) < min(v.visit for v in night.visits)


def test_cosmic_rays_come_at_their_rate_and_leave_electrons():
    rng = np.random.default_rng(3)
    hits = cosmic_rays(rng, 2048, 4176, 30.0, 6.0)
    assert 300 < len(hits.x) < 6000
    assert len(set(zip(hits.x.tolist(), hits.y.tolist(), strict=True))) == len(hits.x)
    assert hits.electrons.min() >= 1.0
    assert 500 < np.percentile(hits.electrons, 95) < 30_000
    image = np.zeros((4176, 2048), dtype=np.float32)
    hits.add_to(image)
    assert image.sum(dtype=float) == pytest.approx(hits.electrons.sum(dtype=float), rel=1e-6)
    assert len(cosmic_rays(rng, 2048, 4176, 30.0, 0.0).x) == 0


def test_a_fixed_pattern_is_left_after_the_overscan_and_is_the_same_each_time(small, night):
    detector = small.detectors[0]
    first, second = (bias_pattern(detector, [], night.seed) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert 0.3 < first.std() < 3.0
    assert not np.array_equal(first, bias_pattern(detector, [], night.seed + 1))
