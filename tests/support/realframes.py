"""The real frames of two small telescopes, from raw files to measured sources to a calibration from any pointing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from safelight import calibrate, characterize, isr
from safelight.calibrate import CalibrateConfig, CalibrateResult
from safelight.calibs import build
from safelight.characterize.config import CharacterizeConfig
from safelight.characterize.task import CharacterizeResult
from safelight.instruments import Instrument, load_instrument, read_raw
from safelight.instruments.pointing import Pointing
from safelight.refcats import RefcatIngestConfig, ingest_reference_catalog, load_reference_catalog
from safelight.refcats.ingestconfig import DatasetOptions

__all__ = [
    "TRES1_CENTRE",
    "TRES1_SCALE",
    "Field",
    "Measured",
    "huntsman_field",
    "measure",
    "pointings_off",
    "solve",
    "tres1_field",
    "tres1_lights",
]

TRES1_CENTRE = (286.04, 36.63)  # degrees; the header has none
TRES1_SCALE = 2.37  # arcsec/pixel
TEN_ARCMIN = 10.0 / 60.0


@dataclass
class Field:
    """What all frames of one telescope share."""

    folder: Path
    instrument: Instrument
    masters: isr.Masters
    catalog: Path  # a directory of shards


@dataclass
class Measured:
    """A frame up to its measured sources: nothing of this depends on where the telescope looked."""

    path: Path
    found: CharacterizeResult


def tres1_field(folder: Path, catalogs: Path) -> Field:
    """The frames of TrES-1 in `folder`, its Tycho-2 stars ingested into `catalogs`."""
    config = RefcatIngestConfig(
        dataset_config=DatasetOptions(ref_dataset_name="tycho2"), ra_name="ra", dec_name="dec", mag_column_list=("vt",)
    )
    ingest_reference_catalog([folder / "tycho2.csv"], catalogs, config)
    camera = load_instrument("generic")
    dark = build.build_dark(sorted(folder.glob("*d.fits.gz")), camera)
    return Field(folder, camera, isr.Masters(dark=dark), catalogs / "tycho2")


def tres1_lights(field: Field) -> list[Path]:
    """The raw files of the eight lights."""
    return sorted(field.folder.glob("tres1-02?.fits.gz"))


def pointings_off() -> Iterator[tuple[tuple[float, float], Pointing]]:
    """Pointings 10' to the East, West, North and South of TrES-1, each with its direction."""
    ra, dec = TRES1_CENTRE
    for east, north in ((1.0, 0.0), (-1.0, 0.0), (0.0, 1.0), (0.0, -1.0)):
        there = ra + east * TEN_ARCMIN / math.cos(math.radians(dec))
        yield (east, north), Pointing(there, dec + north * TEN_ARCMIN, TRES1_SCALE)


def huntsman_field(folder: Path, catalogs: Path) -> Field:
    """The frames of the Huntsman telescope in `folder`, its SkyMapper stars ingested into `catalogs`."""
    config = RefcatIngestConfig(
        dataset_config=DatasetOptions(ref_dataset_name="skymapper"),
        ra_name="raj2000",
        dec_name="dej2000",
        id_name="object_id",
        mag_column_list=("g_psf", "r_psf", "i_psf"),
        mag_err_column_map={"g_psf": "e_g_psf", "r_psf": "e_r_psf", "i_psf": "e_i_psf"},
    )
    ingest_reference_catalog([folder / "skymapper.csv"], catalogs, config)
    camera = load_instrument("huntsman")
    dark = build.build_dark([folder / "dark.fits"], camera)
    flat = build.build_flat([folder / "flat.fits"], camera, dark=dark)
    return Field(folder, camera, isr.Masters(dark=dark, flat=flat), catalogs / "skymapper")


def measure(path: Path, field: Field) -> Measured:
    """Signature removal and characterisation of one raw file."""
    raw = read_raw(path, field.instrument)
    switches = {f"do{name.title()}": getattr(field.masters, name) is not None for name in ("bias", "dark", "flat")}
    exposure = isr.run(raw, field.masters, isr.IsrConfig(**switches), field.instrument).exposure
    return Measured(path, characterize.run(exposure, CharacterizeConfig(), exposure_id=1))


def solve(frame: Measured, field: Field, pointing: Pointing | None = None) -> CalibrateResult:
    """Calibration of a measured frame from the header's WCS or a stated pointing."""
    config = CalibrateConfig()
    raw = read_raw(frame.path, field.instrument, pointing=pointing)
    exposure = replace(frame.found.exposure, wcs=raw.wcs)
    height, width = exposure.shape
    circle = calibrate.reference_circle(
        raw.wcs,
        raw.wcs_origin,
        width,
        height,
        config.astrometry,
        config.astromRefObjLoader,
        field.instrument,
        raw.detector.id,
        raw.visit_info,
    )
    stars = load_reference_catalog(field.catalog, *circle, raw.visit_info.mjd_mid_tai)
    sources = frame.found.src.copy()
    return calibrate.run(exposure, sources, stars, stars, config, field.instrument, wcs_origin=raw.wcs_origin)
