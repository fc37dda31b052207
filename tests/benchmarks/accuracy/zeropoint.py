"""The zeropoint against truth."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.accuracy.frames import Frame
from tests.benchmarks.accuracy.rows import Row, spread

__all__ = ["measure_zeropoint"]


def measure_zeropoint(frames: Sequence[Frame]) -> list[Row]:
    """Fitted minus true zeropoint of every CCD that was calibrated."""
    done = [frame for frame in frames if frame.done]
    bias = [1000.0 * (frame.report["zeropoint_mag"] - frame.truth.zeropoint_mag) for frame in done]
    claimed = [1000.0 * frame.report["zeropoint_error_mag"] for frame in done]
    scatter = [1000.0 * frame.report["zeropoint_rms_mag"] for frame in done]
    return [
        spread("zeropoint", "bias", "Safelight", "mmag", bias, demand="|median| <= 2", at_most=2.0),
        spread("zeropoint", "claimed error", "Safelight", "mmag", claimed),
        spread("zeropoint", "rms of the stars", "Safelight", "mmag", scatter),
    ]
