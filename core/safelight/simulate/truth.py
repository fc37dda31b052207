"""The truth about a synthetic night, as files beside the repository's data and as functions that read them.

``truth/night.yaml`` is the night's specification, from which masters and calibration frames follow; each frame of the
sky has ``truth/VVVVVVV-CCC.fits``: cards for pointing, zeropoint, PSF and sky, the extension SOURCES with every star
and galaxy drawn, and COSMIC_RAYS with the electrons left in every pixel that was hit.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from safelight.errors import DatasetNotFound
from safelight.instruments.loader import load_instrument
from safelight.simulate.detector import bias_pattern, dark_current, flat_field, gain_map, response
from safelight.simulate.frame import FrameTruth, PlacedSources
from safelight.simulate.optics import Pointing, TrueWcs, claimed_pointing
from safelight.simulate.photometry import NOMINAL_GAIN
from safelight.simulate.sources import BANDS
from safelight.simulate.spec import NightSpec

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = [
    "StoredTruth",
    "cosmic_ray_mask",
    "load_night",
    "read_truth",
    "true_master",
    "true_wcs",
    "truth_file",
    "write_truth",
]

#: Card, meaning. Angles in degrees.
_COMMENTS = {
    "VISIT": "exposure number",
    "CCD": "detector id",
    "FILTER": "physical filter",
    "CAMERA": "instrument",
    "EXPTIME": "[s]",
    "TRUERA": "[deg] true boresight, ICRS",
    "TRUEDEC": "[deg] true boresight, ICRS",
    "TRUEROT": "[deg] true boresight rotation angle",
    "TRUESCAL": "field angles over the camera model's",
    "HDRRA": "[deg] boresight that the raw header claims",
    "HDRDEC": "[deg] boresight that the raw header claims",
    "HDRROT": "[deg] rotation angle that the raw header claims",
    "ZEROPT": "[mag] of 1 ADU/s, total flux, flat-fielded",
    "FWHM": "[arcsec] PSF at the centre of the CCD",
    "BETA": "Moffat exponent of the PSF",
    "PSFE1": "PSF ellipticity at the centre, pixel frame",
    "PSFE2": "PSF ellipticity at the centre, pixel frame",
    "SKYE": "[e-] sky a pixel at the centre, full response",
    "SKYADU": "[ADU] the same after division by the flat",
}


@dataclass(frozen=True, slots=True)
class StoredTruth:
    """What is true of one frame."""

    visit: int
    ccd: int
    filter_name: str
    exposure_time_s: float
    pointing: Pointing
    claimed: Pointing
    zeropoint_mag: float  # magnitude of 1 ADU/s, total flux, flat-fielded ADU
    fwhm_arcsec: float  # PSF at the CCD's centre
    ellipticity: tuple[float, float]
    sky_adu: float  # at the CCD's centre, flat-fielded
    #: id, is_star, x, y (0-based, assembled), ra, dec (degrees, at the epoch of observation), mag (camera), flux
    #: (total ADU, flat-fielded), mag_g … mag_y (PS1), fwhm (pixels), half_light (arcsec), axis_ratio, sersic
    sources: Table
    cosmic_rays: Table  # x, y, electrons


def truth_file(root: Path, visit: int, ccd: int) -> Path:
    """Where the truth of a frame lies in the repository `root`."""
    return root / "truth" / f"{visit:07d}-{ccd:03d}.fits"


def _source_columns(placed: PlacedSources) -> dict[str, NDArray[Any]]:
    return {
        "id": placed.sky.id,
        "is_star": placed.sky.is_star,
        "x": placed.x,
        "y": placed.y,
        "ra": placed.sky.ra_deg,
        "dec": placed.sky.dec_deg,
        "mag": placed.magnitude,
        "flux": placed.electrons / NOMINAL_GAIN,
        **{f"mag_{band}": placed.sky.band(band) for band in BANDS},
        "fwhm": placed.fwhm_pixels,
        "half_light": placed.sky.half_light_arcsec,
        "axis_ratio": placed.sky.axis_ratio,
        "sersic": placed.sky.sersic_index,
    }


_UNITS = {
    "x": "pixel",
    "y": "pixel",
    "ra": "deg",
    "dec": "deg",
    "flux": "adu",
    "fwhm": "pixel",
    "half_light": "arcsec",
    "electrons": "electron",
}


def _cards(truth: FrameTruth, instrument: str) -> dict[str, Any]:
    claimed = claimed_pointing(truth.visit)
    return {
        "VISIT": truth.visit.visit,
        "CCD": truth.ccd,
        "FILTER": truth.visit.filter,
        "CAMERA": instrument,
        "EXPTIME": truth.visit.exposure_time_s,
        "TRUERA": truth.pointing.ra_deg,
        "TRUEDEC": truth.pointing.dec_deg,
        "TRUEROT": truth.pointing.rotator_deg,
        "TRUESCAL": truth.pointing.scale,
        "HDRRA": claimed.ra_deg,
        "HDRDEC": claimed.dec_deg,
        "HDRROT": claimed.rotator_deg,
        "ZEROPT": truth.photometry.zeropoint_mag,
        "FWHM": truth.fwhm_arcsec,
        "BETA": truth.psf.beta,
        "PSFE1": truth.ellipticity[0],
        "PSFE2": truth.ellipticity[1],
        "SKYE": truth.sky_electrons,
        "SKYADU": truth.sky_electrons / NOMINAL_GAIN,
    }


def write_truth(path: Path, truth: FrameTruth, instrument: str) -> None:
    """Write the truth of a frame to exactly `path`."""
    from astropy.io import fits
    from astropy.table import Table

    hits = truth.cosmic_rays
    tables: dict[str, dict[str, NDArray[Any]]] = {
        "SOURCES": _source_columns(truth.sources),
        "COSMIC_RAYS": {"x": hits.x.astype(np.int16), "y": hits.y.astype(np.int16), "electrons": hits.electrons},
    }
    primary = fits.PrimaryHDU()
    for keyword, value in _cards(truth, instrument).items():
        primary.header[keyword] = (value, _COMMENTS[keyword])
    hdus = fits.HDUList([primary])
    for name, columns in tables.items():
        hdu = fits.BinTableHDU(Table(columns, copy=False), name=name)
        for number, column in enumerate(columns, start=1):
            if column in _UNITS:
                hdu.header[f"TUNIT{number}"] = _UNITS[column]
        hdus.append(hdu)
    with path.open("wb") as file:
        hdus.writeto(file)


def _existing(root: Path, visit: int, ccd: int) -> Path:
    path = truth_file(root, visit, ccd)
    if not path.is_file():
        raise DatasetNotFound(
            "NO_TRUTH",
            f"There is no truth about visit {visit}, CCD {ccd}: {path} does not exist.",
            "Only repositories made by `safelight simulate` have it.",
            {"visit": visit, "ccd": ccd},
        )
    return path


def read_truth(root: Path | str, visit: int, ccd: int) -> StoredTruth:
    """The truth about one frame of the repository `root`; raises `DatasetNotFound` (NO_TRUTH)."""
    from astropy.io import fits
    from astropy.table import Table

    with fits.open(_existing(Path(root), visit, ccd), memmap=False) as hdus:
        cards = hdus[0].header
        return StoredTruth(
            visit=visit,
            ccd=ccd,
            filter_name=cards["FILTER"],
            exposure_time_s=cards["EXPTIME"],
            pointing=Pointing(cards["TRUERA"], cards["TRUEDEC"], cards["TRUEROT"], cards["TRUESCAL"]),
            claimed=Pointing(cards["HDRRA"], cards["HDRDEC"], cards["HDRROT"]),
            zeropoint_mag=cards["ZEROPT"],
            fwhm_arcsec=cards["FWHM"],
            ellipticity=(cards["PSFE1"], cards["PSFE2"]),
            sky_adu=cards["SKYADU"],
            sources=Table(hdus["SOURCES"].data),
            cosmic_rays=Table(hdus["COSMIC_RAYS"].data),
        )


def true_wcs(root: Path | str, visit: int, ccd: int) -> TrueWcs:
    """The true WCS of one frame of the repository `root`; raises `DatasetNotFound` (NO_TRUTH)."""
    from astropy.io import fits

    cards = fits.getheader(_existing(Path(root), visit, ccd))
    pointing = Pointing(cards["TRUERA"], cards["TRUEDEC"], cards["TRUEROT"], cards["TRUESCAL"])
    return TrueWcs.of(load_instrument(cards["CAMERA"]), ccd, pointing)


def cosmic_ray_mask(root: Path | str, visit: int, ccd: int, least_electrons: float = 25.0) -> NDArray[np.bool_]:
    """Pixels [y, x] of the assembled frame in which a cosmic ray left at least `least_electrons`."""
    truth = read_truth(root, visit, ccd)
    detector = load_instrument(load_night(root).instrument).detector(ccd)
    mask = np.zeros((detector.height, detector.width), dtype=bool)
    hits = truth.cosmic_rays[truth.cosmic_rays["electrons"] >= least_electrons]
    mask[np.asarray(hits["y"], dtype=np.int64), np.asarray(hits["x"], dtype=np.int64)] = True
    return mask


def load_night(root: Path | str) -> NightSpec:
    """The specification of the night in the repository `root`; raises `DatasetNotFound` (NO_TRUTH)."""
    import yaml

    path = Path(root) / "truth" / "night.yaml"
    if not path.is_file():
        raise DatasetNotFound("NO_TRUTH", f"{root} holds no synthetic night: {path} does not exist.")
    return NightSpec.from_dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def true_master(root: Path | str, kind: str, ccd: int, filter_name: str = "") -> NDArray[np.float32]:
    """The noise-free bias (ADU), dark (ADU/s) or flat (of `filter_name`) of one CCD, [y, x] of the assembled frame."""
    night = load_night(root)
    instrument = load_instrument(night.instrument)
    detector = instrument.detector(ccd)
    defects = instrument.defects_on(ccd, min(visit.date_obs for visit in night.visits))
    if kind == "bias":
        return bias_pattern(detector, defects, night.seed)
    if kind == "dark":
        return np.asarray(dark_current(detector, night.seed) / gain_map(detector), dtype=np.float32)
    if kind == "flat":
        return flat_field(detector, response(instrument, detector, filter_name, defects, night.seed))
    raise ValueError(f"no such kind of master: {kind!r}")
