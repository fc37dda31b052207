"""The true character of one CCD: fixed bias pattern, dark current and response, each from its own random stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from safelight.instruments import Box, Detector, Instrument
from safelight.instruments.geometry import pixel_to_focal_plane
from safelight.simulate.photometry import NOMINAL_GAIN
from safelight.simulate.streams import Stream, generator

__all__ = ["CcdCharacter", "bias_pattern", "dark_current", "flat_field", "gain_map", "response"]

FloatImage = NDArray[np.float32]
FloatArray = NDArray[np.float64]

_DEAD_RESPONSE = 0.05  # of pixels inside curated defects
_HOT_COLUMN_ADU = 400.0
_DARK_E_PER_S = 0.002
_HOT_PIXEL_FRACTION = 3e-4
_PIXEL_RESPONSE_RMS = 0.008


@dataclass(frozen=True, slots=True)
class CcdCharacter:
    """What a CCD adds to and takes from the light in one filter; assembled frame."""

    bias: FloatImage  # ADU left after the overscan is subtracted
    dark: FloatImage  # electrons per second
    response: FloatImage  # detected electrons per incident one, relative to a perfect pixel at the field's centre

    @classmethod
    def of(cls, instrument: Instrument, ccd: int, filter_name: str, date: str, seed: int) -> CcdCharacter:
        """The character of CCD `ccd` behind a filter with the defects known at the ISO date `date`."""
        detector = instrument.detector(ccd)
        defects = instrument.defects_on(ccd, date)
        return cls(
            bias=bias_pattern(detector, defects, seed),
            dark=dark_current(detector, seed),
            response=response(instrument, detector, filter_name, defects, seed),
        )


def _hot_columns(detector: Detector, defects: Sequence[Box], seed: int) -> list[Box]:
    """The narrow defects that are bright instead of dead: one in four."""
    narrow = [box for box in defects if box.width <= 3 and box.height > 20]
    chosen = generator(seed, Stream.DEFECTS, detector.id).uniform(size=len(narrow)) < 0.25
    return [box for box, hot in zip(narrow, chosen, strict=True) if hot]


def bias_pattern(detector: Detector, defects: Sequence[Box], seed: int) -> FloatImage:
    """Fixed pattern in ADU, [y, x]: settling at the read-out side, a slow ripple, column offsets, hot columns."""
    rng = generator(seed, Stream.BIAS_PATTERN, detector.id)
    pattern = np.empty((detector.height, detector.width), dtype=np.float32)
    for amplifier in detector.amplifiers:
        box = amplifier.box
        across, along = np.arange(box.width, dtype=np.float32), np.arange(box.height, dtype=np.float32)
        distance = across if amplifier.readout_corner.endswith("L") else across[::-1]
        columns = rng.uniform(1.0, 3.0) * np.exp(-distance / 25.0) + 0.25 * rng.standard_normal(box.width)
        phase, period = rng.uniform(0.0, 2.0 * np.pi, 2), rng.uniform(900.0, 2500.0)
        rows = 0.3 * np.sin(2.0 * np.pi * along / period + phase[0])
        ripple = 0.4 * np.sin(2.0 * np.pi * along[:, None] / 1700.0 + phase[1] + across[None, :] / 120.0)
        pattern[box.slices] = columns.astype(np.float32) + rows.astype(np.float32)[:, None] + ripple.astype(np.float32)
    pattern += 0.3 * rng.standard_normal(pattern.shape, dtype=np.float32)
    for box in _hot_columns(detector, defects, seed):
        pattern[box.slices] += _HOT_COLUMN_ADU
    return pattern


def dark_current(detector: Detector, seed: int) -> FloatImage:
    """Electrons per second, [y, x]: a low level, brighter towards one edge, and hot pixels of 0.5 to 100 e-/s."""
    rng = generator(seed, Stream.DARK_PATTERN, detector.id)
    glow = 1.0 + 0.5 * np.exp(-np.arange(detector.height, dtype=np.float32) / 400.0)
    rate = np.broadcast_to((_DARK_E_PER_S * glow)[:, None], (detector.height, detector.width)).astype(np.float32)
    number = rng.poisson(_HOT_PIXEL_FRACTION * rate.size)
    where = rng.integers(0, rate.size, number)
    rate.ravel()[where] += np.exp(rng.uniform(np.log(0.5), np.log(100.0), number)).astype(np.float32)
    return rate


def vignetting(radius_mm: FloatArray) -> FloatArray:
    """Illumination relative to the field's centre: 0.91 at 180 mm, 0.72 at 240 mm, 0.40 at 285 mm."""
    return np.asarray(np.maximum(1.0 - 0.045 * (radius_mm / 150.0) ** 2 - 0.16 * (radius_mm / 240.0) ** 6, 0.02))


