"""photutils on a calibrated frame: positions and PSF fluxes of given stars."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator

import numpy as np
from astropy.nddata import NDData
from astropy.table import Table
from astropy.utils.exceptions import AstropyUserWarning
from numpy.typing import NDArray
from tests.benchmarks.accuracy.peers import PeerError

from safelight.exposure import Exposure

__all__ = ["measure_stars"]

Floats = NDArray[np.float64]

_STAMP = 41  # pixels, of the stars from which the ePSF is built: smaller ones lose light
_EPSF_STARS = 150
_OVERSAMPLING = 2  # 1 brings centroids nearer to the bound (1.1) and fluxes away from it (1.5), 4 both away
_FIT_SHAPE = (11, 11)
_UNUSABLE = ("BAD", "SAT", "NO_DATA", "EDGE", "INTRP")


def measure_stars(exposure: Exposure, x: Floats, y: Floats, signal: Floats) -> tuple[Floats, Floats, Floats]:
    """x, y (0-based pixels) and flux (ADU) of stars near the places given, by an ePSF built from the brightest of them.

    One ePSF serves the whole CCD: photutils has no way to let it vary but a grid of several. Stars whose fit did not
    converge are NaN.

    Raises
    ------
    PeerError
        No ePSF could be built.
    """
    from photutils.psf import EPSFBuilder, PSFPhotometry, extract_stars

    brightest = np.argsort(-signal)[:_EPSF_STARS]
    with _quiet():
        stars = extract_stars(
            NDData(np.asarray(exposure.image, dtype=np.float64)),
            Table({"x": x[brightest], "y": y[brightest]}),
            size=_STAMP,
        )
        try:
            epsf = EPSFBuilder(oversampling=_OVERSAMPLING, maxiters=8, progress_bar=False)(stars)[0]
        except ValueError as error:
            raise PeerError(f"photutils built no ePSF: {error}") from error
        found = PSFPhotometry(epsf, _FIT_SHAPE, aperture_radius=6)(
            np.asarray(exposure.image, dtype=np.float64),
            error=np.sqrt(np.maximum(exposure.variance, 1e-6)),
            mask=exposure.masked(*_UNUSABLE),
            init_params=Table({"x": x, "y": y}),
        )
    found.sort("id")
    near = np.hypot(found["x_fit"] - x, found["y_fit"] - y) < 1.0
    return tuple(np.where(near, np.asarray(found[f"{name}_fit"]), np.nan) for name in ("x", "y", "flux"))  # type: ignore[return-value]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without photutils' warnings about single stars that did not converge or lie at an edge."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstropyUserWarning)
        warnings.simplefilter("ignore", RuntimeWarning)
        yield
