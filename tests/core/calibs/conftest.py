"""Raw calibration frames of two small cameras, with known truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from safelight.instruments import Instrument, load_instrument

CAMERA = """
extends: generic
name: attic
pixel_scale_arcsec: 1.0
detectors:
  - {id: 0, width: 80, height: 60, raw_width: 96, raw_height: 60}
amplifiers: |
  ccd, name, gain, read_noise_adu, saturation_adu, readout_corner, box,        raw_box,    raw_data_box, serial_overscan
  0,   0,    2.0,  3.0,            60000,          LL,             0 0 40 60,  0 0 48 60,  0 0 40 60,    40 0 8 60
  0,   1,    4.0,  1.5,            60000,          LR,             40 0 40 60, 48 0 48 60, 56 0 40 60,   48 0 8 60
"""


@dataclass(frozen=True)
class Truth:
    """Bias structure (ADU), dark current (ADU/s) and response (median 1), [y, x] in the assembled frame."""

    bias: np.ndarray
    dark: np.ndarray
    flat: np.ndarray
    pedestal: float = 1000.0


@pytest.fixture(scope="session")
def truth() -> Truth:
    rng = np.random.default_rng(33)
    y, x = np.mgrid[:60, :80]
    dark = np.full((60, 80), 0.05)
    dark[rng.random(dark.shape) < 0.01] = 4.0
    flat = 1.0 - 0.1 * ((x - 40) / 40) ** 2 + rng.normal(0, 0.01, (60, 80))
    return Truth(3 * np.sin(x / 6.0) + 0.05 * y, dark, flat / np.median(flat))


@pytest.fixture(scope="session")
def attic_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a camera of two amplifiers with overscans that meet in the middle."""
    path = tmp_path_factory.mktemp("camera") / "attic.yaml"
    path.write_text(CAMERA)
    return path


@pytest.fixture(scope="session")
def attic(attic_path: Path) -> Instrument:
    """The camera itself."""
    return load_instrument(attic_path)


@pytest.fixture
def write_raw(tmp_path: Path, truth: Truth):
    """Writes one raw frame of the two-amplifier camera: photons per pixel (electrons at response 1), seconds, kind."""

    def write(
        name: str, kind: str, *, seconds: float = 0.0, level: float = 0.0, seed: int = 0, **cards: object
    ) -> Path:
        rng = np.random.default_rng(seed)
        gains = np.repeat([2.0, 4.0], 40)
        noises = np.repeat([3.0, 1.5], 40)
        expected = level * truth.flat * 2.0 + seconds * truth.dark * gains
        signal = rng.poisson(expected) / gains + truth.bias + rng.normal(0, 1, (60, 80)) * noises
        raw = truth.pedestal + rng.normal(0, 1, (60, 96)) * np.repeat([3.0, 1.5], 48)
        raw[:, :40] = truth.pedestal + signal[:, :40]
        raw[:, 56:] = truth.pedestal + signal[:, 40:]
        for _ in range(3):
            y, x = rng.integers(60), rng.integers(40)
            raw[y, x] += 3000
        hdu = fits.PrimaryHDU(np.rint(raw).astype(np.uint16))
        hdu.header.update(
            {"EXPTIME": seconds, "DATE-OBS": "2013-11-03T05:00:00", "IMAGETYP": kind, "FILTER": "r"} | cards
        )
        hdu.writeto(tmp_path / name)
        return tmp_path / name

    return write
