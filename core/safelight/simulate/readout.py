"""From electrons to the numbers on disk: gain, crosstalk, non-linearity, bias, read noise, mirroring.

Each effect is the inverse of the standard correction: a raw value v of signal L obeys L = v + c v² with the
amplifier's linearity coefficient, and L is the amplifier's own signal plus the crosstalk coefficients times the
other amplifiers' signals at the same read-out time.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from safelight.compiled import compiled
from safelight.instruments import Amplifier, Detector, Instrument
from safelight.simulate.streams import Stream, generator

__all__ = ["full_well_electrons", "read_out"]

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]

_BIAS_LEVEL_ADU = 1000.0


def full_well_electrons(detector: Detector) -> FloatImage:
    """Full well of each column, [x]: 3 % above the amplifier's saturation level, so that plateaux are recognised."""
    wells = np.empty(detector.width, dtype=np.float32)
    for amplifier in detector.amplifiers:
        columns = slice(amplifier.box.x0, amplifier.box.x0 + amplifier.box.width)
        wells[columns] = 1.03 * amplifier.saturation_adu * amplifier.gain
    return wells


def read_out(
    instrument: Instrument, detector: Detector, electrons: FloatImage, bias: FloatImage, seed: int, visit: int
) -> NDArray[np.uint16]:
    """The raw frame as it lies on disk, [y, x].

    Parameters
    ----------
    electrons : ndarray of float32, [y, x]
        Whole electrons of every pixel, assembled frame, bled; used as scratch (on return ADU).
    bias : ndarray of float32, [y, x]
        Fixed bias pattern in ADU, assembled frame.
    """
    rng = generator(seed, Stream.READOUT, visit, detector.id)
    levels = generator(seed, Stream.READOUT, detector.id)
    noise = rng.standard_normal((detector.raw_height, detector.raw_width), dtype=np.float32)
    raw = np.empty((detector.raw_height, detector.raw_width), dtype=np.uint16)
    signals = _signals(detector, electrons)
    crosstalk = _crosstalk(instrument, len(detector.amplifiers))
    for number, amplifier in enumerate(detector.amplifiers):
        level = _BIAS_LEVEL_ADU + 30.0 * levels.uniform(-1.0, 1.0) + rng.standard_normal()
        drift = (level + _row_drift(rng, detector.raw_height)).astype(np.float32)
        _digitise_amplifier(raw, noise, drift, amplifier, signals, number, crosstalk[number], bias)
    return _on_disk(raw, detector)


def _signals(detector: Detector, electrons: FloatImage) -> FloatImage:
    """Signals in ADU, [amplifier, row, column], columns counted from each amplifier's read-out corner."""
    parts = []
    for amplifier in detector.amplifiers:
        part = electrons[amplifier.box.slices] * np.float32(1.0 / amplifier.gain)
        parts.append(_towards_corner(part, amplifier))
    return np.ascontiguousarray(np.stack(parts), dtype=np.float32)


def _towards_corner(part: FloatImage, amplifier: Amplifier) -> FloatImage:
    """`part` with its read-out corner at the lower left; its own inverse."""
    if amplifier.readout_corner.endswith("R"):
        part = part[:, ::-1]
    return part[::-1] if amplifier.readout_corner.startswith("U") else part


def _crosstalk(instrument: Instrument, amplifiers: int) -> FloatImage:
    if instrument.crosstalk is None:
        return np.zeros((amplifiers, amplifiers), dtype=np.float32)
    return np.asarray(instrument.crosstalk, dtype=np.float32)


def _row_drift(rng: np.random.Generator, rows: int) -> FloatArray:
    """Bias level of each row in ADU: a ramp, a start-up transient and slow waves, the same in data and overscan."""
    row = np.arange(rows)
    drift = rng.normal(0.0, 1.5) * (row / rows - 0.5) + rng.normal(0.0, 1.5) * np.exp(-row / 500.0)
    for _ in range(3):
        period, phase = rng.uniform(1200.0, 4000.0), rng.uniform(0.0, 2.0 * np.pi)
        drift += 0.5 * np.sin(2.0 * np.pi * row / period + phase)
    return np.asarray(drift)


def _digitise_amplifier(
    raw: NDArray[np.uint16],
    noise: FloatImage,
    drift: FloatImage,
    amplifier: Amplifier,
    signals: FloatImage,
    number: int,
    crosstalk: FloatImage,
    bias: FloatImage,
) -> None:
    """Fill one amplifier's part of `raw`: bias alone everywhere, then the data box with its light."""
    box, data = amplifier.raw_box, amplifier.raw_data_box
    _digitise_bias(raw[box.slices], noise[box.slices], drift[box.y0 :], amplifier.read_noise_adu)
    placed = tuple(slice(None, None, -1 if flip else 1) for flip in (amplifier.flip_y, amplifier.flip_x))
    rows = drift[data.y0 : data.y0 + data.height]
    _digitise_light(
        raw[data.slices][placed],
        noise[data.slices][placed],
        rows[placed[0]],
        bias[amplifier.box.slices],
        signals,
        number,
        crosstalk,
        amplifier.readout_corner.endswith("R"),
        amplifier.readout_corner.startswith("U"),
        amplifier.linearity_coefficient,
        amplifier.read_noise_adu,
    )


@compiled
def _digitise_bias(raw: NDArray[np.uint16], noise: FloatImage, drift: FloatImage, read_noise: float) -> None:
    height, width = raw.shape
    for y in range(height):
        for x in range(width):
            value = drift[y] + read_noise * noise[y, x]
            raw[y, x] = np.uint16(min(max(np.floor(value + 0.5), 0.0), 65535.0))


@compiled
def _digitise_light(
    raw: NDArray[np.uint16],
    noise: FloatImage,
    drift: FloatImage,
    bias: FloatImage,
    signals: FloatImage,
    number: int,
    crosstalk: FloatImage,
    from_right: bool,
    from_top: bool,
    nonlinearity: float,
    read_noise: float,
) -> None:
    height, width = raw.shape
    amplifiers = signals.shape[0]
    for y in range(height):
        row = height - 1 - y if from_top else y
        for x in range(width):
            column = width - 1 - x if from_right else x
            light = float(signals[number, row, column])
            for other in range(amplifiers):
                light += crosstalk[other] * signals[other, row, column]
            if nonlinearity != 0.0:
                # v + c v² = light, in a form that does not cancel for small c.
                light = 2.0 * light / (1.0 + np.sqrt(max(1.0 + 4.0 * nonlinearity * light, 0.0)))
            value = light + bias[y, x] + drift[y] + read_noise * noise[y, x]
            raw[y, x] = np.uint16(min(max(np.floor(value + 0.5), 0.0), 65535.0))


def _on_disk(raw: NDArray[np.uint16], detector: Detector) -> NDArray[np.uint16]:
    """The frame mirrored as the camera writes it."""
    if detector.raw_flip == "LR":
        return raw[:, ::-1]
    return raw[::-1] if detector.raw_flip == "TB" else raw
