"""A camera of two amplifiers, small enough to check by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from safelight.exposure import VisitInfo
from safelight.instruments import Amplifier, Box, Detector, Instrument, RawFrame

HEIGHT, DATA, OVERSCAN = 64, 40, 8


def amplifier(number: int) -> Amplifier:
    """Amplifier 0 is read to the left, 1 to the right; the overscans meet in the middle."""
    left = number == 0
    start = 0 if left else DATA + OVERSCAN
    return Amplifier(
        name=str(number),
        gain=(2.0, 4.0)[number],
        read_noise_adu=(3.0, 1.5)[number],
        saturation_adu=(50000.0, 45000.0)[number],
        suspect_adu=44000.0,
        linearity_coefficient=(1e-7, -2e-7)[number],
        readout_corner="LL" if left else "LR",
        box=Box(x0=number * DATA, y0=0, width=DATA, height=HEIGHT),
        raw_box=Box(x0=start, y0=0, width=DATA + OVERSCAN, height=HEIGHT + 4),
        raw_data_box=Box(x0=start if left else start + OVERSCAN, y0=3, width=DATA, height=HEIGHT),
        serial_overscan=Box(x0=start + DATA if left else start, y0=3, width=OVERSCAN, height=HEIGHT),
    )


@pytest.fixture(scope="session")
def camera() -> Instrument:
    detector = Detector(
        id=7,
        name="seven",
        serial="s7",
        width=2 * DATA,
        height=HEIGHT,
        raw_width=2 * (DATA + OVERSCAN),
        raw_height=HEIGHT + 4,
        amplifiers=(amplifier(0), amplifier(1)),
    )
    return Instrument(
        name="twoamp",
        pixel_scale_arcsec=0.25,
        pointing_uncertainty_arcsec=60.0,
        detectors=(detector,),
        crosstalk=np.array([[0.0, -1e-4], [2e-4, 0.0]]),
    )


@pytest.fixture
def raw_of(camera: Instrument) -> Callable[..., RawFrame]:
    """Makes a raw frame of truth: data in ADU above the pedestal [y, x], pedestals by row and amplifier."""

    def make(data: np.ndarray, pedestal: np.ndarray, *, dtype: str = "u2", seconds: float = 30.0) -> RawFrame:
        detector = camera.detectors[0]
        pixels = np.full((detector.raw_height, detector.raw_width), 777.0)
        for number, amp in enumerate(detector.amplifiers):
            pixels[amp.raw_data_box.slices] = data[amp.box.slices] + pedestal[number][:, None]
            assert amp.serial_overscan is not None
            pixels[amp.serial_overscan.slices] = pedestal[number][:, None]
        stored = np.rint(pixels).astype(dtype) if dtype[-2] in "ui" else pixels.astype(dtype)
        header = {"OBJECT": "test", "NAXIS1": 96, "BZERO": 32768, "CD1_1": 1.0, "EXPTIME": seconds}
        return RawFrame(stored, header, detector, VisitInfo(seconds, seconds), None, "HSC-R", "r")

    return make
