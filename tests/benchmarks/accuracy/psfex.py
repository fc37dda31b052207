"""PSFEx on one frame: source-extractor's vignettes, PSFEx's settings, and its model as images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from numpy.typing import NDArray
from tests.benchmarks.accuracy.peers import PeerError, run_program
from tests.benchmarks.accuracy.sextractor import write_inputs

from safelight.exposure import Exposure

__all__ = ["PsfexModel", "fit"]

_COLUMNS = (
    "X_IMAGE", "Y_IMAGE", "FLUX_RADIUS", "FLUX_APER(1)", "FLUXERR_APER(1)", "ELONGATION", "FLAGS", "SNR_WIN",
    "VIGNET(41,41)",
)  # fmt: skip
SETTINGS = {
    "BASIS_TYPE": "PIXEL_AUTO",
    "PSF_SIZE": "41,41",
    "PSFVAR_KEYS": "X_IMAGE,Y_IMAGE",
    "PSFVAR_GROUPS": "1,1",
    "PSFVAR_DEGREES": "2",
    "SAMPLE_AUTOSELECT": "Y",
    "SAMPLE_MINSN": "50",
    "CHECKPLOT_TYPE": "NONE",
    "CHECKPLOT_DEV": "NULL",
    "CHECKIMAGE_TYPE": "NONE",
    "WRITE_XML": "N",
    "NTHREADS": "1",
    "VERBOSE_TYPE": "QUIET",
}


@dataclass(frozen=True)
class PsfexModel:
    """The PSF: images that multiply powers of position, on a grid of `step` pixels."""

    planes: NDArray[np.float64]  # (n, grid, grid)
    degree: int
    zero: tuple[float, float]  # pixels, 1-based
    scale: tuple[float, float]
    step: float
    seconds: float

    def image(self, x: float, y: float, half: int = 15) -> NDArray[np.float64]:
        """The PSF through pixels at 0-based (x, y), in the middle of the stamp, total 1."""
        from scipy.ndimage import map_coordinates

        u, v = (x + 1.0 - self.zero[0]) / self.scale[0], (y + 1.0 - self.zero[1]) / self.scale[1]
        powers = [u**i * v**j for j in range(self.degree + 1) for i in range(self.degree + 1 - j)]
        grid = np.tensordot(powers, self.planes, axes=1)
        at = grid.shape[0] // 2 + np.arange(-half, half + 1) / self.step
        rows, columns = np.meshgrid(at, at, indexing="ij")
        stamp = map_coordinates(grid, [rows, columns], order=5)
        return np.asarray(stamp / stamp.sum())


def fit(exposure: Exposure, folder: Path) -> PsfexModel:
    """Run source-extractor and PSFEx on a calibrated frame; raises `PeerError`."""
    write_inputs(exposure, fits.Header(), 56000.0, folder)
    (folder / "se.param").write_text("\n".join(_COLUMNS) + "\n")
    extracted = run_program("source-extractor", ["image.fits", "-c", "se.conf"], folder)
    (folder / "psfex.conf").write_text("".join(f"{key} {value}\n" for key, value in SETTINGS.items()))
    ran = run_program("psfex", ["catalog.cat", "-c", "psfex.conf"], folder)
    result = folder / "catalog.psf"
    if not result.is_file():
        raise PeerError(f"psfex wrote no model: {ran.output.strip()[-300:]}")
    with fits.open(result, memmap=False) as hdus:
        header, planes = hdus["PSF_DATA"].header, np.asarray(hdus["PSF_DATA"].data["PSF_MASK"][0], dtype=np.float64)
    return PsfexModel(
        planes,
        int(header.get("POLDEG1", 0)),
        (header.get("POLZERO1", 0.0), header.get("POLZERO2", 0.0)),
        (header.get("POLSCAL1", 1.0), header.get("POLSCAL2", 1.0)),
        header["PSF_SAMP"],
        extracted.seconds + ran.seconds,
    )
