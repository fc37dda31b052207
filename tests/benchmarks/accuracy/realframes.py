"""The real frames of two small telescopes: every figure that is asked of them, and what is reached.

There is no truth here but what other tools found (in the README of the shared data): 21 to 22 Tycho-2 stars and a
scatter of 0.3 to 0.45 mag on TrES-1 (the filter is unknown), 20 SkyMapper stars in the Huntsman frame.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tests.benchmarks.accuracy.rows import Row

from safelight import calibrate, characterize, isr
from safelight.calibrate import CalibrateConfig, CalibrateResult
from safelight.calibs import build
from safelight.characterize.config import CharacterizeConfig
from safelight.characterize.task import CharacterizeResult
from safelight.instruments import Instrument, load_instrument, read_raw
from safelight.instruments.pointing import Pointing
from safelight.refcats import RefcatIngestConfig, ingest_reference_catalog, load_reference_catalog
from safelight.refcats.ingestconfig import DatasetOptions

__all__ = ["measure_real_frames"]

_TRES1 = (286.04, 36.63, 2.37)  # degrees, arcsec/pixel: nothing of it is in the headers
_OFF_DEG = 10.0 / 60.0


def measure_real_frames(data: Path, log: Callable[[str], None]) -> list[Row]:
    """The rows of those telescopes whose frames are in `data`."""
    rows: list[Row] = []
    for name, measure in (("tres1", _tres1), ("huntsman", _huntsman)):
        if (data / name).is_dir():
            log(f"real frames: {name}")
            with tempfile.TemporaryDirectory(prefix="safelight-real-") as folder:
                rows += measure(data / name, Path(folder))
        else:
            log(f"{data / name} is absent, left out")
    return rows


def _measured(path: Path, camera: Instrument, masters: isr.Masters) -> CharacterizeResult:
    switches = {f"do{name.title()}": getattr(masters, name) is not None for name in ("bias", "dark", "flat")}
    exposure = isr.run(read_raw(path, camera), masters, isr.IsrConfig(**switches), camera).exposure
    return characterize.run(exposure, CharacterizeConfig(), exposure_id=1)


def _solved(
    path: Path, found: CharacterizeResult, camera: Instrument, catalog: Path, pointing: Pointing | None = None
) -> CalibrateResult:
    config = CalibrateConfig()
    raw = read_raw(path, camera, pointing=pointing)
    height, width = found.exposure.shape
    circle = calibrate.reference_circle(
        raw.wcs, raw.wcs_origin, width, height, config.astrometry, config.astromRefObjLoader, camera,
        raw.detector.id, raw.visit_info,
    )  # fmt: skip
    stars = load_reference_catalog(catalog, *circle, raw.visit_info.mjd_mid_tai)
    exposure = replace(found.exposure, wcs=raw.wcs)
    return calibrate.run(exposure, found.src.copy(), stars, stars, config, camera, wcs_origin=raw.wcs_origin)


def _tres1(data: Path, folder: Path) -> list[Row]:
    """Eight frames, each from pointings 10' off in four directions."""
    options = DatasetOptions(ref_dataset_name="tycho2")
    ingest = RefcatIngestConfig(dataset_config=options, ra_name="ra", dec_name="dec", mag_column_list=("vt",))
    ingest_reference_catalog([data / "tycho2.csv"], folder, ingest)
    camera = load_instrument("generic")
    masters = isr.Masters(dark=build.build_dark(sorted(data.glob("*d.fits.gz")), camera))
    ra, dec, scale = _TRES1
    results, fwhm, spreads = [], [], []
    for light in sorted(data.glob("tres1-02?.fits.gz")):
        found = _measured(light, camera, masters)
        fwhm.append(found.metrics["fwhm_px"])
        centres = []
        for east, north in ((1, 0), (-1, 0), (0, 1), (0, -1)):
            there = Pointing(ra + east * _OFF_DEG / math.cos(math.radians(dec)), dec + north * _OFF_DEG, scale)
            results.append(_solved(light, found, camera, folder / "tycho2", there))
            wcs = results[-1].exposure.wcs
            assert wcs is not None
            centres.append([float(value) for value in wcs.pixel_to_sky(545.5, 367.5)])
        spreads.append(3600.0 * float(np.ptp(np.array(centres), axis=0).max()))
    matches = [result.metrics["wcs_matches"] for result in results]
    crossed = [result.metrics["wcs_cv_rms_px"] for result in results]
    scatter = [result.metrics["zeropoint_rms_mag"] for result in results]
    section = "TrES-1, 8 frames from 4 pointings"
    return [
        _row(section, "stars in the fit", "", matches, ">= 18 on all", min(matches) >= 18, least=True),
        _row(section, "cross-validated rms", "pixels", crossed, "<= 0.3 on all", max(crossed) <= 0.3),
        _row(section, "centres from 4 pointings differ by", "arcsec", spreads, "<= 0.05 on all", max(spreads) <= 0.05),
        _row(section, "zeropoint scatter (no band)", "mag", scatter, "<= 0.6 on all", max(scatter) <= 0.6),
        _row(section, "FWHM", "pixels", fwhm),
    ]


def _huntsman(data: Path, folder: Path) -> list[Row]:
    """One frame, 13 of whose 20 catalogue stars are saturated."""
    ingest = RefcatIngestConfig(
        dataset_config=DatasetOptions(ref_dataset_name="skymapper"),
        ra_name="raj2000",
        dec_name="dej2000",
        id_name="object_id",
        mag_column_list=("g_psf", "r_psf", "i_psf"),
        mag_err_column_map={"g_psf": "e_g_psf", "r_psf": "e_r_psf", "i_psf": "e_i_psf"},
    )
    ingest_reference_catalog([data / "skymapper.csv"], folder, ingest)
    camera = load_instrument("huntsman")
    dark = build.build_dark([data / "dark.fits"], camera)
    masters = isr.Masters(dark=dark, flat=build.build_flat([data / "flat.fits"], camera, dark=dark))
    found = _measured(data / "science.fits", camera, masters)
    result = _solved(data / "science.fits", found, camera, folder / "skymapper")
    full, wcs = result.matches_full, result.exposure.wcs
    assert wcs is not None
    used = np.asarray(full["src_calib_astrometry_used"])
    x, y = wcs.sky_to_pixel(np.degrees(full["ref_coord_ra"][used]), np.degrees(full["ref_coord_dec"][used]))
    rms = [
        float(np.sqrt(np.mean((at - np.asarray(full[f"src_base_SdssCentroid_{axis}"][used])) ** 2)))
        for at, axis in ((x, "x"), (y, "y"))
    ]
    section = "Huntsman, 1 frame"
    associated, scatter = result.metrics["n_associated"], result.metrics["zeropoint_rms_mag"]
    stars = float(used.sum())
    return [
        _row(section, "catalogue stars associated", "", [associated], ">= 18", associated >= 18),
        _row(section, "unsaturated stars in the fit", "", [stars], ">= 6", stars >= 6),
        _row(section, "rms of the worse axis", "pixels", [max(rms)], "<= 0.15", max(rms) <= 0.15),
        _row(section, "zeropoint rms, left out one by one", "mag", [scatter], "<= 0.15", scatter <= 0.15),
        _row(section, "FWHM", "pixels", [found.metrics["fwhm_px"]]),
    ]


def _row(
    section: str, name: str, unit: str, values: list[float], demand: str = "", met: bool | None = None,
    *, least: bool = False,
) -> Row:  # fmt: skip
    worst = min(values) if least else max(values)
    return Row(
        section, name, "Safelight", unit, float(np.median(values)), worst=worst, n=len(values), demand=demand, met=met
    )
