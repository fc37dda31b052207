"""FITS files of exposures and master frames: `write_exposure`, `read_exposure`, `write_master`, `read_master`.

All of them work on exactly the path given; atomic replacement is the butler's business.
"""

from safelight.exposure.fits_exposure import read_exposure, write_exposure
from safelight.exposure.fits_master import read_fringes, read_master, write_master

__all__ = ["read_exposure", "read_fringes", "read_master", "write_exposure", "write_master"]
