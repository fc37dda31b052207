"""A sparse field of 20 stars, and a crowded one of more than 20,000 sources: the PSF, and the fluxes of the crowd.

Of a crowd's 60,000 stars half are too faint or too close to another to be found. A measured star has hidden companions
where those within 2.5 FWHM add up to a thousandth of its flux; what they give it is no error of the photometry, but it
is one of the zeropoint, which is made with a catalogue that knows every star.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tests.benchmarks.accuracy.campaign import width
from tests.benchmarks.accuracy.psf import model_errors
from tests.benchmarks.accuracy.pulls import match_stars
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.simulated import DATES, Ccd, Observatory, StarSky

from safelight import calibrate
from safelight.calibrate import reference_circle
from safelight.instruments.loader import load_instrument
from safelight.refcats import ReferenceCatalog
from safelight.refcats.ingest import write_shards
from safelight.refcats.load import load_reference_catalog
from safelight.simulate.frame import sky_circle
from safelight.simulate.optics import TrueWcs, true_pointing
from safelight.simulate.references import PS1_NAME, ps1_catalog
from safelight.simulate.spec import NightSpec, VisitSpec

__all__ = ["crowd_errors", "crowded", "measure_fields", "sparse", "zeropoint_error_mmag"]

Floats = NDArray[np.float64]

_HALF_WIDTH_DEG = 0.16
_CCD_DEG2 = 2048 * 4176 * (0.168 / 3600.0) ** 2
#: seed, seeing, CCD
SPARSE = ((5, 0.6, 49), (6, 0.9, 49), (7, 0.7, 50), (15, 0.6, 100), (16, 0.8, 102), (17, 0.7, 101))
CROWDED = ((5, 0.5, 49), (6, 0.55, 58))


def _ccd(
    seed: int, seeing: float, ccd: int, number: int, brightest: float, faintest: float, galaxies: bool
) -> tuple[Ccd, StarSky]:
    visit = VisitSpec(909000, "HSC-R", (ccd,), *DATES["HSC-R"], 150.0, 2.0, 0.0, seeing_arcsec=seeing)
    night = NightSpec("a field of stars", (visit,), (), seed=seed)
    wcs = TrueWcs.of(load_instrument("hsc"), ccd, true_pointing(night, visit))
    ra, dec = wcs.pixel_to_sky((wcs.detector.width - 1) / 2, (wcs.detector.height - 1) / 2)
    total = round(number * (2 * _HALF_WIDTH_DEG) ** 2 / _CCD_DEG2)
    sky = StarSky(float(ra), float(dec), _HALF_WIDTH_DEG, total, brightest, faintest, 0.2, seed, galaxies)
    return Observatory(night, sky).ccd(visit, ccd), sky


def sparse(seed: int, seeing: float, ccd: int) -> tuple[Ccd, StarSky]:
    """About 20 stars of r = 18 to 21 among faint galaxies."""
    return _ccd(seed, seeing, ccd, 20, 18.0, 21.0, True)


def crowded(seed: int, seeing: float, ccd: int) -> tuple[Ccd, StarSky]:
    """About 60,000 stars of r = 17 to 24.5, of which more than 20,000 are told apart."""
    return _ccd(seed, seeing, ccd, 60_000, 17.0, 24.5, False)


def crowd_errors(ccd: Ccd) -> dict[str, float]:
    """PSF fluxes of the found stars of more than 50 sigma: medians in mmag and widths of their pulls."""
    from scipy.spatial import cKDTree

    src, stars = ccd.characterized.src, ccd.stars
    rows, star = match_stars(ccd, src)
    flux, error = (np.asarray(src[f"base_PsfFlux_instFlux{end}"], dtype=np.float64)[rows] for end in ("", "Err"))
    true, places = stars["flux"][star], np.column_stack([stars["x"], stars["y"]])
    single = np.asarray(src["deblend_nChild"]) == 0
    found = np.column_stack([src["base_SdssCentroid_x"], src["base_SdssCentroid_y"]])[single]
    hidden = np.flatnonzero(cKDTree(found).query(places)[0] > 1.0)
    near = cKDTree(places[hidden]).query_ball_point(places[star], 2.5 * float(np.median(stars["fwhm"])))
    companions = np.array([stars["flux"][hidden[k]].sum() for k in near])
    bright = flux > 50.0 * error
    alone = bright & (companions < 1e-3 * true)
    bias, pull = -2500.0 * np.log10(np.maximum(flux, 1.0) / true), (flux - true) / error
    return {
        "PSF flux bias": float(np.median(bias[bright])),
        "PSF flux bias, no hidden companions": float(np.median(bias[alone])),
        "PSF flux pulls, no hidden companions": width(pull[alone]),
    }


def _catalog(ccd: Ccd, sky: StarSky) -> ReferenceCatalog:
    """PS1 as it would see these stars."""
    config, raw = ccd.config.calibrate, ccd.raw
    circle = reference_circle(
        raw.wcs, raw.wcs_origin, raw.detector.width, raw.detector.height, config.astrometry,
        config.astromRefObjLoader, ccd.instrument, raw.detector.id, raw.visit_info,
    )  # fmt: skip
    table = ps1_catalog(sky.sources(sky_circle(ccd.wcs, 0.05), 2015.5), ccd.night.seed)
    with tempfile.TemporaryDirectory(prefix="safelight-refcats-") as folder:
        write_shards(table, folder, PS1_NAME)
        return load_reference_catalog(Path(folder) / PS1_NAME, *circle, raw.visit_info.mjd_mid_tai)


def zeropoint_error_mmag(ccd: Ccd, sky: StarSky) -> float:
    """Fitted minus true zeropoint of a field of stars."""
    found, catalog = ccd.characterized, _catalog(ccd, sky)
    result = calibrate.run(
        replace(found.exposure), found.src.copy(), catalog, catalog, ccd.config.calibrate, ccd.instrument,
        wcs_origin=ccd.raw.wcs_origin,
    )  # fmt: skip
    return 1000.0 * float(result.metrics["zeropoint_mag"] - ccd.truth.photometry.zeropoint_mag)


def measure_fields(log: Callable[[str], None]) -> list[Row]:
    """Errors of the PSF model in both kinds of field, of fluxes and zeropoint in the crowd; a value for each CCD."""
    rows = []
    for title, make, cases in (("sparse field", sparse, SPARSE), ("crowded field", crowded, CROWDED)):
        values: dict[str, list[float]] = {}
        for case in cases:
            ccd, sky = make(*case)
            found = ccd.characterized
            assert found.exposure.psf is not None
            errors = model_errors(
                lambda x, y, c=ccd: c.true_psf(x, y, 15), found.exposure.psf.image, ccd.exposure.shape
            )
            if make is crowded:
                errors |= crowd_errors(ccd)
                errors["zeropoint bias"] = zeropoint_error_mmag(ccd, sky)
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
    unit = "mmag" if "bias" in name else "%" if name.startswith("FWHM") else ""
    unit, limit = _HELD.get(name, (unit, None))
    if title == "crowded field" and name == "sources":
        least = float(np.min(numbers))
        median = float(np.median(numbers))
        return Row(
            title, name, "Safelight", "", median, worst=least, n=len(numbers), demand=">= 20000", met=least >= 2e4
        )
    return spread(title, name, "Safelight", unit, numbers, demand=f"<= {limit:g}" if limit else "", at_most=limit)
