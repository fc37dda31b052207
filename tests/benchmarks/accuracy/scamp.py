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

from safelight.calibrate.first_wcs import FirstWcs
from safelight.calibrate.reference_stars import brightness
from safelight.refcats import ReferenceCatalog

__all__ = ["MODEL_SETTINGS", "ScampSolution", "solve", "write_camera_model", "write_ldac", "write_reference"]

Floats = NDArray[np.float64]

BLOCK = 2880  # bytes of a FITS block; the primary header takes one

#: What does best on these frames from a header without distortion, found by trying. A polynomial of degree 3: the
#: second leaves 60 mas, the fourth does not converge. The resolution of the match decides: left to itself SCAMP takes a
#: hundred times as long and finds a worse start for its fit. Of offsets it searches what Safelight searches too (2
#: arcmin of pointing and what rotation and scale add to it at the edge of the field, 2 degrees). All stars down to 5
#: sigma and clipping at 4 sigma, as Safelight, gain 0.1 to 1 mas over its defaults.
SETTINGS = {
    "ASTREF_CATALOG": "FILE",
    "ASTREFCAT_NAME": "reference.cat",
    "ASTREFCENT_KEYS": "X_WORLD,Y_WORLD",
    "ASTREFERR_KEYS": "ERRA_WORLD,ERRB_WORLD,ERRTHETA_WORLD",
    "ASTREFMAG_KEY": "MAG",
    "ASTREFMAGERR_KEY": "MAGERR",
    "ASTREFOBSDATE_KEY": "OBSDATE",
    "MATCH_NMAX": "300",
    "MATCH_RESOL": "1.0",
    "POSITION_MAXERR": "3.0",
    "POSANGLE_MAXERR": "2.0",
    "PIXSCALE_MAXERR": "1.02",
    "MOSAIC_TYPE": "UNCHANGED",
    "STABILITY_TYPE": "INSTRUMENT",
    "DISTORT_DEGREES": "3",
    "ASTR_ACCURACY": "0.005",
    "ASTRCLIP_NSIGMA": "4.0",
    "CROSSID_RADIUS": "1.0",
    "SN_THRESHOLDS": "5.0,20.0",
    "IMAFLAGS_MASK": "0x0",
    "SOLVE_PHOTOM": "N",
    "CHECKPLOT_TYPE": "NONE",
    "CHECKPLOT_DEV": "NULL",
    "WRITE_XML": "N",
    "VERBOSE_TYPE": "NORMAL",
    "NTHREADS": "1",
}
#: With `write_camera_model`: nothing but a linear map is left to fit.
MODEL_SETTINGS = {"STABILITY_TYPE": "PRE-DISTORTED", "CROSSID_RADIUS": "1.0"}

#: The terms of TPV: powers of the axis itself and of the other one, None where a radius stands.
_TPV = (
    (0, 0), (1, 0), (0, 1), None, (2, 0), (1, 1), (0, 2), (3, 0), (2, 1), (1, 2), (0, 3), None,
    (4, 0), (3, 1), (2, 2), (1, 3), (0, 4), (5, 0), (4, 1), (3, 2), (2, 3), (1, 4), (0, 5),
)  # fmt: skip


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
    axes = [name for name in ("NAXIS1", "NAXIS2") if name in header]
    primary["SIMPLE"], primary["BITPIX"], primary["NAXIS"] = True, -32, len(axes)
    for name in axes:
        primary[name] = header[name]
    for card in header.cards:
        primary[card.keyword] = (card.value, card.comment)
    text = primary.tostring(endcard=True, padding=True)
    formats = {"f": "D", "i": "J"}
    objects = fits.BinTableHDU.from_columns(
        [fits.Column(name, formats[np.asarray(v).dtype.kind], array=v) for name, v in columns.items()]
    )
    objects.name = "LDAC_OBJECTS"
    fits.HDUList([fits.PrimaryHDU(), objects]).writeto(path, overwrite=True)
    written = path.read_bytes()
    path.write_bytes(written[:BLOCK] + _header_as_table(text) + written[BLOCK:])


def _header_as_table(text: str) -> bytes:
    """LDAC_IMHEAD: cards as a table of one string. By hand, since astropy ends strings at their last letter."""
    table = fits.BinTableHDU.from_columns(
        [fits.Column("Field Header Card", f"{len(text)}A", dim=f"(80,{len(text) // 80})")], nrows=1
    )
    table.name = "LDAC_IMHEAD"
    return table.header.tostring().encode("ascii") + text.encode("ascii")


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


def write_camera_model(first: FirstWcs, header: fits.Header, shape: tuple[int, int], folder: Path) -> None:
    """What is known of the camera, for catalog.cat in `folder`: the first WCS as TPV, right to 0.2 mas for HSC.

    `header` is the linear WCS about the CCD's centre to which the polynomials are added.
    """
    height, width = shape
    x, y = (grid.ravel() for grid in np.meshgrid(np.linspace(0, width - 1, 17), np.linspace(0, height - 1, 33)))
    true = [plane / 3600.0 for plane in first.plane.project(*first.wcs.pixel_to_sky(x, y))]
    dx, dy = x + 1.0 - header["CRPIX1"], y + 1.0 - header["CRPIX2"]
    linear = [header[f"CD{axis}_1"] * dx + header[f"CD{axis}_2"] * dy for axis in (1, 2)]
    ahead = header.copy()
    ahead["CTYPE1"], ahead["CTYPE2"] = "RA---TPV", "DEC--TPV"
    unit = float(np.abs(linear).max())  # powers of numbers up to 1 can be told apart
    for axis in (0, 1):
        own, other = linear[axis] / unit, linear[1 - axis] / unit
        terms = {k: powers for k, powers in enumerate(_TPV) if powers is not None}
        design = np.stack([own**i * other**j for i, j in terms.values()], axis=1)
        values = np.linalg.lstsq(design, true[axis], rcond=None)[0]
        for (k, (i, j)), value in zip(terms.items(), values, strict=True):
            ahead[f"PV{axis + 1}_{k}"] = float(value) / unit ** (i + j)
    cards = [str(card).rstrip() for card in ahead.cards]
    (folder / "catalog.ahead").write_text("\n".join([*cards, "END     "]) + "\n")


def solve(folder: Path, settings: dict[str, str] | None = None) -> ScampSolution:
    """Run SCAMP on catalog.cat with reference.cat in `folder`, and catalog.ahead where there is one.

    `settings` replace those of `SETTINGS`. Raises `PeerError` where it writes no solution.
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