def _illumination(instrument: Instrument, detector: Detector, step: int = 32) -> FloatImage:
    """Vignetting at every pixel, from a coarse grid interpolated linearly (errors below 1e-5)."""
    x = np.arange(0, detector.width + step, step, dtype=np.float64)
    y = np.arange(0, detector.height + step, step, dtype=np.float64)
    size = instrument.distortion.pixel_size_mm if instrument.distortion is not None else 0.015
    plane = pixel_to_focal_plane(detector, x[None, :], y[:, None], size)
    grid = vignetting(np.hypot(*plane))
    by_row = _resampled(grid, detector.height, step)
    return _resampled(np.ascontiguousarray(by_row.T), detector.width, step).T


def _resampled(grid: FloatArray | FloatImage, size: int, step: int) -> FloatImage:
    """Rows of `grid`, `step` pixels apart, interpolated linearly to `size` rows."""
    place = np.arange(size, dtype=np.float32) / step
    low = place.astype(np.int64)
    part = (place - low)[:, None]
    rows = grid.astype(np.float32)
    return np.asarray(rows[low] * (1.0 - part) + rows[low + 1] * part, dtype=np.float32)


def _dust(image: FloatImage, rng: np.random.Generator) -> None:
    """Out-of-focus shadows of dust grains: rings 1 to 4 % deep, in place."""
    height, width = image.shape
    for _ in range(rng.poisson(width * height / 6e5)):
        radius, depth = rng.uniform(15.0, 60.0), rng.uniform(0.01, 0.04)
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        reach = int(radius * 1.3)
        box = (slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1))
        rows, columns = np.ogrid[box[0].start : min(box[0].stop, height), box[1].start : min(box[1].stop, width)]
        distance = np.hypot(rows - y, columns - x) / radius
        image[box] *= (1.0 - depth * np.exp(-(((distance - 0.8) / 0.2) ** 2))).astype(np.float32)


def response(
    instrument: Instrument, detector: Detector, filter_name: str, defects: Sequence[Box], seed: int
) -> FloatImage:
    """Relative response of every pixel, [y, x]: quantum efficiency, vignetting, pixel scatter, dust, dead defects."""
    known = instrument.filter(filter_name)
    number = instrument.filters.index(known) if known is not None else 0
    rng = generator(seed, Stream.FLAT_PATTERN, detector.id)
    efficiency = 1.0 + 0.02 * float(np.clip(rng.standard_normal(), -2.0, 2.0))
    result = rng.standard_normal((detector.height, detector.width), dtype=np.float32)
    result *= _PIXEL_RESPONSE_RMS
    result += 1.0
    result *= _illumination(instrument, detector) * np.float32(efficiency)
    _dust(result, rng)
    by_filter = generator(seed, Stream.FLAT_PATTERN, detector.id, number)
    across = np.linspace(-1.0, 1.0, detector.width, dtype=np.float32)
    along = np.linspace(-1.0, 1.0, detector.height, dtype=np.float32)
    result *= 1.0 + np.float32(0.006 * by_filter.standard_normal()) * across
    result *= 1.0 + np.float32(0.006 * by_filter.standard_normal()) * along[:, None]
    for box in defects:
        result[box.slices] *= _DEAD_RESPONSE
    return result


def gain_map(detector: Detector) -> FloatArray:
    """Gain in e-/ADU of every column, [x] (amplifiers lie side by side)."""
    gains = np.empty(detector.width)
    for amplifier in detector.amplifiers:
        gains[amplifier.box.x0 : amplifier.box.x0 + amplifier.box.width] = amplifier.gain
    return gains


def flat_field(detector: Detector, relative: FloatImage) -> FloatImage:
    """The flat, [y, x]: ADU of uniform light relative to `NOMINAL_GAIN` electrons at full response."""
    return np.asarray(relative * (NOMINAL_GAIN / gain_map(detector)).astype(np.float32), dtype=np.float32)
