"""SCAMP on one frame: a local reference catalogue, well-chosen settings, and its solution as a WCS."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.wcs import WCS
from numpy.typing import NDArray
from tests.benchmarks.accuracy.peers import PeerError, run_program

from safelight.calibrate.astrometry import brightness
from safelight.refcats import ReferenceCatalog

__all__ = ["ScampSolution", "solve", "write_ldac", "write_reference"]

Floats = NDArray[np.float64]

#: What does best on these frames: the range that Safelight searches too (2 arcmin of pointing and what rotation and
#: scale add to it at the edge of the field, 2 degrees), the brightest 300 for the match (more find less, and take twice
#: as long), a third-degree polynomial (the second leaves 60 mas), a small floor of the errors.
SETTINGS = {
    "ASTREF_CATALOG": "FILE",
    "ASTREFCAT_NAME": "reference.cat",
    "ASTREFCENT_KEYS": "X_WORLD,Y_WORLD",
    "ASTREFERR_KEYS": "ERRA_WORLD,ERRB_WORLD,ERRTHETA_WORLD",
    "ASTREFMAG_KEY": "MAG",
    "ASTREFMAGERR_KEY": "MAGERR",
    "ASTREFOBSDATE_KEY": "OBSDATE",
    "MATCH_NMAX": "300",
    "POSITION_MAXERR": "3.0",
    "POSANGLE_MAXERR": "2.0",
    "PIXSCALE_MAXERR": "1.02",
    "MOSAIC_TYPE": "UNCHANGED",
    "STABILITY_TYPE": "INSTRUMENT",
    "DISTORT_DEGREES": "3",
    "ASTR_ACCURACY": "0.005",
    "CROSSID_RADIUS": "1.0",
    "SN_THRESHOLDS": "15.0,50.0",
    "IMAFLAGS_MASK": "0x0",
    "SOLVE_PHOTOM": "N",
    "CHECKPLOT_TYPE": "NONE",
    "CHECKPLOT_DEV": "NULL",
    "WRITE_XML": "N",
    "VERBOSE_TYPE": "NORMAL",
    "NTHREADS": "1",
}


@dataclass(frozen=True)
class ScampSolution:
    """What SCAMP made of a frame."""

    wcs: WCS
    seconds: float
    contrast: float  # of its match; below about 3 it doubts it itself

    def pixel_to_sky(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """ICRS degrees of 0-based pixels."""
        ra, dec = self.wcs.all_pix2world(x, y, 0)
        return np.asarray(ra), np.asarray(dec)


def write_ldac(columns: dict[str, NDArray[np.generic]], header: fits.Header, path: Path) -> None:
    """A FITS-LDAC catalogue: the header as an image header in a table of one cell, then the objects."""
    primary = fits.Header()
    primary["SIMPLE"], primary["BITPIX"], primary["NAXIS"] = True, 16, 0
    for card in header.cards:
        primary[card.keyword] = (card.value, card.comment)
    text = primary.tostring(endcard=True, padding=True)
    cards = np.array([[text[k : k + 80].encode("ascii") for k in range(0, len(text), 80)]])
    imhead = fits.BinTableHDU.from_columns(
        [fits.Column("Field Header Card", f"{len(text)}A", array=cards, dim=f"(80,{len(text) // 80})")]
    )
    imhead.name = "LDAC_IMHEAD"
    formats = {"f": "D", "i": "J"}
    objects = fits.BinTableHDU.from_columns(
        [fits.Column(name, formats[np.asarray(v).dtype.kind], array=v) for name, v in columns.items()]
    )
    objects.name = "LDAC_OBJECTS"
    fits.HDUList([fits.PrimaryHDU(), imhead, objects]).writeto(path, overwrite=True)


def write_reference(
    catalog: ReferenceCatalog, kept: NDArray[np.bool_], errors_arcsec: tuple[Floats, Floats], path: Path
) -> None:
    """The kept stars of a reference catalogue, at the epoch for which they were loaded, as SCAMP reads them."""
    flux = brightness(catalog)
    kept = kept & (flux > 0)
    year = 2000.0 + (catalog.epoch_mjd_tai - 51544.5) / 365.25 if np.isfinite(catalog.epoch_mjd_tai) else 2015.0
    n = int(kept.sum())
    columns: dict[str, NDArray[np.generic]] = {
        "X_WORLD": catalog.ra_deg[kept],
        "Y_WORLD": catalog.dec_deg[kept],
        "ERRA_WORLD": errors_arcsec[0][kept] / 3600.0,
        "ERRB_WORLD": errors_arcsec[1][kept] / 3600.0,
        "ERRTHETA_WORLD": np.zeros(n),
        "MAG": 31.4 - 2.5 * np.log10(flux[kept]),
        "MAGERR": np.full(n, 0.02),
        "OBSDATE": np.full(n, year),
    }
    write_ldac(columns, fits.Header(), path)


def solve(folder: Path, settings: dict[str, str] | None = None) -> ScampSolution:
    """Run SCAMP on catalog.cat with reference.cat in `folder`.

    Raises `PeerError` where it writes no solution.
    """
    result = folder / "catalog.head"
    result.unlink(missing_ok=True)
    chosen = {**SETTINGS, **(settings or {})}
    (folder / "scamp.conf").write_text("".join(f"{key} {value}\n" for key, value in chosen.items()))
    ran = run_program("scamp", ["catalog.cat", "-c", "scamp.conf"], folder)
    if not result.is_file():
        raise PeerError(f"scamp wrote no header: {ran.output.strip()[-300:]}")
    return ScampSolution(_read_head(result), ran.seconds, _contrast(ran.output))


def _read_head(path: Path) -> WCS:
    lines = path.read_text(encoding="latin-1").splitlines()
    cards = "\n".join(line for line in lines if not line.startswith(("HISTORY", "COMMENT")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return WCS(fits.Header.fromstring(cards, sep="\n"))


def _contrast(output: str) -> float:
    """The contrast of the match in the table that SCAMP prints: the column after the field's instruments."""
    for line in output.splitlines():
        parts = line.split()
        if parts and parts[0].startswith("catalog") and len(parts) >= 8:
            numbers = [p for p in parts if p.replace(".", "").replace("-", "").isdigit()]
            if len(numbers) >= 2:
                return float(numbers[-1])
    return float("nan")
