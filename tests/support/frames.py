"""Small frames of a plain camera with one star, raw and calibrated."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from numpy.typing import NDArray

from safelight.commands.main import main
from safelight.exposure import Exposure, PhotoCalib, VisitInfo
from safelight.exposure.wcs import TanSipWcs

__all__ = ["SHAPE", "STAR_X", "STAR_Y", "calibrated", "ingest_frames", "pixels", "sources"]

STAR_X, STAR_Y = 79.4, 60.3
SHAPE = (120, 160)
WCS_CARDS = {
    "CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRPIX1": 80.0, "CRPIX2": 60.0, "CRVAL1": 150.0, "CRVAL2": 2.0,
    "CD1_1": -1 / 3600, "CD1_2": 0.0, "CD2_1": 0.0, "CD2_2": 1 / 3600,
}  # fmt: skip


def pixels(sky: float = 200.0) -> NDArray[np.float32]:
    """The star on a sky with noise of 5."""
    rng = np.random.default_rng(1)
    rows, columns = np.indices(SHAPE)
    star = 3000.0 * np.exp(-0.5 * ((columns - STAR_X) ** 2 + (rows - STAR_Y) ** 2) / 4.0)
    return np.asarray(sky + star + rng.normal(0.0, 5.0, SHAPE), np.float32)


def ingest_frames(folder: Path, skies: list[float]) -> Path:
    """A repository of one raw frame for each sky level, a minute from one to the next; returns its root."""
    names = []
    for number, sky in enumerate(skies, 1):
        header = fits.Header(
            {"DATE-OBS": f"2020-03-01T02:0{number}:00", "EXPTIME": 30.0, "FILTER": "r", "OBJECT": "field",
             "IMAGETYP": "Light", "GAIN": 2.0, **WCS_CARDS}
        )  # fmt: skip
        names.append(str(folder / f"frame-{number}.fits"))
        fits.writeto(names[-1], pixels(sky).astype("u2"), header)
    root = folder / "DATA"
    assert main(["ingest", "images", str(root), *names, "--instrument", "generic"]) == 0
    return root


def calibrated(sky: float, *planes: str) -> Exposure:
    """A calexp with WCS and zeropoint; one pixel of the star has the mask planes."""
    exposure = Exposure(
        image=pixels(sky),
        mask=np.zeros(SHAPE, np.int32),
        variance=np.full(SHAPE, 25.0, np.float32),
        filter_name="r",
        gains=(2.0,),
        visit_info=VisitInfo(30.0, 30.0),
        wcs=TanSipWcs.from_header(WCS_CARDS),
        photo_calib=PhotoCalib(28.0),
    )
    exposure.mask[59, 80] = sum(1 << exposure.planes[name] for name in planes)
    return exposure


def sources() -> Table:
    """The star and another, where there is nothing."""
    return Table(
        {"base_SdssCentroid_x": [STAR_X, 20.0], "base_SdssCentroid_y": [STAR_Y, 100.0], "deblend_nChild": [0, 0]}
    )
