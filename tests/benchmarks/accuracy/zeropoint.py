"""The zeropoint against truth, and the stars that it was not fitted to against their own noise.

A simulated star's true flux is PS1's with a draw of PS1's stated error in each band, through the camera's colour term;
the pipeline is given PS1's. So a star that was kept out of the fit differs from its catalogue magnitude by the photons'
noise, by the catalogue's noise in both bands of the colour term, and by what measurement and calibration add to these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from tests.benchmarks.accuracy.frames import PS1, Frame
from tests.benchmarks.accuracy.reservedstars import ReservedMagnitudes, reserved_magnitudes
from tests.benchmarks.accuracy.rows import Row, spread

__all__ = ["measure_zeropoint"]

#: Most of the noise of a zeropoint's stars is the catalogue's of the faintest; brighter ones show what we add.
BRIGHT_MAG = 0.015


def measure_zeropoint(frames: Sequence[Frame]) -> list[Row]:
    """Fitted minus true zeropoint of every CCD that was calibrated, and its reserved stars."""
    done = [frame for frame in frames if frame.done]
    bias = [1000.0 * (frame.report["zeropoint_mag"] - frame.truth.zeropoint_mag) for frame in done]
    claimed = [1000.0 * frame.report["zeropoint_error_mag"] for frame in done]
    scatter = [1000.0 * frame.report["zeropoint_rms_mag"] for frame in done]
    return [
        spread("zeropoint", "bias", "Safelight", "mmag", bias, demand="|median| <= 2", at_most=2.0),
        spread("zeropoint", "claimed error", "Safelight", "mmag", claimed),
        spread("zeropoint", "rms of the stars", "Safelight", "mmag", scatter),
        *_reserved_rows([_reserved(frame) for frame in done]),
    ]


def _reserved(frame: Frame) -> ReservedMagnitudes:
    seconds = frame.truth.exposure_time_s
    filter_name = frame.truth.filter_name
    known = frame.instrument.filter(filter_name)
    return reserved_magnitudes(
        frame.src, frame.catalog(PS1), frame.instrument, filter_name, known.band if known is not None else "",
        frame.report["zeropoint_mag"] + 2.5 * np.log10(seconds),
    )  # fmt: skip


def _reserved_rows(measured: Sequence[ReservedMagnitudes]) -> list[Row]:
    """CCDs with few reserved stars say little of an rms: a CCD counts with five, all stars count together."""
    judged = [one for one in measured if len(one.difference) >= 5]
    if not judged:
        return []
    together = ReservedMagnitudes(
        np.concatenate([one.difference for one in measured]),
        np.concatenate([one.photon for one in measured]),
        np.concatenate([one.catalog for one in measured]),
        sum(one.outliers for one in measured),
    )
    stars = len(together.difference)
    median = np.median([len(one.difference) for one in judged])
    note = f"{stars} stars, {median:.0f} a CCD; {together.outliers} more beyond 5 sigma"
    sizes = {"rms": together.difference, "photon noise": together.photon, "catalogue noise": together.catalog}
    per_ccd = [1000.0 * one.excess_mag for one in judged]
    excess = 1000.0 * together.excess_mag
    each = spread("zeropoint", "reserved stars: rms over photon and catalogue noise", "Safelight", "mmag", per_ccd)
    rows = [
        replace(each, demand="median <= 3", met=each.median <= 3.0, note=note),
        Row(
            "zeropoint", "the same, all stars together", "Safelight", "mmag", excess, n=stars, demand="<= 3",
            met=excess <= 3.0,
        ),
    ]  # fmt: skip
    bright = together.expected < BRIGHT_MAG
    for name, values in (("rms", together.difference), ("photon and catalogue noise", together.expected)):
        size = 1000.0 * float(np.sqrt(np.mean(values[bright] ** 2)))
        title = f"reserved stars of less than {1000 * BRIGHT_MAG:.0f} mmag of noise: {name}"
        rows.append(Row("zeropoint", title, "Safelight", "mmag", size, n=int(bright.sum())))
    for name, values in sizes.items():
        size = 1000.0 * float(np.sqrt(np.mean(values**2)))
        rows.append(Row("zeropoint", f"reserved stars: {name}", "Safelight", "mmag", size, n=stars))
    return rows
