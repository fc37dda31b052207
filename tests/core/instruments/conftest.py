"""A raw HSC header as the camera wrote it, and frames around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits

#: Visit 904024, CCD 50: the cards that ingest and processing read.
HEADER: dict[str, Any] = {
    "UT-STR": "06:15:55.908", "MJD-STR": 56598.26106374757, "DATE-OBS": "2013-11-02", "UT": "06:15:55.927",
    "MJD": 56598.26106397435, "AIRMASS": 1.121626027604189, "AZIMUTH": 226.68922661, "ALTITUDE": 63.04359233,
    "PROP-ID": "o13015", "RA2000": "21:22:59.982", "DEC2000": "+00:30:00.07", "EQUINOX": 2000.0, "TELESCOP": "Subaru",
    "INR-STR": 43.205407, "INR-END": 43.205407, "OUT-TMP": 272.35, "OUT-HUM": 33.1, "OUT-PRS": 621.7,
    "INST-PA": "0.000", "EXP-ID": "HSCA90402400", "EXPTIME": 30.0, "OBJECT": "STRIPE82L", "DATA-TYP": "OBJECT",
    "FILTER01": "HSC-i", "UT-END": "06:16:27.928", "T_AG": False, "FRAMEID": "HSCA90402512", "CTYPE1": "RA---TAN",
    "CTYPE2": "DEC--TAN", "CUNIT1": "degree", "CUNIT2": "degree", "CRPIX1": 1024.5, "CRPIX2": 4395.167, "DET-ID": 50,
    "CRVAL1": 320.749925, "CRVAL2": 0.500019444444, "T_CCDTV": -101.158, "LONPOLE": 180, "CD1_1": 2.89152716465347e-21,
    "CD1_2": 4.72222222222222e-05, "CD2_1": -4.7222222222222e-05, "CD2_2": 2.89152716465347e-21,
    "T_CFGFIL": "20130327.cfg", "T_GAIN1": 3.53,
}  # fmt: skip


@pytest.fixture
def hsc_header() -> dict[str, Any]:
    """A copy of the header, to be changed at will."""
    return dict(HEADER)


@pytest.fixture(scope="session")
def hsc_pixels() -> np.ndarray:
    """What the read-out gave, as on disk: (4241, 2144), uint16, with the extreme values in it."""
    pixels = np.random.default_rng(4).poisson(1500, (4241, 2144)).astype(np.uint16)
    pixels[0, :4] = 0, 32767, 32768, 65535
    return pixels


@pytest.fixture(scope="session")
def hsc_raw(tmp_path_factory: pytest.TempPathFactory, hsc_pixels: np.ndarray) -> Path:
    """A plain raw file."""
    path = tmp_path_factory.mktemp("hsc") / "HSCA90402512.fits"
    fits.PrimaryHDU(hsc_pixels, fits.Header(HEADER)).writeto(path)
    return path


@pytest.fixture(scope="session")
def shared_facts() -> Path:
    """The tables from which the camera files were made; absent outside the workshop."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "facts"
    if not folder.is_dir():
        pytest.skip("the camera's source tables are absent: there is no folder ../shared/facts beside the checkout")
    return folder
