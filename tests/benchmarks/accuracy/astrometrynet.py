"""astrometry.net on the same frames, with an index built from the same Gaia stars."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS
from numpy.typing import NDArray
from tests.benchmarks.accuracy.frames import GAIA, Frame
from tests.benchmarks.accuracy.peers import PeerError, program, run_program, spent_by_children
from tests.benchmarks.accuracy.rows import Row, spread
from tests.benchmarks.accuracy.sections import Log, Options

__all__ = ["measure_astrometry_net"]

Floats = NDArray[np.float64]

INDEX_SCALES = (-2, -1, 0)  # quads of 1 to 2.8 arcmin: larger ones are bent too much at the edge of the field
WRONG_MAS = 1000.0  # a solution that is farther off anywhere is none


def measure_astrometry_net(options: Options, frames: Sequence[Frame], log: Log) -> list[Row]:
    """WCS error and time of solve-field told the pointing to 18' and the scale to 3 %; none where it is absent."""
    builder = shutil.which("build-astrometry-index")
    if builder is None or program("astrometry.net") is None:
        log("astrometry.net is absent: left out")
        return []
    rms: list[float] = []
    seconds: list[float] = []
    unsolved: list[str] = []
    done = [frame for frame in frames if frame.done]
    if not done:
        return []
    with tempfile.TemporaryDirectory(prefix="safelight-anet-") as place:
        folder = Path(place)
        try:
            indexing = _build_indexes(builder, done[0].root / "ref_cats" / GAIA, folder)
        except PeerError as error:
            log(f"{error}: astrometry.net left out")
            return []
        for frame in done:
            try:
                spent, wcs = _solve(frame, folder)
            except PeerError as error:
                unsolved.append(f"{frame.name}: {error}")
                continue
            error_mas = frame.wcs_error_mas(_transform(wcs))
            if not np.hypot(*error_mas).max() < WRONG_MAS:
                unsolved.append(f"{frame.name}: wrong")
                continue
            rms.append(float(np.sqrt(np.mean((error_mas**2).sum(axis=0)))))
            seconds.append(spent)
            log(f"  {frame.name} astrometry.net {rms[-1]:.1f} mas")
    tool = "astrometry.net"
    return [
        spread(tool, "rms over the CCD, Gaia", tool, "mas", rms, note="its polynomials are fitted without weights"),
        spread(tool, "time", tool, "s", seconds),
        Row(tool, "time of its index, once", tool, "s", indexing),
        Row(tool, "CCDs solved", tool, "", len(rms), n=len(done), note="; ".join(unsolved)[:120]),
    ]


def _transform(wcs: WCS) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
    def pixel_to_sky(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        ra, dec = wcs.all_pix2world(x, y, 0)
        return np.asarray(ra), np.asarray(dec)

    return pixel_to_sky


def _build_indexes(builder: str, shards: Path, folder: Path) -> float:
    """Seconds of the processor. The stars are those that Safelight gets, at the catalogue's epoch."""
    before = spent_by_children()
    tables = []
    for shard in sorted(shards.glob("*.fits")):
        with fits.open(shard) as hdus:
            rows = hdus[1].data
            columns = {"RA": np.degrees(rows["coord_ra"]), "DEC": np.degrees(rows["coord_dec"])}
            flux = np.nan_to_num(np.asarray(rows["phot_g_mean_flux"], dtype=np.float64), nan=0.0)
            columns["MAG"] = 31.4 - 2.5 * np.log10(np.maximum(flux, 1.0))
            tables.append(columns)
    Table({name: np.concatenate([t[name] for t in tables]) for name in ("RA", "DEC", "MAG")}).write(
        folder / "gaia.fits", overwrite=True
    )
    for scale in INDEX_SCALES:
        command = [builder, "-i", "gaia.fits", "-o", f"index-{scale}.fits", "-P", str(scale), "-S", "MAG", "-E"]
        command += ["-I", f"77{scale:02d}", "-n", "100", "-r", "1", "-j", "0.3"]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if built.returncode:
            raise PeerError(f"build-astrometry-index: {(built.stdout + built.stderr)[-200:]}")
    names = "".join(f"index index-{scale}.fits\n" for scale in INDEX_SCALES)
    (folder / "backend.cfg").write_text(f"add_path {folder}\n{names}")
    return spent_by_children() - before


def _solve(frame: Frame, folder: Path) -> tuple[float, WCS]:
    """Seconds of the processor and the solution with SIP terms of degree 3, from our own brightest sources."""
    src = frame.src
    flux = np.nan_to_num(np.asarray(src["base_PsfFlux_instFlux"], dtype=np.float64))
    order = np.argsort(-flux)[:300]
    columns = {"X": src["base_SdssCentroid_x"][order] + 1.0, "Y": src["base_SdssCentroid_y"][order] + 1.0}
    table = Table({name: np.asarray(values, dtype=np.float64) for name, values in columns.items()})
    table["FLUX"] = flux[order]
    table = table[np.isfinite(table["X"]) & np.isfinite(table["Y"])]
    table.write(folder / "field.xyls", format="fits", overwrite=True)
    for suffix in (".solved", ".wcs"):
        (folder / f"field{suffix}").unlink(missing_ok=True)
    first = frame.start[0]
    height, width = frame.shape
    arguments = [
        "field.xyls", "--backend-config", "backend.cfg", "--overwrite", "--no-plots", "--width", str(width),
        "--height", str(height), "--ra", str(first.plane.ra_deg), "--dec", str(first.plane.dec_deg), "--radius", "0.3",
        "--scale-units", "arcsecperpix", "--scale-low", str(0.97 * first.pixel_scale),
        "--scale-high", str(1.03 * first.pixel_scale), "--tweak-order", "3", "--sort-column", "FLUX",
        "--code-tolerance", "0.02", "--crpix-center", "--cpulimit", "60",
    ]  # fmt: skip
    ran = run_program("astrometry.net", arguments, folder)
    if not (folder / "field.wcs").is_file():
        raise PeerError("no solution")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the header is of no image
        return ran.seconds, WCS(fits.getheader(folder / "field.wcs"))
