"""The PSF in a sparse field of 20 stars and in a crowded one of more than 20,000 sources."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from tests.benchmarks.accuracy.psf import model_errors
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.simulated import DATES, Ccd, Observatory, StarSky

from safelight.instruments.loader import load_instrument
from safelight.simulate.optics import TrueWcs, true_pointing
from safelight.simulate.spec import NightSpec, VisitSpec

__all__ = ["crowded", "measure_fields", "sparse"]

_HALF_WIDTH_DEG = 0.16
_CCD_DEG2 = 2048 * 4176 * (0.168 / 3600.0) ** 2
#: seed, seeing, CCD
SPARSE = ((5, 0.6, 49), (6, 0.9, 49), (7, 0.7, 50), (15, 0.6, 100), (16, 0.8, 102), (17, 0.7, 101))
CROWDED = ((5, 0.5, 49), (6, 0.55, 58))


def _ccd(seed: int, seeing: float, ccd: int, number: int, brightest: float, faintest: float, galaxies: bool) -> Ccd:
    visit = VisitSpec(909000, "HSC-R", (ccd,), *DATES["HSC-R"], 150.0, 2.0, 0.0, seeing_arcsec=seeing)
    night = NightSpec("a field of stars", (visit,), (), seed=seed)
    wcs = TrueWcs.of(load_instrument("hsc"), ccd, true_pointing(night, visit))
    ra, dec = wcs.pixel_to_sky((wcs.detector.width - 1) / 2, (wcs.detector.height - 1) / 2)
    total = round(number * (2 * _HALF_WIDTH_DEG) ** 2 / _CCD_DEG2)
    sky = StarSky(float(ra), float(dec), _HALF_WIDTH_DEG, total, brightest, faintest, 0.2, seed, galaxies)
    return Observatory(night, sky).ccd(visit, ccd)


def sparse(seed: int, seeing: float, ccd: int) -> Ccd:
    """About 20 stars of r = 18 to 21 among faint galaxies."""
    return _ccd(seed, seeing, ccd, 20, 18.0, 21.0, True)


def crowded(seed: int, seeing: float, ccd: int) -> Ccd:
    """About 60,000 stars of r = 17 to 24.5, of which more than 20,000 are told apart."""
    return _ccd(seed, seeing, ccd, 60_000, 17.0, 24.5, False)


def measure_fields(log: Callable[[str], None]) -> list[Row]:
    """Errors of the PSF model in both kinds of field, a value for each CCD."""
    rows = []
    for title, make, cases in (("sparse field", sparse, SPARSE), ("crowded field", crowded, CROWDED)):
        values: dict[str, list[float]] = {}
        for case in cases:
            ccd = make(*case)
            found = ccd.characterized
            assert found.exposure.psf is not None
            errors = model_errors(
                lambda x, y, c=ccd: c.true_psf(x, y, 15), found.exposure.psf.image, ccd.exposure.shape
            )
            errors["sources"] = found.metrics["n_sources"]
            errors["PSF stars"] = found.metrics["n_psf_stars"]
            log(f"{title}: {ccd.name}, {errors['sources']:.0f} sources")
            for name, value in errors.items():
                values.setdefault(name, []).append(value)
        rows += [_row(title, name, numbers) for name, numbers in values.items()]
    return rows


_HELD = {
    "FWHM, median over the CCD": ("%", 1.0),
    "ellipticity, median over the CCD": ("", 0.005),
    "residual against truth": ("% of peak", 1.0),
}


def _row(title: str, name: str, numbers: list[float]) -> Row:
    unit, limit = _HELD.get(name, ("%" if name.startswith("FWHM") else "", None))
    if title == "crowded field" and name == "sources":
        least = float(np.min(numbers))
        median = float(np.median(numbers))
        return Row(
            title, name, "Safelight", "", median, worst=least, n=len(numbers), demand=">= 20000", met=least >= 2e4
        )
    return spread(title, name, "Safelight", unit, numbers, demand=f"<= {limit:g}" if limit else "", at_most=limit)
