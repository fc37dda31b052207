"""source-extractor on a calibrated frame: a catalogue (LDAC) for SCAMP, and the starting header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from astropy.io import fits
from tests.benchmarks.accuracy.peers import RunResult, run_program

from safelight.calibrate.first_wcs import FirstWcs
from safelight.exposure import Exposure

__all__ = ["extract", "starting_header", "write_inputs"]

PARAMETERS = """NUMBER
X_IMAGE
Y_IMAGE
XWIN_IMAGE
YWIN_IMAGE
ERRAWIN_IMAGE
ERRBWIN_IMAGE
ERRTHETAWIN_IMAGE
FLUX_AUTO
FLUXERR_AUTO
FLUX_APER
FLUXERR_APER
FLUX_MAX
FLUX_RADIUS
FWHM_IMAGE
ELONGATION
ELLIPTICITY
FLAGS
IMAFLAGS_ISO
SNR_WIN
CLASS_STAR
"""

SETTINGS = {
    "CATALOG_TYPE": "FITS_LDAC",
    "DETECT_MINAREA": "5",
    "DETECT_THRESH": "1.5",
    "ANALYSIS_THRESH": "1.5",
    "DEBLEND_MINCONT": "0.005",
    "BACK_SIZE": "128",
    "BACK_TYPE": "AUTO",
    "PHOT_APERTURES": "34",
    "WEIGHT_TYPE": "MAP_VAR",
    "FLAG_TYPE": "OR",
    "MEMORY_PIXSTACK": "3000000",
    "MEMORY_BUFSIZE": "4176",
    "VERBOSE_TYPE": "QUIET",
}
UNUSABLE = ("BAD", "SAT", "NO_DATA", "EDGE", "INTRP")


def starting_header(first: FirstWcs, shape: tuple[int, int]) -> fits.Header:
    """A TAN about the CCD's centre: the linear part of the first WCS, as a good header states it."""
    height, width = shape
    x0, y0, step = (width - 1) / 2, (height - 1) / 2, 8.0
    xi, eta = first.plane.project(
        *first.wcs.pixel_to_sky(np.array([x0 - step, x0 + step, x0, x0]), np.array([y0, y0, y0 - step, y0 + step]))
    )
    header = fits.Header()
    header["CTYPE1"], header["CTYPE2"] = "RA---TAN", "DEC--TAN"
    header["CUNIT1"] = header["CUNIT2"] = "deg"
    header["CRPIX1"], header["CRPIX2"] = x0 + 1.0, y0 + 1.0
    header["CRVAL1"], header["CRVAL2"] = first.plane.ra_deg, first.plane.dec_deg
    for row, plane in enumerate((xi, eta), start=1):
        header[f"CD{row}_1"] = float(plane[1] - plane[0]) / (2 * step) / 3600.0
        header[f"CD{row}_2"] = float(plane[3] - plane[2]) / (2 * step) / 3600.0
    header["EQUINOX"], header["RADESYS"] = 2000.0, "ICRS"
    return header


def write_inputs(exposure: Exposure, header: fits.Header, epoch_mjd: float, folder: Path) -> None:
    """The frame's pixels, variance and unusable pixels, and source-extractor's settings, in `folder`."""
    header = header.copy()
    header["FILTER"], header["EXPTIME"], header["AIRMASS"] = exposure.filter_name, 30.0, 1.0
    header["MJD-OBS"] = epoch_mjd
    header["GAIN"] = float(np.mean(exposure.gains))
    header["SATURATE"] = 40_000.0
    fits.PrimaryHDU(exposure.image.astype(np.float32), header).writeto(folder / "image.fits", overwrite=True)
    variance = np.where(np.isfinite(exposure.variance) & (exposure.variance > 0), exposure.variance, 1e30)
    fits.PrimaryHDU(variance.astype(np.float32)).writeto(folder / "variance.fits", overwrite=True)
    unusable = exposure.masked(*UNUSABLE).astype(np.int16)
    fits.PrimaryHDU(unusable).writeto(folder / "unusable.fits", overwrite=True)
    (folder / "se.param").write_text(PARAMETERS)
    # the package's own 7-pixel Gaussian of FWHM 3
    at = np.arange(-3, 4)
    kernel = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * (3.0 / 2.3548) ** 2))
    lines = [" ".join(f"{value:.6f}" for value in row) for row in kernel]
    (folder / "se.conv").write_text("CONV NORM\n" + "\n".join(lines) + "\n")
    settings = {
        **SETTINGS,
        "CATALOG_NAME": "catalog.cat",
        "PARAMETERS_NAME": "se.param",
        "FILTER": "Y",
        "FILTER_NAME": "se.conv",
        "WEIGHT_IMAGE": "variance.fits",
        "FLAG_IMAGE": "unusable.fits",
        "SEEING_FWHM": "0.7",
        "PIXEL_SCALE": "0.168",
    }
    # a network that tells stars from galaxies is the package's own; without its file the classifier is left out
    network = Path("/usr/share/source-extractor/default.nnw")
    if network.is_file():
        settings["STARNNW_NAME"] = str(network)
    (folder / "se.conf").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))


def extract(folder: Path) -> RunResult:
    """Run source-extractor on what `write_inputs` wrote; the catalogue is catalog.cat."""
    return run_program("source-extractor", ["image.fits", "-c", "se.conf"], folder)
