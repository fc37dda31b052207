"""What is done to each amplifier's raw pixels: levels, pedestal, and its place in the assembled frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from safelight.exposure import FloatImage, MaskImage, MaskPlanes
from safelight.instruments.model import Amplifier, Box
from safelight.isr.assembly import oriented, place_amplifier
from safelight.isr.config import IsrConfig
from safelight.isr.defects import is_dead
from safelight.isr.overscan import OverscanFit, fit_overscan, overscan_noise
from safelight.isr.saturation import mask_at_or_above

__all__ = ["AmplifierReport", "process_amplifier"]


@dataclass(frozen=True, slots=True)
class AmplifierReport:
    """What was found in one amplifier."""

    n_saturated: int = 0  # pixels of the data box
    n_suspect: int = 0
    overscan: OverscanFit | None = None
    read_noise_adu: float = float("nan")  # as the overscan shows it; NaN: not measured
    is_bad: bool = False  # wholly covered by a defect, or without any pixel below its levels


def process_amplifier(
    raw: NDArray[Any],
    amplifier: Amplifier,
    config: IsrConfig,
    planes: MaskPlanes,
    defects: Sequence[Box],
    image: FloatImage,
    mask: MaskImage,
) -> AmplifierReport:
    """Fill the amplifier's part of the assembled `image` and `mask` (zero before) from the `raw` frame."""
    data, flags = raw[amplifier.raw_data_box.slices], oriented(mask, amplifier)
    if is_dead(amplifier, defects):
        flags |= np.int32(planes.bits("BAD"))
        place_amplifier(raw, None, amplifier, image)
        return AmplifierReport(is_bad=True)
    level = saturation_level(amplifier, config)
    n_saturated = mask_at_or_above(data, level, flags, planes.bits("SAT"))
    suspect = amplifier.suspect_adu if config.doSuspect and amplifier.suspect_adu is not None else np.nan
    n_suspect = mask_at_or_above(data, suspect, flags, planes.bits("SUSPECT"))
    if max(n_saturated, n_suspect) > 0 and np.all(flags & np.int32(planes.bits("SAT", "SUSPECT"))):
        flags |= np.int32(planes.bits("BAD"))
        place_amplifier(raw, None, amplifier, image)
        return AmplifierReport(n_saturated, n_suspect, is_bad=True)
    overscan = _overscan(raw, amplifier, level, config)
    place_amplifier(raw, None if overscan is None else _data_rows(overscan, amplifier), amplifier, image)
    if overscan is not None:
        _mask_extrapolated(flags, overscan, planes.bits("SUSPECT"))
    noise = float("nan")
    if overscan is not None and config.doEmpiricalReadNoise:
        noise = overscan_noise(_overscan_pixels(raw, amplifier, config), overscan.rows)
    return AmplifierReport(n_saturated, n_suspect, overscan, noise)


def saturation_level(amplifier: Amplifier, config: IsrConfig) -> float:
    """The level in raw ADU; NaN if saturation is not masked."""
    if not config.doSaturation:
        return float("nan")
    return amplifier.saturation_adu if config.saturation is None else config.saturation


def _overscan(raw: NDArray[Any], amplifier: Amplifier, saturation: float, config: IsrConfig) -> OverscanFit | None:
    if amplifier.serial_overscan is None or not config.doOverscan:
        return None
    return fit_overscan(
        _overscan_pixels(raw, amplifier, config),
        saturation,
        config.overscanFitType,
        order=config.overscanOrder,
        max_deviation=config.overscanMaxDev,
    )


def _overscan_pixels(raw: NDArray[Any], amplifier: Amplifier, config: IsrConfig) -> NDArray[Any]:
    """The overscan without the columns to skip; one column at least is left."""
    box = amplifier.serial_overscan
    assert box is not None
    first = min(config.overscanNumLeadingColumnsToSkip, box.width - 1)
    last = max(first + 1, box.width - config.overscanNumTrailingColumnsToSkip)
    return raw[box.slices][:, first:last]


def _data_rows(fit: OverscanFit, amplifier: Amplifier) -> NDArray[np.float32]:
    """The pedestal of the rows of the data box; rows outside the overscan box get that of its nearest row."""
    assert amplifier.serial_overscan is not None
    data = amplifier.raw_data_box
    rows = np.arange(data.y0, data.y0 + data.height) - amplifier.serial_overscan.y0
    return np.ascontiguousarray(fit.rows[np.clip(rows, 0, len(fit.rows) - 1)])


def _mask_extrapolated(flags: MaskImage, fit: OverscanFit, bits: int) -> None:
    if fit.extrapolated_below:
        flags[: fit.extrapolated_below] |= np.int32(bits)
    if fit.extrapolated_above:
        flags[-fit.extrapolated_above :] |= np.int32(bits)
