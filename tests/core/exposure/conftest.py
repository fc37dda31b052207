"""A small exposure with everything an exposure can have."""

from __future__ import annotations

import numpy as np
import pytest

from safelight.exposure import (
    ApertureCorrections,
    CorrectionField,
    Exposure,
    MaskPlanes,
    PhotoCalib,
    PsfModel,
    VisitInfo,
)
from safelight.exposure.wcs import TanSipWcs


@pytest.fixture
def wcs() -> TanSipWcs:
    """TAN-SIP with coefficients whose decimal forms need every digit of a double."""
    a, b = np.zeros((4, 4)), np.zeros((4, 4))
    a[2, 0], a[1, 1], a[0, 3] = 1e-6 / 3, -1e-7 / 7, 1e-10 / 9
    b[0, 2], b[1, 1], b[3, 0] = 1e-6 / 11, 1e-7 / 13, -1e-10 / 17
    return TanSipWcs(
        crpix=np.array([40.1, 30.7]),
        crval=np.array([320.123456789012, -0.41234567890123]),
        cd=np.array([[-4.67e-5, 1e-9 / 3], [1e-9 / 7, 4.67e-5 + 1e-12 / 3]]),
        a=a,
        b=b,
    )


@pytest.fixture
def exposure(wcs: TanSipWcs) -> Exposure:
    """70 rows, 96 columns: neither a multiple of the tile's rows, nor square."""
    rng = np.random.default_rng(20131102)
    shape = (70, 96)
    image = rng.normal(3.0, 14.0, shape).astype(np.float32)
    image[3, 4], image[5, 6] = np.nan, np.inf
    mask = rng.choice(np.array([0, 0, 0, 33, 1 << 11, 4 | 8], dtype=np.int32), shape)
    return Exposure(
        image=image,
        mask=mask,
        variance=rng.uniform(40, 60, shape).astype(np.float32),
        planes=MaskPlanes().with_planes(["A_LONG_PLANE_NAME"]),
        detector_id=50,
        detector_name="1_36",
        detector_serial="118",
        filter_name="HSC-I",
        band="i",
        gains=(3.53, 3.48, 3.67, 3.4799999999),
        visit_info=VisitInfo(
            30.0, 30.0, 56598.26106397123, 320.1 / 7, -0.3, exposure_id=180804850, humidity_percent=31.0
        ),
        wcs=wcs,
        psf=PsfModel(
            rng.normal(size=(6, 11, 11)).astype(np.float32), 2, 47.5, 34.5, 47.5, 34.5, n_stars=31, oversampling=2
        ),
        aperture_corrections=ApertureCorrections(
            {
                "base_PsfFlux": CorrectionField(np.array([[1.01, 0.001 / 3], [0.002, 0.0]]), 96, 70, 0.004, 28, 7e-4),
                "base_CircularApertureFlux_12_0": CorrectionField(rng.normal(size=(3, 3)), 96, 70),
            }
        ),
        photo_calib=PhotoCalib(30.793 + 1e-9 / 3, 0.0021, 103),
        header={
            "OBJECT": "STRIPE82L",
            "DATE-OBS": "2013-11-02",
            "ISR_OSCAN_LEVEL0": 1001.25,
            "HISTORY": "first line\nsecond line",
            "QUOTED": "o'clock " * 20 + "end",
            "NOTHING": None,
            "COUNT": 7,
            "FLAG": True,
        },
    )
